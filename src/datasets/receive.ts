import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { FileUpload } from 'graphql-upload-minimal';
import type { BlobStore, StoredBlob } from '../artifacts/blob-store.ts';
import { InvalidDatasetError, messageOf, QuotaExceededError, SproutError } from '../domain/errors.ts';
import { type BlobKey, newDatasetId } from '../domain/ids.ts';
import type { Dialect } from '../domain/records.ts';
import type { NewDataset } from '../jobs/jobs.ts';
import type { OwnJobs } from '../jobs/own-jobs.ts';
import { columnNames, stripped } from './column-names.ts';
import { readRows } from './fields.ts';
import { count } from './refusals.ts';
import { type TableFacts, TableInspector, type TableLimits } from './table-inspector.ts';
import { assertTarget, assertUnambiguous } from './target.ts';

/** Fewer rows can't be split into folds and a holdout. */
const MIN_ROWS = 10;
const MAX_NAME = 200;

/** A table that is in the blob store and passed every check, but that no record names yet. */
export interface ReceivedDataset {
  dataset: NewDataset;
  /** Checks that the target is there, once, and (in a table small enough to have been kept) has two values or more. */
  assertTarget(target: string): void;
}

/**
 * Streams an upload to the blob store, hashed and inspected on the way. Rejects with InvalidDatasetError when it is not a
 * table that can be trained on, with QuotaExceededError when it is more than its owner may upload, and leaves nothing in
 * the store then.
 */
export async function receiveDataset(
  upload: Promise<FileUpload>,
  name: string | null,
  {
    jobs,
    blobs,
    limits,
  }: { jobs: Pick<OwnJobs, 'expectBlob' | 'discardBlob'>; blobs: BlobStore; limits: TableLimits },
): Promise<ReceivedDataset> {
  const id = newDatasetId();
  const blobKey = `datasets/${id}` as BlobKey;
  const allowance = await jobs.expectBlob(blobKey);
  const inspector = new TableInspector(limits, (bytes) => {
    if (allowance !== null && bytes > allowance) throw moreThanAllowed(allowance);
  });
  try {
    const { filename, blob } = await store(upload, inspector, blobs, blobKey, limits);
    const facts = inspector.facts();
    const header = readHeader(facts);
    const columns = columnNames(header).map((column) => ({
      name: column,
      type: null,
      missing: null,
      distinct: null,
    }));
    if (facts.rows < MIN_ROWS) {
      throw new InvalidDatasetError(
        'TOO_FEW_ROWS',
        `The table has ${count(facts.rows, 'row')}; at least ${MIN_ROWS} are needed.`,
        {
          hint: 'Upload more rows: models learn little from fewer than a few hundred.',
        },
      );
    }
    const dataset = {
      id,
      name: displayName(name ?? filename),
      columns,
      rowCount: facts.rows,
      size: blob.size,
      sha256: blob.sha256,
      dialect: facts.dialect,
      blobKey,
    };
    return {
      dataset,
      assertTarget(target) {
        assertTarget(columns, target);
        assertUnambiguous(header, target);
        assertNotConstant(
          facts,
          columns.findIndex((column) => column.name === target),
          target,
        );
      },
    };
  } catch (error) {
    await jobs.discardBlob(blobKey);
    throw error;
  }
}

async function store(
  upload: Promise<FileUpload>,
  inspector: TableInspector,
  blobs: BlobStore,
  key: BlobKey,
  limits: TableLimits,
): Promise<{ filename: string; blob: StoredBlob }> {
  try {
    const file = await upload;
    const stream = openOnce(file);
    // Without this the parser truncates in silence and waits for ever.
    stream.once('limit', () => stream.destroy(tooLarge(limits.MAX_UPLOAD_BYTES)));
    // Both are waited for, so that nothing is still being written when a refusal is reported.
    const [sent, stored] = await Promise.allSettled([pipeline(stream, inspector), blobs.put(key, inspector)]);
    // What ended one ended the other; the store has names for what it ended itself.
    if (stored.status === 'rejected') throw stored.reason;
    if (sent.status === 'rejected') throw sent.reason;
    // The parser leaves an empty file name out, whatever its types say.
    return { filename: file.filename ?? '', blob: stored.value };
  } catch (error) {
    if (error instanceof SproutError || !isRequestError(error)) throw error;
    throw new InvalidDatasetError(
      'UPLOAD_INTERRUPTED',
      `The upload did not arrive whole: ${messageOf(error)}`,
      {
        hint: 'Send it again; nothing was stored.',
        cause: error,
      },
    );
  }
}

