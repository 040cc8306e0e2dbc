import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { RunJob } from '../../src/jobs/run.ts';
import { openRig } from './rig.ts';

/*
 * A server with a toy pipeline, run as a process of its own so that it can be killed: `node crash-server.ts DATA_DIR STEPS ODDS`.
 * Says `running` when the pipeline begins and `ended` when the job has. Before and after every change it makes it kills
 * itself, as hard as anyone else could, with the given odds.
 */
const [, , dataDir = '', stepCount = '1', odds = '0'] = process.argv;
const rig = await openRig({
  dataDir,
  betweenChanges() {
    if (Math.random() < Number(odds)) process.kill(process.pid, 'SIGKILL');
  },
});
await rig.leftovers.removeAll();

const pipeline: RunJob = async ({ job, recorder }) => {
  console.log('running');
  for (let i = 1; i <= Number(stepCount); i += 1) {
    const key = `step-${i}`;
    if (await recorder.finishedStep(key)) continue;
    appendFileSync(join(dataDir, 'executions.log'), `${key} ${job.attempt}\n`);
    const about = {
      agentRun: 'toy',
      step: key,
      tool: 'toy',
      stage: 'TRAINING',
      agent: 'SUB_TRAINER',
    } as const;
    await recorder.record([{ type: 'StepStarted', input: { i }, message: key, ...about }]);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 8));
    recorder.progress({ stage: 'TRAINING', step: key, progress: i / Number(stepCount), message: key });
    // The third step over, so that replacing is in it, too.
    await recorder.saveArtifact({
      name: `part-${i % 3}.txt`,
      kind: 'LOG',
      contentType: 'text/plain',
      content: Readable.from([key]),
    });
    await recorder.finishStep({ key, tool: 'toy', ok: true, output: { i }, seconds: 0 }, [
      { type: 'StepFinished', ok: true, seconds: 0, errorCode: null, message: key, ...about },
    ]);
  }
};

const runner = rig.runner(pipeline, { maxBarrenAttempts: 1000 });
await runner.start();
const [job] = (await rig.jobs.list({}, { limit: 1 })).rows;
if (!job) throw new Error('There is no job.');
for await (const _ of rig.jobs.follow(job.id, { after: 0, signal: new AbortController().signal }));
await runner.stop();
await rig.close();
console.log('ended');
