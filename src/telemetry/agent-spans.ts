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

/** One question to a language model and its answer, with what that took; refused settings that are left out make it ask again. */
export const inChatSpan = <R extends { usage: { inputTokens: number; outputTokens: number } }>(
  model: string,
  work: () => Promise<R>,
): Promise<R> =>
  inSpan(
    {
      name: `chat ${model}`,
      kind: 'client',
      attributes: {
        'gen_ai.operation.name': 'chat',
        // Whose API is spoken; a server of another make may be behind it.
        'gen_ai.provider.name': 'openai',
        'gen_ai.request.model': model,
      },
    },
    async (span) => {
      const answer = await work();
      span.set({
        'gen_ai.usage.input_tokens': answer.usage.inputTokens,
        'gen_ai.usage.output_tokens': answer.usage.outputTokens,
      });
      return answer;
    },
  );
