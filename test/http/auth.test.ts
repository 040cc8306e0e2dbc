import { createClient as createSseClient } from 'graphql-sse';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { type Issuer, startIssuer } from '../auth/issuer.ts';
import { blobsOf } from '../jobs/rig.ts';
import { type Api, openApi, table } from './api.ts';

let issuer: Issuer;
let api: Api;
let job: string;
beforeAll(async () => {
  issuer = await startIssuer();
  api = await openApi({ env: { ...issuer.environment, CORS_ORIGINS: 'https://console.example' } });
  job = (await api.start(table(), { targetColumn: 'y' }, 't.csv', await api.key('alice'))).job?.id ?? '';
});
afterAll(async () => {
  await api.close();
  await issuer.close();
});

const ME = '{ viewer { owner scope } }';
const WATCH = 'subscription ($id: ID!) { jobUpdated(id: $id) { sequence } }';

async function post(query: string, authorization?: string, headers: Record<string, string> = {}) {
  const response = await fetch(api.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(authorization === undefined ? {} : { authorization }),
      ...headers,
    },
    body: JSON.stringify({ query }),
  });
  return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) };
}

/** Opens a WebSocket with `params` and resolves with what came of it. */
function greet(params: unknown, headers: Record<string, string> = {}): Promise<string> {
  return new Promise((resolve) => {
    const socket = new WebSocket(api.url.replace('http', 'ws'), 'graphql-transport-ws', { headers });
    socket.on('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload: params })));
    socket.on('message', (data) => {
      resolve(JSON.parse(String(data)).type);
      socket.close();
    });
    socket.on('close', (code, reason) => resolve(`${code} ${reason}`));
  });
}

describe('who asks', () => {
  it('is known by an API key or a token, whatever the letter case of the scheme', async () => {
    const key = await api.key('alice', 'READ');
    expect((await post(ME, `Bearer ${key}`)).body.data.viewer).toEqual({ owner: 'alice', scope: 'READ' });
    const token = await issuer.token('alice');
    expect((await post(ME, `bearer  ${token}`)).body.data.viewer).toEqual({ owner: 'alice', scope: 'TRAIN' });
  });

  it.each([
    ['says nothing', undefined],
    ['sends a password', 'Basic YWxpY2U6c2VjcmV0'],
    ['sends an empty token', 'Bearer '],
    ['sends two', 'Bearer a, Bearer b'],
    ['sends an unknown key', `Bearer sprt_${'0'.repeat(16)}_${'0'.repeat(64)}`],
    ['sends a token that is none', 'Bearer nonsense'],
  ])('is turned away before anything is read of what they ask, when it %s', async (_name, authorization) => {
    const { status, headers, body } = await post('{ nonsense', authorization, {
      origin: 'https://console.example',
    });
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toBe('Bearer realm="sproutml"');
    expect(headers.get('access-control-allow-origin')).toBe('https://console.example');
    expect(body.errors).toMatchObject([
      { extensions: { code: 'UNAUTHENTICATED', hint: expect.stringContaining('Bearer') } },
    ]);
  });

  it('is turned away before their upload is read, and nothing of it is kept', async () => {
    const before = await blobsOf(api.rig);
    const form = new FormData();
    form.append('operations', '{"query":"mutation { __typename }","variables":{"file":null}}');
    form.append('map', '{"0":["variables.file"]}');
    form.append('0', new Blob([table(200_000)]), 'table.csv');
    const response = await fetch(api.url, { method: 'POST', body: form });
    expect(response.status).toBe(401);
    expect(await blobsOf(api.rig)).toEqual(before);
  });

  it('may ask whether they may ask, and see the page and whether the server lives', async () => {
    const preflight = await fetch(api.url, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://console.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      },
    });
    expect(preflight.headers.get('access-control-allow-headers')).toBe('authorization,content-type');
    expect((await fetch(api.url, { headers: { accept: 'text/html' } })).status).toBe(200);
    expect((await fetch(`${api.origin}/livez`)).status).toBe(200);
  });

  it('is the same over WebSocket, in whichever way the client can say it', async () => {
    const key = await api.key('alice');
    const authorization = `Bearer ${key}`;
    expect(await greet({ authorization })).toBe('connection_ack');
    expect(await greet({ Authorization: authorization })).toBe('connection_ack');
    expect(await greet({ headers: { authorization } })).toBe('connection_ack');
    expect(await greet(undefined, { authorization })).toBe('connection_ack');
    expect(await greet({ authorization: `Bearer ${await issuer.token('alice')}` })).toBe('connection_ack');
    expect(await greet(undefined)).toBe('4403 This server asks who you are.');
    expect(await greet({ authorization: 'Bearer nonsense' })).toMatch(/^4403 /);
    expect(await greet({ authorization: 7 })).toMatch(/^4403 /);
    // What the client says outranks what its transport says.
    expect(await greet({ authorization: 'Bearer nonsense' }, { authorization })).toMatch(/^4403 /);

    const client = api.webSocket({ connectionParams: { authorization } });
    const first = await client.iterate({ query: ME }).next();
    expect(first.value?.data).toEqual({ viewer: { owner: 'alice', scope: 'TRAIN' } });
    await client.dispose();
  });

  it('is the same over server-sent events', async () => {
    const headers = { authorization: `Bearer ${await api.key('alice')}` };
    const client = createSseClient({ url: api.url, headers, retryAttempts: 0 });
    const request = { query: WATCH, variables: { id: job } };
    expect((await client.iterate(request).next()).value?.data).toEqual({ jobUpdated: { sequence: 1 } });
    client.dispose();
    const stranger = await fetch(api.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify(request),
    });
    expect(stranger.status).toBe(401);
  });
});

