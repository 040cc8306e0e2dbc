import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelProvider } from '@openai/agents-core';
import { describe, expect, it } from 'vitest';
import { playbookSeats } from '../../src/agents/seats.ts';
import { runTeam } from '../../src/agents/team.ts';
import type { JobOptions } from '../../src/domain/records.ts';
import type { Mind } from '../../src/domain/vocabulary.ts';
import { MemoryRecorder, MemoryStore } from './memory-recorder.ts';
import { inTurns, type Script, scriptedSeats } from './scripted-seat.ts';
import { ScriptedToolkit } from './scripted-toolkit.ts';
import { dataset, jobWith } from './team-fixture.ts';

interface Attempt {
  seats: ModelProvider;
  toolkit?: ScriptedToolkit;
  store?: MemoryStore;
  options?: Partial<JobOptions>;
  mind?: Mind;
  /** Pulls the plug after so many more journal entries. */
  dieAfter?: number;
  elapsedMs?: () => number;
}

async function run(attempt: Attempt): Promise<MemoryStore> {
  const store = attempt.store ?? new MemoryStore();
  const plug = new AbortController();
  let left = attempt.dieAfter ?? Number.POSITIVE_INFINITY;
  const recorder = new MemoryRecorder(store, () => {
    left -= 1;
    if (left === 0) plug.abort(new DOMException('the plug is pulled', 'AbortError'));
  });
  const startedAt = performance.now();
  const mind = attempt.mind ?? 'LANGUAGE_MODEL';
  await runTeam(
    {
      job: { ...jobWith(attempt.options), mind },
      dataset,
      recorder,
      signal: plug.signal,
      stopSignal: new AbortController().signal,
      stopReason: () => null,
      elapsedMs: attempt.elapsedMs ?? (() => performance.now() - startedAt),
      toolkit: attempt.toolkit ?? new ScriptedToolkit(),
      readFile: async (path) => ({ size: path.length, stream: Readable.from([path]) }),
      cpus: 2,
      mind,
      seed: 7,
    },
    attempt.seats,
  );
  return store;
}

const counted = { maxTrials: 9, timeBudgetSeconds: 600 };
const fast = () => 0;
const finish = (outcome = 'Done.') => ({ tool: 'finish', input: { outcome } });
const lead = (script: Script) => scriptedSeats({ ORCHESTRATOR: script });
const trialsOf = (store: MemoryStore) =>
  [...store.trials.values()].map(({ family, parameters }) => JSON.stringify([family, parameters])).sort();

