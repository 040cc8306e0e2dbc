import type { AgentInputItem, ModelRequest } from '@openai/agents-core';
import { playbookSeats } from '../../src/agents/seats.ts';
import { AGENTS, type AgentRole } from '../../src/domain/vocabulary.ts';
import type { Beat, Seen } from './scripted-server.ts';

/** Who asks, by the run's place in the tree. */
export function roleOf({ run }: Pick<Seen, 'run'>): AgentRole {
  const name = run.split('/').slice(1).join('/').replace(/-\d+$/, '');
  if (run === 'orchestrator') return 'ORCHESTRATOR';
  if (/^training\/\d+$/.test(name)) return 'SUB_TRAINER';
  const role = {
    preprocessing: 'PREPROCESSING',
    training: 'MASTER_TRAINER',
    evaluation: 'EVALUATOR',
    tuning: 'TUNER',
  }[name];
  const known = AGENTS.find((candidate) => candidate === role);
  if (known === undefined) throw new Error(`Nobody knows who runs "${run}".`);
  return known;
}

/** A model that does over the wire what the playbook does: the team's work, call by call, without a mind of its own. */
export async function asPlaybook(seen: Seen): Promise<Beat> {
  const input = seen.items.map((item): AgentInputItem => {
    if (item.kind === 'call') {
      return { type: 'function_call', callId: item.id, name: item.name, arguments: item.arguments };
    }
    if (item.kind === 'answer') {
      const output = { type: 'text', text: item.text } as const;
      return { type: 'function_call_result', callId: item.id, name: '', status: 'completed', output };
    }
    if (item.kind === 'user') return { role: 'user', content: item.text };
    return { role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: item.text }] };
  });
  const request: ModelRequest = {
    input,
    modelSettings: {},
    tools: [],
    outputType: 'text',
    handoffs: [],
    tracing: false,
  };
  const model = await playbookSeats().getModel(roleOf(seen));
  const { output } = await model.getResponse(request);
  const calls = output.flatMap((item) =>
    item.type === 'function_call' ? [{ name: item.name, input: item.arguments }] : [],
  );
  return { calls };
}
