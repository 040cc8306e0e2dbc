import { and, asc, eq, gt, type Placeholder, type SQL, sql } from 'drizzle-orm';
import type { SQLiteUpdateSetSource } from 'drizzle-orm/sqlite-core';
import type { Queries } from '../db/client.ts';
import { events, jobs } from '../db/schema.ts';
import type { JobEvent, NewEvent } from '../domain/events.ts';
import type { JobId } from '../domain/ids.ts';
import type { JobStatus } from '../domain/vocabulary.ts';
import { toEvent } from './rows.ts';

/** Columns of the job that change with the events that say so. */
export type JobRowChanges = Omit<SQLiteUpdateSetSource<typeof jobs>, 'id' | 'lastSequence' | 'progress'>;

/** What the job's row must be for a write to count. */
export interface Fence {
  jobId: JobId;
  status: JobStatus;
  attempt: number;
}

/** A runner's hold on a job. Another claim of the same job has another attempt number and ends this one. */
export interface Claim {
  jobId: JobId;
  attempt: number;
}

export const claimFence = ({ jobId, attempt }: Claim): Fence => ({ jobId, attempt, status: 'RUNNING' });

export const withinFence = (fence: Values<Fence>): SQL | undefined =>
  and(eq(jobs.id, fence.jobId), eq(jobs.status, fence.status), eq(jobs.attempt, fence.attempt));

/** The values themselves, or where a prepared query takes them in. */
type Values<T> = { [Key in keyof T]: T[Key] | Placeholder };

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
  const step = { ...fence, count: newEvents.length, progress };
  const { advance, insert } = statementsOf(tx);
  const [job] = await (Object.keys(changes).length === 0
    ? advance.execute(step)
    : advanceJob(tx, step, changes));
  if (!job) return null;
  const first = job.lastSequence - newEvents.length + 1;
  for (const [index, { stage, agent, message, ...body }] of newEvents.entries()) {
    await insert.execute({
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

const advanceJob = (
  tx: Queries,
  step: Values<Fence & { count: number; progress: number }>,
  changes: JobRowChanges,
) =>
  tx
    .update(jobs)
    .set({
      ...changes,
      lastSequence: sql`${jobs.lastSequence} + ${step.count}`,
      progress: sql`case when ${jobs.progress} < ${step.progress} then ${step.progress} else ${jobs.progress} end`,
    })
    .where(withinFence(step))
    .returning();

// Building a query costs ten times what the database takes to run it, so those that every event needs are prepared: to
// write, once per connection (SQLite has one writer); to read, once per store.
const statements = new WeakMap<Queries, ReturnType<typeof prepareStatements>>();

function statementsOf(tx: Queries): ReturnType<typeof prepareStatements> {
  const known = statements.get(tx) ?? prepareStatements(tx);
  statements.set(tx, known);
  return known;
}

function prepareStatements(tx: Queries) {
  const { placeholder } = sql;
  const step = {
    jobId: placeholder('jobId'),
    status: placeholder('status'),
    attempt: placeholder('attempt'),
    count: placeholder('count'),
    progress: placeholder('progress'),
  };
  const row = {
    jobId: placeholder('jobId'),
    sequence: placeholder('sequence'),
    at: placeholder('at'),
    stage: placeholder('stage'),
    agent: placeholder('agent'),
    message: placeholder('message'),
    body: placeholder('body'),
  };
  return { advance: advanceJob(tx, step, {}).prepare(), insert: tx.insert(events).values(row).prepare() };
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
