import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Api, openApi, table } from './api.ts';

let api: Api;
let id: string;
let authorization: string;
beforeAll(async () => {
  api = await openApi({
    env: { AUTH_MODE: 'required', RATE_LIMIT_PER_MINUTE: '1000000', LOG_LEVEL: 'silent' },
  });
  const key = await api.key('alice');
  authorization = `Bearer ${key}`;
  id = (await api.start(table(), { targetColumn: 'y' }, 't.csv', key)).job?.id ?? '';
});
afterAll(() => api.close());

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

const WATCH = 'subscription ($id: ID!) { jobUpdated(id: $id) { sequence } }';

/** Connects, subscribes, sees the first update and leaves: by WebSocket or as a stream. */
async function comeAndGo(round: number): Promise<void> {
  if (round % 2 === 0) {
    const client = api.webSocket({ connectionParams: { authorization } });
    const updates = client.iterate({ query: WATCH, variables: { id } });
    await updates.next();
    // Every other leaves without a word.
    if (round % 4 === 0) await updates.return?.();
    client.terminate();
    await client.dispose();
    return;
  }
  const response = await fetch(api.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization },
    body: JSON.stringify({ query: WATCH, variables: { id } }),
  });
  const reader = response.body?.getReader();
  await reader?.read();
  await reader?.cancel();
}

async function comeAndGoTimes(times: number): Promise<void> {
  for (let round = 0; round < times; round += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, n) => comeAndGo(round + n)));
  }
}

const heapNow = (): number => {
  collectGarbage();
  collectGarbage();
  return process.memoryUsage().heapUsed;
};
/** Sockets and timers of this process, by kind. */
const handles = (): number =>
  process.getActiveResourcesInfo().filter((kind) => /TCP|Timeout|Pipe/.test(kind)).length;

it('keeps nothing of 1,000 subscribers who came and went', { timeout: 120_000 }, async () => {
  let following = 0;
  const { jobs } = api.rig;
  const follow = jobs.follow.bind(jobs);
  jobs.follow = (jobId, options) => {
    following++;
    options.signal.addEventListener('abort', () => following--, { once: true });
    return follow(jobId, options);
  };
  // What is made once, for the first to come, is not a leak.
  await comeAndGoTimes(200);
  await expect.poll(() => following).toBe(0);
  api.logged.length = 0;
  const before = { heap: heapNow(), handles: handles() };

  await comeAndGoTimes(1_000);
  await expect.poll(() => following).toBe(0);
  api.logged.length = 0;
  await expect.poll(handles).toBeLessThanOrEqual(before.handles + 10);
  // Less than 2 kB of each that came: a subscription that stays holds ten times that.
  expect(heapNow() - before.heap).toBeLessThan(2_000_000);
});

it('takes their places back', async () => {
  // More at once than one owner may have, one after another.
  await comeAndGoTimes(400);
  const answer = await fetch(api.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization },
    body: '{"query":"{ __typename }"}',
  });
  expect(answer.status).toBe(200);
});

it('lets one owner have so many streams and sockets at once, and another all the same', async () => {
  const open = Array.from({ length: 200 }, async () => {
    const client = api.webSocket({ connectionParams: { authorization } });
    await client.iterate({ query: WATCH, variables: { id } }).next();
    return client;
  });
  const clients = await Promise.all(open);
  const ask = async (headers: Record<string, string>) =>
    fetch(api.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: '{"query":"{ __typename }"}',
    });
  const refused = await ask({ authorization });
  expect(refused.status).toBe(429);
  expect(JSON.parse(await refused.text()).errors[0].extensions.code).toBe('TOO_MANY_CONNECTIONS');
  const closed = new Promise<number>((resolve) => {
    const client = api.webSocket({ connectionParams: { authorization } });
    client.on('closed', (event) => resolve((event as { code: number }).code));
    client
      .iterate({ query: WATCH, variables: { id } })
      .next()
      .catch(() => undefined);
  });
  expect(await closed).toBe(1013);
  expect((await ask({ authorization: `Bearer ${await api.key('bob')}` })).status).toBe(200);
  await Promise.all(clients.map((client) => client.dispose()));
  await expect.poll(async () => (await ask({ authorization })).status).toBe(200);
});
