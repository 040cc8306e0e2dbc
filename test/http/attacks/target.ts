import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import WebSocket from 'ws';
import { createUrlSigner, type UrlSigner } from '../../../src/artifacts/signed-url.ts';
import type { ArtifactId } from '../../../src/domain/ids.ts';
import type { Artifact } from '../../../src/domain/records.ts';
import { claimQueued } from '../../../src/jobs/claim.ts';
import { type Issuer, startIssuer } from '../../auth/issuer.ts';
import { type Api, openApi, table } from '../api.ts';

/** One case of the list: throws unless it is blocked. `number` is its place there. */
export interface Attack {
  number: number;
  name: string;
  run(target: Target): Promise<void>;
}

/** A server as it stands on a network, with somebody's things on it and somebody else who wants them. */
export interface Target {
  api: Api;
  issuer: Issuer;
  /** Tokens. */
  alice: string;
  mallory: string;
  /** Bare ids of Alice's, and of nothing. */
  hers: Record<'job' | 'dataset' | 'artifact', string>;
  absent: Record<'job' | 'dataset' | 'artifact', string>;
  artifact: Artifact;
  /** Signs as the server does. */
  signer: UrlSigner;
  close(): Promise<void>;
}

export const SECRETS = {
  current: 'the secret that signs now',
  previous: 'the secret before that one',
} as const;

export async function openTarget(): Promise<Target> {
  const issuer = await startIssuer();
  const signer = createUrlSigner([SECRETS.current, SECRETS.previous]);
  const api = await openApi({
    env: {
      ...issuer.environment,
      CORS_ORIGINS: 'https://console.example',
      MAX_UPLOAD_BYTES: '2000000',
      MAX_DECOMPRESSED_BYTES: '60000000',
      RATE_LIMIT_PER_MINUTE: '100000',
    },
    dependencies: () => ({
      signer,
      timeouts: { initMs: 500, stallMs: 300, discardMs: 1000, headersMs: 900 },
    }),
  });
  const alice = await issuer.token('alice');
  const mallory = await issuer.token('mallory');
  const { job } = await api.start(table(), { targetColumn: 'y' }, 't.csv', alice);
  const claimed = await claimQueued(api.rig.store);
  assert(job && claimed);
  await api.rig.recorder({ jobId: claimed.id, attempt: claimed.attempt }).saveArtifact({
    name: 'report.html',
    kind: 'REPORT',
    contentType: 'text/html',
    content: Readable.from(['<script>alert(1)</script>']),
  });
  const { artifact } = await api.ask<{ artifact: { id: string } }>(
    'query ($id: ID!) { artifact(jobId: $id, name: "report.html") { id } }',
    { id: job.id },
    alice,
  );
  const bare = (id: string) => id.slice(id.indexOf('_') + 1);
  const stored = await api.rig.jobs.artifact(bare(artifact.id) as ArtifactId);
  assert(stored);
  return {
    api,
    issuer,
    alice,
    mallory,
    hers: { job: bare(job.id), dataset: bare(job.dataset.id), artifact: stored.id },
    absent: { job: randomUUID(), dataset: randomUUID(), artifact: randomUUID() },
    artifact: stored,
    signer,
    async close() {
      await api.close();
      await issuer.close();
    },
  };
}

export interface Answer {
  status: number;
  headers: Headers;
  body: string;
  /** Of the first error. */
  code: string | undefined;
}

/** Sends an operation as `token`'s holder; a `body` that is no text is sent as JSON. */
export async function post(
  { api }: Target,
  body: unknown,
  token: string | null,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(api.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const [, code] = /"code":"(\w+)"/.exec(text) ?? [];
  return { status: response.status, headers: response.headers, body: text, code };
}

/** Sends a path exactly as it is; `fetch` would tidy it up. */
export const raw = (
  { api }: Target,
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<number> =>
  new Promise((resolve, reject) => {
    request({ port: api.port, host: '127.0.0.1', path, method, headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });

/** A bare socket that has been opened. `closed` resolves with the code, `messages` grows. */
export async function socketTo({ api }: Target, headers: Record<string, string> = {}) {
  const socket = new WebSocket(api.url.replace('http', 'ws'), 'graphql-transport-ws', { headers });
  const messages: { type: string; id?: string; payload?: unknown }[] = [];
  socket.on('message', (data) => messages.push(JSON.parse(String(data))));
  socket.on('error', () => undefined);
  const closed = new Promise<number>((resolve) => socket.on('close', resolve));
  const opened = await new Promise<'open' | number>((resolve) => {
    socket.on('open', () => resolve('open'));
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
  });
  return {
    socket,
    messages,
    closed,
    opened,
    send: (message: unknown) => socket.send(JSON.stringify(message)),
    async greet(token: string): Promise<void> {
      this.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
      await until(() => messages.some(({ type }) => type === 'connection_ack'));
    },
  };
}

/** Waits until `is` says so; the test's own deadline ends a wait that is in vain. */
export async function until(is: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await is())) await new Promise((resolve) => setTimeout(resolve, 5));
}
