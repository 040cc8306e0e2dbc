import type { AgentRole } from '../domain/vocabulary.ts';
import { inSpan, type SpanStart } from './spans.ts';

/*
 * Spans of the agents, by the names and attributes of OpenTelemetry's conventions for generative AI. What is said and
 * handed over stays out of them: tables are their owners'.
 */

/** One run of an agent, from its assignment to its outcome. */
export const inAgentSpan = <T>(
  { role, run }: { role: AgentRole; run: string },
  name: string,
  work: () => Promise<T>,
): Promise<T> =>
  inSpan(
    {
      name: `invoke_agent ${name}`,
      attributes: {
        'gen_ai.operation.name': 'invoke_agent',
        'gen_ai.agent.name': name,
        'gen_ai.agent.id': run,
        'sproutml.agent.role': role,
      },
    },
    work,
  );

/** One call of a tool that really runs: a step answered from the journal has none. */
export const toolSpan = (tool: string, label: string, callId: string): SpanStart => ({
  name: `execute_tool ${tool}`,
  attributes: {
    'gen_ai.operation.name': 'execute_tool',
    'gen_ai.tool.name': tool,
    'gen_ai.tool.type': 'function',
    'gen_ai.tool.call.id': callId,
    'sproutml.step': label,
  },
});