describe('a connection that stays open', () => {
  const holding = async (authorization: string) => {
    const client = api.webSocket({ connectionParams: { authorization } });
    const closed = new Promise<string>((resolve) =>
      client.on('closed', (event) => {
        const { code, reason } = event as { code: number; reason: string };
        resolve(`${code} ${reason}`);
      }),
    );
    const updates = client.iterate({ query: WATCH, variables: { id: job } });
    await updates.next();
    updates.next().catch(() => undefined);
    const stream = await fetch(api.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization },
      body: JSON.stringify({ query: WATCH, variables: { id: job } }),
    });
    return {
      closed,
      streamEnded: stream.text().then(
        () => 'ended',
        () => 'cut',
      ),
    };
  };

  it('ends when the token does', async () => {
    const exp = Math.ceil(Date.now() / 1000) + 1;
    const { closed, streamEnded } = await holding(
      `Bearer ${await issuer.token('alice', { claims: { exp } })}`,
    );
    expect(await closed).toBe('4403 The token has expired');
    expect(Date.now() / 1000).toBeGreaterThanOrEqual(exp);
    expect(await streamEnded).toBe('cut');
  });

  it('ends when the key is revoked, and that of another key does not', async () => {
    const [mine, other] = [await api.key('alice'), await api.key('alice')];
    const one = await holding(`Bearer ${mine}`);
    const two = await holding(`Bearer ${other}`);
    let othersEnd = false;
    void two.closed.then(() => {
      othersEnd = true;
    });
    await api.keys.revoke(mine.split('_')[1] ?? '');
    expect(await one.closed).toBe('4403 The API key was revoked');
    expect(await one.streamEnded).toBe('cut');
    expect(othersEnd).toBe(false);
    await api.keys.revoke(other.split('_')[1] ?? '');
    await two.closed;
  });
});

