import { describe, expect, it } from 'vitest';
import { asPlaybook } from '../../openai/as-playbook.ts';
import type { Beat, Script, Seen } from '../../openai/scripted-server.ts';
import { fallbacks, ORCHESTRATOR_ALONE, seatedJob } from './seated-job.ts';

const brief: Beat = { calls: [{ name: 'read_brief', input: { why: null } }] };
const board: Beat = { calls: [{ name: 'read_leaderboard', input: { why: null } }] };
const profile: Beat = { calls: [{ name: 'profile_table', input: { why: null } }] };
const options = { models: ORCHESTRATOR_ALONE };

/** As the playbook would, a thousand tokens each time. */
const dear: Script = async (seen) => ({ ...(await asPlaybook(seen)), usage: { input: 1_000, output: 0 } });

describe('the budget of a language model', () => {
  it('in money ends its work, not the job', async () => {
    const prices = { '*': { input: 1_000, cached: 1_000, output: 0 } };
    const priced = { ...options, prices, maxCostUsd: 100 };
    const asked = await seatedJob(dear, priced, { options: { maxTrials: 3, maxCostUsd: 5 } });
    expect(asked.server.requests.length).toBeGreaterThan(0);
    expect(fallbacks(asked.store)).toEqual([expect.stringContaining('5 US dollars')]);
    expect(asked.store.usage.estimatedCostUsd).toBeLessThanOrEqual(5);
    expect(asked.store.result?.holdoutScore).toBe(0.88);
  });

  it("is the server's where the job names none, and 0 leaves every seat to the playbook", async () => {
    const { store, server } = await seatedJob(asPlaybook, { ...options, maxCostUsd: 0 });
    expect(server.requests).toHaveLength(0);
    expect(fallbacks(store)).toHaveLength(1);
    const free = { '*': { input: 0, cached: 0, output: 0 } };
    const unpaid = await seatedJob(asPlaybook, { ...options, maxCostUsd: 0, prices: free });
    expect(fallbacks(unpaid.store)).toEqual([]);
  });

  it('in tokens ends its work too', async () => {
    const { store, server } = await seatedJob(dear, { ...options, maxTokens: 6_000 });
    expect(server.requests.length).toBeGreaterThan(0);
    expect(fallbacks(store)).toEqual([expect.stringContaining('6000 tokens')]);
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('in time leaves the end of the job to the playbook', async () => {
    let now = 1_000;
    const script: Script = (seen) => {
      if (seen.items.some((item) => item.kind === 'call' && item.name === 'delegate_training')) now = 59_000;
      return asPlaybook(seen);
    };
    const { store, server } = await seatedJob(script, options, {
      elapsedMs: () => now,
      options: { maxTrials: 3, timeBudgetSeconds: 60 },
    });
    const [last] = server.requests.slice(-1);
    expect(last?.items.filter(({ kind }) => kind === 'call').at(-1)).toMatchObject({
      name: 'delegate_training',
    });
    expect(fallbacks(store)).toEqual([expect.stringContaining('time')]);
    expect(store.artifacts.has('model.pkl')).toBe(true);
  });
});

describe('a language model that goes round in circles', () => {
  const atFirst =
    (count: number, beat: Beat): Script =>
    (seen) =>
      seen.index === 0 ? profile : seen.index <= count ? beat : asPlaybook(seen);

  it('loses the step to the playbook after four same calls with the same answer, the time left aside', async () => {
    const { store, server } = await seatedJob(atFirst(4, brief), options);
    expect(fallbacks(store)).toEqual([expect.stringContaining('same answer 4 times')]);
    expect(server.answered.length).toBeGreaterThan(8);
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('loses it after three same calls with the same error', async () => {
    const bad: Beat = { calls: [{ name: 'split_table', input: { folds: 'many', why: null } }] };
    const { store } = await seatedJob(atFirst(3, bad), options);
    expect(fallbacks(store)).toEqual([expect.stringContaining('failed in the same way 3 times')]);
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('loses it when two calls take turns', async () => {
    const missing: Beat = { calls: [{ name: 'read_nothing', input: {} }] };
    const script: Script = (seen) =>
      seen.index === 0
        ? profile
        : seen.index <= 6
          ? ([brief, missing][seen.index % 2] ?? brief)
          : asPlaybook(seen);
    const { store } = await seatedJob(script, options);
    expect(fallbacks(store)).toEqual([expect.stringContaining('took turns')]);
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('ends a job even if it never does anything else', async () => {
    for (const beat of [brief, board, profile]) {
      const { store } = await seatedJob((seen: Seen) => (seen.index === 0 ? profile : beat), options);
      expect(store.result?.holdoutScore).toBe(0.88);
      expect(fallbacks(store).length).toBeGreaterThan(0);
    }
  });

  it('is stopped in a run that has no end, without circles', async () => {
    const script: Script = (seen) => ({
      calls: [{ name: `tool_${seen.index}`, input: {} }],
    });
    const { store, server } = await seatedJob(script, options);
    expect(server.requests).toHaveLength(120);
    expect(fallbacks(store)).toEqual([expect.stringContaining('120 turns')]);
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('cannot drown the team in one answer', async () => {
    const calls = Array.from({ length: 500 }, () => ({ name: 'read_brief', input: { why: null } }));
    const many = await seatedJob((seen) => (seen.index === 0 ? { calls } : asPlaybook(seen)), options);
    expect(fallbacks(many.store)).toEqual([expect.stringContaining('500 calls')]);
    const long = { calls: [{ name: 'profile_table', input: { why: 'x'.repeat(1e6) } }] };
    const huge = await seatedJob((seen) => (seen.index === 0 ? long : asPlaybook(seen)), options);
    expect(fallbacks(huge.store)).toEqual([expect.stringContaining('characters long')]);
  });
});
