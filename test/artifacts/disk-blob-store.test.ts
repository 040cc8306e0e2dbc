import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { openDiskBlobStore } from '../../src/artifacts/disk-blob-store.ts';
import { blobStoreConformance } from '../conformance/blob-store.ts';

const filesIn = async (directory: string): Promise<string[]> =>
  (await readdir(directory, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();

blobStoreConformance('disk', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sproutml-blobs-'));
  return {
    blobs: await openDiskBlobStore(directory),
    everything: () => filesIn(directory),
    close: () => rm(directory, { recursive: true, force: true }),
  };
});

it('sweeps what a crash left half-written when it is opened, and nothing else', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sproutml-blobs-'));
  await mkdir(join(directory, '.incoming'), { recursive: true });
  await writeFile(join(directory, '.incoming', 'half'), 'half a fi');
  await mkdir(join(directory, 'datasets'));
  await writeFile(join(directory, 'datasets', 'whole'), 'a whole file');
  await openDiskBlobStore(directory);
  expect(await filesIn(directory)).toEqual([join(directory, 'datasets', 'whole')]);
  await rm(directory, { recursive: true });
});

it('says that the disk is full, and what to do', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sproutml-blobs-'));
  const blobs = await openDiskBlobStore(directory);
  const key = 'datasets/too-large' as Parameters<typeof blobs.put>[0];
  const full = new Readable({
    read() {
      this.destroy(Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }));
    },
  });
  await expect(blobs.put(key, full)).rejects.toMatchObject({
    name: 'QuotaExceededError',
    code: 'DISK_FULL',
    hint: expect.stringContaining('DATA_DIR'),
  });
  expect(await filesIn(directory)).toEqual([]);
  await rm(directory, { recursive: true });
});

it('leaves no empty folder behind', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sproutml-blobs-'));
  const blobs = await openDiskBlobStore(directory);
  const key = 'artifacts/job/file' as Parameters<typeof blobs.delete>[0];
  await blobs.put(key, Readable.from(['x']));
  await blobs.delete(key);
  expect(await readdir(directory)).toEqual(['.incoming']);
  await rm(directory, { recursive: true });
});