describe('scopes', () => {
  const MUTATIONS = [
    `mutation { cancelJob(input: { jobId: "x" }) { __typename } }`,
    `mutation { retryJob(input: { jobId: "x" }) { __typename } }`,
    `mutation { deleteJob(input: { jobId: "x" }) { __typename } }`,
    `mutation { startTraining(input: { datasetId: "x", targetColumn: "y" }) { __typename } }`,
    `mutation { revokeApiKey(input: { id: "x" }) { __typename } }`,
    `mutation { createApiKey(input: { name: "x", owner: "x", scope: ADMIN }) { __typename } }`,
  ];

  it('READ looks, and changes nothing', async () => {
    const key = await api.key('alice', 'READ');
    expect((await post(`{ job(id: "${job}") { status } }`, `Bearer ${key}`)).body.data.job.status).toBe(
      'QUEUED',
    );
    for (const mutation of MUTATIONS) {
      expect((await post(mutation, `Bearer ${key}`)).body.errors).toMatchObject([
        { extensions: { code: 'FORBIDDEN', hint: expect.any(String) } },
      ]);
    }
    await expect(api.start(table(), { targetColumn: 'y' }, 't.csv', key)).rejects.toThrow('scope TRAIN');
  });

  it('TRAIN changes what is its own, and neither sees nor makes keys', async () => {
    const key = `Bearer ${await api.key('alice')}`;
    expect((await post(MUTATIONS[0] ?? '', key)).body.data.cancelJob.__typename).toBe('JobNotFoundError');
    for (const operation of ['{ apiKeys { id } }', ...MUTATIONS.slice(4)]) {
      expect((await post(operation, key)).body.errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
    }
  });

  it('ADMIN makes keys that work, lists them without secrets, and revokes them', async () => {
    const admin = await api.key('root', 'ADMIN');
    const make = `mutation { createApiKey(input: { name: "robot", owner: "bob", scope: READ }) {
      ... on CreateApiKeySuccess { token key { id owner scope } } } }`;
    const { token, key } = (await post(make, `Bearer ${admin}`)).body.data.createApiKey;
    expect((await post(ME, `Bearer ${token}`)).body.data.viewer).toEqual({ owner: 'bob', scope: 'READ' });
    const { body } = await post('{ apiKeys { id name lastUsedAt revokedAt } }', `Bearer ${admin}`);
    expect(body.data.apiKeys).toContainEqual(expect.objectContaining({ id: key.id, revokedAt: null }));
    expect(JSON.stringify(body)).not.toContain(token.split('_')[2]);

    const revoke = `mutation { revokeApiKey(input: { id: "${key.id}" }) { __typename } }`;
    expect((await post(revoke, `Bearer ${admin}`)).body.data.revokeApiKey.__typename).toBe(
      'RevokeApiKeySuccess',
    );
    expect((await post(ME, `Bearer ${token}`)).status).toBe(401);
    const told = api.logged.filter((line) => line.includes(key.id)).join('');
    expect(told).toContain('"by":"root","msg":"an API key was made"');
    expect(told).toContain('an API key was revoked');
    expect(told).not.toContain(token.split('_')[2]);
  });

  it('ADMIN sees and changes what is anybody’s, and what comes of it stays theirs', async () => {
    const admin = await api.key('root', 'ADMIN');
    const bob = await api.key('bob');
    const theirs = (await api.start(table(), { targetColumn: 'y' }, 't.csv', bob)).job;
    const all = `{ jobs(filter: { owner: "bob" }) { nodes { id owner dataset { owner } } } }`;
    expect((await post(all, `Bearer ${admin}`)).body.data.jobs.nodes).toEqual([
      { id: theirs?.id, owner: 'bob', dataset: { owner: 'bob' } },
    ]);
    const again = `mutation { startTraining(input: { datasetId: "${theirs?.dataset.id}", targetColumn: "y" }) {
      ... on StartTrainingSuccess { job { owner } } } }`;
    expect((await post(again, `Bearer ${admin}`)).body.data.startTraining.job.owner).toBe('bob');
    const cancel = `mutation { cancelJob(input: { jobId: "${theirs?.id}" }) { ... on CancelJobSuccess { job { status } } } }`;
    expect((await post(cancel, `Bearer ${admin}`)).body.data.cancelJob.job.status).toBe('CANCELLED');
  });
});

it('asks nobody who they are on loopback, unless told to', async () => {
  const open = await openApi();
  expect(await open.ask(`query ${ME}`)).toMatchObject({ viewer: { owner: 'local', scope: 'ADMIN' } });
  // A token is not looked at where none is asked for.
  expect(await open.ask(`query ${ME}`, {}, 'nonsense')).toMatchObject({ viewer: { owner: 'local' } });
  expect((await open.start(table(), { targetColumn: 'y' })).job?.status).toBe('QUEUED');
  await open.close();
});

it('says to each owner how many operations are left, and when to come back, over HTTP and WebSocket', async () => {
  const limited = await openApi({ env: { AUTH_MODE: 'required', RATE_LIMIT_PER_MINUTE: '3' } });
  const [alice, bob] = [await limited.key('alice'), await limited.key('bob')];
  const ask = (token: string) =>
    fetch(limited.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: ME }),
    });
  const first = await ask(alice);
  expect(first.headers.get('ratelimit-policy')).toBe('"owner";q=3;w=60');
  expect(first.headers.get('ratelimit')).toBe('"owner";r=2;t=20');
  await ask(alice);
  await ask(alice);
  const refused = await ask(alice);
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(10);
  expect(JSON.parse(await refused.text()).errors[0].extensions.code).toBe('RATE_LIMITED');
  expect((await ask(bob)).status).toBe(200);

  const client = limited.webSocket({ connectionParams: { authorization: `Bearer ${alice}` } });
  const answer = client.iterate({ query: ME }).next();
  await expect(answer).rejects.toMatchObject([{ extensions: { code: 'RATE_LIMITED' } }]);
  await client.dispose();
  await limited.close();
});
