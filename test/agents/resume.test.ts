import { describe, expect, it } from 'vitest';
import { MemoryStore } from './memory-recorder.ts';
import { type Call, ScriptedToolkit } from './scripted-toolkit.ts';
import { startTeam } from './team-fixture.ts';

const options = { maxTrials: 4 };
const elapsedMs = () => 1000;
/** What must come out the same: trial ids come from the conversation, which may interleave differently. */
const outcome = (store: MemoryStore) => ({
  ...store.result,
  bestTrialId: null,
  trials: [...store.trials.values()].map(({ name, score }) => `${name} ${score}`).toSorted(),
  artifacts: [...store.artifacts.keys()],
});

const COMMANDS: Readonly<Record<string, string>> = {
  profile_table: 'profile',
  split_table: 'split',
  prepare_features: 'prepare',
  train_trial: 'train',
  train_stacked: 'train',
  build_ensemble: 'ensemble',
  evaluate_model: 'evaluate',
  fit_fast_model: 'refit',
  write_report: 'report',
};
/** Toolkit calls whose step is in the journal. */
function journaled(store: MemoryStore): Set<string> {
  return new Set(
    [...store.journal.values()].flatMap(({ tool, output }) => {
      const command = COMMANDS[tool];
      const answer = (output as { answer?: { result?: { trialId?: string; holdout?: unknown } } }).answer;
      if (command === undefined || !answer) return [];
      return [nameOf(command, answer.result?.trialId, Boolean(answer.result?.holdout))];
    }),
  );
}
const nameOf = (command: string, trialId: unknown, holdout: unknown) =>
  ['profile', 'split', 'prepare', 'refit', 'report'].includes(command)
    ? command
    : `${command} ${trialId} ${Boolean(holdout)}`;
const callName = ({ command, request }: Call) => nameOf(command, request.trialId, request.holdout);

describe('a team that is killed and run again', () => {
  it('ends as the uninterrupted one wherever the plug was pulled, and repeats no finished step', async () => {
    const whole = startTeam({ toolkit: new ScriptedToolkit(), options, elapsedMs });
    await whole.done;
    const entries = whole.store.journal.size;
    expect(entries).toBeGreaterThan(40);

    for (let dieAfter = 1; dieAfter < entries; dieAfter += 1) {
      const store = new MemoryStore();
      const first = startTeam({ toolkit: new ScriptedToolkit(), store, options, elapsedMs, dieAfter });
      await expect(first.done, `killed after entry ${dieAfter}`).rejects.toThrow('the plug is pulled');
      const finished = journaled(store);

      const toolkit = new ScriptedToolkit();
      await startTeam({ toolkit, store, options, elapsedMs }).done;
      const repeated = toolkit.calls.map(callName).filter((name) => finished.has(name));
      expect(repeated, `killed after entry ${dieAfter}`).toEqual([]);
      expect(outcome(store), `killed after entry ${dieAfter}`).toEqual(outcome(whole.store));
      const started = store.ofType('AgentStarted').map((event) => event.agentRun);
      expect(new Set(started).size).toBe(started.length);
      const ended = store.ofType('AgentFinished').map((event) => event.agentRun);
      expect(ended.toSorted()).toEqual(started.toSorted());
      const said = store.ofType('AgentSpoke').map((event) => `${event.agentRun} ${event.message}`);
      expect(new Set(said).size).toBe(said.length);
    }
  });

  it.each(['ROC_AUC', 'RMSE'] as const)(
    'survives a kill after every few steps of one whole job, with trials under way each time (%s)',
    async (metric) => {
      const store = new MemoryStore();
      const delay = ({ command }: Call) => (command === 'train' ? 3 : 0);
      let attempts = 0;
      const finished: string[] = [];
      for (let over = false; !over; attempts += 1) {
        const toolkit = new ScriptedToolkit({ delay, metric });
        const before = journaled(store);
        const dieAfter = 5 + (attempts % 7);
        const { done } = startTeam({
          toolkit,
          store,
          options: { maxTrials: 22 },
          elapsedMs,
          cpus: 3,
          dieAfter,
        });
        over = await done.then(
          () => true,
          () => false,
        );
        expect(toolkit.calls.map(callName).filter((name) => before.has(name))).toEqual([]);
        finished.push(...toolkit.finished.map(callName));
      }
      expect(attempts).toBeGreaterThan(10);
      const layers = [...store.journal.values()].filter(({ tool, ok }) => tool === 'train_stacked' && ok);
      expect(layers.length > 0).toBe(metric === 'RMSE');
      expect(store.result?.holdoutScore).toBe(0.88);
      expect(store.artifacts.size).toBe(2);
    },
  );

  it('decides by the seconds left that were journaled, not by those of the second attempt', async () => {
    const whole = startTeam({ toolkit: new ScriptedToolkit(), options, elapsedMs });
    await whole.done;
    const toolkit = new ScriptedToolkit();
    // Every entry is there; were the clock asked again, the search would end at once.
    await startTeam({ toolkit, store: whole.store, options, elapsedMs: () => 59_000 }).done;
    expect(toolkit.calls).toEqual([]);
  });

  it('goes on from the journal of an earlier release, whose trials do not say what later ones do', async () => {
    const store = new MemoryStore();
    const first = startTeam({ toolkit: new ScriptedToolkit(), store, elapsedMs, dieAfter: 34 });
    await expect(first.done).rejects.toThrow('the plug is pulled');
    const trained = [...store.journal.values()].filter(({ tool }) => tool === 'train_trial');
    expect(trained.length).toBeGreaterThan(0);
    for (const { output } of trained) {
      const { result } = (output as { answer: { result?: { modelBytes?: number; sampled?: boolean } } })
        .answer;
      delete result?.modelBytes;
      delete result?.sampled;
    }
    const toolkit = new ScriptedToolkit();
    await startTeam({ toolkit, store, elapsedMs }).done;
    expect(store.result?.holdoutScore).toBe(0.88);
    const limits = toolkit.calls
      .filter(({ command }) => command === 'train')
      .map(({ timeoutMs }) => timeoutMs);
    expect(limits.length).toBeGreaterThan(0);
    for (const limit of limits) expect(limit).toBeGreaterThan(0);
  });

  it('reports a failure that was journaled without asking the toolkit again', async () => {
    const store = new MemoryStore();
    const fail = ({ command }: Call) =>
      command === 'profile'
        ? { code: 'TARGET_CONSTANT', message: 'one value', hint: 'choose another' }
        : null;
    await expect(startTeam({ toolkit: new ScriptedToolkit({ fail }), store }).done).rejects.toThrow(
      'one value',
    );
    const toolkit = new ScriptedToolkit({ fail });
    await expect(startTeam({ toolkit, store }).done).rejects.toMatchObject({
      code: 'TARGET_CONSTANT',
      hint: 'choose another',
    });
    expect(toolkit.calls).toEqual([]);
  });
});
