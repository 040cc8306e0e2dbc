import type { NewEvent } from '../domain/events.ts';
import type { Stage } from '../domain/vocabulary.ts';
import type { AgentContext } from './context.ts';
import { once } from './once.ts';

/** Moves the job to `stage`, closing the one before it; nothing happens when it is there already. */
export async function enterStage(agent: AgentContext, callId: string, stage: Stage): Promise<void> {
  const { meter } = agent.team;
  if (meter.stageStartedAt !== null && meter.stage === stage) return;
  const started: NewEvent = { type: 'StageStarted', stage, agent: agent.role, message: `${stage} started` };
  const at = await once(agent, `${agent.run}#${callId}#stage`, [...closing(agent), started], { stage });
  meter.enter(stage, at);
}

/** Closes the last stage. */
export async function leaveStages(agent: AgentContext): Promise<void> {
  await once(agent, `${agent.run}#stages-over`, closing(agent));
}

function closing(agent: AgentContext): NewEvent[] {
  const { meter, budget } = agent.team;
  if (meter.stageStartedAt === null) return [];
  const seconds = Math.max(0, budget.elapsed - meter.stageStartedAt);
  const message = `${meter.stage} finished in ${seconds.toFixed(1)} s`;
  return [{ type: 'StageFinished', seconds, stage: meter.stage, agent: agent.role, message }];
}
