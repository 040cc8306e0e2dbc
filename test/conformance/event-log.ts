import { eq } from 'drizzle-orm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryBus } from '../../src/bus/memory.ts';
import type { Database } from '../../src/db/client.ts';
import { jobs } from '../../src/db/schema.ts';
import type { NewEvent } from '../../src/domain/events.ts';
import type { JobId } from '../../src/domain/ids.ts';
import { claimQueued, reclaim, settle } from '../../src/jobs/claim.ts';
import { append, claimFence } from '../../src/jobs/event-log.ts';
import { startJob } from '../../src/jobs/start.ts';
import { JobStore } from '../../src/jobs/store.ts';
import { jobOptions, newDataset, oneTo } from '../jobs/rig.ts';

const log = (message: string): NewEvent => ({
  type: 'LogWritten',
  level: 'INFO',
  step: null,
  stage: null,
  agent: null,
  message,
});
const progress = (value: number): NewEvent => ({
  type: 'ProgressMade',
  progress: value,
  step: null,
  stage: null,
  agent: null,
  message: '',
});

/** What the event log must do on every database. */
export function eventLogConformance(
  name: string,
  open: () => Promise<{ database: Database; remove: () => Promise<void> }>,
): void {
  describe(`event log conformance: ${name}`, () => {
    let store: JobStore;
    let remove: () => Promise<void>;
    beforeEach(async () => {
      const opened = await open();
      remove = opened.remove;
      store = new JobStore({ database: opened.database, bus: createMemoryBus() });
    });
    afterEach(() => remove());

    /** A job claimed with attempt 1: its log has two events. */
    const runningJob = async (): Promise<JobId> => {
      await startJob(
        store,
        { dataset: newDataset(), options: jobOptions(), idempotencyKey: null },
        { mind: 'PLAYBOOK', sandbox: 'LOCAL', maxQueuedJobs: 10 },
      );
      const job = await claimQueued(store);
      if (!job) throw new Error('nothing to claim');
      return job.id;
    };
    const appendAs = (jobId: JobId, attempt: number, events: readonly NewEvent[], changes = {}) =>
      store.write([], (tx) => append(tx, claimFence({ jobId, attempt }), events, changes, store.now()));
    const allOf = (jobId: JobId) => store.events(jobId, 0, 10_000);

    it('numbers events 1, 2, 3 … without gaps under concurrent appends of any size', async () => {
      const jobId = await runningJob();
      const sizes = oneTo(100).map((n) => n % 7);
      await Promise.all(
        sizes.map((size, i) =>
          appendAs(
            jobId,
            1,
            oneTo(size).map((n) => log(`${i}:${n}`)),
          ),
        ),
      );
      const events = await allOf(jobId);
      expect(events).toHaveLength(2 + sizes.reduce((a, b) => a + b, 0));
      expect(events.map((event) => event.sequence)).toEqual(oneTo(events.length));
      expect((await store.job(jobId))?.lastSequence).toBe(events.length);
    });

    it('keeps the events of one append together and in order', async () => {
      const jobId = await runningJob();
      await Promise.all(
        ['a', 'b', 'c'].map((run) =>
          appendAs(
            jobId,
            1,
            oneTo(3).map((n) => log(`${run}${n}`)),
          ),
        ),
      );
      const messages = (await allOf(jobId)).slice(2).map((event) => event.message);
      expect(messages.join(' ').match(/(\w)1 (?:\1)2 (?:\1)3/g)).toHaveLength(3);
    });

    it('gives numbers back when the transaction fails, and writes nothing of it', async () => {
      const jobId = await runningJob();
      const failing = store.write([], async (tx) => {
        await append(tx, claimFence({ jobId, attempt: 1 }), [log('lost')], { stage: 'TUNING' }, store.now());
        throw new Error('no');
      });
      await expect(failing).rejects.toThrow('no');
      await appendAs(jobId, 1, [log('kept')]);
      expect((await allOf(jobId)).map((event) => [event.sequence, event.message]).slice(2)).toEqual([
        [3, 'kept'],
      ]);
      expect((await store.job(jobId))?.stage).toBeNull();
    });

    it('writes nothing for an attempt that lost its claim', async () => {
      const jobId = await runningJob();
      await reclaim(store, jobId);
      const before = await store.job(jobId);
      expect(await appendAs(jobId, 1, [log('stale')], { stage: 'TUNING' })).toBeNull();
      expect(await store.job(jobId)).toEqual(before);
      expect(await appendAs(jobId, 2, [log('fresh')])).not.toBeNull();
    });

    it('writes nothing after the end: the status change is the last event', async () => {
      const jobId = await runningJob();
      await settle(store, { jobId, attempt: 1 }, { status: 'SUCCEEDED', message: 'done' }, 5);
      expect(await appendAs(jobId, 1, [log('late')])).toBeNull();
      expect((await allOf(jobId)).at(-1)).toMatchObject({ type: 'StatusChanged', to: 'SUCCEEDED' });
    });

    it('shows a change and its event to readers at the same moment: the commit', async () => {
      const jobId = await runningJob();
      const seen = async () => [(await store.job(jobId))?.stage, (await allOf(jobId)).length];
      await store.write([], async (tx) => {
        await append(
          tx,
          claimFence({ jobId, attempt: 1 }),
          [log('now tuning')],
          { stage: 'TUNING' },
          store.now(),
        );
        expect(await seen()).toEqual([null, 2]);
      });
      expect(await seen()).toEqual(['TUNING', 3]);
    });

    it('never lets progress fall, in the job or in its events', async () => {
      const jobId = await runningJob();
      for (const value of [0.2, 0.5, 0.3, 0.4, 0.6]) await appendAs(jobId, 1, [progress(value)]);
      const made = (await allOf(jobId)).flatMap((event) =>
        event.type === 'ProgressMade' ? [event.progress] : [],
      );
      expect(made).toEqual([0.2, 0.5, 0.5, 0.5, 0.6]);
      expect((await store.job(jobId))?.progress).toBe(0.6);
    });

    it('gives every waiting job to one claimer', async () => {
      for (let i = 0; i < 5; i += 1) {
        await startJob(
          store,
          { dataset: newDataset(), options: jobOptions(), idempotencyKey: null },
          { mind: 'PLAYBOOK', sandbox: 'LOCAL', maxQueuedJobs: 10 },
        );
      }
      const claimed = await Promise.all(oneTo(8).map(() => claimQueued(store)));
      const ids = claimed.flatMap((job) => (job ? [job.id] : []));
      expect(new Set(ids).size).toBe(5);
      expect(ids).toHaveLength(5);
    });

    it('refuses writes through the reading side', async () => {
      const jobId = await runningJob();
      await expect(
        (async () => store.read.update(jobs).set({ attempt: 9 }).where(eq(jobs.id, jobId)))(),
      ).rejects.toThrow();
      expect((await store.job(jobId))?.attempt).toBe(1);
    });
  });
}
