import { SproutError } from '../../domain/errors.ts';
import type { CodeOrder, CodeRun } from '../../sandbox/untrusted-python.ts';
import type { AgentContext, Team } from '../context.ts';
import type { StepIo } from '../step.ts';
import { checkCodeResult, layOutCodeResult } from '../toolkit-protocol.ts';
import { callToolkit } from '../tools/toolkit-call.ts';
import { toldOfFailure } from './told.ts';

/** A piece of agent-written code. Its id is of the call that wrote it and of its text. */
export interface Code {
  id: string;
  source: string;
}

/** What the code made of the training rows: where each part's answers lie, for `train`. */
export interface CodeAnswers {
  id: string;
  form: 'FEATURES' | 'FITTED' | 'PIPELINE';
  answers: Record<string, string>;
}

/** A sample that takes longer than this would take too long on all rows. */
const SAMPLE_SECONDS = 30;

/**
 * Runs the code on the training rows: on a few first, then whole, each fold in a process of its own that sees no target but
 * those it trains on. Nothing of what it makes is believed here: `train` reads and checks it.
 *
 * Rejects with CODE_INVALID and its like, which the author can mend, or STOPPED.
 */
export async function runCode(
  agent: AgentContext,
  io: StepIo,
  code: Code,
  limits: { seconds: number; label: string; threads: number },
): Promise<CodeAnswers> {
  const { team } = agent;
  const { label } = limits;
  const deadline = team.budget.elapsed + limits.seconds;
  const left = () => Math.max(1, deadline - team.budget.elapsed);
  const toolkit = { label, softSignal: team.searchSignal, noRetry: true };
  const laidOut = await callToolkit(agent, io, {
    ...toolkit,
    command: 'lay_out_code',
    request: { codeId: code.id, source: code.source, seed: team.seed },
    result: layOutCodeResult,
    timeoutSeconds: left() + 5,
  });

  if (laidOut.sample) {
    const answers = await runPart(team, code, 'sample', Math.min(SAMPLE_SECONDS, left()), limits.threads);
    await callToolkit(agent, io, {
      ...toolkit,
      command: 'check_code',
      request: { codeId: code.id, answers },
      result: checkCodeResult,
      timeoutSeconds: left() + 5,
    });
  }
  const answers: Record<string, string> = {};
  for (const [place, part] of laidOut.parts.entries()) {
    team.meter.step(io.key, place / (laidOut.parts.length + 1), label, `${label}: ${part}`);
    answers[part] = await runPart(team, code, part, left(), limits.threads);
  }
  return { id: code.id, form: laidOut.form, answers };
}

async function runPart(team: Team, code: Code, part: string, seconds: number, threads: number) {
  const folder = `work/code/${code.id}/${part}`;
  const answers = `scratch/${code.id}/${part}`;
  await runOrder(team, code.source, { do: 'task', folder, answers }, [folder, 'work/code/table.pkl'], {
    seconds,
    threads,
  });
  return answers;
}

/** Runs one order and throws what its author is to know when it did not end well. */
export async function runOrder(
  team: Team,
  source: string,
  order: CodeOrder,
  reads: readonly string[],
  limits: { seconds: number; threads: number },
): Promise<CodeRun> {
  if (!team.untrusted) throw uncontained();
  const signal = AbortSignal.any([team.signal, team.searchSignal]);
  if (signal.aborted) throw new SproutError('STOPPED', 'The code was stopped before it ended.');
  const start = () =>
    team.untrusted?.run(
      order,
      { reads, writes: order.answers },
      { wallSeconds: limits.seconds, threads: limits.threads, signal },
    ) ?? Promise.reject(uncontained());
  let run = await start();
  // Its sandbox went away, which says nothing about the code.
  if (run.exit.reason === 'lost') run = await start();
  if (run.exit.reason === 'exited' && run.exit.code === 0) return run;
  throw failureOf(run, source, team.shareSamples ?? false, limits.seconds);
}

export const uncontained = (): SproutError =>
  new SproutError('SANDBOX_UNCONTAINED', 'Agent-written code can not be contained here, so it is not run.', {
    hint: 'Work with families and parameters alone.',
  });

/** The exit code of `agent_code/inside.py` when the code raised. */
const RAISED = 3;

function failureOf(run: CodeRun, source: string, share: boolean, seconds: number): SproutError {
  const said = toldOfFailure(run, source, share);
  const { exit } = run;
  const fail = (code: string, message: string, hint: string) => new SproutError(code, message, { hint });
  switch (exit.reason) {
    case 'deadline':
      return fail(
        'CODE_TOO_SLOW',
        `The code was stopped after ${seconds.toFixed(0)} s.`,
        'Vectorise it, or do less.',
      );
    case 'memory':
      return fail(
        'CODE_OUT_OF_MEMORY',
        'The code used more memory than it may.',
        'Make fewer or smaller columns.',
      );
    case 'output':
      return fail('CODE_OUTPUT_LIMIT', 'The code printed more than it may.', 'Print nothing in a loop.');
    case 'disk':
      return fail('CODE_DISK_LIMIT', 'The disk was about to fill, so the code was stopped.', 'Write less.');
    case 'lost':
      return new SproutError('SANDBOX_LOST', 'The sandbox went away while the code ran.', {
        hint: 'Try it once more.',
      });
    case 'aborted':
    case 'killed':
      return new SproutError('STOPPED', 'The code was stopped before it ended.');
    case 'exited':
      if (exit.code === RAISED) return fail('CODE_RAISED', said || 'The code raised an error.', 'Repair it.');
      return fail(
        'CODE_CRASHED',
        `The code's process ended by ${exit.signal ?? `exit code ${exit.code}`}. ${said}`.trim(),
        'Let the functions return; do not end the process.',
      );
  }
}
