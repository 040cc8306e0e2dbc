import { SproutError, StaleAttemptError } from '../domain/errors.ts';
import type { NewEvent } from '../domain/events.ts';
import { toolSpan } from '../telemetry/agent-spans.ts';
import { inSpan } from '../telemetry/spans.ts';
import type { AgentContext } from './context.ts';
import type { JobChanges } from './recorder.ts';

/** A tool's answer as its agent reads it. `secondsLeft` is journaled with it: a resumed agent decides as the first did. */
export type StepAnswer<T> =
  | { ok: true; result: T; secondsLeft: number }
  | { ok: false; error: StepError; secondsLeft: number };

/** The code an agent reads when its arguments don't fit a tool's schema: the tool did not run. */
export const ARGUMENTS_INVALID = 'ARGUMENTS_INVALID';

export interface StepError {
  code: string;
  message: string;
  hint: string | null;
}

/** What the journal holds of a step, beyond the recorder's own fields. */
interface Journaled<T> {
  answer: StepAnswer<T>;
  refused: boolean;
  /** Seconds into the job at its end, and the seconds it took. */
  at: number;
  seconds: number;
  log: string[];
}

export interface StepEnd {
  at: number;
  seconds: number;
}

export interface StepSpec<T> {
  tool: string;
  /** What people read while it runs: `CatBoost (depth 6)`. */
  label: string;
  /** The input as the event shows it. */
  input: unknown;
  /** Reading what the team knows: journaled, but no event and no time in the sandbox. */
  quiet?: boolean;
  /** Where it waits for its turn, before it starts. */
  hold?<R>(work: () => Promise<R>): Promise<R>;
  /** Asked when its turn comes: a reason not to run it after all, which is then its journaled failure. */
  refuse?(): StepError | null;
  run(io: StepIo): Promise<T>;
  /** Writes the result to the blackboard and says what to record with it; on replay what it says is not recorded again. */
  settle?(result: T, end: StepEnd): Settled;
  /** Called when it really starts (not when refused), and on replay of one that did. */
  begin?(): void;
  /** Told of a failure that ran (not of a refusal), on replay too. */
  failed?(error: StepError, end: StepEnd): void;
  /** A failure nobody in the team can mend: thrown and ending the job, not told to the agent. */
  failureIsFatal?: boolean;
}

export interface Settled {
  message?: string;
  events?: NewEvent[];
  changes?: JobChanges;
}

export interface StepIo {
  key: string;
  log(level: 'INFO' | 'WARNING' | 'ERROR', message: string): void;
}

/** Lines of one step that reach the training log; a chatty library must not drown the rest. */
const LOG_LINES_PER_STEP = 40;

/**
 * Runs one tool call exactly once over all attempts: a finished step is answered from the journal, an unfinished one runs
 * and is journaled together with its events and changes. Coded failures are answers too; anything else is fatal.
 */
export async function step<T>(
  agent: AgentContext,
  callId: string,
  spec: StepSpec<T>,
): Promise<StepAnswer<T>> {
  const { team } = agent;
  const key = `${agent.run}#${callId}`;
  team.signal.throwIfAborted();
  try {
    const known = await team.recorder.finishedStep(key);
    if (known) {
      team.retelling?.heard();
      return replay(agent, spec, known.output as Journaled<T>);
    }
    if (team.retelling?.only) throw new RetoldError();
    const perform = () => performStep(agent, key, spec);
    return await (spec.hold ? spec.hold(perform) : perform());
  } catch (error) {
    // A rejected tool call does not stop its siblings in the SDK: the team's own signal does.
    team.fail(error);
    throw error;
  }
}

/** What was to be told again is told. */
class RetoldError extends Error {
  constructor() {
    super('it had ended before');
  }
}

function replay<T>(agent: AgentContext, spec: StepSpec<T>, journaled: Journaled<T>): StepAnswer<T> {
  remember(agent, journaled);
  if (!journaled.refused) spec.begin?.();
  if (journaled.answer.ok) spec.settle?.(journaled.answer.result, journaled);
  else {
    if (!journaled.refused) spec.failed?.(journaled.answer.error, journaled);
    if (spec.failureIsFatal) throw asError(journaled.answer.error);
  }
  return journaled.answer;
}

