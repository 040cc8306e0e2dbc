import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { backUp } from '../../src/backup/backup.ts';
import { restore } from '../../src/backup/restore.ts';
import { openDatabase } from '../../src/db/client.ts';
import type { JobId } from '../../src/domain/ids.ts';
import { claimQueued, settle } from '../../src/jobs/claim.ts';
import { newDataset, openRig, type Rig, startJob } from '../jobs/rig.ts';
import { temporaryFolder } from '../server-process.ts';

const MAIN = join(import.meta.dirname, '../../src/main.ts');

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let rig: Rig;
beforeEach(async () => {
  folder = await temporaryFolder('backup');
  rig = await openRig();
});
afterEach(async () => {
  await rig.remove();
  await folder.remove();
});

const at = (name: string) => join(folder.path, name);
const backUpRig = (name: string) =>
  backUp({ dataDir: rig.dataDir, folder: at(name), version: '1.2.3', now: new Date(0) });
const there = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

/** A table whose bytes are in the store, as an upload leaves it. */
async function addDataset(bytes: Buffer): Promise<void> {
  const dataset = newDataset();
  await rig.jobs.expectBlob(dataset.blobKey);
  const blob = await rig.blobs.put(dataset.blobKey, Readable.from([bytes]));
  await rig.jobs.addDataset({ ...dataset, ...blob });
}

/** A job, begun, with `count` files of its own. */
async function jobWithArtifacts(count: number): Promise<JobId> {
  await startJob(rig);
  const job = await claimQueued(rig.store);
  if (!job) throw new Error('no job');
  const recorder = rig.recorder({ jobId: job.id, attempt: job.attempt });
  for (let i = 0; i < count; i++) {
    const content = Readable.from([`file ${i} of ${job.id}`]);
    await recorder.saveArtifact({ name: `${i}.txt`, kind: 'LOG', contentType: 'text/plain', content });
  }
  await recorder.close();
  return job.id;
}

const end = async (jobId: JobId) =>
  settle(rig.store, { jobId, attempt: 1 }, { status: 'SUCCEEDED', message: 'done' }, 1);

/** `startJob` makes datasets without bytes; a backup would call those lost. */
async function giveDatasetsBytes(): Promise<void> {
  const { rows } = await rig.jobs.listDatasets({ limit: 100 });
  for (const { id, blobKey } of rows) {
    const { size, sha256 } = await rig.blobs.put(blobKey, Readable.from(['a,b\n1,2\n']));
    const writer = new Sqlite(join(rig.dataDir, 'sproutml.db'));
    writer.prepare('update datasets set size = ?, sha256 = ? where id = ?').run(size, sha256, id);
    writer.close();
  }
}

