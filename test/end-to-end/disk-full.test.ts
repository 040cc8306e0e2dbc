import { execFile } from 'node:child_process';
import { mkdir, open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServerProcess, startServerProcess, temporaryFolder } from '../server-process.ts';
import { ApiUser } from './client.ts';
import { binaryTable } from './tables.ts';

const run = promisify(execFile);
const MEGABYTE = 1e6;
const SIZE = 96 * MEGABYTE;
const RESERVE = 24 * MEGABYTE;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let mounted = false;

beforeAll(async () => {
  folder = await temporaryFolder('full');
  mounted = await run('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'sproutml-test', folder.path]).then(
    () => true,
    () => false,
  );
  // Only root may mount, and not in every container. Said where it is seen, for what is skipped is not proved.
  if (!mounted) console.warn('no tmpfs can be mounted here: a full disk is not tried');
});
afterAll(async () => {
  if (mounted) await run('umount', ['--lazy', folder.path]);
  await folder.remove();
});

/** Takes what is free, but for `left` bytes. */
async function fill(left: number): Promise<void> {
  const file = await open(join(folder.path, 'ballast'), 'a');
  try {
    const block = Buffer.alloc(65_536, 1);
    for (;;) {
      const { bavail, bsize } = await statfs(folder.path);
      const take = Math.min(block.length, bavail * bsize - left);
      if (take <= 0) return;
      await file.write(block, 0, take);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    await file.close();
  }
}
const makeRoom = () => rm(join(folder.path, 'ballast'), { force: true });

function integrityOf(dataDir: string): unknown {
  const database = new Sqlite(join(dataDir, 'sproutml.db'), { readonly: true });
  try {
    return database.pragma('integrity_check', { simple: true });
  } finally {
    database.close();
  }
}

describe.runIf(process.platform === 'linux')('a disk that fills', () => {
  const input = { targetColumn: 'label', timeBudgetSeconds: 60, maxTrials: 2 };
  const upload = (user: ApiUser) => user.start(binaryTable(100), input);

  it('refuses uploads, fails jobs with a code, harms nothing, and all goes on once there is room', {
    timeout: 300_000,
  }, async ({ skip }) => {
    if (!mounted) skip();
    const dataDir = join(folder.path, 'data');
    await mkdir(dataDir);
    let server: ServerProcess = await startServerProcess({
      dataDir,
      environment: { DISK_RESERVE_BYTES: String(RESERVE) },
    });
    try {
      const user = new ApiUser(server.url);
      // While it trains, what is left falls under the reserve.
      const id = await user.startJob(binaryTable(400), input);
      for await (const { event } of user.watch(id)) if (event?.__typename === 'StepStarted') break;
      await fill(RESERVE / 3);
      expect(await upload(user)).toMatchObject({ __typename: 'QuotaExceededError', code: 'DISK_FULL' });
      const ended = (await user.untilEnded(id)).at(-1)?.job;
      expect(ended?.status).toBe('FAILED');
      // In its first step that is the job's failure; later it is that of every trial.
      expect(`${ended?.failure?.code}: ${ended?.failure?.message}`).toContain('DISK_FULL');

      // To the last byte: not even the database can write.
      await fill(0);
      expect(await upload(user)).toMatchObject({ __typename: 'QuotaExceededError', code: 'DISK_FULL' });
      expect(await user.job(id)).toMatchObject({ status: 'FAILED' });
      await server.kill();
      await makeRoom();
      expect(integrityOf(dataDir)).toBe('ok');

      server = await startServerProcess({ dataDir, environment: { DISK_RESERVE_BYTES: String(RESERVE) } });
      const again = new ApiUser(server.url);
      const fresh = await again.startJob(binaryTable(100), input);
      // Full while it runs, and room again before it ends: the job goes on where it was.
      for await (const { event } of again.watch(fresh)) if (event?.__typename === 'StepStarted') break;
      await fill(0);
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      await makeRoom();
      const updates = await again.untilEnded(fresh);
      expect(['SUCCEEDED', 'FAILED']).toContain(updates.at(-1)?.job.status);
      const { failure } = await again.job(fresh);
      if (failure !== null) expect(`${failure.code}: ${failure.message}`).toContain('DISK_FULL');
      const events = updates.flatMap(({ event }) => event ?? []);
      expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1));

      const last = await again.startJob(binaryTable(100), input);
      expect((await again.untilEnded(last)).at(-1)?.job).toMatchObject({ status: 'SUCCEEDED' });
      await server.terminate();
      expect(integrityOf(dataDir)).toBe('ok');
    } finally {
      await server.kill();
    }
  });
});
