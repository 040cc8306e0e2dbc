import type * as records from '../domain/records.ts';
import { AGENTS, type AgentRole } from '../domain/vocabulary.ts';
import { builder } from './builder.ts';
import { AgentEnum } from './enums.ts';

const MODEL_CALLS = 'Calls that a language model answered.';
const INPUT_TOKENS = 'Tokens sent to it.';
const CACHED_INPUT_TOKENS = 'Of these, tokens that it read from its cache.';
const OUTPUT_TOKENS = 'Tokens it answered with.';
const COST = 'What they cost by list price, in US dollars.';

interface AgentUsageShape extends records.AgentUsage {
  agent: AgentRole;
}

const AgentUsage = builder.objectRef<AgentUsageShape>('AgentUsage').implement({
  description: 'What one agent has used of a language model so far.',
  fields: (t) => ({
    agent: t.expose('agent', { type: AgentEnum, description: 'Who.' }),
    modelCalls: t.exposeInt('modelCalls', { description: MODEL_CALLS }),
    inputTokens: t.exposeInt('inputTokens', { description: INPUT_TOKENS }),
    cachedInputTokens: t.exposeInt('cachedInputTokens', { description: CACHED_INPUT_TOKENS }),
    outputTokens: t.exposeInt('outputTokens', { description: OUTPUT_TOKENS }),
    estimatedCostUsd: t.exposeFloat('estimatedCostUsd', { description: COST }),
  }),
});

export const Usage = builder.objectRef<records.JobUsage>('Usage').implement({
  description: 'What the job has used so far.',
  fields: (t) => ({
    modelCalls: t.exposeInt('modelCalls', { description: MODEL_CALLS }),
    inputTokens: t.exposeInt('inputTokens', { description: INPUT_TOKENS }),
    cachedInputTokens: t.exposeInt('cachedInputTokens', { description: CACHED_INPUT_TOKENS }),
    outputTokens: t.exposeInt('outputTokens', { description: OUTPUT_TOKENS }),
    estimatedCostUsd: t.exposeFloat('estimatedCostUsd', { description: COST }),
    sandboxSeconds: t.exposeFloat('sandboxSeconds', { description: 'Seconds of work in the sandbox.' }),
    sandboxCpuSeconds: t.exposeFloat('sandboxCpuSeconds', {
      description: 'Seconds that its cloud sandboxes were there, times their cores; 0 on this machine.',
    }),
    sandboxMemoryGibSeconds: t.exposeFloat('sandboxMemoryGibSeconds', {
      description:
        'Seconds that its cloud sandboxes were there, times their GiB of memory; 0 on this machine.',
    }),
    agents: t.field({
      type: [AgentUsage],
      description: 'The same by agent, for those that a language model has answered for.',
      resolve: ({ agents }) =>
        AGENTS.flatMap((agent): AgentUsageShape[] => {
          const usage = agents[agent];
          return usage ? [{ agent, ...usage }] : [];
        }),
    }),
  }),
});
