/**
 * The server half of `bench/fanout.ts`, in a process of its own: the real database, event log, runner and HTTP server, with
 * a job that only appends events; or, with `raw`, a bare `ws` server that sends the same text.
 * Over IPC: `{go: events}` starts, `{done: true, cpuMs}` answers.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { WebSocketServer } from 'ws';
import { openDiskBlobStore } from '../src/artifacts/disk-blob-store.ts';
import { createUrlSigner } from '../src/artifacts/signed-url.ts';
import { ApiKeys } from '../src/auth/api-keys.ts';
import { OPEN } from '../src/auth/authentication.ts';
import { createMemoryBus } from '../src/bus/memory.ts';
import { readConfig } from '../src/config.ts';
import { openDatabase } from '../src/db/client.ts';
import { createHttpServer } from '../src/http/server.ts';
import { Jobs } from '../src/jobs/jobs.ts';
import { LeftoverRemover } from '../src/jobs/leftovers.ts';
import { Runner } from '../src/jobs/runner.ts';
import { JobStore } from '../src/jobs/store.ts';

const PAUSE_MS = 100;
const [kind, dataDir = '', text = ''] = process.argv.slice(2);
const go = Promise.withResolvers<number>();
process.on('message', (message: { go?: number }) => {
  if (message.go !== undefined) go.resolve(message.go);
});

if (kind === 'raw') await raw(text);
else await ours(dataDir);

async function raw(payload: string): Promise<void> {
  const http = createServer().listen(0, '127.0.0.1');
  const server = new WebSocketServer({ server: http });
  await new Promise((resolve) => http.once('listening', resolve));
  process.send?.({ port: (http.address() as AddressInfo).port });
  const events = await go.promise;
  await measured(async () => {
    for (let event = 0; event < events; event++) {
      for (const client of server.clients) client.send(payload);
      await sleep(PAUSE_MS);
    }
  });
}

async function ours(directory: string): Promise<void> {
  const config = readConfig({ DATA_DIR: directory, PORT: '0' });
  const logger = pino({ level: 'silent' });
  const database = openDatabase(directory);
  const store = new JobStore({ database, bus: createMemoryBus() });
  const blobs = await openDiskBlobStore(join(directory, 'blobs'));
  const leftovers = new LeftoverRemover({ store, blobs, destroySandbox: async () => undefined, logger });
  const jobs = new Jobs({
    store,
    leftovers,
    terms: { mind: 'PLAYBOOK', sandbox: 'LOCAL', maxQueuedJobs: 10 },
  });
  const runner = new Runner({
    store,
    blobs,
    leftovers,
    concurrency: 1,
    logger,
    runJob: async ({ recorder }) => {
      const events = await go.promise;
      await measured(async () => {
        for (let event = 0; event < events; event++) {
          await recorder.record([
            {
              type: 'LogWritten',
              level: 'INFO',
              step: null,
              stage: null,
              agent: null,
              message: `event ${event}`,
            },
          ]);
          await sleep(PAUSE_MS);
        }
      });
      // The job must not end: its subscribers stay.
      await new Promise(() => undefined);
    },
  });
  const http = createHttpServer({
    config,
    jobs,
    keys: new ApiKeys({ database }),
    auth: OPEN,
    blobs,
    logger,
    signer: createUrlSigner(['a secret for a benchmark']),
    about: {
      version: '0',
      mind: 'PLAYBOOK',
      sandboxKind: 'LOCAL',
      containment: 'process',
      sandboxDescription: '',
    },
    readiness: {},
  });
  const { port } = await http.listen();
  await runner.start();
  process.send?.({ port });
}

/** CPU of this process while `work` runs and its messages drain. */
async function measured(work: () => Promise<void>): Promise<void> {
  await sleep(500);
  const before = process.cpuUsage();
  await work();
  await sleep(2000);
  const used = process.cpuUsage(before);
  process.send?.({ done: true, cpuMs: (used.user + used.system) / 1000, rss: process.memoryUsage().rss });
}
