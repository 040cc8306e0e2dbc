import { describe, expect, it } from 'vitest';
import { asPlaybook } from '../../openai/as-playbook.ts';
import { fallbacks, ORCHESTRATOR_ALONE, seatedJob, WIRES } from './seated-job.ts';

describe.each(WIRES)('a language model over $api (stream: $stream)', (wire) => {
  it('takes all six seats and brings a job to its end', async () => {
    const { store, server } = await seatedJob(asPlaybook, wire);
    expect(fallbacks(store)).toEqual([]);
    expect(store.result?.holdoutScore).toBe(0.88);
    expect(Object.keys(store.usage.agents).toSorted()).toEqual([
      'EVALUATOR',
      'MASTER_TRAINER',
      'ORCHESTRATOR',
      'PREPROCESSING',
      'SUB_TRAINER',
    ]);
    const calls = server.requests.length;
    expect(store.usage).toMatchObject({
      modelCalls: calls,
      inputTokens: calls * 100,
      cachedInputTokens: calls * 40,
      outputTokens: calls * 10,
      estimatedCostUsd: expect.closeTo((calls * (60 * 1 + 40 * 0.1 + 10 * 10)) / 1e6, 12),
    });
  });

  it('takes a turn or two, and the playbook goes on from there', async () => {
    const { store, server } = await seatedJob(
      [
        {
          reasoning: 'A table: first I look at it.',
          text: 'I profile it.',
          calls: [{ name: 'profile_table', input: { why: 'A look.' } }],
        },
        { calls: [{ name: 'read_brief', input: { why: null } }] },
      ],
      { ...wire, models: ORCHESTRATOR_ALONE },
    );
    expect(store.result?.holdoutScore).toBe(0.88);
    expect(store.usage.modelCalls).toBe(2);
    expect(server.requests.length).toBeGreaterThan(2);
    expect(store.ofType('AgentSpoke').map(({ message }) => message)).toEqual(
      expect.arrayContaining(['I profile it.', 'A look.']),
    );
    expect(fallbacks(store).at(-1)).toContain('3 turns in a row');
  });
});
