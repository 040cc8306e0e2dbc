import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { openDiskBlobStore } from '../../../src/artifacts/disk-blob-store.ts';
import { receiveDataset } from '../../../src/datasets/receive.ts';
import { SproutError } from '../../../src/domain/errors.ts';
import type { NewDataset } from '../../../src/jobs/jobs.ts';
import type { FuzzUpload } from './uploads.ts';

export const LIMITS = { MAX_COLUMNS: 8192, MAX_DECOMPRESSED_BYTES: 4_000_000, MAX_UPLOAD_BYTES: 4_000_000 };
/** Far more than the slowest takes: a file that takes longer has hung the server. */
const PATIENCE_MS = 20_000;

/** Reads the accepted file once more, as a job will. */
export type SecondReader = (path: string, dataset: NewDataset) => Promise<void>;

/** The way of an upload from its stream to the disk, without the server around it: thousands in a few seconds. */
export async function openReceiver(secondReader: SecondReader = async () => undefined) {
  const directory = await mkdtemp(join(tmpdir(), 'sproutml-fuzz-'));
  const blobs = await openDiskBlobStore(directory);
  const jobs = { expectBlob: async () => null, discardBlob: blobs.delete };

  return {
    /** The code of the refusal, or ACCEPTED. Throws when a promise of the upload is broken. */
    async outcomeOf(upload: FuzzUpload): Promise<string> {
      const file = {
        filename: upload.filename,
        mimetype: 'text/csv',
        encoding: '7bit',
        createReadStream: () => Readable.from(chunksOf(upload)),
      };
      const receiving = receiveDataset(Promise.resolve(file as never), null, { jobs, blobs, limits: LIMITS });
      let outcome = 'ACCEPTED';
      try {
        const { dataset } = await soon(receiving);
        try {
          assertRightParse(dataset, upload);
          await secondReader(join(directory, dataset.blobKey), dataset);
        } finally {
          await blobs.delete(dataset.blobKey);
        }
      } catch (error) {
        if (!(error instanceof SproutError)) throw error;
        assert.equal(upload.truth, null, `a table as written was refused: ${error.code} ${error.message}`);
        assertTeaches(error);
        outcome = error.code;
      }
      assert.deepEqual(await this.filesLeft(), []);
      return outcome;
    },

    /** What lies on disk: refused uploads must have left nothing, and accepted ones are deleted once looked at. */
    async filesLeft(): Promise<string[]> {
      return (await readdir(directory, { recursive: true })).filter((name) => name !== '.incoming');
    },

    close: () => rm(directory, { recursive: true, force: true }),
  };
}

function* chunksOf({ bytes, chunkSize }: FuzzUpload): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += chunkSize) yield bytes.subarray(at, at + chunkSize);
}

/** That a refusal has a code, a message and a hint, and tells nothing of the inside. */
export function assertTeaches(refusal: { code: string; message: string; hint?: string | null | undefined }) {
  assert.match(refusal.code, /^[A-Z][A-Z0-9_]+$/);
  assert.notEqual(refusal.code, 'INTERNAL_ERROR');
  for (const text of [refusal.message, refusal.hint ?? '']) {
    assert.ok(text.length > 0 && text.length < 500, `${refusal.code}: ${text.length} characters`);
    assert.doesNotMatch(text, /\n\s+at |node:|\.ts\b|node_modules|\/(tmp|work|home|root)\b|sproutml-/);
    assert.doesNotMatch(text, /\p{Cc}|\p{Cs}/u);
  }
}

/** That what was found is a table, and the one that was written where that is known. */
function assertRightParse(dataset: NewDataset, { bytes, truth }: FuzzUpload): void {
  const names = dataset.columns.map(({ name }) => name);
  assert.ok(names.length >= 1 && names.length <= LIMITS.MAX_COLUMNS);
  assert.equal(new Set(names).size, names.length, 'two columns have one name');
  assert.ok(names.every((name) => /\P{White_Space}/u.test(name)));
  assert.ok((dataset.rowCount ?? 0) >= 10);
  assert.ok(
    dataset.name !== '' && dataset.name.length <= 200 && !/[/\\]|\p{C}/u.test(dataset.name),
    dataset.name,
  );
  assert.equal(dataset.size, bytes.length);
  assert.equal(dataset.sha256, createHash('sha256').update(bytes).digest('hex'));
  if (truth === null) return;
  assert.deepEqual(
    { columns: names, rows: dataset.rowCount, dialect: dataset.dialect },
    {
      columns: truth.columns,
      rows: truth.rows,
      dialect: { delimiter: truth.delimiter, encoding: truth.encoding, compression: truth.compression },
    },
  );
}

async function soon<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${PATIENCE_MS} ms`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
