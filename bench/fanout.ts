/**
 * `npm run bench:fanout [SUBSCRIBERS EVENTS]`: many subscribers of one job over graphql-ws, against a bare `ws` server that sends
 * as many texts of the same length to as many sockets. CPU of the server per message delivered; every message is counted
 * by its receiver, and each subscriber must have got each event.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import WebSocket from 'ws';
import { temporaryFolder } from '../test/server-process.ts';
import { uploadAndStart } from './client.ts';
import { megabytes, printTable } from './server.ts';

const [subscribers = 2000, events = 50] = process.argv.slice(2).map(Number);
const SUBSCRIPTION =
  'subscription ($id: ID!) { jobUpdated(id: $id) { sequence job { id status stage progress } event { __typename at message } } }';

const folder = await temporaryFolder('fanout');
try {
  const sample = { text: '' };
  const ours = await measure('ours', async (port) => {
    const file = join(folder.path, 'table.csv');
    await writeFile(
      file,
      `a,label\n${Array.from({ length: 40 }, (_, row) => `${row},${row % 2}\n`).join('')}`,
    );
    const { jobId } = await uploadAndStart(`http://127.0.0.1:${port}/graphql`, file, {
      targetColumn: 'label',
    });
    return (counted) => subscribe(port, jobId, counted, sample);
  });
  const raw = await measure('raw', async (port) => (counted) => listen(port, counted), sample.text);
  printTable(
    `${subscribers} subscribers, ${events} events, ${sample.text.length} bytes a message`,
    ['server', 'messages', 'us CPU/message', 'RSS MB'],
    [
      ['raw ws.send', ...raw],
      ['jobUpdated', ...ours],
    ],
  );
} finally {
  await folder.remove();
}
process.exit(0);

type Attach = (counted: () => void) => Promise<void>;

async function measure(
  kind: 'ours' | 'raw',
  prepare: (port: number) => Promise<Attach>,
  text = '',
): Promise<string[]> {
  const server = fork(join(import.meta.dirname, 'fanout-server.ts'), [kind, join(folder.path, kind), text]);
  try {
    const { port } = await message<{ port: number }>(server, 'port');
    const attach = await prepare(port);
    let received = 0;
    for (let begun = 0; begun < subscribers; begun += 50) {
      const group = Math.min(50, subscribers - begun);
      await Promise.all(Array.from({ length: group }, () => attach(() => received++)));
    }
    received = 0;
    const done = message<{ cpuMs: number; rss: number }>(server, 'done');
    server.send({ go: events });
    const { cpuMs, rss } = await done;
    if (received !== subscribers * events) {
      throw new Error(`${kind}: ${received} of ${subscribers * events} messages arrived`);
    }
    return [String(received), ((cpuMs * 1000) / received).toFixed(1), megabytes(rss)];
  } finally {
    server.kill('SIGKILL');
  }
}

function message<T>(server: ChildProcess, key: string): Promise<T> {
  return new Promise((resolve, reject) => {
    server.once('exit', (code) => reject(new Error(`the server ended with code ${code}`)));
    server.on('message', (content: Record<string, unknown>) => {
      if (key in content) resolve(content as T);
    });
  });
}

/** Resolves when the snapshot is there; counts what comes after it. */
function subscribe(port: number, id: string, counted: () => void, sample: { text: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/graphql`, 'graphql-transport-ws');
    let attached = false;
    socket.on('error', reject);
    socket.on('open', () => socket.send('{"type":"connection_init"}'));
    socket.on('message', (data) => {
      const text = data.toString();
      if (text.includes('"connection_ack"')) {
        const payload = { query: SUBSCRIPTION, variables: { id } };
        socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload }));
      } else if (!text.includes('"type":"next"')) {
        reject(new Error(text));
      } else if (attached) {
        if (text.includes('LogWritten')) counted();
        sample.text = text;
      } else {
        attached = true;
        resolve();
      }
    });
  });
}

function listen(port: number, counted: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    socket.on('error', reject);
    socket.on('open', resolve);
    socket.on('message', counted);
  });
}
