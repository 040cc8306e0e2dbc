import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelProvider } from '@openai/agents-core';
import { describe, expect, it } from 'vitest';
import { playbookSeats } from '../../src/agents/seats.ts';
import type { Toolkit } from '../../src/sandbox/toolkit.ts';
import { MemoryStore } from './memory-recorder.ts';
import { type Call, ScriptedToolkit } from './scripted-toolkit.ts';
import { startTeam } from './team-fixture.ts';

const models = (toolkit: ScriptedToolkit) =>
  toolkit.finished.filter(({ command, request }) => command === 'train' && request.family !== 'BASELINE')
    .length;
const trainsIn = (ms: number) => (call: Call) => (call.command === 'train' ? ms : 0);

describe('the end of the search', () => {
  it('comes when the goal is reached: what waits is not started, what runs is stopped', async () => {
    const score = ({ request }: Call) => (request.family === 'BASELINE' ? 0.5 : 0.95);
    const delay = ({ command, request }: Call) =>
      command === 'train' && request.family === 'CATBOOST' ? 5_000 : 5;
    const toolkit = new ScriptedToolkit({ score, delay });
    const { store, done } = startTeam({ toolkit, options: { goalScore: 0.9 }, cpus: 3 });
    await done;
    expect(models(toolkit)).toBe(1);
    expect(store.result).toMatchObject({ validationScore: 0.95, holdoutScore: 0.88 });
  });

  it('comes when all trials are used; the baseline and ensembles are free', async () => {
    const toolkit = new ScriptedToolkit();
    const { store, done } = startTeam({ toolkit, options: { maxTrials: 3 } });
    await done;
    expect(models(toolkit)).toBe(3);
    expect(store.ofType('TrialFinished').map(({ family }) => family)).toEqual(
      expect.arrayContaining(['BASELINE', 'ENSEMBLE']),
    );
  });

  it('comes when all trials are used, however many are asked for side by side', async () => {
    const toolkit = new ScriptedToolkit({ delay: trainsIn(5) });
    const trial = { name: 'Linear', family: 'LINEAR', parameters: [], quick: false, keepFree: 0, why: null };
    const playbook = playbookSeats();
    const seats: ModelProvider = {
      async getModel(role) {
        const model = await playbook.getModel(role);
        if (role !== 'SUB_TRAINER') return model;
        return {
          getStreamedResponse: (request) => model.getStreamedResponse(request),
          async getResponse(request) {
            const response = await model.getResponse(request);
            const [first] = response.output;
            if (first?.type !== 'function_call' || first.name !== 'train_trial') return response;
            // As a language model might, it asks for more than there is.
            const more = Array.from({ length: 6 }, (_, index) => ({
              ...first,
              callId: `${first.callId}-${index}`,
              arguments: JSON.stringify(trial),
            }));
            return { ...response, output: more };
          },
        };
      },
    };
    const { done } = startTeam({ toolkit, seats, options: { maxTrials: 2 }, cpus: 6 });
    await done;
    expect(models(toolkit)).toBe(2);
  });

  it('comes on a small table when more models bring no gain, long before the time is used', async () => {
    const toolkit = new ScriptedToolkit({ rows: 300 });
    const { store, done } = startTeam({ toolkit, options: { timeBudgetSeconds: 3_600 } });
    await done;
    expect(models(toolkit)).toBeLessThan(40);
    expect(store.ofType('AgentSpoke').some(({ message }) => message.includes('no gain that counts'))).toBe(
      true,
    );
  });

  it('comes when the time is used, with a third of it or less kept for evaluation and report', async () => {
    const toolkit = new ScriptedToolkit({ rows: 20_000 });
    const { store, done, elapsedMs } = startClocked(toolkit, { secondsPerTrial: 1.5, timeBudgetSeconds: 30 });
    await done;
    expect(elapsedMs()).toBeGreaterThan(15_000);
    expect(elapsedMs()).toBeLessThan(30_000);
    expect(store.result?.holdoutScore).toBe(0.88);
    for (const { command, request } of toolkit.calls) {
      if (command === 'train') expect(request.timeLimitSeconds).toBeLessThanOrEqual(30);
    }
  });

  it('leaves the tuner a turn where the portfolio alone could have used all the time', async () => {
    const toolkit = new ScriptedToolkit({ rows: 2_000 });
    const { store, done } = startClocked(toolkit, { secondsPerTrial: 4, timeBudgetSeconds: 60 });
    await done;
    const names = store.ofType('TrialFinished').map(({ name }) => name);
    expect(names).toContain('CatBoost');
    expect(names.filter((name) => name.includes('tuned')).length).toBeGreaterThanOrEqual(2);
  });
});

