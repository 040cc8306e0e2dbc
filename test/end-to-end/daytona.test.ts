import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureEnvironment } from '../../src/sandbox/python-environment.ts';
import { type DaytonaRig, openDaytonaRig } from '../daytona/rig.ts';
import { KEY } from '../daytona/stand-in.ts';
import { type ServerProcess, startServerProcess, temporaryFolder } from '../server-process.ts';
import { ApiUser } from './client.ts';
import { binaryTable } from './tables.ts';

const MAX_TRIALS = 6;

describe('a whole job in Daytona sandboxes, through the real SDK', () => {
  let rig: DaytonaRig;
  beforeAll(async () => {
    rig = await openDaytonaRig({ python: await ensureEnvironment() });
  }, 600_000);
  afterAll(() => rig.remove());

  it('with sub-trainers in sandboxes of their own gives the leaderboard of this machine, across a kill -9, and leaves none', {
    timeout: 500_000,
  }, async () => {
    const folder = await temporaryFolder('daytona');
    const cloudy = {
      DAYTONA_API_KEY: KEY,
      DAYTONA_API_URL: rig.standIn.url,
      DAYTONA_MAX_PARALLEL: '2',
      DAYTONA_CPU: '1',
    };
    try {
      const local = await runJob(join(folder.path, 'local'), { SANDBOX: 'local' }, false);
      const cloud = await runJob(join(folder.path, 'cloud'), cloudy, true);
      expect(local.kind).toBe('LOCAL');
      expect(cloud.kind).toBe('DAYTONA');
      expect(cloud.leaderboard).toBe(local.leaderboard);
      expect(cloud.leaderboard.trim().split('\n').length).toBe(1 + MAX_TRIALS + 2);
      expect(cloud.usage.sandboxCpuSeconds).toBeGreaterThan(0);
      expect(cloud.usage.sandboxMemoryGibSeconds).toBeGreaterThan(cloud.usage.sandboxCpuSeconds);
      expect(local.usage.sandboxCpuSeconds).toBe(0);
      expect(rig.cloud.made).toBe(2);
      expect([rig.cloud.sandboxes.size, rig.cloud.volumes.size]).toEqual([0, 0]);
    } finally {
      await folder.remove();
    }
  });
});

async function runJob(dataDir: string, environment: Record<string, string>, isKilled: boolean) {
  let server: ServerProcess = await startServerProcess({ dataDir, environment });
  try {
    let user = new ApiUser(server.url);
    const id = await user.startJob(binaryTable(120), {
      targetColumn: 'label',
      timeBudgetSeconds: 900,
      maxTrials: MAX_TRIALS,
    });
    let after = 0;
    if (isKilled) {
      for await (const { event, sequence } of user.watch(id)) {
        after = sequence;
        if (event?.__typename === 'StepStarted' && event.agent === 'SUB_TRAINER') break;
      }
      await server.kill();
      server = await startServerProcess({ dataDir, environment });
      user = new ApiUser(server.url);
    }
    const updates = await user.untilEnded(id, after);
    expect(updates.at(-1)?.job).toMatchObject({ status: 'SUCCEEDED', failure: null });
    const found = (await user.artifacts(id)).find(({ name }) => name === 'leaderboard.csv');
    const path = join(dataDir, 'leaderboard.csv');
    await user.download(found?.signedUrl.url ?? '', path);
    const { job } = await user.query<{
      job: { sandbox: string; usage: { sandboxCpuSeconds: number; sandboxMemoryGibSeconds: number } };
    }>('query ($id: ID!) { job(id: $id) { sandbox usage { sandboxCpuSeconds sandboxMemoryGibSeconds } } }', {
      id,
    });
    // The job's end is told before its sandboxes are gone.
    await server.terminate();
    return { leaderboard: await readFile(path, 'utf8'), kind: job.sandbox, usage: job.usage };
  } finally {
    await server.kill();
  }
}
