import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { FastModel } from '../../src/agents/tools/fast-model.ts';
import { type Call, ScriptedToolkit } from './scripted-toolkit.ts';
import { startTeam } from './team-fixture.ts';

const options = { maxTrials: 4 };
const reported = (toolkit: ScriptedToolkit): FastModel =>
  toolkit.calls.find(({ command }) => command === 'report')?.request.fastModel as FastModel;
const refits = (toolkit: ScriptedToolkit): Call[] =>
  toolkit.calls.filter(({ command }) => command === 'refit');

describe('the light model beside the winner', () => {
  it('is the best single one, or the next that does nearly as well; ensembles and the baseline are none', async () => {
    const scores: Record<string, number> = { LIGHTGBM: 0.9, LINEAR: 0.89, CATBOOST: 0.91, EXTRA_TREES: 0.7 };
    const score = ({ request }: Call) => scores[String(request.family)] ?? 0.5;
    const toolkit = new ScriptedToolkit({ score });
    const { store, done } = startTeam({ toolkit, options });
    await done;
    const families = z
      .array(z.string())
      .parse(refits(toolkit)[0]?.request.trialIds)
      .map((id) => store.trials.get(id)?.family);
    expect(families).toEqual(['CATBOOST', 'LIGHTGBM', 'LINEAR']);
    expect(reported(toolkit)).toEqual({ trialId: expect.stringMatching(/^catboost-/), reason: null });
  });

  it('is a file the less, with the reason in words, where it cannot be fitted: the job is none the worse', async () => {
    for (const code of ['TRIAL_FAILED', 'OUT_OF_MEMORY', 'TOOLKIT_CRASHED', 'TOOLKIT_BUG']) {
      const fail = ({ command }: Call) => (command === 'refit' ? { code, message: 'it would not' } : null);
      const toolkit = new ScriptedToolkit({ fail });
      const { store, done } = startTeam({ toolkit, options });
      await done;
      expect(refits(toolkit)).toHaveLength(1);
      expect(reported(toolkit)).toEqual({ trialId: null, reason: 'it would not' });
      expect(store.artifacts.has('model.pkl')).toBe(true);
    }
  });

  it('is not tried when the time is up or the job is cancelled, and given no more than is left over', async () => {
    let seconds = 0;
    const toolkit = new ScriptedToolkit();
    // The clock stands still until the last score is in.
    const elapsedMs = () =>
      (toolkit.calls.some(({ request }) => request.holdout === true) ? seconds : 1) * 1000;
    for (const late of [55, 59, 61]) {
      seconds = late;
      toolkit.calls.length = 0;
      await startTeam({ toolkit, options: { ...options, timeBudgetSeconds: 60 }, elapsedMs }).done;
      const [refit] = refits(toolkit);
      if (late === 55) expect(refit?.timeoutMs).toBeLessThanOrEqual(5_000);
      else expect(reported(toolkit)).toEqual({ trialId: null, reason: expect.stringContaining('time') });
      expect(refits(toolkit)).toHaveLength(late === 55 ? 1 : 0);
    }

    const cancelled = new ScriptedToolkit({ delay: ({ command }) => (command === 'evaluate' ? 30 : 0) });
    const { done, stop, store } = startTeam({ toolkit: cancelled, options });
    const look = setInterval(() => {
      if (cancelled.calls.some(({ request }) => request.holdout === true)) stop('cancelled');
    }, 1);
    await done;
    clearInterval(look);
    expect(refits(cancelled)).toEqual([]);
    expect(reported(cancelled).reason).toContain('cancelled');
    expect(store.artifacts.has('model.pkl')).toBe(true);
  });
});
