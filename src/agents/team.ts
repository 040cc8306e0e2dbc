import './sdk-listeners.ts';

import { type ModelProvider, Runner, ToolCallError } from '@openai/agents-core';
import { Blackboard } from './blackboard.ts';
import { Budget } from './budget.ts';
import type { AgentContext, Team, TeamContext } from './context.ts';
import { runAgent } from './delegate.ts';
import { ProgressMeter } from './progress.ts';
import { orchestratorSeat } from './roles/orchestrator.ts';
import { removeSdkListeners } from './sdk-listeners.ts';
import { playbookSeats, type Table, type TakeSeats } from './seats.ts';
import { Slots } from './slots.ts';
import { leaveStages } from './stage.ts';
import { runTwoMinds, TASK } from './two-minds.ts';

export type { StopReason, TeamContext } from './context.ts';
export { inputPath } from './context.ts';

removeSdkListeners();

const orchestrator = orchestratorSeat('mind');

/** More trials at once than this share too little memory; the cores left over go to each trial as threads. */
const MAX_PARALLEL_TRIALS = 6;

/**
 * The whole job, from the table in the sandbox to saved artifacts. Run again after a crash it goes on from the last finished
 * step. Resolves when the report is saved, also after a soft stop once there is a model. Rejects with a SproutError that
 * says why there is no result, with StaleAttemptError, or with the hard stop's reason.
 */
export async function runTeam(
  context: TeamContext,
  seats: ModelProvider | TakeSeats = playbookSeats(),
): Promise<void> {
  const fatal = new AbortController();
  const goal = new AbortController();
  const board = new Blackboard();
  const budget = new Budget(
    context.job.options.timeBudgetSeconds,
    () => context.elapsedMs(),
    board,
    context.cpus,
    context.job.options.maxTrials,
  );
  const table: Table = {
    ...context,
    signal: AbortSignal.any([context.signal, fatal.signal]),
    searchSignal: AbortSignal.any([context.stopSignal, goal.signal]),
    board,
    budget,
    slots: new Slots(context.trialsAtOnce ?? Math.max(1, Math.min(context.cpus, MAX_PARALLEL_TRIALS))),
    meter: new ProgressMeter(context.recorder, budget, board, context.job.progress),
    goalReached: () => goal.abort(),
    turns: { underWay: 0, over: false },
    fail: (error) => fatal.abort(error),
  };
  const team: Team = {
    ...table,
    runner: new Runner({
      modelProvider: typeof seats === 'function' ? seats(table) : seats,
      // It would post to the vendor, with the key, whatever the address of the model.
      tracingDisabled: true,
      toolNotFoundBehavior: 'return_error_to_model',
    }),
  };
  const lead: AgentContext = {
    team,
    role: 'ORCHESTRATOR',
    run: 'orchestrator',
    parentRun: null,
    calls: new Map(),
    outcome: null,
  };
  try {
    if (context.mind === 'LANGUAGE_MODEL') await runTwoMinds(lead);
    else await runAgent(lead, orchestrator, { run: lead.run, task: TASK });
    await leaveStages(lead);
  } catch (error) {
    // The first failure is the cause; what the SDK throws after it, in whatever wrapping, is its echo.
    context.signal.throwIfAborted();
    if (fatal.signal.aborted) throw fatal.signal.reason;
    throw error instanceof ToolCallError ? error.error : error;
  }
}
