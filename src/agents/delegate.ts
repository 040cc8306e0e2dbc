import type { Agent } from '@openai/agents-core';
import type { z } from 'zod';
import { SproutError } from '../domain/errors.ts';
import type { AgentRole, Stage } from '../domain/vocabulary.ts';
import { inAgentSpan } from '../telemetry/agent-spans.ts';
import type { AgentContext } from './context.ts';
import { once } from './once.ts';
import { originOf } from './origin.ts';
import { enterStage } from './stage.ts';
import { agentTool } from './tools/agent-tool.ts';

/** What an agent is asked: the first and only message of its run. `run` makes the call ids of parallel runs differ. */
export interface Assignment {
  run: string;
  task: unknown;
}

/**
 * A tool that hands work to another agent and waits for it. Not the SDK's `asTool`, which loses hooks and turns a nested
 * failure into a bland sentence: here the run is ours, with the same team and signal, and its errors surface.
 *
 * The nested run itself is not journaled, its steps are: a resumed team runs it again through the journal.
 */
export function delegateTool<Shape extends z.core.$ZodLooseShape, Answer>(spec: {
  name: string;
  description: string;
  parameters: Shape;
  role: AgentRole;
  agent: Agent<AgentContext>;
  /** The last part of the run's path; null: a number alone. */
  segment: string | null;
  stage?: (input: z.output<z.ZodObject<Shape>>) => Stage;
  /** Who this is, where one role runs several times at once; default: the agent's name. */
  title?(input: z.output<z.ZodObject<Shape>>): string;
  /** See AgentContext. */
  trialShare?: number;
  /** The answer where the work is not to be done; null where it is. */
  refuse?(input: z.output<z.ZodObject<Shape>>): unknown;
  /** Told of the work before it begins. */
  planned?(parent: AgentContext, input: z.output<z.ZodObject<Shape>>): void;
  /** What the delegating agent learns, beyond the outcome in words. */
  answer(parent: AgentContext): Answer;
}) {
  return agentTool({
    name: spec.name,
    description: spec.description,
    parameters: spec.parameters,
    async execute(input, parent, callId, nth) {
      const refused = spec.refuse?.(input) ?? null;
      if (refused !== null) return refused;
      const run = childRun(parent.run, spec.segment, nth);
      spec.planned?.(parent, input);
      if (parent.role === 'ORCHESTRATOR') parent.team.board.delegations += 1;
      if (spec.stage) await enterStage(parent, callId, spec.stage(input));
      const { team } = parent;
      const child: AgentContext = {
        team,
        role: spec.role,
        run,
        parentRun: parent.run,
        calls: new Map(),
        outcome: null,
        ...(spec.trialShare === undefined ? {} : { trialShare: spec.trialShare }),
        ...(parent.delegation === undefined ? {} : { delegation: parent.delegation }),
        // A sub-trainer trains what it is given: whose idea that was is known here.
        ...(spec.role === 'SUB_TRAINER' ? { author: originOf(parent, callId) } : {}),
      };
      const title = spec.title?.(input) ?? spec.agent.name;
      const outcome = await runAgent(child, spec.agent, { run, task: input }, title);
      const key = `${parent.run}#${callId}`;
      const known = await team.recorder.finishedStep(key);
      if (known) return known.output;
      const answer = { ok: true, outcome, result: spec.answer(parent) };
      await team.recorder.finishStep({ key, tool: spec.name, ok: true, output: answer, seconds: 0 }, []);
      return answer;
    },
  });
}

/** No honest run comes near it: a seat that goes round in circles ends as an error, not as a hang. */
const MOST_TURNS = 1_000;

/** Runs one agent until it calls `finish`; returns its outcome in words. Throws what its steps could not turn into answers. */
export async function runAgent(
  context: AgentContext,
  agent: Agent<AgentContext>,
  assignment: Assignment,
  title: string = agent.name,
): Promise<string> {
  const startedAt = await announce(context, title);
  const outcome = await converse(context, agent, assignment, title);
  await conclude(context, title, outcome, startedAt);
  return outcome;
}

/** Says that a run begins; returns the seconds into the job when it did. */
export async function announce(context: AgentContext, title: string): Promise<number> {
  const { team, role, run, parentRun } = context;
  const about = { agentRun: run, stage: team.meter.stage, agent: role };
  const message = `${title} started`;
  return once(context, `${run}#started`, [{ type: 'AgentStarted', parentRun, ...about, message }]);
}

/** Says that a run has ended. */
export async function conclude(
  context: AgentContext,
  title: string,
  outcome: string,
  startedAt: number,
): Promise<void> {
  const { team, role, run } = context;
  const seconds = Math.max(0, team.budget.elapsed - startedAt);
  const about = { agentRun: run, stage: team.meter.stage, agent: role };
  const message = `${title}: ${outcome}`;
  await once(context, `${run}#finished`, [{ type: 'AgentFinished', seconds, ...about, message }]);
}

/** The conversation alone, until `finish`; returns its outcome in words. */
export async function converse(
  context: AgentContext,
  agent: Agent<AgentContext>,
  assignment: Assignment,
  title: string,
): Promise<string> {
  const { team } = context;
  const limits = { signal: team.signal, maxTurns: MOST_TURNS };
  await inAgentSpan(context, agent.name, () =>
    team.runner.run(agent, JSON.stringify(assignment), { context, ...limits }),
  );
  // On abort the SDK sometimes throws and sometimes returns as if all were well.
  team.signal.throwIfAborted();
  const { outcome } = context;
  if (outcome === null) {
    throw new SproutError('AGENT_UNFINISHED', `${title} ended without calling "finish".`);
  }
  return outcome;
}

const childRun = (parent: string, segment: string | null, nth: number): string => {
  if (segment === null) return `${parent}/${nth}`;
  return nth === 1 ? `${parent}/${segment}` : `${parent}/${segment}-${nth}`;
};
