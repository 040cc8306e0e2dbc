import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../src/agents/playbook/random.ts';
import { MemoryStore } from './memory-recorder.ts';
import { type Call, ScriptedToolkit } from './scripted-toolkit.ts';
import { startTeam } from './team-fixture.ts';

/** Fewer than the tuner would go on to: the budget in trials ends the search, or the patience of a small table does. */
const options = { maxTrials: 40, timeBudgetSeconds: 3_600 };

/** Scores on a coarse grid, so that many trials are equal. */
const coarse = ({ request }: Call): number =>
  request.family === 'BASELINE'
    ? 0.5
    : 0.6 + Math.floor(randomStream(JSON.stringify(request.params))() * 8) / 40;

interface Machine {
  cpus: number;
  /** Seconds of the job's clock per real millisecond: how slow the machine seems. */
  slowness: number;
  seed: number;
}

/** The report's leaderboard, and what each ensemble chose among, after one run on such a machine. */
async function outcomeOn({ cpus, slowness, seed }: Machine, dieAfter?: number): Promise<unknown> {
  const random = randomStream('delays', seed);
  const store = new MemoryStore();
  const startedAt = performance.now();
  const elapsedMs = () => (performance.now() - startedAt) * slowness;
  const delay = ({ command }: Call) => (command === 'train' ? random() * 12 : 0);
  const toolkit = new ScriptedToolkit({ rows: 2_000, delay, score: coarse });
  const attempt = { toolkit, store, options, cpus, elapsedMs };
  if (dieAfter !== undefined) {
    await expect(startTeam({ ...attempt, dieAfter }).done).rejects.toThrow('the plug is pulled');
    await sleep(5);
  }
  await startTeam(attempt).done;
  const report = toolkit.calls.findLast(({ command }) => command === 'report')?.request as {
    trials: { id: string; name: string; score: number }[];
  };
  const ensembles = toolkit.calls.filter(({ command }) => command === 'ensemble');
  return {
    leaderboard: report.trials.map(({ id, name, score }) => `${id} ${name} ${score}`),
    ensembles: new Set(ensembles.map(({ request }) => JSON.stringify(request.trialIds))),
  };
}

describe('a budget in trials', () => {
  it('goes the same way whatever the cores, the pace of the machine and the order in which trials end', async () => {
    const first = await outcomeOn({ cpus: 2, slowness: 1, seed: 1 });
    const { leaderboard } = first as { leaderboard: string[] };
    expect(leaderboard.length).toBeGreaterThan(30);
    expect(leaderboard.join()).toContain('tuned 2.1');
    for (const machine of [
      { cpus: 1, slowness: 1, seed: 2 },
      { cpus: 6, slowness: 1, seed: 3 },
      { cpus: 2, slowness: 400, seed: 4 },
      { cpus: 3, slowness: 100, seed: 5 },
    ]) {
      expect(await outcomeOn(machine), JSON.stringify(machine)).toEqual(first);
    }
  });

  it('and across a kill', async () => {
    const first = await outcomeOn({ cpus: 2, slowness: 1, seed: 6 });
    for (const dieAfter of [20, 45, 70]) {
      const killed = await outcomeOn({ cpus: 3, slowness: 1, seed: dieAfter }, dieAfter);
      expect((killed as typeof first & { leaderboard: unknown }).leaderboard).toEqual(
        (first as { leaderboard: unknown }).leaderboard,
      );
    }
  });
});
