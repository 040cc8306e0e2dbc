import { readdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { blobsOf } from '../jobs/rig.ts';
import { type Api, openApi, table } from './api.ts';

let api: Api;
beforeAll(async () => {
  api = await openApi({
    env: { MAX_UPLOAD_BYTES: '2000000' },
    dependencies: () => ({ timeouts: { stallMs: 300, discardMs: 1000 } }),
  });
});
afterAll(() => api.close());

const MUTATION = `mutation ($input: StartTrainingInput!) { startTraining(input: $input) {
  __typename ... on Error { code message } ... on StartTrainingSuccess { job { id } } } }`;

const operations = (query = MUTATION) =>
  JSON.stringify({ query, variables: { input: { file: null, targetColumn: 'y' } } });

function form(parts: { operations?: string; map?: unknown; files?: Record<string, string> } = {}): FormData {
  const data = new FormData();
  data.append('operations', parts.operations ?? operations());
  data.append('map', JSON.stringify(parts.map ?? { 0: ['variables.input.file'] }));
  for (const [name, content] of Object.entries(parts.files ?? { 0: table() })) {
    data.append(name, new Blob([content]), 'table.csv');
  }
  return data;
}

const post = async (body: FormData) => {
  const response = await fetch(api.url, { method: 'POST', body });
  return { status: response.status, body: await response.json() };
};

async function nothingLeft(): Promise<void> {
  await expect.poll(() => readdir(join(api.rig.dataDir, 'blobs', '.incoming'))).toEqual([]);
}

/** The head of a multipart request and the start of its file, to be sent over a bare socket. */
function rawUpload(contentLength: number): { head: string; start: string } {
  const start = [
    '--b\r\ncontent-disposition: form-data; name="operations"\r\n\r\n',
    operations(),
    '\r\n--b\r\ncontent-disposition: form-data; name="map"\r\n\r\n{"0":["variables.input.file"]}\r\n',
    '--b\r\ncontent-disposition: form-data; name="0"; filename="t.csv"\r\ncontent-type: text/csv\r\n\r\n',
  ].join('');
  const head = `POST /graphql HTTP/1.1\r\nhost: 127.0.0.1:${api.port}\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: ${contentLength}\r\n\r\n`;
  return { head, start };
}

const openSocket = (): Promise<Socket> =>
  new Promise((resolve) => {
    const socket = connect(api.port, '127.0.0.1', () => resolve(socket));
    socket.on('error', () => undefined);
  });

it('takes what curl and fetch send, without any header of ours', async () => {
  const { status, body } = await post(form());
  expect(status).toBe(200);
  expect(body.data.startTraining.__typename).toBe('StartTrainingSuccess');
});

it('takes a file as large as the limit and refuses one a byte larger, leaving nothing', async () => {
  const line = '12345,6,y\n';
  const head = 'aaaa,b,y\n\n';
  const exact = head + line.repeat((2_000_000 - head.length) / line.length);
  expect(exact).toHaveLength(2_000_000);
  // A constant target is found only in small tables: this one gets past every check.
  expect((await post(form({ files: { 0: exact } }))).body.data.startTraining.__typename).toBe(
    'StartTrainingSuccess',
  );
  const before = await blobsOf(api.rig);
  const { body } = await post(form({ files: { 0: `${exact}\n` } }));
  expect(body.data.startTraining).toMatchObject({
    __typename: 'InvalidDatasetError',
    code: 'FILE_TOO_LARGE',
  });
  expect(await blobsOf(api.rig)).toEqual(before);
});

it('sees the values of a target whatever ends its lines', async () => {
  // The header ends as Windows has it, the rows as Unix and old Macs do.
  const rows = Array.from({ length: 12 }, (_, i) => `${i},${i % 2}${i % 3 === 0 ? '\r' : '\n'}`);
  const answer = await api.start(`a,y\r\n${rows.join('')}`, { targetColumn: 'y' });
  expect(answer.__typename).toBe('StartTrainingSuccess');
  expect(answer.job?.dataset.rowCount).toBe(12);
});

it('answers at once when the operation is refused before the file is read', async () => {
  const big = '1,2,no\n'.repeat(200_000);
  const invalid = await post(form({ operations: operations('mutation { nope }'), files: { 0: big } }));
  expect(invalid.body.errors[0].message).toContain('nope');
  const both = JSON.stringify({
    query: MUTATION,
    variables: { input: { file: null, datasetId: 'x', targetColumn: 'y' } },
  });
  const refused = await post(form({ operations: both, files: { 0: big } }));
  expect(refused.body.data.startTraining.code).toBe('FILE_OR_DATASET');
  await nothingLeft();
});

it('answers when the file is refused at its first bytes and most of it is still to come', async () => {
  const { body } = await post(form({ files: { 0: `PK\x03\x04${'x'.repeat(1_900_000)}` } }));
  expect(body.data.startTraining.code).toBe('BINARY_FILE');
  await nothingLeft();
});

it('cuts off who goes on sending after the answer', async () => {
  const { head, start } = rawUpload(100_000_000);
  const socket = await openSocket();
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.resume();
  socket.write(`${head}${start}PK\x03\x04`);
  const drip = setInterval(() => socket.write('x'.repeat(2000)), 20);
  await closed;
  clearInterval(drip);
  await nothingLeft();
});

it('refuses a second file in one request instead of waiting for it for ever', async () => {
  const { status, body } = await post(
    form({ map: { 0: ['variables.input.file'], 1: ['variables.other'] }, files: { 0: table(), 1: table() } }),
  );
  expect(status).toBe(413);
  expect(body.errors[0].extensions.code).toBe('REQUEST_TOO_LARGE');
});

it('reads one file for one of two mutations that name it, and tells the other', async () => {
  const twice = JSON.stringify({
    query: `mutation ($input: StartTrainingInput!) {
      a: startTraining(input: $input) { __typename ... on Error { code } }
      b: startTraining(input: $input) { __typename ... on Error { code } } }`,
    variables: { input: { file: null, targetColumn: 'y' } },
  });
  const { body } = await post(form({ operations: twice }));
  expect(body.data.a.__typename).toBe('StartTrainingSuccess');
  expect(body.data.b).toMatchObject({ __typename: 'InvalidDatasetError', code: 'UPLOAD_INTERRUPTED' });
});

it.each([
  ['no file part', { files: {} }],
  ['a file under another name', { files: { 7: 'a,b\n' } }],
])('says so when the request has %s', async (_name, parts) => {
  const { body } = await post(form(parts));
  expect(body.data.startTraining).toMatchObject({ code: 'UPLOAD_INTERRUPTED' });
});

it.each([
  ['operations that are no JSON', { operations: '{' }],
  ['a map to nowhere', { map: { 0: ['variables.nope.file'] } }],
  ['a map into the prototype', { map: { 0: ['__proto__.file'] } }],
  ['a map that is a list', { map: [] }],
])('answers 400 to %s', async (_name, parts) => {
  const { status, body } = await post(form(parts));
  expect(status).toBe(400);
  expect(body.errors[0].extensions.code).toBe('BAD_MULTIPART_REQUEST');
});

const part = (name: string, value: string) =>
  `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const BROKEN_PART = '--b\r\ncontent-disposition\0\r\n\r\nx\r\n';

it.each([
  ['in a part that has no name', BROKEN_PART + BROKEN_PART, 'BAD_MULTIPART_REQUEST'],
  ['in two places', part('map', '{}') + BROKEN_PART + BROKEN_PART, 'BAD_MULTIPART_REQUEST'],
  [
    'behind the map',
    part('operations', operations()) + part('map', '{"0":["variables.input.file"]}') + BROKEN_PART,
    'UPLOAD_INTERRUPTED',
  ],
])('outlives a request that is damaged %s, and says whose fault it is', async (_name, body, code) => {
  const response = await fetch(api.url, {
    method: 'POST',
    headers: { 'content-type': 'multipart/form-data; boundary=b' },
    body: `${body}--b--\r\n`,
  });
  const { data, errors } = await response.json();
  expect(data?.startTraining.code ?? errors[0].extensions.code).toBe(code);
});

it('leaves nothing of an upload that the client cuts off, wherever it does', async () => {
  const { head, start } = rawUpload(1_000_000);
  const body = head + start + '1,2,no\n'.repeat(20_000);
  const before = await blobsOf(api.rig);
  for (const cut of [
    10,
    head.length,
    head.length + 50,
    head.length + start.length,
    3_000,
    70_000,
    body.length,
  ]) {
    const socket = await openSocket();
    socket.write(body.slice(0, cut));
    await new Promise((resolve) => setTimeout(resolve, 20));
    socket.destroy();
  }
  await nothingLeft();
  expect(await blobsOf(api.rig)).toEqual(before);
});

it('answers 408 to an upload that stops arriving, and lets a slow one that goes on through', async () => {
  const stalled = await openSocket();
  const { head, start } = rawUpload(1_000_000);
  stalled.write(`${head}${start}a,b,y\n1,2,no\n`);
  expect(await text(stalled)).toMatch(/^HTTP\/1\.1 408 /);
  await nothingLeft();

  const rows = table(2_000);
  const end = '\r\n--b--\r\n';
  const slow = rawUpload(start.length + rows.length + end.length);
  const socket = await openSocket();
  socket.write(slow.head + start);
  // Longer in all than a stall may last.
  const step = Math.ceil(rows.length / 8);
  for (let at = 0; at < rows.length; at += step) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.write(rows.slice(at, at + step));
  }
  socket.write(end);
  const answer = new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data))));
  expect(await answer).toContain('StartTrainingSuccess');
  socket.destroy();
});
