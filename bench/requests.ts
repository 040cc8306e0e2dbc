/**
 * `npm run bench:requests`: `job(id) { id status progress }` per second against a raw `http` server that answers the same
 * bytes, with the same client over the same kept-alive sockets. CPU per request is the fairer figure where client and
 * server share two cores.
 */
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { uploadAndStart } from './client.ts';
import { cpuSecondsOf, freePort, printTable, startServer } from './server.ts';

const CONNECTIONS = 16;
const SECONDS = Number(process.env.BENCH_SECONDS ?? 5);

const server = await startServer();
const rows: string[][] = [];
try {
  const { jobId } = await uploadAndStart(server.url, join(import.meta.dirname, '../examples/penguins.csv'), {
    targetColumn: 'species',
    timeBudgetSeconds: 10,
  });
  await untilEnded(server.url, jobId);
  const body = JSON.stringify({ query: `{ job(id: "${jobId}") { id status progress } }` });
  const answer = await post(server.url, body);
  const raw = await startRaw(answer);
  try {
    rows.push(await load('raw http', new URL(raw.url), raw.pid, body));
    rows.push(await load('SproutML job(id)', new URL(server.url), server.pid, body));
  } finally {
    raw.stop();
  }
} finally {
  await server.stop();
}
printTable(
  `job(id), ${CONNECTIONS} kept-alive connections, ${SECONDS} s each`,
  ['server', 'requests/s', 'CPU us/request'],
  rows,
);

async function post(url: string, body: string): Promise<string> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body,
  });
  return await response.text();
}

async function untilEnded(url: string, jobId: string): Promise<void> {
  for (;;) {
    const answer = await post(url, JSON.stringify({ query: `{ job(id: "${jobId}") { status } }` }));
    if (/SUCCEEDED|FAILED|CANCELLED/.test(answer)) return;
    await sleep(200);
  }
}

async function startRaw(answer: string): Promise<{ url: string; pid: number; stop(): void }> {
  const port = await freePort();
  const script = `require('http').createServer((q,s)=>{q.resume();q.on('end',()=>{s.setHeader('content-type','application/json');s.end(${JSON.stringify(answer)})})}).listen(${port},'127.0.0.1')`;
  const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}/`;
  while (
    !(await fetch(url).then(
      () => true,
      () => false,
    ))
  )
    await sleep(20);
  return { url, pid: child.pid ?? 0, stop: () => child.kill() };
}

/** One request at a time on each connection; an answer's end is found by its content-length. */
async function load(name: string, url: URL, pid: number, body: string): Promise<string[]> {
  const request = `POST ${url.pathname} HTTP/1.1\r\nhost: ${url.host}\r\ncontent-type: application/json\r\naccept: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  const run = async (milliseconds: number): Promise<number> => {
    const end = performance.now() + milliseconds;
    let done = 0;
    const connection = () =>
      new Promise<void>((resolve, reject) => {
        const socket = connect(Number(url.port), url.hostname);
        let pending = '';
        socket.setEncoding('latin1');
        socket.on('error', reject);
        socket.on('connect', () => socket.write(request));
        socket.on('data', (chunk: string) => {
          pending += chunk;
          const header = pending.indexOf('\r\n\r\n');
          if (header < 0) return;
          const length = /content-length: (\d+)/i.exec(pending);
          const whole = length
            ? pending.length >= header + 4 + Number(length[1])
            : pending.endsWith('0\r\n\r\n');
          if (!whole) return;
          if (!pending.startsWith('HTTP/1.1 200')) return reject(new Error(pending.slice(0, 300)));
          pending = '';
          done++;
          if (performance.now() < end) socket.write(request);
          else {
            socket.destroy();
            resolve();
          }
        });
      });
    await Promise.all(Array.from({ length: CONNECTIONS }, connection));
    return done;
  };
  await run(1500);
  const cpuBefore = await cpuSecondsOf(pid);
  const done = await run(SECONDS * 1000);
  const cpu = (await cpuSecondsOf(pid)) - cpuBefore;
  return [name, (done / SECONDS).toFixed(0), ((cpu / done) * 1e6).toFixed(0)];
}