async function performStep<T>(agent: AgentContext, key: string, spec: StepSpec<T>): Promise<StepAnswer<T>> {
  const { team, role, run } = agent;
  team.signal.throwIfAborted();
  const about = { stage: team.meter.stage, agent: role };
  const named = { agentRun: run, step: spec.label, tool: spec.tool };
  const startedAt = team.budget.elapsed;
  const refusal = spec.refuse?.() ?? null;
  // In the same breath as the refusal: what is counted here is what trials side by side are refused by.
  if (refusal === null) spec.begin?.();
  const silent = spec.quiet === true || refusal !== null;
  if (!silent) {
    const message = `${spec.label}: started`;
    await team.recorder.record([{ type: 'StepStarted', ...named, input: spec.input, ...about, message }]);
  }

  const log: string[] = [];
  const outcome = refusal ? { ok: false as const, error: refusal } : await outcomeOf(agent, key, spec, log);
  const at = team.budget.elapsed;
  const end = { at, seconds: round(at - startedAt) };
  if (!outcome.ok && refusal === null) spec.failed?.(outcome.error, end);
  const answer: StepAnswer<T> = { ...outcome, secondsLeft: round(team.budget.searchLeft) };
  const settled: Settled = answer.ok ? (spec.settle?.(answer.result, end) ?? {}) : {};
  const message = answer.ok
    ? (settled.message ?? `${spec.label}: done`)
    : `${spec.label}: ${answer.error.code}: ${answer.error.message}`;
  if (!spec.quiet) log.push(message);
  const journaled: Journaled<T> = { answer, refused: refusal !== null, ...end, log };
  remember(agent, journaled);

  const events = [...(settled.events ?? [])];
  const errorCode = answer.ok ? null : answer.error.code;
  if (!silent) {
    const { seconds } = end;
    events.unshift({ type: 'StepFinished', ...named, ok: answer.ok, seconds, errorCode, ...about, message });
  } else if (refusal?.code === 'NOT_ENOUGH_TIME') {
    events.push({ type: 'LogWritten', level: 'INFO', step: spec.label, ...about, message: refusal.message });
  }
  team.signal.throwIfAborted();
  await team.recorder.finishStep(
    { key, tool: spec.tool, ok: answer.ok, output: journaled, seconds: end.seconds },
    events,
    silent ? settled.changes : { ...settled.changes, usage: { sandboxSeconds: end.seconds } },
  );
  if (!answer.ok && spec.failureIsFatal) throw asError(answer.error);
  return answer;
}

/** Runs it. Coded errors become failures; a hard stop, a lost claim and errors nobody foresaw are thrown. */
async function outcomeOf<T>(
  { team, role }: AgentContext,
  key: string,
  spec: StepSpec<T>,
  log: string[],
): Promise<{ ok: true; result: T } | { ok: false; error: StepError }> {
  const writes: Promise<void>[] = [];
  const io: StepIo = {
    key,
    log(level, message) {
      if (log.length >= LOG_LINES_PER_STEP) return;
      log.push(`${spec.label}: ${message}`);
      if (level === 'INFO') return;
      const about = { stage: team.meter.stage, agent: role, message };
      const line = { type: 'LogWritten', level, step: spec.label, ...about } as const;
      // Nobody waits for it here: a write that fails must stop the team by itself.
      writes.push(team.recorder.record([line]).catch((error) => team.fail(error)));
    },
  };
  try {
    const result = await inSpan(toolSpan(spec.tool, spec.label, key), () => spec.run(io));
    return { ok: true, result };
  } catch (error) {
    team.signal.throwIfAborted();
    if (!(error instanceof SproutError) || error instanceof StaleAttemptError) throw error;
    return { ok: false, error: { code: error.code, message: error.message, hint: error.hint ?? null } };
  } finally {
    await Promise.all(writes);
  }
}

function remember(agent: AgentContext, journaled: Journaled<unknown>): void {
  for (const line of journaled.log) agent.team.board.addLog(journaled.at, line);
}

const asError = (error: StepError): SproutError =>
  new SproutError(error.code, error.message, error.hint === null ? {} : { hint: error.hint });

const round = (seconds: number): number => Math.round(seconds * 1000) / 1000;
