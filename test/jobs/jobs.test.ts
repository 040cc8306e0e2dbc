import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { leftovers } from '../../src/db/schema.ts';
import type { DatasetId, JobId } from '../../src/domain/ids.ts';
import { type JobColumn, type JobOptions, LATER_OPTIONS, type Trial } from '../../src/domain/records.ts';
import { claimQueued, settle } from '../../src/jobs/claim.ts';
import { blobsOf, jobOptions, newDataset, oneTo, openRig, type Rig, startJob } from './rig.ts';

const UNKNOWN = '00000000-0000-4000-8000-000000000000';
const COLUMN: JobColumn = {
  name: 'species',
  type: 'CATEGORICAL',
  role: 'FEATURE',
  treatment: 'category',
  reason: null,
  warnings: [{ code: 'LEAK_LIKELY', message: 'it tells all' }],
};

describe('jobs', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await openRig({ maxQueuedJobs: 5 });
  });
  afterEach(() => rig.remove());

  const claim = async (): Promise<{ jobId: JobId; attempt: number }> => {
    const job = await claimQueued(rig.store);
    if (!job) throw new Error('nothing waits');
    return { jobId: job.id, attempt: job.attempt };
  };
  const succeed = (of: { jobId: JobId; attempt: number }) =>
    settle(rig.store, of, { status: 'SUCCEEDED', message: 'done' }, 1);
  const uploaded = async (sha256 = 'b'.repeat(64)) => {
    const dataset = newDataset({ sha256 });
    await rig.blobs.put(dataset.blobKey, Readable.from(['a,b\n1,2\n']));
    return dataset;
  };

  it('start queued, with dataset and first event', async () => {
    const dataset = newDataset();
    const { job, created } = await rig.jobs.start({
      dataset,
      options: jobOptions({ task: 'BINARY' }),
      idempotencyKey: null,
    });
    expect(created).toBe(true);
    expect(job).toMatchObject({
      status: 'QUEUED',
      task: 'BINARY',
      attempt: 0,
      lastSequence: 1,
      mind: 'PLAYBOOK',
    });
    expect(await rig.jobs.job(job.id)).toEqual(job);
    expect(await rig.jobs.dataset(dataset.id)).toMatchObject(dataset);
    expect(await rig.jobs.events(job.id, 0, 10)).toMatchObject([
      { sequence: 1, type: 'StatusChanged', from: null, to: 'QUEUED' },
    ]);
  });

  it('start on a dataset that is there already, and refuse one that is not', async () => {
    const { id } = await rig.jobs.addDataset(newDataset());
    const start = (dataset: DatasetId) =>
      rig.jobs.start({ dataset, options: jobOptions(), idempotencyKey: null });
    expect((await start(id)).job.datasetId).toBe(id);
    await expect(start(UNKNOWN as DatasetId)).rejects.toMatchObject({ code: 'DATASET_NOT_FOUND' });
    expect(await rig.jobs.datasets([UNKNOWN as DatasetId, id])).toMatchObject([null, { id }]);
  });

  it('refuse one more than may wait, and keep nothing of it', async () => {
    for (const _ of oneTo(5)) await startJob(rig);
    const dataset = await uploaded();
    const refused = rig.jobs.start({ dataset, options: jobOptions(), idempotencyKey: null });
    await expect(refused).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    expect(await rig.jobs.dataset(dataset.id)).toBeNull();
    expect(await blobsOf(rig)).toEqual([]);
    await claim();
    expect(await startJob(rig)).toBeTruthy();
  });

  describe('with an idempotency key', () => {
    it('are one job, however often and however much at once the same is sent', async () => {
      const starts = await Promise.all(
        oneTo(10).map(async () =>
          rig.jobs.start({ dataset: await uploaded(), options: jobOptions(), idempotencyKey: 'k' }),
        ),
      );
      expect(new Set(starts.map(({ job }) => job.id)).size).toBe(1);
      expect(starts.filter(({ created }) => created)).toHaveLength(1);
      expect((await rig.jobs.listDatasets({ limit: 10 })).rows).toHaveLength(1);
      expect(await blobsOf(rig)).toHaveLength(1);
    });

    it('are the same whether the bytes come again or by the dataset’s id, in whatever order the options stand', async () => {
      const dataset = await uploaded();
      const first = await rig.jobs.start({ dataset, options: jobOptions(), idempotencyKey: 'k' });
      const reordered = Object.fromEntries(Object.entries(jobOptions()).reverse()) as never;
      const again = await rig.jobs.start({ dataset: dataset.id, options: reordered, idempotencyKey: 'k' });
      expect(again).toEqual({ job: first.job, created: false });
    });

    it('are the same as the job that an earlier version stored, before an option there is now', async () => {
      const dataset = await uploaded();
      const names = Object.keys(LATER_OPTIONS);
      const earlier = Object.entries(jobOptions()).filter(([name]) => !names.includes(name));
      const options = Object.fromEntries(earlier) as unknown as JobOptions;
      const first = await rig.jobs.start({ dataset, options, idempotencyKey: 'k' });
      expect(first.job.options).toMatchObject(LATER_OPTIONS);
      const again = { dataset: dataset.id, options: jobOptions(), idempotencyKey: 'k' };
      expect(await rig.jobs.start(again)).toEqual({ job: first.job, created: false });
      const other = { ...again, options: jobOptions({ holdoutFraction: 0.1 }) };
      await expect(rig.jobs.start(other)).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
    });

    it('are refused when bytes or options differ', async () => {
      await rig.jobs.start({ dataset: await uploaded(), options: jobOptions(), idempotencyKey: 'k' });
      for (const [dataset, options] of [
        [await uploaded('c'.repeat(64)), jobOptions()],
        [await uploaded(), jobOptions({ targetColumn: 'island' })],
      ] as const) {
        await expect(rig.jobs.start({ dataset, options, idempotencyKey: 'k' })).rejects.toMatchObject({
          code: 'IDEMPOTENCY_KEY_REUSED',
          details: { field: 'idempotencyKey' },
        });
      }
      expect((await rig.jobs.list({}, { limit: 10 })).rows).toHaveLength(1);
      expect(await blobsOf(rig)).toHaveLength(1);
    });
  });

  it('are cancelled at once while they wait', async () => {
    const id = await startJob(rig);
    expect(await rig.jobs.cancel(id)).toMatchObject({ status: 'CANCELLED', lastSequence: 2 });
    expect(await claimQueued(rig.store)).toBeNull();
    await expect(rig.jobs.cancel(id)).rejects.toMatchObject({ code: 'JOB_ENDED' });
    await expect(rig.jobs.cancel(UNKNOWN as JobId)).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' });
  });

  it('take a second cancel for the first', async () => {
    const id = await startJob(rig);
    await claim();
    const first = await rig.jobs.cancel(id);
    expect(first.cancelRequestedAt).not.toBeNull();
    expect(await rig.jobs.cancel(id)).toEqual(first);
  });

  it('are tried again as new jobs on the same dataset and options, once they have ended', async () => {
    const id = await startJob(rig, { name: 'first', goalScore: 0.9 });
    await expect(rig.jobs.retry(id)).rejects.toMatchObject({ code: 'JOB_NOT_ENDED' });
    const ended = await succeed(await claim());
    const again = await rig.jobs.retry(id);
    expect(again.id).not.toBe(id);
    expect(again).toMatchObject({
      status: 'QUEUED',
      retryOf: id,
      datasetId: ended.datasetId,
      options: ended.options,
      result: null,
    });
    await rig.jobs.delete(id);
    expect(await rig.jobs.job(again.id)).toMatchObject({ status: 'QUEUED', retryOf: id });
  });

  const artifact = (name: string, text: string) => ({
    name,
    kind: 'METRICS' as const,
    contentType: 'text/plain',
    content: Readable.from([text]),
  });

  it('are deleted with all that is theirs once they have ended, and nothing of others', async () => {
    const [id, other] = [await startJob(rig), await startJob(rig)];
    for (const of of [await claim(), await claim()]) {
      const recorder = rig.recorder(of);
      await recorder.saveArtifact(artifact('metrics.json', '{}'));
      await recorder.finishStep({ key: 'one', tool: 'toy', ok: true, output: 1, seconds: 0 }, []);
      await recorder.record([], { jobColumns: [COLUMN] });
      await expect(rig.jobs.delete(of.jobId)).rejects.toMatchObject({ code: 'JOB_NOT_ENDED' });
      await succeed(of);
    }
    await rig.jobs.delete(id);
    expect(await rig.jobs.job(id)).toBeNull();
    expect(await rig.jobs.events(id, 0, 10)).toEqual([]);
    expect(await rig.jobs.artifactByName(id, 'metrics.json')).toBeNull();
    expect(await rig.jobs.columns(id)).toEqual([]);
    expect(await rig.jobs.columns(other)).toEqual([COLUMN]);
    expect(rig.destroyedSandboxes).toEqual([id]);
    const kept = await rig.jobs.artifactByName(other, 'metrics.json');
    expect(await blobsOf(rig)).toEqual([kept?.blobKey]);
    await expect(rig.jobs.delete(id)).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' });
  });

  it('leave nothing behind of an artifact that could not be saved, its source closed', async () => {
    await startJob(rig);
    const recorder = rig.recorder(await claim());
    const fails = [vi.spyOn(rig.blobs, 'put'), vi.spyOn(rig.database, 'write')] as const;
    for (const fail of fails) {
      fail.mockRejectedValueOnce(new Error('disk I/O error'));
      const file = artifact('metrics.json', '{}');
      await expect(recorder.saveArtifact(file)).rejects.toThrow('disk I/O error');
      expect(file.content.destroyed).toBe(true);
      expect(await rig.store.read.select().from(leftovers)).toEqual([]);
    }
    expect(await blobsOf(rig)).toEqual([]);
  });

  it('leave nothing behind when the server dies between a delete and its removals, or during an upload', async () => {
    const id = await startJob(rig);
    const of = await claim();
    await rig.recorder(of).saveArtifact(artifact('metrics.json', '{}'));
    await succeed(of);
    // This one ended, and nobody came to remove its sandbox.
    await startJob(rig);
    const ended = await claim();
    await succeed(ended);
    const upload = newDataset();
    await rig.jobs.expectBlob(upload.blobKey);
    await rig.blobs.put(upload.blobKey, Readable.from(['a,b\n']));
    const taken = newDataset();
    await rig.jobs.expectBlob(taken.blobKey);
    await rig.blobs.put(taken.blobKey, Readable.from(['a,b\n']));
    await rig.jobs.addDataset(taken);

    // The removals fail, as they would in a process that is no more.
    const { delete: remove } = rig.blobs;
    rig.blobs.delete = async () => {
      throw new Error('dead');
    };
    await rig.jobs.delete(id);
    rig.blobs.delete = remove;
    expect(await blobsOf(rig)).toHaveLength(3);

    await rig.close();
    rig = await openRig({ dataDir: rig.dataDir });
    await rig.leftovers.removeAll();
    expect(await blobsOf(rig)).toEqual([taken.blobKey]);
    expect(rig.destroyedSandboxes).toEqual([ended.jobId]);
    await rig.leftovers.removeAll();
    expect(rig.destroyedSandboxes).toEqual([ended.jobId]);
  });

  it('have one artifact of a name: the newer, and its blob alone', async () => {
    const id = await startJob(rig);
    const recorder = rig.recorder(await claim());
    await recorder.saveArtifact(artifact('metrics.json', '{}'));
    await recorder.saveArtifact(artifact('metrics.json', '{"auc":1}'));
    await recorder.saveArtifact(artifact('other.json', '{}'));
    const newer = await rig.jobs.artifactByName(id, 'metrics.json');
    expect(newer?.size).toBe(9);
    expect(await rig.jobs.artifact(newer?.id ?? ('' as never))).toEqual(newer);
    expect((await rig.jobs.artifacts(id, ['METRICS'], { limit: 5 })).rows).toHaveLength(2);
    expect((await rig.jobs.artifacts(id, ['PLOT'], { limit: 5 })).rows).toEqual([]);
    expect(await blobsOf(rig)).toHaveLength(2);
  });

  it('are found by status, dataset, task and part of the name, letter case aside', async () => {
    const ids = [];
    for (const name of ['Titanic 100%', 'titanic_2', 'abalone']) ids.push(await startJob(rig, { name }));
    const [titanic, titanic2, abalone] = ids;
    const found = async (filter: Parameters<Rig['jobs']['list']>[0]) =>
      new Set((await rig.jobs.list(filter, { limit: 10 })).rows.map((job) => job.id));
    expect(await found({ nameContains: 'TITANIC' })).toEqual(new Set([titanic, titanic2]));
    expect(await found({ nameContains: '0%' })).toEqual(new Set([titanic]));
    expect(await found({ nameContains: 'c_2' })).toEqual(new Set([titanic2]));
    const of = await claim();
    await rig.recorder(of).record([], { task: 'REGRESSION' });
    expect(await found({ statuses: ['RUNNING'] })).toEqual(new Set([of.jobId]));
    expect(await found({ statuses: ['QUEUED', 'RUNNING'] })).toEqual(new Set(ids));
    expect(await found({ statuses: [] })).toEqual(new Set());
    expect(await found({ task: 'REGRESSION' })).toEqual(new Set([of.jobId]));
    const job = await rig.jobs.job(abalone as JobId);
    expect(await found({ datasetId: job?.datasetId as DatasetId })).toEqual(new Set([abalone]));
  });

  it('rank their trials by the metric’s own direction, and keep the first of a known id', async () => {
    const trial = (id: string, score: number, isBaseline = false): Omit<Trial, 'jobId' | 'createdAt'> => ({
      id,
      name: id,
      family: isBaseline ? 'BASELINE' : 'LIGHTGBM',
      agent: 'SUB_TRAINER',
      origin: 'PLAYBOOK',
      score,
      foldScores: [score],
      fitSeconds: 1,
      predictMicrosPerRow: null,
      parameters: { depth: 3 },
      isBaseline,
    });
    for (const [metric, order] of [
      ['RMSE', ['a', 'b', 'base']],
      ['R2', ['base', 'b', 'a']],
    ] as const) {
      await startJob(rig);
      const of = await claim();
      const recorder = rig.recorder(of);
      expect(await rig.jobs.leaderboard(of.jobId, null)).toEqual([]);
      await recorder.record([], { metric, trials: [trial('b', 2), trial('a', 1), trial('base', 9, true)] });
      await recorder.record([], { trials: [trial('a', 100)] });
      const ranked = await rig.jobs.leaderboard(of.jobId, null);
      expect(ranked.map(({ id }) => id)).toEqual(order);
      expect(await rig.jobs.leaderboard(of.jobId, 1)).toEqual(ranked.slice(0, 1));
      expect(await rig.jobs.trial(of.jobId, 'a')).toMatchObject(trial('a', 1));
      expect(await rig.jobs.trial(of.jobId, 'z')).toBeNull();
    }
  });

  it('add usage up, and write what the profile found to the dataset', async () => {
    const id = await startJob(rig);
    const recorder = rig.recorder(await claim());
    await Promise.all(
      oneTo(10).map((n) => recorder.record([], { usage: { modelCalls: 1, sandboxSeconds: n } })),
    );
    const columns = [{ name: 'species', type: 'CATEGORICAL' as const, missing: 2, distinct: 3 }];
    await recorder.record([], { columns, rowCount: 344 });
    const job = await rig.jobs.job(id);
    expect(job?.usage).toMatchObject({ modelCalls: 10, sandboxSeconds: 55, inputTokens: 0 });
    expect(await rig.jobs.dataset(job?.datasetId as DatasetId)).toMatchObject({ columns, rowCount: 344 });
  });

  it('keep what became of the columns, the latest in place of what stood', async () => {
    const id = await startJob(rig);
    expect(await rig.jobs.columns(id)).toEqual([]);
    const recorder = rig.recorder(await claim());
    await recorder.record([], { jobColumns: [{ ...COLUMN, treatment: null }] });
    expect(await rig.jobs.columns(id)).toEqual([{ ...COLUMN, treatment: null }]);
    await recorder.record([], { jobColumns: [COLUMN] });
    await recorder.record([], { usage: { modelCalls: 1 } });
    expect(await rig.jobs.columns(id)).toEqual([COLUMN]);
    expect(await rig.jobs.columns(await startJob(rig))).toEqual([]);
  });

  it('journal a step once, with its output as it was', async () => {
    await startJob(rig);
    const recorder = rig.recorder(await claim());
    const step = {
      key: 'train/1',
      tool: 'train',
      ok: false,
      output: { code: 'X', deep: [1, null] },
      seconds: 1.5,
    };
    await recorder.finishStep(step, []);
    expect(await recorder.finishedStep('train/1')).toEqual(step);
    await expect(recorder.finishStep(step, [])).rejects.toThrow();
    expect(await recorder.finishedStep('train/2')).toBeNull();
  });
});
