import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { SproutError } from '../../src/domain/errors.ts';
import { livingJobs } from '../../src/jobs/claim.ts';
import type { RunJob } from '../../src/jobs/run.ts';
import { createDaytonaSandboxes } from '../../src/sandbox/daytona.ts';
import type { Toolkit } from '../../src/sandbox/toolkit.ts';
import { openRig, startJob } from '../jobs/rig.ts';
import { HASTY } from './rig.ts';
import { KEY } from './stand-in.ts';

/*
 * A server whose jobs are small and run in Daytona's stand-in, as a process of its own so that it can be killed:
 * `node jobs-server.ts DATA_DIR API_URL JOBS`. Starts as many jobs as are missing, says `running`, and `ended` once all have.
 */
const [, , dataDir = '', apiUrl = '', jobs = '1'] = process.argv;
const MIB = 1024 ** 2;
const STEPS = 4;

const sandboxes = await createDaytonaSandboxes({
  apiKey: KEY,
  apiUrl,
  target: null,
  dataDir,
  size: { cpu: 1, memoryGib: 2, diskGib: 3 },
  maxParallel: 2,
  keepMinutes: 0,
  memoryBytes: 512 * MIB,
  logger: { info: () => undefined, warn: (message) => console.error(message) },
  timing: { ...HASTY, patience: 20_000, silent: 20_000, start: 60_000, quota: 5_000, orphan: 0, reap: 1_000 },
});
const rig = await openRig({ dataDir, destroySandbox: (id, options) => sandboxes.destroy(id, options) });
await rig.leftovers.removeAll();

/** Uploads, runs some commands as steps of their own, downloads. */
const pipeline: RunJob = async ({ job, recorder, signal }) => {
  const sandbox = await sandboxes.open(job.id, { signal });
  try {
    const program = ['python', '-I', 'work/stand-in.py'] as const;
    const toolkit = await sandboxes.openToolkit(sandbox, { memoryBytes: 256 * MIB, warm: true, program });
    try {
      await sandbox.put(
        'work/stand-in.py',
        createReadStream(join(import.meta.dirname, '../sandbox/stand-in-toolkit.py')),
      );
      for (let n = 1; n <= STEPS; n += 1) {
        const key = `step-${n}`;
        if (await recorder.finishedStep(key)) continue;
        const output = await callAgainWhenLost(toolkit, key, signal);
        await recorder.finishStep({ key, tool: 'toy', ok: true, output, seconds: 0 }, []);
      }
      const { stream } = await sandbox.get('work/stand-in.py');
      await recorder.saveArtifact({
        name: 'stand-in.py',
        kind: 'CODE',
        contentType: 'text/plain',
        content: stream,
      });
    } finally {
      await toolkit.close();
    }
  } finally {
    await sandbox.close();
  }
};

async function callAgainWhenLost(toolkit: Toolkit, key: string, signal: AbortSignal): Promise<unknown> {
  for (let left = 5; ; left -= 1) {
    try {
      return await toolkit.call('sleep', { seconds: 0.1 }, { timeoutMs: 60_000, key, signal });
    } catch (error) {
      if (!(error instanceof SproutError) || error.code !== 'SANDBOX_LOST' || left === 0) throw error;
    }
  }
}

for (let count = (await all()).length; count < Number(jobs); count += 1) await startJob(rig);
const runner = rig.runner(pipeline, { maxBarrenAttempts: 1000 }, 4);
await runner.start();
sandboxes.tend(() => livingJobs(rig.store));
console.log('running');
while ((await all()).some(({ status }) => status === 'QUEUED' || status === 'RUNNING')) {
  await new Promise((resolve) => setTimeout(resolve, 100));
}
await runner.stop();
// What faults kept from being removed: a boot does it, and so does the reaper from time to time.
await rig.leftovers.removeAll();
await sandboxes.reap(() => livingJobs(rig.store));
await sandboxes.close();
const ended = await all();
for (const { failure } of ended) if (failure) console.error(`FAILED ${failure.code}: ${failure.message}`);
const outcomes = ended.map(({ status, failure }) => failure?.code ?? status);
await rig.close();
console.log(`ended ${JSON.stringify(outcomes)}`);

async function all() {
  return (await rig.jobs.list({}, { limit: 1000 })).rows;
}