describe('a backup', () => {
  it('restored is the same datasets, jobs, events and files; what was running has failed and says why', async () => {
    await addDataset(Buffer.from('x,y\n1,2\n'));
    const ended = await jobWithArtifacts(3);
    await end(ended);
    const running = await jobWithArtifacts(2);
    await giveDatasetsBytes();
    const before = await rig.jobs.job(ended);

    const manifest = await backUpRig('b');
    expect(manifest).toMatchObject({ blobs: { count: 8 }, damaged: [] });
    expect(await restore({ folder: at('b'), dataDir: at('again') })).toMatchObject({ endedJobs: 1 });

    const again = await openRig({ dataDir: at('again') });
    expect(await again.jobs.job(ended)).toEqual(before);
    expect(await again.jobs.events(ended, 0, 100)).toEqual(await rig.jobs.events(ended, 0, 100));
    expect((await again.jobs.listDatasets({ limit: 9 })).rows).toEqual(
      (await rig.jobs.listDatasets({ limit: 9 })).rows,
    );
    for (const { blobKey, name } of (await again.jobs.artifacts(ended, null, { limit: 9 })).rows) {
      const bytes = await buffer(await again.blobs.get(blobKey));
      expect(bytes.toString()).toBe(`file ${name.replace('.txt', '')} of ${ended}`);
    }
    expect(await again.jobs.job(running)).toMatchObject({
      status: 'FAILED',
      failure: { code: 'RESTORED_FROM_BACKUP', hint: expect.stringContaining('retryJob') },
    });
    expect((await again.jobs.retry(running)).status).toBe('QUEUED');
    await again.close();
  });

  it('is one consistent state while files come and go', async () => {
    const jobId = await jobWithArtifacts(1);
    await giveDatasetsBytes();
    const recorder = rig.recorder({ jobId, attempt: 1 });
    let busy = true;
    // Each save replaces the file before it and deletes its blob.
    const writing = (async () => {
      for (let i = 0; busy; i++) {
        const name = `${i % 3}.txt`;
        const content = Readable.from([`version ${i}`]);
        await recorder.saveArtifact({ name, kind: 'LOG', contentType: 'text/plain', content });
      }
    })();
    for (let i = 0; i < 5; i++) {
      const { damaged } = await backUpRig(`b${i}`);
      expect(damaged).toEqual([]);
    }
    busy = false;
    await writing;
    for (let i = 0; i < 5; i++) await restore({ folder: at(`b${i}`), dataDir: at(`r${i}`) });
  });

  it('names what was lost before it, holds the rest, and restores without it', async () => {
    const jobId = await jobWithArtifacts(2);
    await giveDatasetsBytes();
    const [newest, oldest] = (await rig.jobs.artifacts(jobId, null, { limit: 9 })).rows;
    if (!newest || !oldest) throw new Error('no files');
    await rig.blobs.delete(newest.blobKey);
    await writeFile(join(rig.dataDir, 'blobs', oldest.blobKey), 'other bytes');
    const { damaged, blobs } = await backUpRig('b');
    expect(damaged.toSorted((a, b) => a.reason.localeCompare(b.reason))).toEqual([
      { key: oldest.blobKey, reason: 'altered' },
      { key: newest.blobKey, reason: 'missing' },
    ]);
    expect(blobs.count).toBe(1);
    await restore({ folder: at('b'), dataDir: at('again') });
    expect(await there(join(at('again'), 'sproutml.db'))).toBe(true);
  });

  it('never overwrites one that is there, and of nothing is refused', async () => {
    await backUpRig('b');
    await expect(backUpRig('b')).rejects.toMatchObject({ code: 'BACKUP_EXISTS' });
    const nothing = backUp({ dataDir: at('none'), folder: at('c'), version: '1', now: new Date(0) });
    await expect(nothing).rejects.toMatchObject({ code: 'NOTHING_TO_BACK_UP' });
    expect(await there(at('c'))).toBe(false);
  });

  it('killed at any moment leaves nothing that looks whole, and the next one begins anew', {
    timeout: 120_000,
  }, async () => {
    await jobWithArtifacts(60);
    await giveDatasetsBytes();
    let cutShort = 0;
    for (let i = 0; i < 6; i++) {
      const child = spawn(process.execPath, [MAIN, 'backup', at('b')], {
        env: { PATH: process.env.PATH, DATA_DIR: rig.dataDir },
        stdio: 'ignore',
      });
      const exit = once(child, 'exit');
      // From the moment it has begun to write, somewhere in it.
      while (child.exitCode === null && !(await there(`${at('b')}.part`))) await sleep(1);
      await sleep(i * 4);
      child.kill('SIGKILL');
      await exit;
      if (await there(at('b'))) {
        await restore({ folder: at('b'), dataDir: at(`r${i}`) });
        await rm(at('b'), { recursive: true });
        continue;
      }
      cutShort += 1;
      const part = `${at('b')}.part`;
      if (await there(part)) {
        await expect(restore({ folder: part, dataDir: at(`r${i}`) })).rejects.toMatchObject({
          code: 'BACKUP_INCOMPLETE',
        });
      }
    }
    expect(cutShort).toBeGreaterThan(0);
    await backUpRig('b');
    expect((await readdir(at('b'))).sort()).toEqual(['backup.json', 'blobs', 'sproutml.db']);
    expect(await there(`${at('b')}.part`)).toBe(false);
    await restore({ folder: at('b'), dataDir: at('last') });
  });
});

describe('a restore', () => {
  beforeEach(async () => {
    await jobWithArtifacts(3);
    await giveDatasetsBytes();
    await backUpRig('b');
  });

  it('refuses to overwrite, whether a server runs there or not, and changes nothing', async () => {
    await expect(restore({ folder: at('b'), dataDir: rig.dataDir })).rejects.toMatchObject({
      code: 'DATA_DIR_LOCKED',
    });
    await mkdir(join(at('taken'), 'blobs'), { recursive: true });
    await expect(restore({ folder: at('b'), dataDir: at('taken') })).rejects.toMatchObject({
      code: 'RESTORE_WOULD_OVERWRITE',
    });
    expect(await readdir(at('taken'))).not.toContain('restoring');
  });

  it('finds every altered byte, and nothing starts on what it had laid down until then', async () => {
    const [file] = (await readdir(at('b/blobs'), { recursive: true, withFileTypes: true })).filter((entry) =>
      entry.isFile(),
    );
    if (!file) throw new Error('no file');
    const path = join(file.parentPath, file.name);
    const whole = await readFile(path);
    await writeFile(path, Buffer.concat([whole, Buffer.from('x')]));
    const broken = restore({ folder: at('b'), dataDir: at('again') });
    await expect(broken).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
    expect(() => openDatabase(at('again'))).toThrow(expect.objectContaining({ code: 'RESTORE_UNFINISHED' }));

    await writeFile(path, whole);
    await restore({ folder: at('b'), dataDir: at('again') });
    await openDatabase(at('again')).close();
  });

  it('finds an altered database before it writes anything', async () => {
    const path = join(at('b'), 'sproutml.db');
    const bytes = await readFile(path);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    await writeFile(path, bytes);
    await expect(restore({ folder: at('b'), dataDir: at('again') })).rejects.toMatchObject({
      code: 'BACKUP_DAMAGED',
    });
    expect(await there(at('again'))).toBe(false);
  });

  it('refuses the backup of a later release', async () => {
    const path = join(at('b'), 'backup.json');
    const manifest = JSON.parse(await readFile(path, 'utf8'));
    manifest.database.migrations += 1;
    await writeFile(path, JSON.stringify(manifest));
    await expect(restore({ folder: at('b'), dataDir: at('again') })).rejects.toMatchObject({
      code: 'BACKUP_TOO_NEW',
    });
  });
});
