import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { steps } from '../../src/db/schema.ts';
import { blobsOf, followToEnd, oneTo, openRig, pause, type Rig, sequencesOf, startJob } from './rig.ts';

const SERVER = join(import.meta.dirname, 'crash-server.ts');
const STEPS = 150;
const SELF_KILLS = 10;
const KILLS = 6;

describe('kill -9', () => {
  let rig: Rig;
  let server: ChildProcess | null = null;
  beforeEach(async () => {
    rig = await openRig();
  });
  afterEach(async () => {
    server?.kill('SIGKILL');
    await rig.remove();
  });

  const start = (odds = 0): ChildProcess =>
    spawn(process.execPath, [SERVER, rig.dataDir, String(STEPS), String(odds)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  /** What the server says until it says `word` or is no more. */
  const listen = async (to: ChildProcess, word?: string): Promise<string[]> => {
    const lines: string[] = [];
    if (!to.stdout) throw new Error('The server has no output.');
    for await (const line of createInterface(to.stdout)) {
      lines.push(line);
      if (line === word) break;
    }
    return lines;
  };
  const ended = async (process: ChildProcess): Promise<void> => {
    if (process.exitCode === null && process.signalCode === null) await once(process, 'exit');
    if (process.signalCode !== 'SIGKILL') throw new Error('The job ended before it was killed often enough.');
  };

  it('at any moment: the job succeeds, no finished step runs again, no event is missing, no file is left over', async () => {
    const id = await startJob(rig);
    await rig.close();
    // By its own hand right before or after a change, where it would hurt.
    for (let kill = 1; kill <= SELF_KILLS; kill += 1) {
      server = start(0.03);
      await listen(server);
      await ended(server);
    }
    // From outside: at work, and at any moment from the first instruction on.
    for (let kill = 1; kill <= KILLS; kill += 1) {
      server = start();
      if (kill % 2) await listen(server, 'running');
      await pause(Math.random() * (kill % 2 ? 80 : 500));
      server.kill('SIGKILL');
      await ended(server);
    }
    server = start();
    expect(await listen(server)).toEqual(['running', 'ended']);

    rig = await openRig({ dataDir: rig.dataDir });
    const updates = await followToEnd(rig, id);
    const job = updates.at(-1)?.job;
    expect(job).toMatchObject({ status: 'SUCCEEDED', progress: 1 });
    expect(job?.attempt).toBeGreaterThan(5);
    expect(sequencesOf(updates)).toEqual(oneTo(job?.lastSequence ?? 0));

    // Each step finished once, in the journal and in the log alike, and never ran after that.
    const keys = oneTo(STEPS).map((i) => `step-${i}`);
    const finished = updates.flatMap(({ event }) => (event?.type === 'StepFinished' ? [event.step] : []));
    expect(finished).toEqual(keys);
    const finishedIn = new Map(
      (await rig.database.read.select().from(steps)).map((row) => [row.key, row.attempt]),
    );
    expect([...finishedIn.keys()].sort()).toEqual([...keys].sort());
    const executions = (await readFile(join(rig.dataDir, 'executions.log'), 'utf8')).trim().split('\n');
    for (const execution of executions) {
      const [key = '', attempt] = execution.split(' ');
      expect(Number(attempt)).toBeLessThanOrEqual(finishedIn.get(key) ?? 0);
    }
    expect(new Set(executions).size).toBe(executions.length);
    // What was killed in the middle ran twice; all else once.
    expect(executions.length).toBeGreaterThanOrEqual(STEPS);
    expect(executions.length).toBeLessThanOrEqual(STEPS + SELF_KILLS + KILLS);

    const { rows } = await rig.jobs.artifacts(id, null, { limit: 100 });
    expect(rows.map((row) => row.name).sort()).toEqual(['part-0.txt', 'part-1.txt', 'part-2.txt']);
    expect((await blobsOf(rig)).sort()).toEqual(rows.map((row) => row.blobKey).sort());
  }, 120_000);
});
