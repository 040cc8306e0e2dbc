import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { openDaytonaRig } from './rig.ts';

export interface ManyJobs {
  /** `SUCCEEDED`, or the failure's code, of each job. */
  outcomes: string[];
  /** What is left at the stand-in. */
  sandboxes: number;
  volumes: number;
  made: number;
  kills: number;
  faults: number;
}

const SERVER = join(import.meta.dirname, 'jobs-server.ts');

/**
 * Runs so many jobs on a server that is killed `kills` times, at a stand-in where about one request in `oneIn` goes wrong and
 * now and then a sandbox dies; then says what became of them and what is left.
 */
export async function runManyJobs(options: {
  jobs: number;
  kills: number;
  oneIn: number;
  seed: number;
}): Promise<ManyJobs> {
  const random = generator(options.seed);
  const rig = await openDaytonaRig({ random });
  const odds = 1 / options.oneIn / 6;
  for (const fault of [
    { kind: 'answer', status: 500 },
    { kind: 'answer', status: 502, html: true },
    { kind: 'answer', status: 429, retryAfter: 0.05 },
    { kind: 'cut' },
    { kind: 'cut-body' },
    { kind: 'lose-answer' },
  ] as const) {
    rig.faults.add({ on: /./, fault, times: Number.POSITIVE_INFINITY, odds });
  }
  const plague = setInterval(() => {
    const held = [...rig.cloud.sandboxes.values()].filter(({ dto }) => dto.state === 'started');
    const victim = held[Math.floor(random() * held.length)];
    if (victim === undefined || random() < 0.5) return;
    void (random() < 0.5 ? rig.cloud.stop(victim) : rig.cloud.fail(victim, 'made to fail')).catch(
      () => undefined,
    );
  }, 1_500);
  let server: ChildProcess | null = null;
  try {
    let outcomes: string[] | null = null;
    for (let kills = 0; outcomes === null; kills += 1) {
      server = spawn(process.execPath, [SERVER, rig.dataDir, rig.standIn.url, String(options.jobs)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      outcomes = await untilEnded(server, kills < options.kills ? 2_000 + random() * 4_000 : null);
    }
    clearInterval(plague);
    return {
      outcomes,
      sandboxes: rig.cloud.sandboxes.size,
      volumes: rig.cloud.volumes.size,
      made: rig.cloud.made,
      kills: options.kills,
      faults: rig.faults.taken,
    };
  } finally {
    clearInterval(plague);
    server?.kill('SIGKILL');
    await rig.remove();
  }
}

/** What the server says of its jobs; null when it was killed, so long after it began to run them. */
async function untilEnded(server: ChildProcess, killAfterMs: number | null): Promise<string[] | null> {
  if (server.stdout === null) throw new Error('no output');
  let outcomes: string[] | null = null;
  for await (const line of createInterface({ input: server.stdout })) {
    if (line === 'running' && killAfterMs !== null) setTimeout(() => server.kill('SIGKILL'), killAfterMs);
    if (line.startsWith('ended ')) outcomes = JSON.parse(line.slice(6)) as string[];
  }
  return outcomes;
}

/** mulberry32: the same seed, the same troubles. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
