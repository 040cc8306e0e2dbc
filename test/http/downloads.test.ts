import { createHash, randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ArtifactId } from '../../src/domain/ids.ts';
import { claimQueued } from '../../src/jobs/claim.ts';
import { type Api, openApi, table } from './api.ts';

const bytes = randomBytes(200_000);
const sha256 = createHash('sha256').update(bytes).digest('hex');
const name = 'Größe "1".pkl';
let api: Api;
let link: URL;

beforeAll(async () => {
  api = await openApi({ env: { CORS_ORIGINS: 'https://console.example' } });
  const { job } = await api.start(table(), { targetColumn: 'y' });
  const claimed = await claimQueued(api.rig.store);
  if (claimed === null) throw new Error('nothing to claim');
  await api.rig.recorder({ jobId: claimed.id, attempt: claimed.attempt }).saveArtifact({
    name,
    kind: 'MODEL',
    contentType: 'application/octet-stream',
    content: Readable.from([bytes]),
  });
  link = await signedUrl(job?.id ?? '');
});
afterAll(() => api.close());

async function signedUrl(jobId: string, expiresInSeconds?: number): Promise<URL> {
  const { artifact } = await api.ask<{ artifact: { signedUrl: { url: string } } }>(
    `query ($jobId: ID!, $name: String!, $expires: Int) {
      artifact(jobId: $jobId, name: $name) { signedUrl(expiresInSeconds: $expires) { url expiresAt } } }`,
    { jobId, name, expires: expiresInSeconds },
  );
  return new URL(artifact.signedUrl.url);
}

const get = async (headers: Record<string, string> = {}, method = 'GET') => {
  const response = await fetch(link, { headers, method });
  return {
    status: response.status,
    headers: response.headers,
    body: Buffer.from(await response.arrayBuffer()),
  };
};

const anyJob = async (): Promise<string> => {
  const { jobs } = await api.ask<{ jobs: { nodes: { id: string }[] } }>('query { jobs { nodes { id } } }');
  return jobs.nodes[0]?.id ?? '';
};

/** Sends a path exactly as it is; `fetch` would tidy it up. */
const rawGet = (path: string, method = 'GET'): Promise<number> =>
  new Promise((resolve, reject) => {
    request({ port: api.port, host: '127.0.0.1', path, method }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });

it('gives the file, whole and byte for byte, as an attachment of its own name that can run nowhere', async () => {
  const { status, headers, body } = await get();
  expect(status).toBe(200);
  expect(body.equals(bytes)).toBe(true);
  expect(Object.fromEntries(headers)).toMatchObject({
    'content-type': 'application/octet-stream',
    'content-length': '200000',
    'content-disposition': expect.stringMatching(
      /^attachment; .*filename\*=UTF-8''Gr%C3%B6%C3%9Fe%20%221%22\.pkl/,
    ),
    etag: `"${sha256}"`,
    'accept-ranges': 'bytes',
    'x-content-type-options': 'nosniff',
    'content-security-policy': expect.stringContaining('sandbox'),
    'referrer-policy': 'no-referrer',
  });
});

it.each([
  ['bytes=0-9', 0, 10],
  ['bytes=199990-', 199_990, 200_000],
  ['bytes=-10', 199_990, 200_000],
  ['bytes=100-999999', 100, 200_000],
  ['bytes=5-5', 5, 6],
])('answers %s with those bytes', async (range, start, end) => {
  const { status, headers, body } = await get({ range });
  expect(status).toBe(206);
  expect(headers.get('content-range')).toBe(`bytes ${start}-${end - 1}/200000`);
  expect(body.equals(bytes.subarray(start, end))).toBe(true);
});

it.each(['bytes=200000-', 'bytes=-0'])('answers %s, which lies outside, with 416', async (range) => {
  const { status, headers } = await get({ range });
  expect(status).toBe(416);
  expect(headers.get('content-range')).toBe('bytes */200000');
});

it.each(['bytes=9-3', 'bytes=0-1,5-6', 'lines=1-2', 'bytes=-', 'nonsense'])(
  'answers %j, which it does not read, with the whole',
  async (range) => {
    const { status, body } = await get({ range });
    expect([status, body.length]).toEqual([200, 200_000]);
  },
);

it('resumes only the very file that was begun', async () => {
  const range = 'bytes=10-';
  expect((await get({ range, 'if-range': `"${sha256}"` })).status).toBe(206);
  expect((await get({ range, 'if-range': '"another"' })).status).toBe(200);
});

it('sends nothing to who has it already', async () => {
  for (const tag of [`"${sha256}"`, `W/"${sha256}"`, `"x", "${sha256}"`, '*']) {
    const { status, body } = await get({ 'if-none-match': tag });
    expect([status, body.length]).toEqual([304, 0]);
  }
  expect((await get({ 'if-none-match': '"another"' })).status).toBe(200);
});

it('answers HEAD with the head alone', async () => {
  const { status, headers, body } = await get({}, 'HEAD');
  expect([status, headers.get('content-length'), body.length]).toEqual([200, '200000', 0]);
});

it('answers every tampering with the same 404', async () => {
  const path = link.pathname + link.search;
  expect(await rawGet(path)).toBe(200);
  const statuses = new Set<number>();
  for (let at = 1; at < path.length; at += 3) {
    const flipped = path[at] === 'a' ? 'b' : 'a';
    statuses.add(await rawGet(path.slice(0, at) + flipped + path.slice(at + 1)));
  }
  for (const method of ['PUT', 'POST', 'DELETE', 'PATCH']) statuses.add(await rawGet(path, method));
  statuses.add(await rawGet(`${path}&expires=1`));
  statuses.add(await rawGet(link.pathname));
  statuses.add(await rawGet('/artifacts/'));
  statuses.add(await rawGet('/artifacts/../artifacts/x'));
  expect([...statuses]).toEqual([404]);
});

it('tells the browser of a listed origin that it may read the file, and no other', async () => {
  const allowed = await get({ origin: 'https://console.example' });
  expect(allowed.headers.get('access-control-allow-origin')).toBe('https://console.example');
  expect(
    (await get({ origin: 'https://evil.example' })).headers.get('access-control-allow-origin'),
  ).toBeNull();
});

it('signs for as long as is asked, within limits', async () => {
  const id = await anyJob();
  const seconds = Number((await signedUrl(id, 1)).searchParams.get('expires'));
  expect(seconds - Date.now() / 1000).toBeLessThan(2);
  await expect(signedUrl(id, 901)).rejects.toThrow('`expiresInSeconds` must be between 1 and 900, not 901.');
});

it('says that a file is lost, with a code and without its headers, and notices a found one again', async () => {
  const stored = await api.rig.jobs.artifact(link.pathname.split('/')[2] as ArtifactId);
  if (stored === null) throw new Error('no artifact');
  const key = stored.blobKey;
  await api.rig.blobs.delete(key);
  const { status, headers, body } = await get({ origin: 'https://console.example' });
  expect(status).toBe(410);
  expect(JSON.parse(body.toString()).errors[0].extensions.code).toBe('ARTIFACT_LOST');
  expect(headers.get('etag')).toBeNull();
  expect(headers.get('content-disposition')).toBeNull();
  expect(headers.get('access-control-allow-origin')).toBe('https://console.example');
  await api.rig.blobs.put(key, Readable.from([bytes]));
  expect((await get()).status).toBe(200);
});