it('a table too large for its time is learnt from a part of its rows, and one with counted trials never', async () => {
  const rowsOf = async (maxTrials: number | null) => {
    const toolkit = new ScriptedToolkit({ rows: 2_000_000, features: 40 });
    const clocked = { secondsPerTrial: 100, timeBudgetSeconds: 1_800 };
    await startClocked(toolkit, clocked, { maxTrials }).done;
    const boosters = toolkit.calls.filter(
      ({ command, request }) => command === 'train' && request.family === 'LIGHTGBM',
    );
    return boosters.slice(1).map(({ request }) => request.mostRows);
  };
  const sampled = await rowsOf(null);
  expect(sampled.length).toBeGreaterThan(0);
  for (const rows of sampled) {
    expect(rows).toBeGreaterThan(50_000);
    expect(rows).toBeLessThan(1_400_000);
  }
  const counted = await rowsOf(6);
  expect(counted.length).toBeGreaterThan(0);
  expect(new Set(counted)).toEqual(new Set([null]));
});

it('a tuning round for which no time is left is the last one', async () => {
  // Simple models take next to nothing, so there is always time for some model; but none of those can be tuned.
  const toolkit = new ScriptedToolkit({ rows: 2_000 });
  const cheap = ['BASELINE', 'LINEAR', 'KNN', 'KERNEL'];
  const secondsPerTrial = (family: string) => (cheap.includes(family) ? 0.1 : 7);
  const { store, done } = startClocked(toolkit, { secondsPerTrial, timeBudgetSeconds: 60 });
  await done;
  expect(store.ofType('StageStarted').filter(({ stage }) => stage === 'TUNING').length).toBe(1);
  expect(store.result).toMatchObject({ holdoutScore: 0.88 });
});

/** A job whose clock moves with its trials alone, on one core. */
function startClocked(
  toolkit: ScriptedToolkit,
  {
    secondsPerTrial,
    timeBudgetSeconds,
  }: {
    secondsPerTrial: number | ((family: string) => number);
    timeBudgetSeconds: number;
  },
  options: { maxTrials?: number | null } = {},
) {
  let seconds = 0;
  const elapsedMs = () => seconds * 1000;
  const clocked: Toolkit = {
    ready: () => toolkit.ready(),
    close: () => toolkit.close(),
    async call(command, request, options) {
      const result = await toolkit.call(command, request, options);
      if (command === 'train') {
        seconds +=
          typeof secondsPerTrial === 'number'
            ? secondsPerTrial
            : secondsPerTrial((request as { family: string }).family);
      }
      return result;
    },
  };
  return {
    ...startTeam({ toolkit: clocked, elapsedMs, cpus: 1, options: { timeBudgetSeconds, ...options } }),
    elapsedMs,
  };
}

describe('a toolkit that starts slowly, as after a restart', () => {
  it('costs the job its time, and no trial the limits it is given', async () => {
    let seconds = 0;
    const toolkit = new ScriptedToolkit();
    // It starts for 22.6 of the 30 seconds: of the 7.4 left, the end of the job takes 4.4.
    toolkit.ready = async () => {
      await sleep(5);
      seconds = 22.6;
    };
    const { done } = startTeam({
      toolkit,
      elapsedMs: () => seconds * 1000,
      options: { timeBudgetSeconds: 30, maxTrials: 2 },
    });
    await done;
    const trains = toolkit.calls.filter(({ command }) => command === 'train');
    expect(trains.length).toBeGreaterThan(1);
    for (const { request, timeoutMs } of trains) {
      expect(request.timeLimitSeconds).toBeLessThanOrEqual(3);
      expect(timeoutMs).toBeLessThan(8_000);
    }
  });
});

describe('a soft stop', () => {
  it('at any moment after the first model keeps the best so far, evaluates and reports it', async () => {
    for (const [index, reason] of (
      ['cancelled', 'deadline', 'cancelled', 'deadline', 'cancelled'] as const
    ).entries()) {
      const toolkit = new ScriptedToolkit({ delay: trainsIn(15) });
      const { store, done, stop } = startTeam({ toolkit, cpus: 2 });
      while (store.result === null) await sleep(1);
      await sleep(index * 12);
      const before = toolkit.calls.length;
      stop(reason);
      await done;
      expect(store.result).toMatchObject({ holdoutScore: 0.88, summary: 'A fine model.' });
      expect(store.artifacts.has('model.pkl')).toBe(true);
      // Nothing more is trained: at most what was already on its way to the toolkit.
      expect(
        toolkit.calls.slice(before).filter(({ command }) => command === 'train').length,
      ).toBeLessThanOrEqual(1);
    }
  });

  it('kills trials that run', async () => {
    const delay = ({ command, request }: Call) =>
      command !== 'train' ? 0 : request.family === 'CATBOOST' ? 60_000 : 2;
    const toolkit = new ScriptedToolkit({ delay });
    const { store, done, stop } = startTeam({ toolkit });
    while (!toolkit.calls.some(({ request }) => request.family === 'CATBOOST') || !store.result)
      await sleep(1);
    stop('cancelled');
    await done;
    expect(toolkit.running).toBe(0);
    expect(
      store.ofType('StepFinished').filter(({ errorCode }) => errorCode === 'STOPPED').length,
    ).toBeGreaterThan(0);
  });

  it('before there is a model ends the job with the reason', async () => {
    const slow = new ScriptedToolkit({ delay: trainsIn(60_000) });
    const late = startTeam({ toolkit: slow });
    while (!slow.calls.some(({ command }) => command === 'train')) await sleep(1);
    late.stop('deadline');
    await expect(late.done).rejects.toMatchObject({
      code: 'NO_MODEL_IN_TIME',
      hint: expect.stringContaining('timeBudgetSeconds'),
    });

    const stuck = new ScriptedToolkit({ delay: ({ command }) => (command === 'profile' ? 60_000 : 0) });
    const cancelled = startTeam({ toolkit: stuck });
    while (stuck.calls.length === 0) await sleep(1);
    cancelled.stop('cancelled');
    await expect(cancelled.done).rejects.toMatchObject({ code: 'CANCELLED_BEFORE_MODEL' });
  });
});

