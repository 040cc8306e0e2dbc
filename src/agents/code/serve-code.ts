import { randomUUID } from 'node:crypto';
import { SproutError } from '../../domain/errors.ts';
import type { Team } from '../context.ts';
import { uncontained } from './run-code.ts';

/** What a toolkit command is told to ask where a model needs agent-written code to answer. */
export interface CodeServer {
  requests: string;
  answers: string;
  seconds: number;
}

/** The codes of failures that are the agent-written code's fault, not the toolkit's. */
export const isCodeFailure = (code: string): boolean =>
  code.startsWith('CODE_') || code === 'SANDBOX_UNCONTAINED';

/** Longest wait for one answer: beyond it the code hangs. */
const ANSWER_SECONDS = 60;

/**
 * Runs a toolkit command while a process in the untrusted sandbox answers for the code in its models. Without any such code
 * nothing is started and `work` gets null.
 */
export async function withCodeServer<T>(
  team: Team,
  options: { codes: readonly string[]; seconds: number },
  work: (server: CodeServer | null, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const never = new AbortController();
  if (options.codes.length === 0) return work(null, never.signal);
  if (!team.untrusted) throw uncontained();
  // Anew each time, also after a crash: old answers must not pass for new ones.
  const id = randomUUID();
  const server = {
    requests: `work/code/served-${id}`,
    answers: `scratch/served-${id}`,
    seconds: Math.min(ANSWER_SECONDS, options.seconds),
  };
  const process = await team.untrusted.start(
    { do: 'serve', requests: server.requests, answers: server.answers },
    { reads: [server.requests], writes: server.answers },
    { wallSeconds: options.seconds, threads: 1, signal: team.signal },
  );
  const gone = new AbortController();
  void process.ended.then(({ exit }) =>
    gone.abort(
      new SproutError(
        'CODE_FAILED',
        `The process that answers for agent-written code ended (${exit.reason}).`,
      ),
    ),
  );
  try {
    return await work(server, gone.signal);
  } catch (error) {
    team.signal.throwIfAborted();
    // Its end took the command with it.
    if (gone.signal.aborted) throw gone.signal.reason;
    throw error;
  } finally {
    process.kill();
    await process.ended;
  }
}
