import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServerProcess, startServerProcess, temporaryFolder } from '../server-process.ts';

const MEGABYTE = 1e6;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: ServerProcess;

beforeAll(async () => {
  folder = await temporaryFolder('memory');
  server = await startServerProcess({ dataDir: join(folder.path, 'data') });
});

afterAll(async () => {
  await server?.terminate();
  await folder?.remove();
});

describe.runIf(process.platform === 'linux')('the memory of the server', () => {
  it('stays within 100 MB of idle while 500 MB are uploaded', { timeout: 120_000 }, async () => {
    expect(await upload(5 * MEGABYTE)).toMatchObject({ __typename: 'UploadDatasetSuccess' });
    const idle = (await memory(server.pid)).now;
    const answer = await upload(500 * MEGABYTE);
    expect(answer).toMatchObject({ __typename: 'UploadDatasetSuccess' });
    expect(answer.dataset?.size).toBeGreaterThanOrEqual(500 * MEGABYTE);
    expect((await memory(server.pid)).peak - idle).toBeLessThan(100 * MEGABYTE);
  });
});

interface UploadAnswer {
  __typename: string;
  dataset?: { size: number };
}

/** A GraphQL multipart request whose file is made as it is sent. */
async function upload(bytes: number): Promise<UploadAnswer> {
  const operations = JSON.stringify({
    query:
      'mutation ($input: UploadDatasetInput!) { uploadDataset(input: $input) { __typename ... on UploadDatasetSuccess { dataset { size } } } }',
    variables: { input: { file: null } },
  });
  const part = (header: string, content: string) =>
    `--cut\r\ncontent-disposition: form-data; ${header}\r\n\r\n${content}`;
  const form = function* () {
    yield part('name="operations"', `${operations}\r\n`);
    yield part('name="map"', '{"0":["variables.input.file"]}\r\n');
    yield part('name="0"; filename="table.csv"', 'a,b,label\n');
    const block = '0.123456,some words here,1\n'.repeat(10_000);
    for (let sent = 0; sent < bytes; sent += block.length) yield block;
    yield '\r\n--cut--\r\n';
  };
  const text = await new Promise<string>((resolve, reject) => {
    const headers = { 'content-type': 'multipart/form-data; boundary=cut', accept: 'application/json' };
    const outgoing = request(server.url, { method: 'POST', headers }, async (response) => {
      resolve((await response.setEncoding('utf8').toArray()).join(''));
    });
    outgoing.on('error', reject);
    Readable.from(form()).pipe(outgoing);
  });
  return (JSON.parse(text) as { data: { uploadDataset: UploadAnswer } }).data.uploadDataset;
}

/** Resident bytes now and at the most, by the kernel's own books. */
async function memory(pid: number): Promise<{ now: number; peak: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024;
  return { now: bytes('VmRSS'), peak: bytes('VmHWM') };
}
