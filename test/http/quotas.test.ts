import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { blobsOf } from '../jobs/rig.ts';
import { type Api, openApi, table } from './api.ts';

let api: Api;
beforeAll(async () => {
  api = await openApi({
    env: {
      AUTH_MODE: 'required',
      MAX_QUEUED_JOBS: '8',
      QUOTA_UPLOAD_BYTES_PER_DAY: '100000',
      QUOTA_TIME_BUDGET_SECONDS_PER_DAY: '3600',
    },
  });
});
afterAll(() => api.close());

interface Quotas {
  viewer: { quotas: Record<string, { used: number; limit: number | null }> };
}
const QUOTAS = `query { viewer { quotas {
  runningJobs { used limit } queuedJobs { used limit } uploadedBytesToday { used limit }
  storedBytes { used limit } budgetSecondsToday { used limit } } } }`;

it('cuts an upload off at the byte that is too many, and leaves nothing of it', async () => {
  const alice = await api.key('alice');
  const before = await blobsOf(api.rig);
  const answer = await api.start(table(20_000), { targetColumn: 'y' }, 't.csv', alice);
  expect(answer).toMatchObject({
    __typename: 'QuotaExceededError',
    code: 'QUOTA_EXCEEDED',
    hint: expect.any(String),
  });
  expect(await blobsOf(api.rig)).toEqual(before);
  expect(await readdir(join(api.rig.dataDir, 'blobs', '.incoming'))).toEqual([]);
});

it('gives each owner a quarter of the queue, and tells what they have of what they may have', async () => {
  const bob = await api.key('bob');
  const input = { targetColumn: 'y', timeBudgetSeconds: 60 };
  for (let job = 0; job < 2; job++) {
    expect((await api.start(table(), input, 't.csv', bob)).__typename).toBe('StartTrainingSuccess');
  }
  expect(await api.start(table(), input, 't.csv', bob)).toMatchObject({ code: 'QUOTA_EXCEEDED' });
  expect((await api.start(table(), input, 't.csv', await api.key('carol'))).job?.status).toBe('QUEUED');

  const size = Buffer.byteLength(table());
  expect((await api.ask<Quotas>(QUOTAS, {}, bob)).viewer.quotas).toEqual({
    runningJobs: { used: 0, limit: null },
    queuedJobs: { used: 2, limit: 2 },
    uploadedBytesToday: { used: 2 * size, limit: 100_000 },
    storedBytes: { used: 2 * size, limit: null },
    budgetSecondsToday: { used: 120, limit: 3600 },
  });
});
