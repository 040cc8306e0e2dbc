import { randomUUID } from 'node:crypto';
import { and, asc, eq, isNotNull, isNull, lte, or } from 'drizzle-orm';
import type { Queries } from '../db/client.ts';
import { jobs, webhooks } from '../db/schema.ts';
import type { JobId } from '../domain/ids.ts';
import type { Job } from '../domain/records.ts';
import type { NewWebhook, Webhook } from '../domain/webhooks.ts';
import { toJob } from './rows.ts';
import type { JobStore } from './store.ts';

/** A delivery whose time has come. */
export interface DueWebhook {
  job: Job;
  messageId: string;
  url: string;
  secret: string;
  /** Tried so often before. */
  attempts: number;
}

/** What became of one attempt. */
export interface AttemptResult {
  statusCode: number | null;
  /** Null: it was taken. */
  error: string | null;
  /** When to try again; null: not any more. */
  nextAttemptAt: Date | null;
}

/** In the transaction that makes the job. */
export async function insertWebhook(tx: Queries, jobId: JobId, { url, secret }: NewWebhook): Promise<void> {
  const messageId = `msg_${randomUUID()}`;
  await tx.insert(webhooks).values({ jobId, messageId, url, secret, state: 'OPEN', attempts: 0 });
}

/** Whom a job was to tell, for the job that repeats it. */
export async function webhookOf(db: Queries, jobId: JobId): Promise<NewWebhook | null> {
  const [row] = await db
    .select({ url: webhooks.url, secret: webhooks.secret })
    .from(webhooks)
    .where(eq(webhooks.jobId, jobId));
  return row ?? null;
}

/** Without its secret, for whoever asks how the delivery stands. */
export async function findWebhook(db: Queries, jobId: JobId): Promise<Webhook | null> {
  const [row] = await db
    .select({ webhook: webhooks, finishedAt: jobs.finishedAt })
    .from(webhooks)
    .innerJoin(jobs, eq(jobs.id, webhooks.jobId))
    .where(eq(webhooks.jobId, jobId));
  if (!row) return null;
  const { secret, messageId, state, ...webhook } = row.webhook;
  if (state !== 'OPEN') return { ...webhook, state };
  return { ...webhook, state: row.finishedAt === null ? 'WAITING' : 'PENDING' };
}

/** Of jobs that have ended, those whose time has come, longest overdue first. */
export async function dueWebhooks(store: JobStore, limit: number): Promise<DueWebhook[]> {
  const time = or(isNull(webhooks.nextAttemptAt), lte(webhooks.nextAttemptAt, store.now()));
  const rows = await store.read
    .select({ webhook: webhooks, job: jobs })
    .from(webhooks)
    .innerJoin(jobs, eq(jobs.id, webhooks.jobId))
    .where(and(eq(webhooks.state, 'OPEN'), isNotNull(jobs.finishedAt), time))
    .orderBy(asc(webhooks.nextAttemptAt), asc(jobs.finishedAt))
    .limit(limit);
  return rows.map(({ webhook: { messageId, url, secret, attempts }, job }) => ({
    job: toJob(job),
    messageId,
    url,
    secret,
    attempts,
  }));
}

/** Writes what became of an attempt; nothing where the job was deleted meanwhile. */
export async function recordAttempt(
  store: JobStore,
  { job, attempts }: DueWebhook,
  { statusCode, error, nextAttemptAt }: AttemptResult,
): Promise<void> {
  const state = error === null ? 'DELIVERED' : nextAttemptAt === null ? 'FAILED' : 'OPEN';
  await store.write([], (tx) =>
    tx
      .update(webhooks)
      .set({
        state,
        attempts: attempts + 1,
        nextAttemptAt,
        lastStatusCode: statusCode,
        lastError: error,
        deliveredAt: error === null ? store.now() : null,
      })
      .where(eq(webhooks.jobId, job.id)),
  );
}
