import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { damage } from '../datasets/fuzz/damage.ts';
import { assertTeaches, LIMITS } from '../datasets/fuzz/receiver.ts';
import { type FuzzUpload, fuzzUpload } from '../datasets/fuzz/uploads.ts';
import { blobsOf } from '../jobs/rig.ts';
import { type Api, openApi } from './api.ts';

const SEED = 20261123;
const AT_ONCE = 8;

let api: Api;
beforeAll(async () => {
  const limits = Object.fromEntries(Object.entries(LIMITS).map(([name, value]) => [name, String(value)]));
  api = await openApi({ env: { ...limits, RATE_LIMIT_PER_MINUTE: '1000000' } });
});
afterAll(() => api.close());

const MUTATION = `mutation ($input: UploadDatasetInput!) { uploadDataset(input: $input) { __typename
  ... on Error { code message hint }
  ... on UploadDatasetSuccess { dataset { rowCount size columns { name } } } } }`;

interface Answer {
  data?: {
    uploadDataset: {
      __typename: string;
      code: string;
      message: string;
      hint: string | null;
      dataset?: { rowCount: number; size: number; columns: { name: string }[] };
    };
  } | null;
  errors?: { message: string; extensions?: { code?: string; hint?: string } }[];
}

/** A request as a browser sends it. */
async function multipart({ bytes, filename }: FuzzUpload): Promise<{ type: string; body: Buffer }> {
  const form = new FormData();
  form.append('operations', JSON.stringify({ query: MUTATION, variables: { input: { file: null } } }));
  form.append('map', JSON.stringify({ 0: ['variables.input.file'] }));
  form.append('0', new Blob([new Uint8Array(bytes)]), filename);
  const made = new Response(form);
  return { type: made.headers.get('content-type') ?? '', body: Buffer.from(await made.arrayBuffer()) };
}

async function send({ type, body }: { type: string; body: Buffer }): Promise<Answer & { status: number }> {
  const response = await fetch(api.url, {
    method: 'POST',
    headers: { 'content-type': type },
    body: new Uint8Array(body),
    signal: AbortSignal.timeout(20_000),
  });
  const text = await response.text();
  assert.ok(text !== '', `${response.status} with nothing said`);
  return { status: response.status, ...(JSON.parse(text) as Answer) };
}

/** Tells the code, or ACCEPTED; throws at an answer that no client should get. */
function outcomeOf({ status, data, errors }: Answer & { status: number }): string {
  if (data == null) {
    const [error] = errors ?? [];
    assert.ok(status < 500 && error !== undefined, `${status} ${JSON.stringify(errors)}`);
    assert.notEqual(error.extensions?.code, 'INTERNAL_ERROR');
    assert.doesNotMatch(JSON.stringify(errors), /\s+at .+:\d+|node_modules|node:|"stack/);
    return error.extensions?.code ?? 'GRAPHQL_ERROR';
  }
  const { uploadDataset } = data;
  if (uploadDataset.dataset !== undefined) return 'ACCEPTED';
  assertTeaches(uploadDataset);
  return uploadDataset.code;
}

/** Runs `work` for every item, some at a time; the first failure ends it. */
async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const item of rest) await work(item);
    }),
  );
}

/** That every blob is a dataset's that a client was told of, nothing is on its way, and nothing went wrong unseen. */
async function assertClean(accepted: number): Promise<void> {
  await expect.poll(() => readdir(join(api.rig.dataDir, 'blobs', '.incoming'))).toEqual([]);
  expect(await blobsOf(api.rig)).toHaveLength(accepted);
  expect(api.logged.filter((line) => JSON.parse(line).level >= 50)).toEqual([]);
}

let accepted = 0;

it('answers 300 malformed uploads at once with a coded refusal or a right parse, and leaves no file', async () => {
  const uploads = fc.sample(fuzzUpload, { numRuns: 300, seed: SEED });
  const codes = new Set<string>();
  await inParallel(uploads, async (upload) => {
    const answer = await send(await multipart(upload));
    const code = outcomeOf(answer);
    codes.add(code);
    if (code === 'ACCEPTED') accepted++;
    // No header of a part may hold a NUL: that is refused before the file is looked at.
    if (upload.filename.includes('\0')) assert.equal(code, 'UPLOAD_INTERRUPTED');
    else if (upload.truth !== null) assert.equal(code, 'ACCEPTED', upload.filename);
    const dataset = answer.data?.uploadDataset.dataset;
    if (upload.truth === null || dataset === undefined) return;
    assert.deepEqual(
      { rows: dataset.rowCount, size: dataset.size, columns: dataset.columns.map(({ name }) => name) },
      { rows: upload.truth.rows, size: upload.bytes.length, columns: upload.truth.columns },
    );
  });
  expect([...codes]).toEqual(
    expect.arrayContaining(['ACCEPTED', 'RAGGED_ROWS', 'BINARY_FILE', 'CORRUPT_GZIP']),
  );
  await assertClean(accepted);
}, 60_000);

it('answers 200 damaged multipart requests, and leaves no file', async () => {
  const requests = fc.sample(fc.tuple(fuzzUpload, damage), { numRuns: 200, seed: SEED });
  const codes = new Set<string>();
  await inParallel(requests, async ([upload, harm]) => {
    const { type, body } = await multipart(upload);
    const code = outcomeOf(await send({ type, body: harm(body) }));
    codes.add(code);
    if (code === 'ACCEPTED') accepted++;
  });
  expect([...codes]).toEqual(expect.arrayContaining(['BAD_MULTIPART_REQUEST', 'UPLOAD_INTERRUPTED']));
  await assertClean(accepted);
}, 60_000);
