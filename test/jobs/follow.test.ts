import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Bus } from '../../src/bus/bus.ts';
import { createMemoryBus } from '../../src/bus/memory.ts';
import { events } from '../../src/db/schema.ts';
import type { NewEvent } from '../../src/domain/events.ts';
import type { JobId } from '../../src/domain/ids.ts';
import { claimQueued, settle } from '../../src/jobs/claim.ts';
import { append, claimFence } from '../../src/jobs/event-log.ts';
import { Followers } from '../../src/jobs/follow.ts';
import type { JobUpdate } from '../../src/jobs/jobs.ts';
import { oneTo, openRig, pause, type Rig, sequencesOf, startJob } from './rig.ts';

const log = (message: string): NewEvent => ({
  type: 'LogWritten',
  level: 'INFO',
  step: null,
  stage: null,
  agent: null,
  message,
});
const never = new AbortController().signal;

/** Drops nine hints of ten; of the rest some are late and some doubled. */
function lossyBus(inner: Bus): Bus {
  return {
    ...inner,
    publish(topic) {
      const luck = Math.random();
      if (luck < 0.9) return;
      if (luck < 0.94) setTimeout(() => inner.publish(topic), 30);
      else inner.publish(topic);
      if (luck > 0.98) setTimeout(() => inner.publish(topic), 5);
    },
  };
}

