import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InvalidDatasetError } from '../../src/domain/errors.ts';
import type { JobResult } from '../../src/domain/records.ts';
import type { RunJob } from '../../src/jobs/run.ts';
import type { Runner } from '../../src/jobs/runner.ts';
import { followToEnd, oneTo, openRig, type Rig, sequencesOf, startJob } from './rig.ts';

const RESULT: JobResult = {
  metric: 'ROC_AUC',
  validationScore: 0.9,
  holdoutScore: null,
  holdoutInterval: null,
  baselineScore: 0.5,
  bestTrialId: 't1',
  summary: 'A model.',
};

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

describe('the runner', () => {
  let rig: Rig;
  let runner: Runner | null;
  const run = async (runJob: RunJob, limits = {}, concurrency = 1): Promise<Runner> => {
    runner = rig.runner(runJob, limits, concurrency);
    await runner.start();
    return runner;
  };
  beforeEach(async () => {
    rig = await openRig();
  });
  afterEach(async () => {
    await runner?.stop();
    runner = null;
    await rig.remove();
  });

  it('runs a waiting job to SUCCEEDED, every status change an event', async () => {
    const id = await startJob(rig);
    await run(async ({ recorder }) => {
      await recorder.record([], { stage: 'TRAINING', result: RESULT });
    });
    const updates = await followToEnd(rig, id);
    const changes = updates.flatMap(({ event }) =>
      event?.type === 'StatusChanged' ? [[event.from, event.to]] : [],
    );
    expect(changes).toEqual([
      [null, 'QUEUED'],
      ['QUEUED', 'RUNNING'],
      ['RUNNING', 'SUCCEEDED'],
    ]);
    const job = await rig.jobs.job(id);
    expect(job).toMatchObject({
      status: 'SUCCEEDED',
      progress: 1,
      attempt: 1,
      result: RESULT,
      stage: 'TRAINING',
    });
    expect(sequencesOf(updates)).toEqual(oneTo(job?.lastSequence ?? 0));
  });

  it('runs at most as many jobs at once as it may, oldest first', async () => {
    const ids = [];
    for (let i = 0; i < 6; i += 1) {
      ids.push(await startJob(rig));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const started: string[] = [];
    let now = 0;
    let most = 0;
    await run(
      async ({ job }) => {
        started.push(job.id);
        now += 1;
        most = Math.max(most, now);
        await new Promise((resolve) => setTimeout(resolve, 10));
        now -= 1;
      },
      {},
      2,
    );
    await Promise.all(ids.map((id) => followToEnd(rig, id)));
    expect(started).toEqual(ids);
    expect(most).toBe(2);
  });

  it('makes a coded error the job’s failure, with its hint and stage', async () => {
    const id = await startJob(rig);
    await run(async ({ recorder }) => {
      await recorder.record([], { stage: 'SETUP' });
      throw new InvalidDatasetError('TARGET_CONSTANT', 'The target has one value.', {
        hint: 'Name another.',
      });
    });
    const last = (await followToEnd(rig, id)).at(-1);
    expect(last?.job).toMatchObject({
      status: 'FAILED',
      failure: {
        code: 'TARGET_CONSTANT',
        message: 'The target has one value.',
        hint: 'Name another.',
        stage: 'SETUP',
      },
    });
  });

  it('tells the outside nothing of an error nobody foresaw', async () => {
    const id = await startJob(rig);
    await run(async () => {
      throw new TypeError('secret of /home/me');
    });
    const last = (await followToEnd(rig, id)).at(-1);
    expect(last?.job.failure?.code).toBe('INTERNAL_ERROR');
    expect(JSON.stringify(last)).not.toContain('secret');
  });

  it('cancels a running job softly: it wraps up, keeps its result and is CANCELLED', async () => {
    const id = await startJob(rig);
    await run(async ({ recorder, stopSignal, stopReason }) => {
      await recorder.record([], { result: RESULT });
      void rig.jobs.cancel(id);
      await aborted(stopSignal);
      expect(stopReason()).toBe('cancelled');
      await recorder.saveArtifact({
        name: 'model.pkl',
        kind: 'MODEL',
        contentType: 'application/octet-stream',
        content: Readable.from(['model']),
      });
    });
    const updates = await followToEnd(rig, id);
    expect(updates.at(-1)?.job).toMatchObject({ status: 'CANCELLED', result: RESULT });
    expect(updates.some(({ event }) => event?.type === 'ArtifactSaved')).toBe(true);
  });
});
