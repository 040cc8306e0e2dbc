import { access, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { BlobStore } from '../artifacts/blob-store.ts';
import { openDiskBlobStore, readDiskBlobs } from '../artifacts/disk-blob-store.ts';
import { copyDatabase, DATABASE_FILE, type NamedBlob, readContents } from '../db/copy.ts';
import { HOLDER_FILE, LOCK_FILE, lockDataDir } from '../db/lock.ts';
import { SproutError } from '../domain/errors.ts';
import { FORMAT, type Manifest, sha256Of, writeManifest } from './manifest.ts';

/** Copies of the database until no blob that it names was deleted in between. */
const MAX_ROUNDS = 10;

type Damage = Manifest['damaged'][number];

/**
 * Copies database and blobs of a data folder into `folder`, which must not be there yet: one consistent state, while the
 * server runs. Everything is checked against its SHA-256. Until all is there and on disk it lies in `<folder>.part`; the next
 * backup to the same place begins that anew.
 *
 * Sandboxes are not copied: what runs now has failed, and can be retried, once restored. Nor are secrets outside the database.
 *
 * Rejects with NOTHING_TO_BACK_UP, BACKUP_EXISTS, BACKUP_RUNNING, DATABASE_DAMAGED, DISK_FULL or BACKUP_UNSETTLED.
 */
export async function backUp(options: {
  dataDir: string;
  folder: string;
  version: string;
  now: Date;
}): Promise<Manifest> {
  const { dataDir } = options;
  const folder = resolve(options.folder);
  await refuseExisting(folder);
  const part = join(dirname(folder), `${basename(folder)}.part`);
  await mkdir(part, { recursive: true, mode: 0o700 });
  const unlock = lockPart(part, folder);
  try {
    await clear(part);
    const { blobs, migrations, damaged } = await copyAll(dataDir, part);
    const manifest: Manifest = {
      format: FORMAT,
      version: options.version,
      createdAt: options.now.toISOString(),
      database: { sha256: await sha256Of(join(part, DATABASE_FILE)), migrations },
      blobs: { count: blobs.length, bytes: blobs.reduce((sum, { size }) => sum + size, 0) },
      damaged,
    };
    await flush(join(part, DATABASE_FILE));
    await writeManifest(part, manifest);
    await flush(part);
    await rename(part, folder);
    await flush(dirname(folder));
    return manifest;
  } finally {
    unlock();
    for (const name of [LOCK_FILE, HOLDER_FILE]) await rm(join(folder, name), { force: true });
  }
}

async function refuseExisting(folder: string): Promise<void> {
  try {
    await access(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  throw new SproutError('BACKUP_EXISTS', `${folder} is there already.`, {
    hint: 'Name a folder that is not there yet, with the date in its name for example.',
  });
}

function lockPart(part: string, folder: string): () => void {
  try {
    return lockDataDir(part);
  } catch (error) {
    if (!(error instanceof SproutError) || error.code !== 'DATA_DIR_LOCKED') throw error;
    throw new SproutError('BACKUP_RUNNING', `Another backup into ${folder} is under way.`, {
      hint: 'Wait for it, or name another folder.',
      cause: error,
    });
  }
}

/** Leaves nothing of a backup that was cut short but the lock that we hold. */
async function clear(part: string): Promise<void> {
  for (const name of await readdir(part)) {
    if (name !== LOCK_FILE && name !== HOLDER_FILE) await rm(join(part, name), { recursive: true });
  }
}

/**
 * The database first, then what it names. What a deletion has taken in between means another round, with a newer database and
 * only the blobs that are new in it.
 */
async function copyAll(
  dataDir: string,
  part: string,
): Promise<{ blobs: NamedBlob[]; migrations: number; damaged: Damage[] }> {
  const source = readDiskBlobs(join(dataDir, 'blobs'));
  const target = await openDiskBlobStore(join(part, 'blobs'));
  const copied = new Set<string>();
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const file = join(part, DATABASE_FILE);
    await rm(file, { force: true });
    await copyDatabase(dataDir, file);
    const { blobs, migrations } = await readContents(file);
    const damaged = new Map<string, Damage>();
    for (const blob of blobs) {
      if (copied.has(blob.key)) continue;
      const reason = await copyBlob(blob, source, target);
      if (reason === null) copied.add(blob.key);
      else damaged.set(blob.key, { key: blob.key, reason });
    }
    const named = new Set<string>(blobs.map(({ key }) => key));
    // Of those that could not be copied, only what the server still has rows for is lost.
    const current = damaged.size === 0 ? named : await namedNow(dataDir);
    if ([...damaged.keys()].some((key) => !current.has(key))) continue;

    for (const key of copied) if (!named.has(key)) await target.delete(key as NamedBlob['key']);
    await rm(join(part, 'blobs', '.incoming'), { recursive: true, force: true });
    const whole = blobs.filter(({ key }) => !damaged.has(key));
    return { blobs: whole, migrations, damaged: [...damaged.values()] };
  }
  throw new SproutError('BACKUP_UNSETTLED', 'Files were deleted faster than they could be copied.', {
    hint: 'Try again when fewer jobs are being deleted.',
  });
}

async function namedNow(dataDir: string): Promise<Set<string>> {
  const { blobs } = await readContents(join(dataDir, DATABASE_FILE));
  return new Set<string>(blobs.map(({ key }) => key));
}

/** Null when it is there as it should be, else what is wrong with it. */
export async function copyBlob(
  { key, size, sha256 }: NamedBlob,
  from: Pick<BlobStore, 'get'>,
  to: BlobStore,
): Promise<Damage['reason'] | null> {
  let content: Awaited<ReturnType<BlobStore['get']>>;
  try {
    content = await from.get(key);
  } catch (error) {
    if (error instanceof SproutError && error.code === 'BLOB_NOT_FOUND') return 'missing';
    throw error;
  }
  const stored = await to.put(key, content);
  if (stored.size === size && stored.sha256 === sha256) return null;
  await to.delete(key);
  return 'altered';
}

async function flush(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
