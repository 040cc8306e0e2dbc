import { Readable } from 'node:stream';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { leftovers } from '../../src/db/schema.ts';
import type { DatasetId, JobId } from '../../src/domain/ids.ts';
import { claimQueued, settle } from '../../src/jobs/claim.ts';
import { Retention, type RetentionRules } from '../../src/jobs/retention.ts';
import { blobsOf, newDataset, openRig, type Rig, startJob } from './rig.ts';

const DAY = 86_400_000;

describe('retention', () => {
  let rig: Rig;
  let today: number;
  beforeEach(async () => {
    today = 0;
    rig = await openRig({ now: () => new Date(Date.UTC(2026, 0, 1) + today * DAY) });
  });
  afterEach(() => rig.remove());

  const sweep = (rules: Partial<RetentionRules>) => {
    const kept = { jobDays: undefined, artifactDays: undefined, datasetDays: undefined, ...rules };
    const { store, leftovers } = rig;
    return new Retention({ store, leftovers, rules: kept, logger: pino({ level: 'silent' }) }).sweep();
  };

  /** A job that ran and left one file; it ends now, unless it is to go on running. */
  async function job(ends = true): Promise<JobId> {
    const jobId = await startJob(rig);
    await claimQueued(rig.store);
    const recorder = rig.recorder({ jobId, attempt: 1 });
    const content = Readable.from(['x']);
    await recorder.saveArtifact({ name: 'a.txt', kind: 'LOG', contentType: 'text/plain', content });
    await recorder.close();
    if (ends) await settle(rig.store, { jobId, attempt: 1 }, { status: 'SUCCEEDED', message: 'done' }, 1);
    return jobId;
  }

  async function upload(): Promise<DatasetId> {
    const dataset = newDataset();
    await rig.blobs.put(dataset.blobKey, Readable.from(['a,b\n']));
    return (await rig.jobs.addDataset(dataset)).id;
  }

  it('deletes jobs that ended too long ago with their files, and no job that has not ended', async () => {
    const old = await job();
    const running = await job(false);
    today = 10;
    const young = await job();
    const waiting = await startJob(rig);
    today = 11;
    expect(await sweep({ jobDays: 5 })).toEqual({ jobs: 1, artifacts: 0, datasets: 0 });
    expect(await rig.jobs.job(old)).toBeNull();
    for (const id of [running, waiting, young]) expect(await rig.jobs.job(id)).not.toBeNull();
    expect(await blobsOf(rig)).toHaveLength(2);
    expect(rig.destroyedSandboxes).toEqual([old]);
    expect(await rig.store.read.select().from(leftovers)).toEqual([
      expect.objectContaining({ kind: 'sandbox', key: young }),
    ]);
  });

  it('counts from the end, not from the beginning', async () => {
    const jobId = await job(false);
    today = 9;
    await settle(rig.store, { jobId, attempt: 1 }, { status: 'SUCCEEDED', message: 'done' }, 1);
    today = 10;
    expect(await sweep({ jobDays: 5 })).toMatchObject({ jobs: 0 });
  });

  it('deletes files of jobs that stay', async () => {
    const old = await job();
    const running = await job(false);
    today = 6;
    expect(await sweep({ artifactDays: 5 })).toEqual({ jobs: 0, artifacts: 1, datasets: 0 });
    expect(await rig.jobs.job(old)).toMatchObject({ status: 'SUCCEEDED' });
    expect((await rig.jobs.artifacts(old, null, { limit: 9 })).rows).toEqual([]);
    expect((await rig.jobs.artifacts(running, null, { limit: 9 })).rows).toHaveLength(1);
    expect(await blobsOf(rig)).toHaveLength(1);
  });

  it('deletes datasets that no job uses, those of the jobs deleted with them too', async () => {
    const unused = await upload();
    await job();
    const used = (await rig.jobs.job(await job(false)))?.datasetId;
    today = 6;
    const young = await upload();
    expect(await sweep({ datasetDays: 5 })).toMatchObject({ datasets: 1 });
    expect(await rig.jobs.dataset(unused)).toBeNull();
    expect(await sweep({ jobDays: 5, datasetDays: 5 })).toMatchObject({ jobs: 1, datasets: 1 });
    const left = (await rig.jobs.listDatasets({ limit: 9 })).rows.map(({ id }) => id);
    expect(left.sort()).toEqual([used, young].sort());
  });

  it('gets through more than it takes at once', async () => {
    for (let i = 0; i < 120; i++) await upload();
    today = 6;
    expect(await sweep({ datasetDays: 5 })).toMatchObject({ datasets: 120 });
    expect(await blobsOf(rig)).toEqual([]);
  });

  it('keeps everything for ever where nothing is said', async () => {
    await job();
    await upload();
    today = 100_000;
    expect(await sweep({})).toEqual({ jobs: 0, artifacts: 0, datasets: 0 });
  });
});
