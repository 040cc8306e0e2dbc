import { Readable } from 'node:stream';
import { afterEach, expect, it } from 'vitest';
import type { DatasetId, OwnerId } from '../../src/domain/ids.ts';
import { claimQueued } from '../../src/jobs/claim.ts';
import { NO_QUOTAS, type Quotas } from '../../src/jobs/quotas.ts';
import { jobOptions, newDataset, openRig, type Rig } from './rig.ts';

const alice = 'alice' as OwnerId;
const bob = 'bob' as OwnerId;
const exceeded = { code: 'QUOTA_EXCEEDED', hint: expect.any(String) };

let rig: Rig;
let now = Date.UTC(2026, 0, 31, 22);
const open = async (quotas: Partial<Quotas>) => {
  rig = await openRig({ quotas: { ...NO_QUOTAS, ...quotas }, now: () => new Date(now) });
};
afterEach(() => rig.remove());

const start = (
  owner: OwnerId,
  changes: { size?: number; timeBudgetSeconds?: number; dataset?: DatasetId } = {},
) =>
  rig.jobs.start({
    dataset: changes.dataset ?? newDataset({ size: changes.size ?? 10 }),
    options: jobOptions({ timeBudgetSeconds: changes.timeBudgetSeconds ?? 60 }),
    idempotencyKey: null,
    owner,
  });

it('counts the waiting jobs of each owner alone', async () => {
  await open({ queuedJobs: 2 });
  const { job } = await start(alice);
  await start(alice);
  await expect(start(alice)).rejects.toMatchObject(exceeded);
  await start(bob);
  await rig.jobs.cancel(job.id);
  await start(alice);
  await expect(rig.jobs.retry(job.id)).rejects.toMatchObject(exceeded);
});

it('stores nothing of what is refused', async () => {
  await open({ queuedJobs: 1 });
  await start(alice);
  await expect(start(alice)).rejects.toMatchObject(exceeded);
  expect((await rig.jobs.listDatasets({ limit: 10 })).rows).toHaveLength(1);
  expect(await rig.jobs.standing(alice)).toMatchObject({ uploadedBytesToday: 10, budgetSecondsToday: 60 });
});

it('counts the bytes of a day, also of what was deleted since, until midnight UTC', async () => {
  await open({ uploadBytesPerDay: 100 });
  await start(alice, { size: 60 });
  expect(await rig.jobs.uploadAllowance(alice)).toBe(40);
  await expect(start(alice, { size: 41 })).rejects.toMatchObject(exceeded);
  const { job } = await start(alice, { size: 40 });
  await rig.jobs.cancel(job.id);
  await rig.jobs.delete(job.id);
  await expect(rig.jobs.uploadAllowance(alice)).rejects.toMatchObject(exceeded);
  expect(await rig.jobs.uploadAllowance(bob)).toBe(100);
  now += 2 * 3600 * 1000;
  expect(await rig.jobs.uploadAllowance(alice)).toBe(100);
  now -= 2 * 3600 * 1000;
});

it('counts what is stored, tables and files together', async () => {
  await open({ storageBytes: 100 });
  const { job } = await start(alice, { size: 60 });
  const claimed = await claimQueued(rig.store);
  if (!claimed) throw new Error('nothing to claim');
  await rig.recorder({ jobId: claimed.id, attempt: claimed.attempt }).saveArtifact({
    name: 'model.pkl',
    kind: 'MODEL',
    contentType: 'application/octet-stream',
    content: Readable.from([Buffer.alloc(45)]),
  });
  expect(await rig.jobs.standing(alice)).toMatchObject({ storedBytes: 105, runningJobs: 1, queuedJobs: 0 });
  await expect(start(alice, { size: 1 })).rejects.toMatchObject(exceeded);
  await expect(start(alice, { dataset: job.datasetId })).rejects.toMatchObject(exceeded);
  await start(bob, { size: 100 });
});

it('counts the time budgets of a day, and takes what is left', async () => {
  await open({ budgetSecondsPerDay: 100 });
  await start(alice, { timeBudgetSeconds: 70 });
  await expect(start(alice, { timeBudgetSeconds: 31 })).rejects.toMatchObject({
    ...exceeded,
    message: expect.stringContaining('30 left'),
  });
  await start(alice, { timeBudgetSeconds: 30 });
  await start(bob, { timeBudgetSeconds: 100 });
});

it('asks nothing twice for what a repeated idempotency key finds', async () => {
  await open({ queuedJobs: 1, budgetSecondsPerDay: 60 });
  const dataset = newDataset();
  const request = { options: jobOptions({ timeBudgetSeconds: 60 }), idempotencyKey: 'k', owner: alice };
  const first = await rig.jobs.start({ ...request, dataset });
  const again = await rig.jobs.start({ ...request, dataset: newDataset({ sha256: dataset.sha256 }) });
  expect(again).toMatchObject({ created: false, job: { id: first.job.id } });
});
