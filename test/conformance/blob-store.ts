import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BlobStore } from '../../src/artifacts/blob-store.ts';
import { type BlobKey, newDatasetId } from '../../src/domain/ids.ts';

export interface BlobStoreUnderTest {
  blobs: BlobStore;
  /** Keys of everything that lies in the store, by other means than the port; half-written things too. */
  everything(): Promise<string[]>;
  close(): Promise<void>;
}

/** What every blob store promises. */
export function blobStoreConformance(name: string, open: () => Promise<BlobStoreUnderTest>): void {
  describe(`blob store: ${name}`, () => {
    let store: BlobStoreUnderTest;
    beforeAll(async () => {
      store = await open();
    });
    afterAll(() => store.close());

    const newKey = () => `datasets/${newDatasetId()}` as BlobKey;

    it('gives back the bytes it was given, and their size and SHA-256', async () => {
      const key = newKey();
      const bytes = randomBytes(300_000);
      const stored = await store.blobs.put(key, Readable.from([bytes.subarray(0, 7), bytes.subarray(7)]));
      expect(stored).toEqual({
        size: bytes.length,
        sha256: createHash('sha256').update(bytes).digest('hex'),
      });
      expect(await buffer(await store.blobs.get(key))).toEqual(bytes);
      expect(await store.blobs.size(key)).toBe(bytes.length);
    });

    it('keeps an empty blob', async () => {
      const key = newKey();
      expect(await store.blobs.put(key, Readable.from([]))).toMatchObject({ size: 0 });
      expect(await buffer(await store.blobs.get(key))).toEqual(Buffer.alloc(0));
      expect(await store.blobs.size(key)).toBe(0);
    });

    it('reads a range, both ends included', async () => {
      const key = newKey();
      await store.blobs.put(key, Readable.from([Buffer.from('0123456789')]));
      const range = async (start: number, end: number) =>
        (await buffer(await store.blobs.get(key, { start, end }))).toString();
      expect(await range(0, 0)).toBe('0');
      expect(await range(3, 6)).toBe('3456');
      expect(await range(9, 9)).toBe('9');
    });

    it('leaves nothing when the stream fails, and rejects with its error', async () => {
      const key = newKey();
      const before = await store.everything();
      async function* failing() {
        yield Buffer.alloc(100_000, 1);
        throw new Error('the client went away');
      }
      await expect(store.blobs.put(key, Readable.from(failing()))).rejects.toThrow('the client went away');
      expect(await store.everything()).toEqual(before);
      expect(await store.blobs.size(key)).toBeNull();
    });

    it('shows a blob only once it is whole', async () => {
      const key = newKey();
      let release: () => void = () => undefined;
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      let sizeOnTheWay: number | null | undefined;
      async function* slow() {
        yield Buffer.from('first ');
        sizeOnTheWay = await store.blobs.size(key);
        release();
        yield Buffer.from('second');
      }
      const put = store.blobs.put(key, Readable.from(slow()));
      await held;
      await put;
      expect(sizeOnTheWay).toBeNull();
      expect((await buffer(await store.blobs.get(key))).toString()).toBe('first second');
    });

    it('says BLOB_NOT_FOUND before a byte is read', async () => {
      await expect(store.blobs.get(newKey())).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
      expect(await store.blobs.size(newKey())).toBeNull();
    });

    it('deletes, and deletes again', async () => {
      const key = newKey();
      await store.blobs.put(key, Readable.from([Buffer.from('x')]));
      await store.blobs.delete(key);
      await store.blobs.delete(key);
      expect(await store.blobs.size(key)).toBeNull();
      await expect(store.blobs.get(key)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
    });

    it('takes writes and deletes of neighbours at the same time', async () => {
      const keys = Array.from({ length: 24 }, (_, i) => `artifacts/job-${i % 3}/file-${i}` as BlobKey);
      await Promise.all(
        keys.map(async (key, i) => {
          await store.blobs.put(key, Readable.from([Buffer.from(`blob ${i}`)]));
          if (i % 2 === 0) await store.blobs.delete(key);
        }),
      );
      const sizes = await Promise.all(keys.map((key) => store.blobs.size(key)));
      expect(sizes.map((size) => size !== null)).toEqual(keys.map((_, i) => i % 2 === 1));
    });

    it.each([
      '../etc/passwd',
      '/etc/passwd',
      'a/../b',
      'a//b',
      '.hidden',
      'a/.b',
      '',
      'A',
      'a\0b',
      'a\nb',
      'a'.repeat(600),
    ])('refuses %j as a key', async (text) => {
      const key = text as BlobKey;
      const code = { code: 'BLOB_KEY_INVALID' };
      await expect(store.blobs.put(key, Readable.from([Buffer.from('x')]))).rejects.toMatchObject(code);
      await expect(store.blobs.get(key)).rejects.toMatchObject(code);
      await expect(store.blobs.size(key)).rejects.toMatchObject(code);
      await expect(store.blobs.delete(key)).rejects.toMatchObject(code);
    });
  });
}
