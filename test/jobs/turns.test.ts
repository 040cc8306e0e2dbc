import { afterEach, beforeEach, expect, it } from 'vitest';
import type { JobId, OwnerId } from '../../src/domain/ids.ts';
import { claimQueued, settle } from '../../src/jobs/claim.ts';
import { NO_QUOTAS } from '../../src/jobs/quotas.ts';
import { jobOptions, newDataset, openRig, type Rig } from './rig.ts';

let rig: Rig;
let now = 1_000_000;
beforeEach(async () => {
  // Every look at the clock is a second later: no two turns fall together.
  rig = await openRig({
    now: () => {
      now += 1000;
      return new Date(now);
    },
  });
});
afterEach(() => rig.remove());

async function queue(owner: string, name: string): Promise<void> {
  await rig.jobs.start({
    dataset: newDataset(),
    options: jobOptions({ name }),
    idempotencyKey: null,
    owner: owner as OwnerId,
  });
}

async function claim(runningJobs: number | null = null) {
  return claimQueued(rig.store, { ...NO_QUOTAS, runningJobs });
}
const nameOfNext = async (runningJobs?: number) => (await claim(runningJobs))?.options.name ?? null;

async function runNext(): Promise<string | null> {
  const job = await claim();
  if (!job) return null;
  await settle(
    rig.store,
    { jobId: job.id as JobId, attempt: job.attempt },
    { status: 'SUCCEEDED', message: '' },
    1,
  );
  return job.options.name;
}

it('lets owners take turns, each with their oldest job, however long the queue of one', async () => {
  for (const name of ['a1', 'a2', 'a3', 'a4', 'a5']) await queue('alice', name);
  for (const name of ['b1', 'b2']) await queue('bob', name);
  expect(await runNext()).toBe('a1');
  expect(await runNext()).toBe('b1');
  await queue('carol', 'c1');
  expect(await runNext()).toBe('c1');
  const rest = [];
  for (let name = await runNext(); name !== null; name = await runNext()) rest.push(name);
  expect(rest).toEqual(['a2', 'b2', 'a3', 'a4', 'a5']);
});

it('gives a free place to who has fewest running, and to anybody rather than to nobody', async () => {
  for (const name of ['a1', 'a2', 'a3']) await queue('alice', name);
  expect(await nameOfNext()).toBe('a1');
  expect(await nameOfNext()).toBe('a2');
  await queue('bob', 'b1');
  await queue('bob', 'b2');
  expect(await nameOfNext()).toBe('b1');
  expect(await nameOfNext()).toBe('b2');
  expect(await nameOfNext()).toBe('a3');
});

it('does not forget a turn when its job is deleted', async () => {
  for (const name of ['a1', 'a2']) await queue('alice', name);
  await queue('bob', 'b1');
  const job = await claim();
  if (!job) throw new Error('nothing to claim');
  await settle(rig.store, { jobId: job.id, attempt: job.attempt }, { status: 'SUCCEEDED', message: '' }, 1);
  await rig.jobs.delete(job.id);
  expect(await nameOfNext()).toBe('b1');
});

it('passes over who runs as many as they may', async () => {
  for (const name of ['a1', 'a2']) await queue('alice', name);
  expect(await nameOfNext(1)).toBe('a1');
  expect(await nameOfNext(1)).toBeNull();
  await queue('bob', 'b1');
  expect(await nameOfNext(1)).toBe('b1');
  expect(await nameOfNext(2)).toBe('a2');
});
