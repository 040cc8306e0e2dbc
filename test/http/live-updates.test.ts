import { createClient as createSseClient } from 'graphql-sse';
import { afterEach, beforeEach, expect, it } from 'vitest';
import WebSocket from 'ws';
import type { JobId } from '../../src/domain/ids.ts';
import { type Api, openApi, table } from './api.ts';

let api: Api;
let id: string;
beforeEach(async () => {
  api = await openApi({
    env: { CORS_ORIGINS: 'https://console.example' },
    dependencies: () => ({ timeouts: { initMs: 500 } }),
  });
  id = (await api.start(table(), { targetColumn: 'y' })).job?.id ?? '';
});
afterEach(() => api.close());

const WATCH =
  'subscription ($id: ID!, $after: Int) { jobUpdated(id: $id, after: $after) { sequence event { __typename } } }';
interface Update {
  jobUpdated: { sequence: number; event: { __typename: string } | null };
}

const bareId = () => id.replace('job_', '') as JobId;

function connect(
  options: { headers?: Record<string, string>; path?: string } = {},
): Promise<number | 'open'> {
  return new Promise((resolve) => {
    const socket = new WebSocket(
      `${api.origin.replace('http', 'ws')}${options.path ?? '/graphql'}`,
      'graphql-transport-ws',
      {
        headers: options.headers ?? {},
      },
    );
    socket.on('open', () => {
      socket.close();
      resolve('open');
    });
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
    socket.on('error', () => undefined);
  });
}

/** Opens a bare socket, sends `messages` once it is open, and resolves with what closes it. */
function untilClosed(messages: string[]): Promise<number> {
  return new Promise((resolve) => {
    const socket = new WebSocket(api.url.replace('http', 'ws'), 'graphql-transport-ws');
    socket.on('open', () => {
      for (const message of messages) socket.send(message);
    });
    socket.on('error', () => undefined);
    socket.on('close', (code) => resolve(code));
  });
}

it('opens WebSockets to our own pages, listed origins and clients that are no browser, and to no other page', async () => {
  expect(await connect()).toBe('open');
  expect(await connect({ headers: { origin: api.origin } })).toBe('open');
  expect(await connect({ headers: { origin: 'https://console.example' } })).toBe('open');
  expect(await connect({ headers: { origin: 'https://evil.example' } })).toBe(403);
  expect(await connect({ headers: { origin: 'null' } })).toBe(403);
  expect(await connect({ headers: { host: 'rebound.example' } })).toBe(421);
  expect(await connect({ path: '/elsewhere' })).toBe(404);
});

it.each([
  [
    'a subscription before the handshake',
    [JSON.stringify({ type: 'subscribe', id: '1', payload: { query: '{ __typename }' } })],
    4401,
  ],
  ['pings without a handshake', ['{"type":"ping"}', '{"type":"ping"}'], 4408],
  ['a message that is none', ['hello'], 4400],
  ['two handshakes', ['{"type":"connection_init"}', '{"type":"connection_init"}'], 4429],
  ['a message of 5 MB', ['x'.repeat(5_000_000)], 1009],
])('closes the socket on %s', async (_name, messages, code) => {
  expect(await untilClosed(messages)).toBe(code);
});

it('sends a snapshot, and with `after` every event missed, over the WebSocket', async () => {
  const client = api.webSocket();
  const first = async (after?: number) => {
    const updates = client.iterate<Update>({ query: WATCH, variables: { id, after } });
    const seen: string[] = [];
    for await (const { data } of updates) {
      seen.push(`${data?.jobUpdated.sequence} ${data?.jobUpdated.event?.__typename ?? 'snapshot'}`);
      if (seen.length === (after === 0 ? 2 : 1)) break;
    }
    return seen;
  };
  expect(await first()).toEqual(['1 snapshot']);
  // Until the backlog is told, a client that breaks off here must not resume past it.
  expect(await first(0)).toEqual(['0 snapshot', '1 StatusChanged']);
  expect(await first(1)).toEqual(['1 snapshot']);
  await client.dispose();
});

it('streams the same over server-sent events, unbuffered, until the job has ended', async () => {
  const response = await fetch(api.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify({ query: WATCH, variables: { id, after: 0 } }),
  });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  expect(response.headers.get('x-accel-buffering')).toBe('no');
  await response.body?.cancel();

  const client = createSseClient({ url: api.url });
  const seen: number[] = [];
  for await (const { data } of client.iterate<Update>({ query: WATCH, variables: { id, after: 0 } })) {
    seen.push(data?.jobUpdated.sequence ?? -1);
    if (seen.length === 1) await api.rig.jobs.cancel(bareId());
  }
  expect(seen).toEqual([0, 1, 2]);
});

it('takes a subscription by GET, as EventSource makes it', async () => {
  await api.rig.jobs.cancel(bareId());
  const query = `subscription { jobUpdated(id: "${id}", after: 0) { sequence } }`;
  const response = await fetch(`${api.url}?query=${encodeURIComponent(query)}`, {
    headers: { accept: 'text/event-stream' },
  });
  const body = await response.text();
  expect(body.match(/"sequence":\d/g)).toEqual(['"sequence":0', '"sequence":1', '"sequence":2']);
  expect(body).toContain('event: complete');
});

it('says that a job does not exist, and keeps the socket', async () => {
  const client = api.webSocket();
  const ask = async (jobId: string) => {
    for await (const { data, errors } of client.iterate<Update>({ query: WATCH, variables: { id: jobId } })) {
      return errors?.[0]?.extensions?.code ?? data?.jobUpdated.sequence;
    }
    return 'nothing';
  };
  expect(await ask('nonsense')).toBe('JOB_NOT_FOUND');
  expect(await ask('job_00000000-0000-4000-8000-000000000000')).toBe('JOB_NOT_FOUND');
  expect(await ask(id)).toBe(1);
  await client.dispose();
});

