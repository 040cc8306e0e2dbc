import type { NewEvent } from '../domain/events.ts';
import type { AgentContext } from './context.ts';
import type { JobChanges } from './recorder.ts';

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
