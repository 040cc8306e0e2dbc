import {
  type FunctionTool,
  ModelBehaviorError,
  setSensitiveDataLoggingEnabled,
  tool,
} from '@openai/agents-core';
import { z } from 'zod';
import type { AgentContext } from '../context.ts';
import { speak } from '../once.ts';
import { ARGUMENTS_INVALID } from '../step.ts';
import { toldOfError } from './told-answers.ts';

// Off, the SDK hides from an agent what is wrong with its arguments. It logs nothing we don't ask for: tracing is off.
setSensitiveDataLoggingEnabled(true);

/** What every tool asks beside its own parameters: the sentence people read in the live view and in the report. */
const why = z
  .string()
  .nullable()
  .describe(
    'One plain sentence for the people watching: what you decided and why. Null when it goes without saying.',
  );

/**
 * A tool of our agents: strict parameters, the agent's run as context, the answer as JSON. Arguments that don't fit the schema
 * are told to the agent; anything `execute` throws is fatal and ends the team's run. `nth` counts the run's calls of this tool.
 */
export function agentTool<Shape extends z.core.$ZodLooseShape>(spec: {
  name: string;
  description: string;
  parameters: Shape;
  execute(
    input: z.output<z.ZodObject<Shape>>,
    agent: AgentContext,
    callId: string,
    nth: number,
  ): Promise<unknown>;
  /** Whether this agent is offered the tool at all; default: always. */
  offered?(agent: AgentContext): boolean;
  /** What a language model is told of the answer, where that is less: names as labels, no cells. The playbook reads on in it. */
  told?(answer: unknown): unknown;
}): FunctionTool<AgentContext> {
  const parameters = z.object({ ...spec.parameters, why });
  return tool({
    name: spec.name,
    description: spec.description,
    parameters,
    strict: true,
    isEnabled: ({ runContext }) => spec.offered?.(runContext.context as AgentContext) ?? true,
    errorFunction(_context, error) {
      if (!(error instanceof ModelBehaviorError)) throw error;
      const cause = 'originalError' in error ? error.originalError : null;
      const problem = cause instanceof z.ZodError ? z.prettifyError(cause) : error.message;
      return JSON.stringify({
        ok: false,
        error: { code: ARGUMENTS_INVALID, message: problem, hint: null },
      });
    },
    async execute(input, runContext, details) {
      const agent = runContext?.context as AgentContext;
      const callId = details?.toolCall?.callId;
      if (!agent || callId === undefined)
        throw new Error(`"${spec.name}" was called outside an agent's run.`);
      // Counted before any await: calls of one turn start in order, so a call has the same number in every attempt.
      const nth = (agent.calls.get(spec.name) ?? 0) + 1;
      agent.calls.set(spec.name, nth);
      const { why: said, ...rest } = input as { why: string | null };
      try {
        const [answer] = await Promise.all([
          spec.execute(rest as z.output<z.ZodObject<Shape>>, agent, callId, nth),
          said ? speak(agent, callId, said) : null,
        ]);
        if (agent.team.mind === 'PLAYBOOK') return JSON.stringify(answer);
        return JSON.stringify(toldOfError(spec.told?.(answer) ?? answer, agent));
      } catch (error) {
        agent.team.fail(error);
        throw error;
      }
    },
  }) as unknown as FunctionTool<AgentContext>;
}
