import { SproutError, StaleAttemptError } from '../domain/errors.ts';
import type { NewEvent } from '../domain/events.ts';
import type { AgentContext } from './context.ts';
import type { JobChanges } from './recorder.ts';

/** A tool's answer as its agent reads it. `secondsLeft` is journaled with it: a resumed agent decides as the first did. */
export type StepAnswer<T> =
  | { ok: true; result: T; secondsLeft: number }
  | { ok: false; error: StepError; secondsLeft: number };

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
  /** Writes the result to the blackboard and says what to record with it. Also called, for the first half, on replay. */
  settle?(result: T, end: StepEnd): { message?: string; events?: NewEvent[]; changes?: JobChanges };
  /** Called when it really starts (not when refused), and on replay of one that did. */
  begin?(): void;
  /** Told of a failure that ran (not of a refusal), on replay too. */
  failed?(error: StepError): void;
  /** A failure nobody in the team can mend: thrown and ending the job, not told to the agent. */
  failureIsFatal?: boolean;
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
    if (known) return replay(agent, spec, known.output as Journaled<T>);
    const perform = () => performStep(agent, key, spec);
    return await (spec.hold ? spec.hold(perform) : perform());
  } catch (error) {
    // A rejected tool call does not stop its siblings in the SDK: the team's own signal does.
    team.fail(error);
    throw error;
  }
}

function replay<T>(agent: AgentContext, spec: StepSpec<T>, journaled: Journaled<T>): StepAnswer<T> {
  remember(agent, journaled);
  if (!journaled.refused) spec.begin?.();
  if (journaled.answer.ok) spec.settle?.(journaled.answer.result, journaled);
  else {
    if (!journaled.refused) spec.failed?.(journaled.answer.error);
    if (spec.failureIsFatal) throw asError(journaled.answer.error);
  }
  return journaled.answer;
}

async function performStep<T>(agent: AgentContext, key: string, spec: StepSpec<T>): Promise<StepAnswer<T>> {
  const { team, role, run } = agent;
  team.signal.throwIfAborted();
  const about = { stage: team.meter.stage, agent: role };
  const refusal = spec.refuse?.() ?? null;
  const silent = spec.quiet === true || refusal !== null;
  const log: string[] = [];
  const writes: Promise<void>[] = [];
  const startedAt = team.budget.elapsed;

  if (!silent) {
    const started = {
      type: 'StepStarted',
      agentRun: run,
      step: spec.label,
      tool: spec.tool,
      input: spec.input,
    } as const;
    await team.recorder.record([{ ...started, ...about, message: `${spec.label}: started` }]);
  }

  let outcome: { ok: true; result: T } | { ok: false; error: StepError };
  if (refusal) {
    outcome = { ok: false, error: refusal };
  } else {
    const io: StepIo = {
      key,
      log(level, message) {
        if (log.length >= LOG_LINES_PER_STEP) return;
        log.push(`${spec.label}: ${message}`);
        if (level === 'INFO') return;
        const written = { type: 'LogWritten', level, step: spec.label } as const;
        writes.push(team.recorder.record([{ ...written, ...about, message }]));
      },
    };
    try {
      spec.begin?.();
      outcome = { ok: true, result: await spec.run(io) };
    } catch (error) {
      team.signal.throwIfAborted();
      if (!(error instanceof SproutError) || error instanceof StaleAttemptError) throw error;
      const failure = { code: error.code, message: error.message, hint: error.hint ?? null };
      spec.failed?.(failure);
      outcome = { ok: false, error: failure };
    } finally {
      await Promise.all(writes);
    }
  }

  const at = team.budget.elapsed;
  const end = { at, seconds: round(at - startedAt) };
  const answer = { ...outcome, secondsLeft: round(team.budget.searchLeft) };
  const settled: ReturnType<NonNullable<typeof spec.settle>> = answer.ok
    ? (spec.settle?.(answer.result, end) ?? {})
    : {};
  const message = answer.ok
    ? (settled.message ?? `${spec.label}: done`)
    : `${spec.label}: ${answer.error.code}: ${answer.error.message}`;
  if (!spec.quiet) log.push(message);
  const journaled: Journaled<T> = { answer, refused: refusal !== null, ...end, log };
  remember(agent, journaled);

  const finished: NewEvent = {
    type: 'StepFinished',
    agentRun: run,
    step: spec.label,
    tool: spec.tool,
    ok: answer.ok,
    seconds: end.seconds,
    errorCode: answer.ok ? null : answer.error.code,
    ...about,
    message,
  };
  if (!answer.ok && answer.error.code === 'NOT_ENOUGH_TIME') {
    settled.events = [
      { type: 'LogWritten', level: 'INFO', step: spec.label, ...about, message: answer.error.message },
    ];
  }
  const events = silent ? [...(settled.events ?? [])] : [finished, ...(settled.events ?? [])];
  const changes = silent ? settled.changes : { ...settled.changes, usage: { sandboxSeconds: end.seconds } };
  team.signal.throwIfAborted();
  await team.recorder.finishStep(
    { key, tool: spec.tool, ok: answer.ok, output: journaled, seconds: end.seconds },
    events,
    changes,
  );
  if (!answer.ok && spec.failureIsFatal) throw asError(answer.error);
  return answer;
}

function remember(agent: AgentContext, journaled: Journaled<unknown>): void {
  for (const line of journaled.log) agent.team.board.addLog(journaled.at, line);
}

const asError = (error: StepError): SproutError =>
  new SproutError(error.code, error.message, error.hint === null ? {} : { hint: error.hint });

const round = (seconds: number): number => Math.round(seconds * 1000) / 1000;

/**
 * Records events once over all attempts, under a key of their own; returns the seconds into the job when it was done.
 * For what is said and begun between steps.
 */
export async function once(
  agent: AgentContext,
  key: string,
  events: readonly NewEvent[],
  changes?: JobChanges,
): Promise<number> {
  const { team } = agent;
  team.signal.throwIfAborted();
  const known = await team.recorder.finishedStep(key);
  if (known) return (known.output as { at: number }).at;
  const at = team.budget.elapsed;
  team.signal.throwIfAborted();
  await team.recorder.finishStep(
    { key, tool: 'note', ok: true, output: { at }, seconds: 0 },
    events,
    changes,
  );
  return at;
}

/** An agent says, for people, what it decided and why: an event, and a line of the report's decisions. */
export async function speak(agent: AgentContext, callId: string, text: string): Promise<void> {
  const { team, role, run } = agent;
  const at = await once(agent, `${run}#${callId}#said`, [
    { type: 'AgentSpoke', agentRun: run, stage: team.meter.stage, agent: role, message: text },
  ]);
  team.board.addDecision(at, role, text);
}
