import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JobRecorder } from '../../src/agents/recorder.ts';
import { InvalidDatasetError } from '../../src/domain/errors.ts';
import type { JobResult } from '../../src/domain/records.ts';
import { claimQueued, reclaim } from '../../src/jobs/claim.ts';
import type { RunJob } from '../../src/jobs/run.ts';
import type { Runner } from '../../src/jobs/runner.ts';
import { blobsOf, followToEnd, oneTo, openRig, pause, type Rig, sequencesOf, startJob } from './rig.ts';

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
      await pause(2);
    }
    const started: string[] = [];
    let now = 0;
    let most = 0;
    await run(
      async ({ job }) => {
        started.push(job.id);
        now += 1;
        most = Math.max(most, now);
        await pause(10);
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
    expect(updates.at(-1)?.event?.message).toContain('the best so far is kept');
    expect(updates.some(({ event }) => event?.type === 'ArtifactSaved')).toBe(true);
  });

  it('makes a job CANCELLED even when its pipeline breaks while it wraps up', async () => {
    const id = await startJob(rig);
    await run(async ({ stopSignal }) => {
      void rig.jobs.cancel(id);
      await aborted(stopSignal);
      throw new Error('half way');
    });
    const last = (await followToEnd(rig, id)).at(-1);
    expect(last?.job).toMatchObject({ status: 'CANCELLED', failure: null, result: null });
    expect(last?.event?.message).toContain('before there was a model');
  });

  it('makes a job CANCELLED whose cancel was accepted as it was ending', async () => {
    for (const work of [() => undefined, () => Promise.reject(new Error('at the very end'))]) {
      const id = await startJob(rig);
      const { bus } = rig;
      const { publish } = bus;
      const runner = await run(async () => {
        bus.publish = () => undefined;
        await rig.jobs.cancel(id);
        bus.publish = publish;
        await work();
      });
      expect((await followToEnd(rig, id)).at(-1)?.job).toMatchObject({ status: 'CANCELLED', failure: null });
      await runner.stop();
    }
  });

  it('sees a cancel whose hint was dropped', async () => {
    const id = await startJob(rig);
    const { bus } = rig;
    const { publish } = bus;
    await run(
      async ({ stopSignal }) => {
        bus.publish = () => undefined;
        await rig.jobs.cancel(id);
        await aborted(stopSignal);
        bus.publish = publish;
      },
      { beatMs: 20 },
    );
    expect((await followToEnd(rig, id)).at(-1)?.job.status).toBe('CANCELLED');
  });

  const saveModel = (recorder: JobRecorder): Promise<void> =>
    recorder.saveArtifact({
      name: 'model.pkl',
      kind: 'MODEL',
      contentType: 'application/octet-stream',
      content: Readable.from(['model']),
    });

  describe('at the deadline', () => {
    const inTime = { timeBudgetSeconds: 0.05 };

    it('lets the pipeline wrap up: the best so far is the result', async () => {
      const id = await startJob(rig, inTime);
      await run(async ({ recorder, stopSignal, stopReason }) => {
        await aborted(stopSignal);
        expect(stopReason()).toBe('deadline');
        await recorder.record([], { result: RESULT });
      });
      expect((await followToEnd(rig, id)).at(-1)?.job).toMatchObject({ status: 'SUCCEEDED', result: RESULT });
    });

    it('fails a job that has no result', async () => {
      const id = await startJob(rig, inTime);
      await run(async ({ stopSignal }) => aborted(stopSignal));
      expect((await followToEnd(rig, id)).at(-1)?.job).toMatchObject({
        status: 'FAILED',
        failure: { code: 'DEADLINE_EXCEEDED' },
      });
    });

    it('stops hard when the grace is used up, and keeps a result that has its model', async () => {
      const id = await startJob(rig, inTime);
      await run(
        async ({ recorder, signal }) => {
          await recorder.record([], { result: RESULT });
          await saveModel(recorder);
          await aborted(signal);
          throw signal.reason;
        },
        { graceMs: () => 30 },
      );
      expect((await followToEnd(rig, id)).at(-1)?.job.status).toBe('SUCCEEDED');
    });

    it('stops hard, and fails a job whose result has no model to it', async () => {
      const id = await startJob(rig, inTime);
      await run(
        async ({ recorder, signal }) => {
          await recorder.record([], { result: RESULT });
          await aborted(signal);
          throw signal.reason;
        },
        { graceMs: () => 30 },
      );
      expect((await followToEnd(rig, id)).at(-1)?.job.failure?.code).toBe('DEADLINE_EXCEEDED');
    });

    it('leaves a pipeline behind that ignores every stop: the job ends and its later writes are refused', async () => {
      const id = await startJob(rig, inTime);
      let lateWrite: Promise<unknown> | null = null;
      const late = Promise.withResolvers<void>();
      await run(
        async ({ recorder }) => {
          await late.promise;
          lateWrite = recorder.record([], { stage: 'TUNING' });
          await lateWrite;
        },
        { graceMs: () => 10, abandonMs: 10 },
      );
      expect((await followToEnd(rig, id)).at(-1)?.job.failure?.code).toBe('DEADLINE_EXCEEDED');
      late.resolve();
      await pause(5);
      await expect(lateWrite).rejects.toMatchObject({ code: 'STALE_ATTEMPT' });
      expect((await rig.jobs.job(id))?.stage).toBeNull();
    });
  });

  describe('and a restart', () => {
    it('leaves running jobs running at shutdown; the next start goes on without doing a finished step again', async () => {
      const id = await startJob(rig);
      const executed: string[] = [];
      const pipeline: RunJob = async ({ recorder, signal, job }) => {
        for (const key of ['one', 'two', 'three']) {
          if (await recorder.finishedStep(key)) continue;
          executed.push(`${job.attempt}:${key}`);
          if (job.attempt === 1 && key === 'two') {
            await aborted(signal);
            return;
          }
          await recorder.finishStep({ key, tool: 'toy', ok: true, output: { key }, seconds: 0 }, []);
        }
      };
      const first = await run(pipeline);
      while (executed.length < 2) await pause(2);
      await first.stop();
      expect(await rig.jobs.job(id)).toMatchObject({ status: 'RUNNING', attempt: 1 });

      await rig.close();
      rig = await openRig({ dataDir: rig.dataDir });
      await run(pipeline);
      const updates = await followToEnd(rig, id);
      expect(updates.at(-1)?.job).toMatchObject({ status: 'SUCCEEDED', attempt: 2 });
      expect(executed).toEqual(['1:one', '1:two', '2:two', '2:three']);
      expect(sequencesOf(updates)).toEqual(oneTo(updates.length - 1));
      const resumed = updates.filter(({ event }) => event?.type === 'LogWritten');
      expect(resumed.map(({ event }) => event?.message)).toEqual([expect.stringContaining('attempt 2')]);
    });

    it('takes over running jobs before it begins a waiting one', async () => {
      const waiting = await startJob(rig);
      const orphan = (await claimQueued(rig.store))?.id;
      const second = await startJob(rig);
      expect(orphan).toBe(waiting);
      const started: string[] = [];
      await run(async ({ job }) => {
        started.push(job.id);
      });
      await followToEnd(rig, second);
      expect(started).toEqual([orphan, second]);
    });

    it('charges the time budget for the running time of all attempts', async () => {
      const id = await startJob(rig);
      const elapsed: number[] = [];
      const pipeline: RunJob = async ({ elapsedMs, signal, job }) => {
        elapsed.push(elapsedMs());
        if (job.attempt === 1) await aborted(signal);
      };
      const first = await run(pipeline);
      while (elapsed.length < 1) await pause(2);
      await pause(30);
      await first.stop();
      const charged = (await rig.jobs.job(id))?.activeMs ?? 0;
      expect(charged).toBeGreaterThan(0);
      await run(pipeline);
      const last = (await followToEnd(rig, id)).at(-1);
      expect(elapsed[1]).toBeGreaterThanOrEqual(charged);
      expect(last?.job.activeMs).toBeGreaterThanOrEqual(charged);
    });

    it('gives up a job that took the server down again and again, and says so', async () => {
      const id = await startJob(rig);
      await claimQueued(rig.store);
      for (let crash = 0; crash < 4; crash += 1) await reclaim(rig.store, id);
      let ran = false;
      await run(async () => {
        ran = true;
      });
      expect((await followToEnd(rig, id)).at(-1)?.job).toMatchObject({
        status: 'FAILED',
        failure: { code: 'JOB_KEEPS_CRASHING' },
      });
      expect(ran).toBe(false);
    });

    it('comes back to a job that it could not give up, as on a full disk', async () => {
      const id = await startJob(rig);
      await claimQueued(rig.store);
      for (let crash = 0; crash < 4; crash += 1) await reclaim(rig.store, id);
      const { write } = rig.database;
      let writes = 0;
      rig.database.write = (change) => {
        writes += 1;
        return writes === 2 ? Promise.reject(new Error('database or disk is full')) : write(change);
      };
      await run(async () => undefined);
      expect((await followToEnd(rig, id)).at(-1)?.job.failure?.code).toBe('JOB_KEEPS_CRASHING');
    });

    it('does not give up a job whose steps finish between the crashes', async () => {
      const id = await startJob(rig);
      const job = await claimQueued(rig.store);
      for (let crash = 0; crash < 10; crash += 1) {
        const attempt = (job?.attempt ?? 0) + crash;
        await rig
          .recorder({ jobId: id, attempt })
          .finishStep({ key: `step ${crash}`, tool: 'toy', ok: true, output: null, seconds: 0 }, []);
        await reclaim(rig.store, id);
      }
      await run(async () => undefined);
      expect((await followToEnd(rig, id)).at(-1)?.job.status).toBe('SUCCEEDED');
    });
  });

  it('lets a runner that lost its claim change nothing, and tells its pipeline to leave', async () => {
    const id = await startJob(rig);
    const refused: unknown[] = [];
    const left = Promise.withResolvers<void>();
    await run(
      async ({ recorder, signal }) => {
        await reclaim(rig.store, id);
        const before = await rig.jobs.job(id);
        const step = { key: 'one', tool: 'toy', ok: true, output: null, seconds: 0 };
        for (const write of [
          () => recorder.record([], { stage: 'TUNING' }),
          () => recorder.finishStep(step, []),
          () => saveModel(recorder),
        ]) {
          await write().catch((error: unknown) => refused.push(error));
        }
        expect(await rig.jobs.job(id)).toEqual(before);
        expect(await recorder.finishedStep('one')).toBeNull();
        await aborted(signal);
        left.resolve();
      },
      { beatMs: 20 },
    );
    await left.promise;
    await runner?.stop();
    expect(refused).toMatchObject(Array(3).fill({ code: 'STALE_ATTEMPT' }));
    expect(await rig.jobs.job(id)).toMatchObject({ status: 'RUNNING', attempt: 2 });
    expect((await rig.jobs.artifacts(id, null, { limit: 9 })).rows).toEqual([]);
    expect(await blobsOf(rig)).toEqual([]);
  });

  it('coalesces progress, the latest of each step, and never lets it overtake another event', async () => {
    const id = await startJob(rig);
    await run(async ({ recorder }) => {
      for (let i = 1; i <= 1000; i += 1) {
        recorder.progress({
          stage: 'TRAINING',
          step: i % 2 ? 'odd' : 'even',
          progress: i / 2000,
          message: `${i}`,
        });
      }
      await recorder.record([
        { type: 'StageFinished', seconds: 1, stage: 'TRAINING', agent: null, message: 'end of training' },
      ]);
    });
    const messages = (await followToEnd(rig, id)).map(({ event }) => event?.message);
    expect(messages.slice(3, 6)).toEqual(['999', '1000', 'end of training']);
  });

  it('removes the sandbox folder when a job has ended', async () => {
    const id = await startJob(rig);
    await run(async () => undefined);
    await followToEnd(rig, id);
    await runner?.stop();
    expect(rig.destroyedSandboxes).toEqual([id]);
  });
});
