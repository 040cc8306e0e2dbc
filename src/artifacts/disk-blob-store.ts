import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, open, rename, rm, rmdir, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { asDiskFull, diskFull } from '../domain/disk-full.ts';
import { SproutError } from '../domain/errors.ts';
import type { BlobKey } from '../domain/ids.ts';
import type { BlobStore } from './blob-store.ts';

/** Lower-case words joined by slashes: nothing that a file system reads as more than a name. */
const KEY = /^[a-z0-9][a-z0-9_-]*(\/[a-z0-9][a-z0-9_-]*)*$/;
const MAX_KEY = 512;
/** How often a blob on its way in looks at what is left. */
const LOOK_EVERY_BYTES = 4 * 1024 ** 2;

/**
 * Blobs as files under `directory`. A blob is written beside its place, flushed, and renamed into it, so that a crash
 * leaves the whole blob or none; what a crash left half-written is swept when the store is opened. One process at a time.
 *
 * With `reserveBytes`, uploads are refused with DISK_FULL when less is free, and the files of jobs, which those have worked for,
 * when less than half of it is: the rest is the database's.
 */
export async function openDiskBlobStore(
  directory: string,
  { reserveBytes = 0 }: { reserveBytes?: number } = {},
): Promise<BlobStore> {
  // A key can't start with a dot, so no blob can lie here.
  const incoming = join(directory, '.incoming');
  await rm(incoming, { recursive: true, force: true });
  await mkdir(incoming, { recursive: true });

  return {
    async put(key, content) {
      const path = pathOf(directory, key);
      const temporary = join(incoming, randomUUID());
      const hash = createHash('sha256');
      const reserve = key.startsWith('datasets/') ? reserveBytes : reserveBytes / 2;
      let size = 0;
      let unseen = 0;
      const measure = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          hash.update(chunk);
          size += chunk.length;
          unseen += chunk.length;
          if (unseen < LOOK_EVERY_BYTES) return done(null, chunk);
          unseen = 0;
          assertRoom(directory, reserve).then(() => done(null, chunk), done);
        },
      });
      try {
        await assertRoom(directory, reserve);
        await pipeline(content, measure, createWriteStream(temporary, { flags: 'wx', flush: true }));
        await moveInto(temporary, path);
      } catch (error) {
        await rm(temporary, { force: true });
        content.destroy();
        throw asDiskFull(error);
      }
      return { size, sha256: hash.digest('hex') };
    },

    ...readDiskBlobs(directory),

    async delete(key) {
      const path = pathOf(directory, key);
      await rm(path, { force: true });
      await removeWhenEmpty(dirname(path), directory);
    },
  };
}

/** The reading half, also for who looks in from beside a running server: opening the store sweeps what is on its way in. */
export function readDiskBlobs(directory: string): Pick<BlobStore, 'get' | 'size'> {
  return {
    async get(key, range) {
      const path = pathOf(directory, key);
      try {
        // Opened here and not by the stream, so that a missing blob rejects instead of failing mid-answer.
        const file = await open(path, 'r');
        return file.createReadStream({ ...range, autoClose: true });
      } catch (error) {
        if (hasCode(error, 'ENOENT')) throw notFound(key);
        throw error;
      }
    },

    async size(key) {
      try {
        const found = await stat(pathOf(directory, key));
        return found.isFile() ? found.size : null;
      } catch (error) {
        if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return null;
        throw error;
      }
    },
  };
}

async function assertRoom(directory: string, reserveBytes: number): Promise<void> {
  if (reserveBytes === 0) return;
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize < reserveBytes) throw diskFull();
}

function pathOf(directory: string, key: BlobKey): string {
  if (key.length > MAX_KEY || !KEY.test(key)) {
    throw new SproutError('BLOB_KEY_INVALID', `"${key}" can't be the key of a blob.`);
  }
  return join(directory, key);
}

/** Renames and makes the new name durable; a `delete` beside it may take the empty folder away in between. */
async function moveInto(temporary: string, path: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    await mkdir(dirname(path), { recursive: true });
    try {
      await rename(temporary, path);
      break;
    } catch (error) {
      if (attempt === 5 || !hasCode(error, 'ENOENT')) throw error;
    }
  }
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function removeWhenEmpty(folder: string, root: string): Promise<void> {
  if (folder === root) return;
  try {
    await rmdir(folder);
  } catch (error) {
    if (hasCode(error, 'ENOTEMPTY') || hasCode(error, 'EEXIST') || hasCode(error, 'ENOENT')) return;
    throw error;
  }
  await removeWhenEmpty(dirname(folder), root);
}

const notFound = (key: BlobKey) =>
  new SproutError('BLOB_NOT_FOUND', `There is no blob "${key}".`, {
    hint: 'It was removed from DATA_DIR by something other than this server; upload or train again.',
  });

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;
