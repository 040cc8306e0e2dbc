import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { languageModelSeats, openModelAccess } from '../../../src/agents/mind/language-model-seats.ts';
import { runTeam } from '../../../src/agents/team.ts';
import type { RunJob } from '../../../src/jobs/run.ts';
import { openRig } from '../../jobs/rig.ts';
import { type Call, ScriptedToolkit } from '../scripted-toolkit.ts';
import { modelOptions } from './seated-job.ts';

/*
 * A server with the real team, journal and database over a toolkit that only pretends, run as a process of its own so that it can
 * be killed: `node seated-server.ts DATA_DIR MODEL_URL CHANGES`. It kills itself right before or after its so many-th change; 0:
 * never. Every toolkit call is noted in `executions.log` as it ends.
 */
const [, , dataDir = '', baseUrl = '', changes = '0'] = process.argv;
let left = Number(changes) || Number.POSITIVE_INFINITY;
const rig = await openRig({
  dataDir,
  betweenChanges() {
    left -= 1;
    if (left <= 0) process.kill(process.pid, 'SIGKILL');
  },
});
await rig.leftovers.removeAll();

const access = openModelAccess(modelOptions({ baseUrl }));
const pipeline: RunJob = async (context) => {
  const toolkit = new ScriptedToolkit({ delay: ({ command }: Call) => (command === 'train' ? 4 : 1) });
  const call = toolkit.call.bind(toolkit);
  toolkit.call = async (command, request, options) => {
    const result = await call(command, request, options);
    const { trialId = '', holdout = '' } = request as { trialId?: string; holdout?: boolean };
    appendFileSync(join(dataDir, 'executions.log'), `${command} ${trialId} ${holdout}\n`);
    return result;
  };
  const readFile = async (path: string) => ({ size: path.length, stream: Readable.from([path]) });
  await runTeam(
    { ...context, toolkit, readFile, cpus: 3, mind: 'LANGUAGE_MODEL', seed: 0 },
    languageModelSeats(access),
  );
};

const runner = rig.runner(pipeline, { maxBarrenAttempts: 1000 });
await runner.start();
const [job] = (await rig.jobs.list({}, { limit: 1 })).rows;
if (!job) throw new Error('There is no job.');
for await (const _ of rig.jobs.follow(job.id, { after: 0, signal: new AbortController().signal }));
await runner.stop();
await rig.close();
