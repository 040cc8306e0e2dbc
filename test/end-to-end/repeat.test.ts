import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startServerProcess, temporaryFolder } from '../server-process.ts';
import { ApiUser } from './client.ts';
import { binaryTable } from './tables.ts';

/** One or two of every kind; the tuner's turn is in test/agents/repeat.test.ts. */
const MAX_TRIALS = 8;

describe('a budget in trials', () => {
  it('gives the same leaderboard and predictions, byte for byte, with other cores, under load and across a kill -9', {
    timeout: 400_000,
  }, async () => {
    const folder = await temporaryFolder('repeat');
    const busy: ReturnType<typeof spawn>[] = [];
    try {
      const calm = await filesOf(join(folder.path, 'calm'), '2', false);
      for (let each = 0; each < 2; each += 1) {
        busy.push(spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }));
      }
      const loaded = await filesOf(join(folder.path, 'loaded'), '3', true);
      expect(calm['leaderboard.csv']?.trim().split('\n').length).toBe(1 + MAX_TRIALS + 2);
      expect(loaded['leaderboard.csv']).toBe(calm['leaderboard.csv']);
      expect(loaded['predictions.csv']).toBe(calm['predictions.csv']);
    } finally {
      for (const process of busy) process.kill('SIGKILL');
      await folder.remove();
    }
  });

  it('comes out another way with another seed', { timeout: 180_000 }, async () => {
    const folder = await temporaryFolder('seed');
    try {
      const [first, other] = [0, 1].map((seed) =>
        filesOf(join(folder.path, `${seed}`), '1', false, { maxTrials: 1, seed }),
      );
      expect((await first)?.['predictions.csv']).not.toBe((await other)?.['predictions.csv']);
    } finally {
      await folder.remove();
    }
  });
});

/** Runs the job on a server that may use `cpus` cores, which is killed and started again after some trials if asked. */
async function filesOf(
  dataDir: string,
  cpus: string,
  isKilled: boolean,
  options: { maxTrials: number; seed?: number } = { maxTrials: MAX_TRIALS },
): Promise<Record<string, string>> {
  const environment = { SANDBOX_CPUS: cpus };
  let server = await startServerProcess({ dataDir, environment });
  try {
    let user = new ApiUser(server.url);
    const id = await user.startJob(binaryTable(120), {
      targetColumn: 'label',
      timeBudgetSeconds: 900,
      ...options,
    });
    let after = 0;
    if (isKilled) {
      let trials = 0;
      for await (const { event, sequence } of user.watch(id)) {
        if (event?.__typename === 'TrialFinished') trials += 1;
        after = sequence;
        if (trials === 4) break;
      }
      await server.kill();
      server = await startServerProcess({ dataDir, environment });
      user = new ApiUser(server.url);
    }
    const updates = await user.untilEnded(id, after);
    expect(updates.at(-1)?.job).toMatchObject({ status: 'SUCCEEDED', failure: null });
    const artifacts = await user.artifacts(id);
    // With time enough there always is a light model too.
    expect(artifacts.filter(({ kind }) => kind === 'MODEL').map(({ name }) => name)).toEqual(
      expect.arrayContaining(['model.pkl', 'model-fast.pkl']),
    );
    const files: Record<string, string> = {};
    for (const { name, signedUrl } of artifacts) {
      if (!name.endsWith('.csv')) continue;
      const path = join(dataDir, name);
      await user.download(signedUrl.url, path);
      files[name] = await readFile(path, 'utf8');
    }
    return files;
  } finally {
    await server.kill();
  }
}