describe('following a job', () => {
  let rig: Rig;
  let id: JobId;
  const open = async (bus?: Bus): Promise<void> => {
    rig = await openRig(bus ? { bus } : {});
    id = await startJob(rig);
    await claimQueued(rig.store);
  };
  const write = (count: number, from = 0): Promise<unknown> =>
    rig.store.write([`job:${id}`], (tx) => {
      const lines = oneTo(count).map((n) => log(`event ${from + n}`));
      return append(tx, claimFence({ jobId: id, attempt: 1 }), lines, {}, rig.store.now());
    });
  const end = (): Promise<unknown> =>
    settle(rig.store, { jobId: id, attempt: 1 }, { status: 'SUCCEEDED', message: 'done' }, 1);
  const collect = async (updates: AsyncIterable<JobUpdate>, into: JobUpdate[] = []): Promise<JobUpdate[]> => {
    for await (const update of updates) into.push(update);
    return into;
  };

  beforeEach(async () => {
    await open();
  });
  afterEach(async () => {
    await rig.remove();
  });

  it('gives 20 subscribers that come and go at random every event once and in order, with 90% of hints dropped', async () => {
    await rig.remove();
    await open(lossyBus(createMemoryBus()));
    const followers = new Followers(rig.store, 40);
    const subscriber = async (): Promise<number[]> => {
      const seen: number[] = [];
      let ended = false;
      while (!ended) {
        const connection = new AbortController();
        let left = Math.floor(Math.random() * 60);
        ended = true;
        const after = seen.at(-1) ?? 0;
        for await (const { event } of followers.follow(id, { after, signal: connection.signal })) {
          if (event) seen.push(event.sequence);
          if (left === 0) {
            ended = false;
            // Either way of leaving: the consumer breaks, or the transport aborts.
            if (Math.random() < 0.5) break;
            connection.abort();
          }
          left -= 1;
        }
        await pause(Math.random() * 20);
      }
      return seen;
    };
    const writing = (async () => {
      for (let written = 0; written < 600; written += 6) {
        await write(6, written);
        await pause(Math.random() * 6);
      }
      await end();
    })();
    const all = await Promise.all(oneTo(20).map(() => subscriber()));
    await writing;
    // Queued, running, 600 lines, all done, succeeded.
    const last = (await rig.jobs.job(id))?.lastSequence ?? 0;
    expect(last).toBe(604);
    for (const seen of all) expect(seen).toEqual(oneTo(last));
  });

  it('begins with the job as it is, then gives only what follows', async () => {
    await write(3);
    const updates: JobUpdate[] = [];
    const following = collect(rig.jobs.follow(id, { after: null, signal: never }), updates);
    await pause(5);
    await write(2);
    await end();
    await following;
    expect(updates[0]?.event).toBeNull();
    expect(updates[0]?.job.lastSequence).toBe(5);
    expect(sequencesOf(updates)).toEqual([6, 7, 8, 9]);
  });

  it('replays from `after`, many batches of it', async () => {
    for (let i = 0; i < 20; i += 1) await write(100);
    await end();
    const updates = await collect(rig.jobs.follow(id, { after: 7, signal: never }));
    expect(sequencesOf(updates)).toEqual(oneTo(2004).slice(7));
  });

  it('never gives a job older than its event, and the same object to all', async () => {
    const subscribers = oneTo(50).map(() => collect(rig.jobs.follow(id, { after: null, signal: never })));
    await pause(5);
    for (let i = 0; i < 30; i += 1) {
      await write(1);
      await pause(1);
    }
    await end();
    const [first = [], ...others] = await Promise.all(subscribers);
    expect(sequencesOf(first).length).toBeGreaterThan(30);
    for (const { job, event } of first) expect(job.lastSequence).toBeGreaterThanOrEqual(event?.sequence ?? 0);
    for (const other of others) {
      expect(other.length).toBe(first.length);
      for (let i = 1; i < first.length; i += 1) expect(other[i]).toBe(first[i]);
    }
  });

  it('needs no poll while the bus delivers, however much is written at once', async () => {
    const followers = new Followers(rig.store, 2 ** 31 - 1);
    const following = oneTo(5).map(() => collect(followers.follow(id, { after: null, signal: never })));
    await pause(5);
    await Promise.all(oneTo(40).map((n) => write(n)));
    await end();
    for (const updates of await Promise.all(following))
      expect(sequencesOf(updates)).toEqual(oneTo(824).slice(2));
  });

  it('of an ended job: the snapshot and the end, or the replay and the end', async () => {
    await end();
    expect(await collect(rig.jobs.follow(id, { after: null, signal: never }))).toHaveLength(1);
    const replay = await collect(rig.jobs.follow(id, { after: 0, signal: never }));
    expect(sequencesOf(replay)).toEqual([1, 2, 3, 4]);
    expect(replay.at(-1)?.event).toMatchObject({ type: 'StatusChanged', to: 'SUCCEEDED' });
  });

  it('ends at once when the consumer leaves while nothing happens', async () => {
    const updates = rig.jobs.follow(id, { after: null, signal: never })[Symbol.asyncIterator]();
    await updates.next();
    const waiting = updates.next();
    await updates.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });

    const connection = new AbortController();
    const aborting = collect(rig.jobs.follow(id, { after: null, signal: connection.signal }));
    await pause(5);
    connection.abort();
    expect(await aborting).toHaveLength(1);
  });

  it('rejects for a job there is not, and for an `after` the job has not reached', async () => {
    const unknown = rig.jobs.follow('00000000-0000-4000-8000-000000000000' as JobId, {
      after: null,
      signal: never,
    });
    await expect(collect(unknown)).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' });
    for (const after of [-1, 3]) {
      const updates = collect(rig.jobs.follow(id, { after, signal: never }));
      await expect(updates).rejects.toMatchObject({ code: 'AFTER_OUT_OF_RANGE' });
    }
  });

  it('tells everyone who waits when the log has a hole', async () => {
    const waiting = oneTo(3).map(() => collect(rig.jobs.follow(id, { after: null, signal: never })));
    await pause(5);
    await write(2);
    await rig.database.write(async (tx) => {
      // What no writer of ours does: an event without its number.
      const [last] = await tx.select().from(events).limit(1);
      if (last) await tx.insert(events).values({ ...last, sequence: 99 });
    });
    rig.bus.publish(`job:${id}`);
    for (const result of await Promise.allSettled(waiting)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'EVENT_GAP' } });
    }
  });
});
