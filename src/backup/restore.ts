import { copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openDiskBlobStore, readDiskBlobs } from '../artifacts/disk-blob-store.ts';
import { createMemoryBus } from '../bus/memory.ts';
import { knownMigrations, openDatabase } from '../db/client.ts';
import { DATABASE_FILE, readContents } from '../db/copy.ts';
import { lockDataDir } from '../db/lock.ts';
import { RESTORING } from '../db/restoring.ts';
import { SproutError } from '../domain/errors.ts';
import { runningJobs, settle } from '../jobs/claim.ts';
import { JobStore } from '../jobs/store.ts';
import { copyBlob } from './backup.ts';
import { damagedBackup, type Manifest, readManifest, sha256Of, tooNew } from './manifest.ts';

export interface Restored {
  manifest: Manifest;
  /** Jobs that were running when the backup was made: they have failed now, and can be retried. */
  endedJobs: number;
}

/**
 * Lays a backup into an empty data folder, everything checked against its SHA-256. Until all is there the folder holds another
 * named `restoring`, and no server starts on it; a restore that was cut short is run again and begins anew.
 *
 * Rejects, without having written anything, with BACKUP_INCOMPLETE, BACKUP_TOO_NEW, DATA_DIR_LOCKED or RESTORE_WOULD_OVERWRITE;
 * with BACKUP_DAMAGED at the first file that is not as it was.
 */
export async function restore({ folder, dataDir }: { folder: string; dataDir: string }): Promise<Restored> {
  const manifest = await readManifest(folder);
  if (manifest.database.migrations > knownMigrations()) throw tooNew(manifest);
  const backedUp = join(folder, DATABASE_FILE);
  if ((await sha256Of(backedUp)) !== manifest.database.sha256) {
    throw damagedBackup(folder, `${DATABASE_FILE} is not as it was written`);
  }
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const unlock = lockDataDir(dataDir);
  try {
    await refuseOverwriting(dataDir);
    const staging = join(dataDir, RESTORING);
    await mkdir(staging, { recursive: true, mode: 0o700 });
    // Of a restore that was cut short.
    for (const name of [DATABASE_FILE, `${DATABASE_FILE}-wal`, `${DATABASE_FILE}-shm`, 'blobs']) {
      await rm(join(dataDir, name), { recursive: true, force: true });
      await rm(join(staging, name), { recursive: true, force: true });
    }

    await restoreBlobs(folder, dataDir, manifest);
    await copyFile(backedUp, join(staging, DATABASE_FILE));
    const endedJobs = await endRunningJobs(staging);
    await rename(join(staging, DATABASE_FILE), join(dataDir, DATABASE_FILE));
    await rm(staging, { recursive: true });
    return { manifest, endedJobs };
  } finally {
    unlock();
  }
}

async function refuseOverwriting(dataDir: string): Promise<void> {
  const there = await readdir(dataDir);
  if (there.includes(RESTORING)) return;
  const taken = there.filter((name) => name === DATABASE_FILE || name === 'blobs' || name === 'sandboxes');
  if (taken.length === 0) return;
  throw new SproutError(
    'RESTORE_WOULD_OVERWRITE',
    `${dataDir} holds data already: ${taken.join(', ')}. Nothing was changed.`,
    { hint: 'Restore into an empty folder: move this one away, or set DATA_DIR to another.' },
  );
}

async function restoreBlobs(folder: string, dataDir: string, manifest: Manifest): Promise<void> {
  const source = readDiskBlobs(join(folder, 'blobs'));
  const target = await openDiskBlobStore(join(dataDir, 'blobs'));
  const { blobs } = await readContents(join(folder, DATABASE_FILE));
  const knownDamaged = new Set(manifest.damaged.map(({ key }) => key));
  for (const blob of blobs) {
    if (knownDamaged.has(blob.key)) continue;
    const reason = await copyBlob(blob, source, target);
    if (reason !== null) throw damagedBackup(folder, `blobs/${blob.key} is ${reason}`);
  }
}

/** Their sandboxes are gone, and with them what their finished steps have left: they could not go on. */
async function endRunningJobs(folder: string): Promise<number> {
  const database = openDatabase(folder);
  try {
    const store = new JobStore({ database, bus: createMemoryBus() });
    const ids = await runningJobs(store);
    for (const id of ids) {
      const job = await store.job(id);
      if (job === null) continue;
      const failure = {
        code: 'RESTORED_FROM_BACKUP',
        message: 'The job was running when the backup was made that this server was restored from.',
        hint: 'Start it again with `retryJob`; the table is there.',
        stage: job.stage,
      };
      await settle(store, { jobId: id, attempt: job.attempt }, { status: 'FAILED', failure }, job.activeMs);
    }
    return ids.length;
  } finally {
    await database.close();
  }
}
