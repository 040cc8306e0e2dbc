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
const KILLS = 12;

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

  /** Starts a server on the rig's folder and resolves once it says `word` or, when null, has ended. */
  const serve = async (word: string | null): Promise<ChildProcess> => {
    server = spawn(process.execPath, [SERVER, rig.dataDir, String(STEPS)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (!server.stdout) throw new Error('no output');
    const lines: string[] = [];
    for await (const line of createInterface(server.stdout)) {
      lines.push(line);
      if (line === word) return server;
    }
    expect(lines).toEqual(['running', 'ended']);
    return server;
  };

  it('at any moment: the job succeeds, no finished step runs again, no event is missing, no file is left over', async () => {
    const id = await startJob(rig);
    await rig.close();
    for (let kill = 1; kill <= KILLS; kill += 1) {
      // Half of them at work, half at any moment from the first instruction of the process on.
      if (kill % 2) {
        await serve('running');
        await pause(Math.random() * 80);
      } else {
        server = spawn(process.execPath, [SERVER, rig.dataDir, String(STEPS)], { stdio: 'ignore' });
        await pause(Math.random() * 1000);
      }
      if (server?.exitCode !== null) throw new Error('The job ended before it was killed often enough.');
      server.kill('SIGKILL');
      if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
    }
    await serve(null);

    rig = await openRig({ dataDir: rig.dataDir });
    const updates = await followToEnd(rig, id);
    const job = updates.at(-1)?.job;
    expect(job).toMatchObject({ status: 'SUCCEEDED', progress: 1 });
    expect(job?.attempt).toBeGreaterThan(KILLS / 2);
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
    expect(executions.length).toBeLessThanOrEqual(STEPS + KILLS);

    const { rows } = await rig.jobs.artifacts(id, null, { limit: 100 });
    expect(rows.map((row) => row.name).sort()).toEqual(['part-0.txt', 'part-1.txt', 'part-2.txt']);
    expect((await blobsOf(rig)).sort()).toEqual(rows.map((row) => row.blobKey).sort());
  }, 120_000);
});
