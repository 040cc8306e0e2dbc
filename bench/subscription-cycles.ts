import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { Metrics } from '../src/telemetry/metrics.ts';
import { openApi, table } from '../test/http/api.ts';
import { pause } from '../test/jobs/rig.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

export interface Holdings {
  /** Bytes in use once all garbage is collected; server and clients together. */
  heap: number;
  /** Sockets, timers and the like that keep a process alive. */
  handles: number;
  subscriptions: number;
}

const SUBSCRIPTION =
  'subscription ($id: ID!) { jobUpdated(id: $id, after: 0) { sequence job { id status } event { __typename message } } }';

/**
 * Connects, subscribes, reads what there is and goes, `cycles` times over a real server, a third each by an orderly complete, by
 * closing the socket in the middle, and by server-sent events cut off. Answers what is held before and after, once it is quiet.
 */
export async function runCycles(
  cycles: number,
  warmUp: number,
): Promise<{ before: Holdings; after: Holdings }> {
  const api = await openApi({ dependencies: () => ({ metrics: new Metrics() }) });
  // What was logged is the test's to keep, not the server's.
  const quiet = () => api.logged.splice(0);
  try {
    const { job } = await api.start(table(), { targetColumn: 'y' });
    const id = String(job?.id);
    const ways = [complete, cut, stream];
    const run = async (count: number) => {
      for (let i = 0; i < count; i++) {
        await ways[i % ways.length]?.(api.url, id);
        quiet();
      }
    };
    const holdings = async (): Promise<Holdings> => {
      for (let i = 0; i < 100 && api.rig.jobs.followers > 0; i++) await pause(20);
      await pause(300);
      for (let i = 0; i < 4; i++) {
        collectGarbage();
        await pause(20);
      }
      return {
        heap: process.memoryUsage().heapUsed,
        handles: process.getActiveResourcesInfo().length,
        subscriptions: api.rig.jobs.followers,
      };
    };
    await run(warmUp);
    const before = await holdings();
    await run(cycles);
    return { before, after: await holdings() };
  } finally {
    await api.close();
  }
}

async function complete(url: string, id: string): Promise<void> {
  const client = createClient({ url: url.replace('http', 'ws'), webSocketImpl: WebSocket, retryAttempts: 0 });
  const updates = client.iterate({ query: SUBSCRIPTION, variables: { id } });
  await updates.next();
  await updates.return?.();
  await client.dispose();
}

async function cut(url: string, id: string): Promise<void> {
  const socket = new WebSocket(url.replace('http', 'ws'), 'graphql-transport-ws');
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('open', () => socket.send('{"type":"connection_init"}'));
    socket.on('message', (data) => {
      if (String(data).includes('"next"')) return resolve();
      const payload = { query: SUBSCRIPTION, variables: { id } };
      socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload }));
    });
  });
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.terminate();
  await closed;
}

async function stream(url: string, id: string): Promise<void> {
  const leaving = new AbortController();
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', connection: 'close' },
    body: JSON.stringify({ query: SUBSCRIPTION, variables: { id } }),
    signal: leaving.signal,
  });
  const reader = response.body?.getReader();
  await reader?.read();
  leaving.abort();
}