it.each([2, -1])(
  'says the same of an `after` the job has not reached (%i) over both wires, and keeps the socket',
  async (after) => {
    const request = { query: WATCH, variables: { id, after } };
    const client = api.webSocket();
    const events = createSseClient({ url: api.url });
    for (const wire of [client, events]) {
      const messages = [];
      for await (const { data, errors } of wire.iterate<Update>(request)) messages.push({ data, errors });
      expect(messages).toMatchObject([{ errors: [{ extensions: { code: 'AFTER_OUT_OF_RANGE' } }] }]);
    }
    expect((await client.iterate({ query: '{ __typename }' }).next()).value?.data).toEqual({
      __typename: 'Query',
    });
    await client.dispose();
  },
);

it('tells who follows a job that it was deleted, over both wires', async () => {
  const request = { query: WATCH, variables: { id } };
  const client = api.webSocket();
  const followers = [client, createSseClient({ url: api.url })].map((wire) => wire.iterate<Update>(request));
  await Promise.all(followers.map((updates) => updates.next()));
  // No hint of the cancel: by the time anyone looks, the job is gone.
  api.rig.bus.publish = () => undefined;
  await api.rig.jobs.cancel(bareId());
  await api.rig.jobs.delete(bareId());
  const answers = await Promise.all(followers.map((updates) => updates.next()));
  const code = 'JOB_NOT_FOUND';
  expect(answers).toMatchObject(Array(2).fill({ value: { errors: [{ extensions: { code } }] } }));
  await client.dispose();
});

it('ends the following of a job as soon as the client stops listening', async () => {
  let following = 0;
  const { jobs } = api.rig;
  const follow = jobs.follow.bind(jobs);
  jobs.follow = (jobId, options) => {
    following++;
    options.signal.addEventListener('abort', () => following--);
    return follow(jobId, options);
  };
  const client = api.webSocket();
  const updates = client.iterate({ query: WATCH, variables: { id } });
  await updates.next();
  const response = await fetch(api.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify({ query: WATCH, variables: { id } }),
  });
  const reader = response.body?.getReader();
  await reader?.read();
  await expect.poll(() => following).toBe(2);
  await updates.return?.();
  await expect.poll(() => following).toBe(1);
  await reader?.cancel();
  await expect.poll(() => following).toBe(0);
  await client.dispose();
});

it('hides what broke a subscription behind an id that is in the log, and keeps the socket', async () => {
  const { jobs } = api.rig;
  const follow = jobs.follow.bind(jobs);
  jobs.follow = () => ({
    // biome-ignore lint/correctness/useYield: it fails before it could
    async *[Symbol.asyncIterator]() {
      throw new Error('the secret of the house');
    },
  });
  const client = api.webSocket();
  const messages = [];
  for await (const message of client.iterate({ query: WATCH, variables: { id } })) messages.push(message);
  jobs.follow = follow;
  expect(messages).toHaveLength(1);
  const [error] = messages[0]?.errors ?? [];
  expect(error?.extensions?.code).toBe('INTERNAL_ERROR');
  expect(JSON.stringify(messages)).not.toContain('secret');
  expect(api.logged.join('')).toContain(error?.extensions?.id);
  expect((await client.iterate({ query: '{ __typename }' }).next()).value?.data).toEqual({
    __typename: 'Query',
  });
  await client.dispose();
});

it('caps the operations of one socket', async () => {
  const client = api.webSocket();
  const codes: unknown[] = [];
  const open = Array.from({ length: 60 }, async () => {
    const updates = client.iterate<Update>({ query: WATCH, variables: { id } });
    const code = await updates.next().then(
      () => 'OK',
      (errors: unknown) => (Array.isArray(errors) ? errors[0]?.extensions?.code : errors),
    );
    codes.push(code);
  });
  await Promise.all(open);
  expect(codes.filter((code) => code === 'OK')).toHaveLength(50);
  expect(codes.filter((code) => code === 'TOO_MANY_SUBSCRIPTIONS')).toHaveLength(10);
  await client.dispose();
});

it('works an event out once for all who ask the same, and for each who asks otherwise', async () => {
  const { jobs } = api.rig;
  let computed = 0;
  const leaderboard = jobs.leaderboard.bind(jobs);
  jobs.leaderboard = (jobId, limit) => {
    computed++;
    return leaderboard(jobId, limit);
  };
  const client = api.webSocket();
  const ask = (field: string) =>
    client.iterate<{ jobUpdated: { job: Record<string, unknown>; event: unknown } }>({
      query: `subscription ($id: ID!) { jobUpdated(id: $id) { job { ${field} } event { message } } }`,
      variables: { id },
    });
  const same = Array.from({ length: 10 }, () => ask('board: leaderboard { name }'));
  const other = ask('first: leaderboard(first: 1) { name }');
  await Promise.all([...same, other].map((updates) => updates.next()));
  expect(computed).toBe(11);

  await jobs.cancel(bareId());
  const answers = await Promise.all([...same, other].map((updates) => updates.next()));
  expect(computed).toBe(13);
  expect(answers.map(({ value }) => Object.keys(value?.data?.jobUpdated.job ?? {}).join())).toEqual([
    ...same.map(() => 'board'),
    'first',
  ]);
  await client.dispose();
});