describe('failures', () => {
  it.each(['TRIAL_FAILED', 'TRIAL_TOO_SLOW', 'STEP_DEADLINE', 'TOOLKIT_CRASHED'])(
    'of single trials by %s do not fail the job',
    async (code) => {
      const fail = ({ command, request }: Call) =>
        command === 'train' && (request.family === 'CATBOOST' || request.family === 'MLP')
          ? { code, message: 'no' }
          : null;
      const { store, done } = startTeam({ toolkit: new ScriptedToolkit({ fail }) });
      await done;
      expect(store.result?.holdoutScore).toBe(0.88);
      const failed = store.ofType('StepFinished').filter(({ ok }) => !ok);
      expect(failed.map(({ errorCode }) => errorCode)).toEqual(failed.map(() => code));
      expect(failed.length).toBeGreaterThanOrEqual(3);
    },
  );

  it('of every trial fail the job and name the first cause', async () => {
    const fail = ({ command }: Call) =>
      command === 'train' ? { code: 'TRIAL_FAILED', message: 'singular matrix' } : null;
    const { done } = startTeam({ toolkit: new ScriptedToolkit({ fail }) });
    await expect(done).rejects.toMatchObject({
      code: 'NO_MODEL_TRAINED',
      message: expect.stringContaining('singular'),
    });
  });

  it('of the table fail the job with their own code and hint', async () => {
    const fail = ({ command }: Call) =>
      command === 'profile' ? { code: 'TOO_FEW_ROWS', message: '3 rows', hint: 'bring more' } : null;
    const { store, done } = startTeam({ toolkit: new ScriptedToolkit({ fail }) });
    await expect(done).rejects.toMatchObject({ code: 'TOO_FEW_ROWS', message: '3 rows', hint: 'bring more' });
    expect(store.ofType('StepFinished').at(-1)).toMatchObject({ ok: false, errorCode: 'TOO_FEW_ROWS' });
  });

  it('of the ensemble leave the best single model', async () => {
    const fail = ({ command }: Call) =>
      command === 'ensemble' ? { code: 'STEP_DEADLINE', message: 'slow' } : null;
    const { store, done } = startTeam({ toolkit: new ScriptedToolkit({ fail }) });
    await done;
    expect(store.trials.get(store.result?.bestTrialId ?? '')?.family).not.toBe('ENSEMBLE');
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('that are crashes of the toolkit are tried once more where the job depends on the command', async () => {
    let crashes = 0;
    const fail = ({ command }: Call) => {
      if (command !== 'report' || crashes > 0) return null;
      crashes += 1;
      return { code: 'TOOLKIT_CRASHED', message: 'killed' };
    };
    const { store, done } = startTeam({ toolkit: new ScriptedToolkit({ fail }) });
    await done;
    expect(store.artifacts.size).toBe(2);
  });

  it('to write because the claim is lost end the team at once, also in the middle of a trial', async () => {
    const store = new MemoryStore();
    const isForest = ({ request }: Call) => request.family === 'EXTRA_TREES';
    const toolkit = new ScriptedToolkit({
      delay: (call) => (isForest(call) ? 60_000 : 1),
      warn(call) {
        store.claimLost ||= isForest(call);
        return 'a line for the log';
      },
    });
    // One core: no other lane writes, so nothing but the log line can tell.
    const { done } = startTeam({ toolkit, store, cpus: 1, options: { timeBudgetSeconds: 3_600 } });
    await expect(done).rejects.toMatchObject({ code: 'STALE_ATTEMPT' });
    expect(toolkit.running).toBe(0);
  });

  it('nobody foresaw end the job at once, siblings included, and are not journaled', async () => {
    const toolkit = new ScriptedToolkit({
      dying: 50,
      delay: ({ request }) => (request.family === 'CATBOOST' ? 60_000 : 1),
      score: ({ request }) => {
        if (request.family === 'EXTRA_TREES') throw new TypeError('a bug of ours');
        return 0.7;
      },
    });
    const { store, done } = startTeam({ toolkit, cpus: 3 });
    await expect(done).rejects.toThrow('a bug of ours');
    expect(toolkit.running).toBe(0);
    expect(
      [...store.journal.values()].some(({ output }) => JSON.stringify(output).includes('a bug of ours')),
    ).toBe(false);
  });
});
