import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import WebSocket from 'ws';
import { type Api, openApi, table } from './api.ts';

let api: Api;
let database: () => Promise<void>;
beforeEach(async () => {
  database = async () => undefined;
  api = await openApi({
    dependencies: () => ({
      readiness: { database: () => database(), disk: async () => undefined },
      timeouts: { drainMs: 300 },
    }),
  });
});
afterEach(() => api.close());

const get = async (path: string, headers: Record<string, string> = {}) => {
  const response = await fetch(api.origin + path, { headers, redirect: 'manual' });
  return { status: response.status, headers: response.headers, body: await response.text() };
};

it('is alive whatever its database does, and ready only while every check passes', async () => {
  expect(JSON.parse((await get('/readyz')).body)).toEqual({
    status: 'ready',
    checks: { database: 'ok', disk: 'ok' },
  });
  database = async () => {
    throw new Error('disk I/O error');
  };
  const { status, body } = await get('/readyz');
  expect(status).toBe(503);
  expect(JSON.parse(body)).toEqual({
    status: 'not ready',
    checks: { database: 'disk I/O error', disk: 'ok' },
  });
  expect((await get('/livez')).status).toBe(200);
});

it('does not wait for a check that hangs', async () => {
  database = () => new Promise(() => undefined);
  expect((await get('/readyz')).status).toBe(503);
});

it('sends people to the page, and says what is where to who asks elsewhere', async () => {
  const root = await get('/');
  expect([root.status, root.headers.get('location')]).toEqual([302, '/graphql']);
  const nowhere = await get('/nowhere');
  expect(nowhere.status).toBe(404);
  expect(JSON.parse(nowhere.body).errors[0].extensions).toMatchObject({
    code: 'NOT_FOUND',
    hint: expect.any(String),
  });
  const put = await fetch(api.url, { method: 'PUT' });
  expect([put.status, put.headers.get('allow')]).toEqual([405, 'GET, POST']);
});

it('serves GraphiQL whole, compressed, with our operations in it, and once', async () => {
  const { status, headers, body } = await get('/graphql', { accept: 'text/html' });
  expect(status).toBe(200);
  expect(headers.get('content-encoding')).toBe('gzip');
  expect(headers.get('content-security-policy')).toMatch(/default-src 'none'; script-src 'sha256-/);
  expect(body).toContain('subscription Watch($id: ID!, $after: Int)');
  expect(body).not.toMatch(/<(script|link)[^>]+(src|href)="https?:/);
  const again = await get('/graphql', { accept: 'text/html', 'if-none-match': headers.get('etag') ?? '' });
  expect([again.status, again.body]).toEqual([304, '']);
  expect((await get('/graphql', { accept: 'text/html', 'accept-encoding': 'identity' })).body).toBe(body);
});

it('closes: not ready, sockets told they go away, streams ended, answers under way finished, nothing taken any more', async () => {
  const id = (await api.start(table(), { targetColumn: 'y' })).job?.id;
  const watch = 'subscription ($id: ID!) { jobUpdated(id: $id) { sequence } }';
  const socket = new WebSocket(api.url.replace('http', 'ws'), 'graphql-transport-ws');
  const socketClosed = new Promise((resolve) => socket.on('close', resolve));
  socket.on('open', () => socket.send('{"type":"connection_init"}'));
  const watching = new Promise<void>((resolve) =>
    socket.on('message', (data) => {
      if (String(data).includes('"next"')) return resolve();
      socket.send(
        JSON.stringify({ type: 'subscribe', id: '1', payload: { query: watch, variables: { id } } }),
      );
    }),
  );
  const stream = await fetch(api.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify({ query: watch, variables: { id } }),
  });
  await watching;
  let finish: () => void = () => undefined;
  const { jobs } = api.rig;
  const job = jobs.job.bind(jobs);
  const asked = new Promise<void>((resolve) => {
    jobs.job = async (jobId) => {
      resolve();
      await new Promise<void>((done) => {
        finish = done;
      });
      return job(jobId);
    };
  });
  const underWay = api.ask<{ job: { id: string } }>('query ($id: ID!) { job(id: $id) { id } }', { id });
  await asked;

  const closed = api.server.close();
  expect(await socketClosed).toBe(1001);
  await expect(stream.text()).rejects.toThrow();
  await expect(fetch(`${api.origin}/livez`)).rejects.toThrow();
  finish();
  expect((await underWay).job.id).toBe(id);
  await closed;
});

it('takes a client that hangs up in the middle of its request for no failure', async () => {
  const socket = connect(api.port, '127.0.0.1');
  socket.write(
    'POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n',
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.destroy();
  await expect.poll(() => api.logged.join('')).toContain('aborted');
  expect(api.logged.filter((line) => JSON.parse(line).level >= 50)).toEqual([]);
});

it('does not wait for ever for a connection that does nothing', async () => {
  const socket = connect(api.port, '127.0.0.1');
  socket.write('POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100\r\n\r\n');
  await new Promise((resolve) => setTimeout(resolve, 50));
  await api.server.close();
  await text(socket).catch(() => '');
  expect(socket.destroyed).toBe(true);
});

it('does not wait for ever for a WebSocket whose peer has fallen silent', async () => {
  const socket = connect(api.port, '127.0.0.1');
  const upgrade = [
    'GET /graphql HTTP/1.1',
    'host: 127.0.0.1',
    'connection: Upgrade',
    'upgrade: websocket',
    'sec-websocket-version: 13',
    'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-protocol: graphql-transport-ws',
  ];
  socket.write(`${upgrade.join('\r\n')}\r\n\r\n`);
  const [head] = await once(socket, 'data');
  expect(String(head)).toContain('101 Switching Protocols');
  // It reads the server's close and never answers it.
  await api.server.close();
  await text(socket).catch(() => '');
  expect(socket.destroyed).toBe(true);
}, 10_000);

it('names its addresses as the world sees them where a public one is given', async () => {
  const open = await openApi({ env: { PUBLIC_URL: 'https://ml.example/sprout/' } });
  const answer = await fetch(open.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: 'https://ml.example' },
    body: '{"query":"{ __typename }"}',
  });
  expect(answer.status).toBe(200);
  await open.close();
});
