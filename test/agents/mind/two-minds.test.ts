import { describe, expect, it } from 'vitest';
import { languageModelSeats, openModelAccess } from '../../../src/agents/mind/language-model-seats.ts';
import { asPlaybook } from '../../openai/as-playbook.ts';
import { type Beat, type Script, startScriptedServer } from '../../openai/scripted-server.ts';
import { MemoryStore } from '../memory-recorder.ts';
import { ScriptedToolkit } from '../scripted-toolkit.ts';
import { startTeam } from '../team-fixture.ts';
import { fallbacks, modelOptions, seatedJob, WIRES } from './seated-job.ts';

const lead = { mind: 'LANGUAGE_MODEL' as const, options: { maxTrials: 40, timeBudgetSeconds: 600 } };
const elapsedMs = () => 1000;
const scores = (store: MemoryStore) => store.result?.validationScore ?? Number.NaN;

describe('a job that a language model leads over the wire', () => {
  it.each(WIRES)('comes to its end beside the playbook ($api, stream: $stream)', async (wire) => {
    const { store, server } = await seatedJob(asPlaybook, wire, lead);
    expect(server.answered.length).toBeGreaterThan(5);
    expect(fallbacks(store)).toEqual([]);
    expect(store.result).toMatchObject({ holdoutScore: 0.88, lift: expect.any(Number) });
    // The playbook's own agents ask nobody.
    expect(server.requests.filter(({ run }) => /opening|baseline|closing/.test(run))).toEqual([]);
  });

  it.each<[string, Beat]>([
    ['is down', { status: 500 }],
    ['has no money', { status: 429, error: { code: 'insufficient_quota' } }],
    ['talks', { text: 'I would rather talk about the weather.' }],
    ['ends at once', { calls: [{ name: 'finish', input: { outcome: 'Done.', why: null } }] }],
    ['reads the brief for ever', { calls: [{ name: 'read_brief', input: { why: null } }] }],
    [
      'delegates what there is not',
      { calls: [{ name: 'delegate_evaluation', input: { final: true, why: null } }] },
    ],
    ['splits the table for ever', { calls: [{ name: 'split_table', input: { folds: 3, why: null } }] }],
    ['tunes for ever', { calls: [{ name: 'delegate_tuning', input: { round: 1, why: null } }] }],
    ['makes calls up', { calls: [{ name: 'rm -rf', input: '}{' }] }],
  ])('costs the job nothing when it %s', async (_name, beat) => {
    const [alone, led] = await Promise.all([
      seatedJob([], {}, { ...lead, mind: 'PLAYBOOK', seats: undefined as never, elapsedMs }),
      seatedJob(() => beat, { timeoutMs: 500 }, { ...lead, elapsedMs }),
    ]);
    expect(led.store.result?.holdoutScore).toBe(0.88);
    expect(scores(led.store)).toBeGreaterThanOrEqual(scores(alone.store));
    expect(led.store.artifacts.has('model.pkl')).toBe(true);
  });

  it('never fails on what a model makes up, whatever that is', { timeout: 240_000 }, async () => {
    for (let seed = 1; seed <= 8; seed += 1) {
      const { store } = await seatedJob(muddle(seed), { maxTokens: 300_000 }, { ...lead, elapsedMs });
      expect(store.result?.holdoutScore, `seed ${seed}`).toBe(0.88);
    }
  });

  it('pays no journaled answer again after a kill, and asks nothing more once its part is over', {
    timeout: 240_000,
  }, async () => {
    const server = await startScriptedServer(asPlaybook);
    const seats = languageModelSeats(openModelAccess(modelOptions({ baseUrl: server.url })));
    const whole = startTeam({ ...lead, toolkit: new ScriptedToolkit(), seats, elapsedMs });
    await whole.done;
    const entries = [...whole.store.journal.keys()];
    const over = entries.indexOf('orchestrator#explored');
    expect(over).toBeGreaterThan(20);
    for (let dieAfter = 7; dieAfter < entries.length; dieAfter += Math.ceil(entries.length / 6)) {
      await server.idle();
      server.answered.length = 0;
      server.requests.length = 0;
      const store = new MemoryStore();
      const first = startTeam({ ...lead, toolkit: new ScriptedToolkit(), store, seats, elapsedMs, dieAfter });
      await expect(first.done, `killed after entry ${dieAfter}`).rejects.toThrow('the plug is pulled');
      await server.idle();
      const turns = () => [...store.journal.values()].filter(({ tool }) => tool === 'model').length;
      const lost = server.answered.length - turns();
      const wasOver = store.journal.has('orchestrator#explored');
      const before = server.requests.length;
      await startTeam({ ...lead, toolkit: new ScriptedToolkit(), store, seats, elapsedMs }).done;
      const asked = server.answered.map(({ run, items }) => JSON.stringify([run, items]));
      expect(asked.length - new Set(asked).size, `killed after entry ${dieAfter}`).toBeLessThanOrEqual(lost);
      if (wasOver) expect(server.requests.length, `killed after entry ${dieAfter}`).toBe(before);
      expect(store.result?.holdoutScore).toBe(0.88);
    }
    await server.close();
  });
});

const TOOLS = [
  'profile_table',
  'split_table',
  'read_brief',
  'read_columns',
  'read_leaderboard',
  'delegate_preprocessing',
  'delegate_training',
  'delegate_evaluation',
  'delegate_tuning',
  'write_report',
  'prepare_features',
  'train_trial',
  'build_ensemble',
  'evaluate_model',
  'delegate_trials',
  'write_features',
  'write_pipeline',
  'finish',
  'nonsense',
];
const TRIAL = { name: 'Mine', family: 'LINEAR', parameters: [], quick: false, keepFree: 0 };
const INPUTS: readonly unknown[] = [
  {},
  { why: null },
  { why: 'So.', final: true },
  { why: null, final: false },
  { why: null, round: 1 },
  { why: null, folds: 3 },
  { why: null, outcome: 'Done.' },
  { why: null, trialIds: ['none'] },
  { why: null, trialId: 'none', holdout: true },
  { why: null, ...TRIAL },
  { why: null, group: 'All', trials: [TRIAL, TRIAL], together: true },
  '{"why": nul',
  '[]',
];

/** A model that calls anything with anything, several things at once, the same for the same seed. */
function muddle(seed: number): Script {
  let state = seed;
  const next = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
  return () => ({
    // Delegating at random is a tree without end: its budget ends it.
    usage: { input: 3_000, output: 100 },
    calls: Array.from({ length: 1 + next(3) }, () => ({
      name: TOOLS[next(TOOLS.length)] ?? 'nonsense',
      input: INPUTS[next(INPUTS.length)] ?? {},
    })),
  });
}
