import type { AgentUsage, JobUsage } from './records.ts';
import { AGENTS } from './vocabulary.ts';

/** What a job has used before it has begun. */
export const NO_USAGE: JobUsage = {
  modelCalls: 0,
  inputTokens: 0,
  cachedInputTokens: 0,
  outputTokens: 0,
  estimatedCostUsd: 0,
  sandboxSeconds: 0,
  sandboxCpuSeconds: 0,
  sandboxMemoryGibSeconds: 0,
  agents: {},
};

export const NO_AGENT_USAGE: AgentUsage = {
  modelCalls: 0,
  inputTokens: 0,
  cachedInputTokens: 0,
  outputTokens: 0,
  estimatedCostUsd: 0,
};

export function addUsage(a: JobUsage, b: Partial<JobUsage>): JobUsage {
  const agents: JobUsage['agents'] = { ...a.agents };
  for (const role of AGENTS) {
    const more = b.agents?.[role];
    if (more) agents[role] = addAgentUsage(agents[role] ?? NO_AGENT_USAGE, more);
  }
  return {
    ...addAgentUsage(a, { ...NO_AGENT_USAGE, ...b }),
    sandboxSeconds: a.sandboxSeconds + (b.sandboxSeconds ?? 0),
    sandboxCpuSeconds: a.sandboxCpuSeconds + (b.sandboxCpuSeconds ?? 0),
    sandboxMemoryGibSeconds: a.sandboxMemoryGibSeconds + (b.sandboxMemoryGibSeconds ?? 0),
    agents,
  };
}

export const addAgentUsage = (a: AgentUsage, b: AgentUsage): AgentUsage => ({
  modelCalls: a.modelCalls + b.modelCalls,
  inputTokens: a.inputTokens + b.inputTokens,
  cachedInputTokens: a.cachedInputTokens + b.cachedInputTokens,
  outputTokens: a.outputTokens + b.outputTokens,
  estimatedCostUsd: a.estimatedCostUsd + b.estimatedCostUsd,
});