/** One file can be mapped to two variables; its bytes still come only once. */
function openOnce(file: FileUpload): ReturnType<FileUpload['createReadStream']> {
  try {
    return file.createReadStream();
  } catch (error) {
    throw new InvalidDatasetError('UPLOAD_INTERRUPTED', `The file can't be read: ${messageOf(error)}`, {
      hint: 'Send each file once, for one variable.',
      cause: error,
    });
  }
}

/** What the multipart parser says when the client sent too little or went away. */
const isRequestError = (error: unknown): boolean =>
  error instanceof Error && 'status' in error && typeof error.status === 'number' && error.status < 500;

function tooLarge(maximum: number): InvalidDatasetError {
  return new InvalidDatasetError('FILE_TOO_LARGE', `The file is larger than ${maximum} bytes.`, {
    hint: 'Compress it (.csv.gz is read as it is), or raise MAX_UPLOAD_BYTES on the server.',
  });
}

function moreThanAllowed(allowance: number): QuotaExceededError {
  return new QuotaExceededError(
    'QUOTA_EXCEEDED',
    `The file is larger than the ${allowance} bytes you may still upload.`,
    { hint: 'Compress it (.csv.gz is read as it is), delete jobs you no longer need, or try tomorrow.' },
  );
}

function readHeader({ header, dialect }: TableFacts): string[] {
  const [names = []] = rowsOf(header, dialect);
  if (names.every((name) => stripped(name) === '')) {
    throw new InvalidDatasetError('HEADER_EMPTY', 'The first row holds no column names.', {
      hint: 'Put the names of the columns in the first row.',
      details: { line: 1 },
    });
  }
  return names;
}

const rowsOf = (bytes: Buffer, { delimiter, encoding }: Dialect): Generator<string[]> =>
  readRows(bytes.toString(encoding === 'latin-1' ? 'latin1' : 'utf8'), delimiter);

/** What the toolkit always reads as no value; looser forms are left for it to judge. */
const MISSING = new Set(['', '?', 'na', 'n/a', '#n/a', '#na', 'nan', '<na>', 'null', '(null)', '#null!']);

function assertNotConstant(facts: TableFacts, column: number, target: string): void {
  if (facts.whole === null) return;
  const values = new Set<string>();
  const rows = rowsOf(facts.whole, facts.dialect);
  // The header is no value.
  rows.next();
  for (const row of rows) {
    const value = row[column]?.trim() ?? '';
    if (!MISSING.has(value.toLowerCase())) values.add(value);
    if (values.size > 1) return;
  }
  const [only] = values;
  if (only === undefined) {
    throw new InvalidDatasetError('TARGET_EMPTY', `"${target}" has no value in any row.`, {
      hint: 'Name a column that holds what is to be predicted.',
    });
  }
  throw new InvalidDatasetError('TARGET_CONSTANT', `"${target}" is "${only.slice(0, 80)}" in every row.`, {
    hint: 'There is nothing to predict. Name another column, or add rows with other values.',
  });
}

/** The last part of whatever path the client sent, without control characters. Shown only: files are stored by id. */
function displayName(name: string): string {
  const shown = basename(name.replaceAll('\\', '/')).replace(/\p{C}/gu, '').trim();
  if (shown === '') return 'dataset';
  // A cut through a pair of surrogates leaves half a character, which is none.
  return shown.slice(0, MAX_NAME).replace(/\p{Cs}$/u, '');
}