describe('a job that a language model leads', () => {
  it('is as good as without it, when it does nothing', async () => {
    const { seats } = lead(() => [finish()]);
    const options = { ...counted, maxTrials: 12 };
    const [led, alone] = await Promise.all([
      run({ seats, options, elapsedMs: fast }),
      run({ seats: playbookSeats(), options, elapsedMs: fast, mind: 'PLAYBOOK' }),
    ]);
    expect(led.result?.validationScore).toBe(alone.result?.validationScore);
    expect(led.result).toMatchObject({
      holdoutScore: 0.88,
      lift: 0,
      playbookScore: led.result?.validationScore,
    });
    expect(alone.result).not.toHaveProperty('lift');
    const single = (list: string[]) => list.filter((trial) => !trial.includes('ENSEMBLE'));
    expect(single(trialsOf(led))).toEqual(single(trialsOf(alone)));
    expect(led.ofType('FallbackUsed')).toEqual([]);
  });

  it.each<[string, Script, string | null]>([
    ['says nothing', () => [], 'Max turns'],
    [
      'breaks',
      () => {
        throw new Error('the model is down');
      },
      'the model is down',
    ],
    ['calls tools that are not there', inTurns([[{ tool: 'print_the_holdout' }], [finish('"')]]), null],
    [
      'wants to end the job itself',
      inTurns([[{ tool: 'delegate_evaluation', input: { final: true } }], [{ tool: 'write_report' }]]),
      null,
    ],
  ])('is finished by the playbook when the model %s', async (_what, script, reason) => {
    const { seats } = lead(script);
    const store = await run({ seats, options: counted, elapsedMs: fast });
    expect(store.result).toMatchObject({ holdoutScore: 0.88, lift: 0 });
    expect(store.ofType('FallbackUsed').map((event) => event.reason)).toEqual(
      reason === null ? [] : [expect.stringContaining(reason)],
    );
    expect([...store.artifacts.keys()]).toContain('model.pkl');
    const holdouts = [...store.journal.values()].filter(
      ({ tool, ok, output }) =>
        tool === 'evaluate_model' && ok && JSON.stringify(output).includes('"holdout":{'),
    );
    expect(holdouts).toHaveLength(1);
  });

  it('keeps its time, whatever the model does with it', async () => {
    const dawdle: Script = async () => {
      await sleep(10);
      return [{ tool: 'read_brief' }];
    };
    const stall: Script = () => sleep(3_600_000, [finish()], { ref: false });
    for (const script of [dawdle, stall]) {
      const store = await run({ seats: lead(script).seats, options: { timeBudgetSeconds: 5 } });
      expect(store.result).toMatchObject({ holdoutScore: 0.88, lift: 0 });
    }
  });

  const own = {
    name: 'My LightGBM',
    family: 'LIGHTGBM',
    parameters: [{ name: 'num_leaves', value: 77 }],
    quick: false,
    keepFree: 0,
  };
  const trainer = (trials: unknown[]): Script =>
    inTurns([[{ tool: 'delegate_trials', input: { group: 'mine', trials, together: true } }]]);
  const score = ({ request }: { request: Record<string, unknown> }) =>
    JSON.stringify(request.params) === '{"num_leaves":77}' ? 0.97 : 0.7;

  it("is led by the model's trial where that scores better, and says how much better", async () => {
    const { seats } = scriptedSeats({
      ORCHESTRATOR: inTurns([[{ tool: 'delegate_training', why: 'Wider trees.' }]]),
      MASTER_TRAINER: trainer([own]),
    });
    const store = await run({
      seats,
      options: counted,
      toolkit: new ScriptedToolkit({ score }),
      elapsedMs: fast,
    });
    const mine = [...store.trials.values()].find(({ name }) => name === 'My LightGBM');
    // A seat that the playbook has taken over trained it; the idea was the model's.
    expect(mine).toMatchObject({ origin: 'LANGUAGE_MODEL', agent: 'SUB_TRAINER', score: 0.97 });
    expect(store.result?.bestTrialId).toBe(mine?.id);
    expect(store.result?.lift).toBeCloseTo(0.97 - (store.result?.playbookScore ?? 0), 9);
    const ensembles = [...store.trials.values()].filter(({ family }) => family === 'ENSEMBLE');
    expect(new Set(ensembles.map(({ origin }) => origin))).toEqual(new Set(['PLAYBOOK', 'LANGUAGE_MODEL']));
  });

  it('trains no configuration twice', async () => {
    const { seats, told } = scriptedSeats({
      ORCHESTRATOR: inTurns([[{ tool: 'delegate_training' }]]),
      MASTER_TRAINER: trainer([own, own, { ...own, name: 'Linear again', family: 'LINEAR', parameters: [] }]),
    });
    const toolkit = new ScriptedToolkit();
    const store = await run({ seats, toolkit, options: { ...counted, maxTrials: 14 }, elapsedMs: fast });
    const asked = toolkit.calls
      .filter(({ command }) => command === 'train')
      .map(({ request }) => JSON.stringify([request.family, request.params, request.mostRows]));
    expect(new Set(asked).size).toBe(asked.length);
    const codes = [...store.journal.values()].filter(({ tool, ok }) => tool === 'train_trial' && !ok);
    expect(JSON.stringify(codes)).toContain('ALREADY_TRIED');
    expect(told('MASTER_TRAINER')).toContain('beside the recipe');
  });

  it('goes on after any crash where it was, and comes to the same', { timeout: 60_000 }, async () => {
    const scripts = () =>
      scriptedSeats({
        ORCHESTRATOR: inTurns([[{ tool: 'delegate_preprocessing' }], [{ tool: 'delegate_training' }]]),
        MASTER_TRAINER: trainer([own]),
      }).seats;
    const whole = await run({ seats: scripts(), options: counted, elapsedMs: fast });
    for (let dieAfter = 1; dieAfter < whole.journal.size; dieAfter += 7) {
      const store = new MemoryStore();
      const attempt = { store, options: counted, elapsedMs: fast };
      await expect(run({ ...attempt, seats: scripts(), dieAfter })).rejects.toThrow();
      // A step that is finished twice throws.
      await run({ ...attempt, seats: scripts() });
      expect(store.result?.validationScore).toBeGreaterThan(0);
      expect(store.result?.holdoutScore).toBe(0.88);
      expect([...store.trials.keys()]).toContain(
        [...whole.trials.values()].find(({ name }) => name === 'My LightGBM')?.id,
      );
    }
  });

  it('tells again what was found when it is resumed after its search, and searches no more', async () => {
    const script: Script = inTurns([[{ tool: 'delegate_training' }], [{ tool: 'read_leaderboard' }]]);
    const scripts = { ORCHESTRATOR: script, MASTER_TRAINER: trainer([own]) };
    const toolkit = new ScriptedToolkit({ score });
    const store = new MemoryStore();
    const attempt = { store, toolkit, options: counted, elapsedMs: fast };
    await run({ ...attempt, seats: scriptedSeats(scripts).seats });
    const trained = toolkit.calls.filter(({ command }) => command === 'train').length;
    // As if the process had died while it wrote the report.
    for (const key of [...store.journal.keys()].filter(
      (name) => name.includes('report') || name.endsWith('#finished'),
    ))
      store.journal.delete(key);
    for (const [key, { tool }] of store.journal) if (tool === 'write_report') store.journal.delete(key);
    await run({ ...attempt, seats: scriptedSeats(scripts).seats });
    expect(toolkit.calls.filter(({ command }) => command === 'train')).toHaveLength(trained);
    expect(store.trials.get(store.result?.bestTrialId ?? '')?.name).toBe('My LightGBM');
  });
});

describe('what a language model is told', () => {
  it('is names as labels and no sentence that may quote a cell', async () => {
    const { seats, told } = lead(
      inTurns([
        [{ tool: 'profile_table' }],
        [{ tool: 'split_table', input: { folds: null } }],
        [{ tool: 'read_brief' }],
      ]),
    );
    const options = { ...counted, instructions: 'Prefer what is simple.' };
    await run({ seats, options, elapsedMs: fast });
    const all = told('ORCHESTRATOR');
    expect(all).toContain('DUPLICATE_ROWS');
    expect(all).not.toContain('2 rows are doubled');
    expect(all).not.toContain('15 groups of');
    expect(all).toContain('Prefer what is simple.');
  });

  it('stays byte for byte the same from job to job', async () => {
    const prompts = await Promise.all(
      ['Prefer CatBoost.', null].map(async (instructions) => {
        const { seats, requests } = lead(inTurns([[{ tool: 'read_brief' }]]));
        await run({ seats, options: { ...counted, instructions }, elapsedMs: fast });
        return new Set(
          requests.map(({ request }) => JSON.stringify([request.systemInstructions, request.tools])),
        );
      }),
    );
    expect(prompts[0]?.size).toBe(1);
    expect(prompts[0]).toEqual(prompts[1]);
  });
});
