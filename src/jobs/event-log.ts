import { and, asc, eq, gt, type SQL, sql } from 'drizzle-orm';
import type { SQLiteUpdateSetSource } from 'drizzle-orm/sqlite-core';
import type { Queries } from '../db/client.ts';
import { events, jobs } from '../db/schema.ts';
import type { JobEvent, NewEvent } from '../domain/events.ts';
import type { JobId } from '../domain/ids.ts';
import type { JobStatus } from '../domain/vocabulary.ts';
import { toEvent } from './rows.ts';

/** Columns of the job that change with the events that say so. */
export type JobRowChanges = Omit<SQLiteUpdateSetSource<typeof jobs>, 'id' | 'lastSequence' | 'progress'>;

/** What the job's row must be for a write to count. A runner's writes name its attempt; see `Claim`. */
export interface Fence {
  jobId: JobId;
  status: JobStatus;
  attempt?: number;
}

/** A runner's hold on a job. Another claim of the same job has another attempt number and ends this one. */
export interface Claim {
  jobId: JobId;
  attempt: number;
}

export const claimFence = ({ jobId, attempt }: Claim): Fence => ({ jobId, attempt, status: 'RUNNING' });

export const withinFence = (fence: Fence): SQL | undefined =>
  and(
    eq(jobs.id, fence.jobId),
    eq(jobs.status, fence.status),
    fence.attempt === undefined ? undefined : eq(jobs.attempt, fence.attempt),
  );

/**
 * Appends events and changes the job, inside the caller's transaction. Answers the job's row as it is now, or null, with
 * nothing written, when the fence does not hold.
 *
 * The UPDATE comes first: its row lock makes the numbers gapless and in commit order on any database, and its WHERE is
 * what keeps a runner that lost its claim from writing. Progress never falls: an event below what stands is raised to it.
 */
export async function append(
  tx: Queries,
  fence: Fence,
  newEvents: readonly NewEvent[],
  changes: JobRowChanges,
  now: Date,
): Promise<typeof jobs.$inferSelect | null> {
  const progress = Math.max(
    0,
    ...newEvents.map((event) => (event.type === 'ProgressMade' ? event.progress : 0)),
  );
  const [job] = await tx
    .update(jobs)
    .set({
      ...changes,
      lastSequence: sql`${jobs.lastSequence} + ${newEvents.length}`,
      progress: sql`case when ${jobs.progress} < ${progress} then ${progress} else ${jobs.progress} end`,
    })
    .where(withinFence(fence))
    .returning();
  if (!job) return null;
  const insert = eventInserter(tx);
  const first = job.lastSequence - newEvents.length + 1;
  for (const [index, { stage, agent, message, ...body }] of newEvents.entries()) {
    await insert({
      jobId: fence.jobId,
      sequence: first + index,
      at: now,
      stage,
      agent,
      message,
      body: body.type === 'ProgressMade' ? { ...body, progress: job.progress } : body,
    });
  }
  return job;
}

// Building a query costs ten times what the database takes to run it, so those every event needs are prepared: the one
// that writes once per connection (SQLite has one writer), the one that reads once per store.
const inserters = new WeakMap<Queries, EventInserter>();
type EventInserter = (row: typeof events.$inferInsert) => Promise<unknown>;

function eventInserter(tx: Queries): EventInserter {
  const known = inserters.get(tx);
  if (known) return known;
  const query = tx
    .insert(events)
    .values({
      jobId: sql.placeholder('jobId'),
      sequence: sql.placeholder('sequence'),
      at: sql.placeholder('at'),
      stage: sql.placeholder('stage'),
      agent: sql.placeholder('agent'),
      message: sql.placeholder('message'),
      body: sql.placeholder('body'),
    })
    .prepare();
  const insert: EventInserter = (row) => query.execute(row);
  inserters.set(tx, insert);
  return insert;
}

/** Reads events with a larger sequence than `after`, in order, at most `limit`. */
export function eventReader(
  db: Queries,
): (jobId: JobId, after: number, limit: number) => Promise<JobEvent[]> {
  const query = db
    .select()
    .from(events)
    .where(and(eq(events.jobId, sql.placeholder('jobId')), gt(events.sequence, sql.placeholder('after'))))
    .orderBy(asc(events.sequence))
    .limit(sql.placeholder('limit'))
    .prepare();
  return async (jobId, after, limit) => (await query.execute({ jobId, after, limit })).map(toEvent);
}
