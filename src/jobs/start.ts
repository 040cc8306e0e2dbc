import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { and, count, eq } from 'drizzle-orm';
import { jobTopic, QUEUE_TOPIC } from '../bus/bus.ts';
import type { Queries } from '../db/client.ts';
import { datasets, events, jobs } from '../db/schema.ts';
import { DatasetNotFoundError, InvalidOptionsError, QuotaExceededError } from '../domain/errors.ts';
import type { DatasetId, JobId, OwnerId } from '../domain/ids.ts';
import { newJobId } from '../domain/ids.ts';
import { type Dataset, type Job, type JobOptions, LATER_OPTIONS } from '../domain/records.ts';
import { NO_USAGE } from '../domain/usage.ts';
import { LOCAL_OWNER } from '../domain/viewer.ts';
import type { Mind, SandboxKind } from '../domain/vocabulary.ts';
import type { NewWebhook } from '../domain/webhooks.ts';
import { traceParent } from '../telemetry/spans.ts';
import { statusChanged } from './claim.ts';
import { own } from './leftovers.ts';
import { chargeJob, chargeUpload, NO_QUOTAS, type Quotas } from './quotas.ts';
import { toDataset, toJob } from './rows.ts';
import { findDataset, type JobStore } from './store.ts';
import { insertWebhook } from './webhooks.ts';

export type NewDataset = Omit<Dataset, 'createdAt' | 'owner'>;

export interface StartRequest {
  dataset: NewDataset | DatasetId;
  options: JobOptions;
  /** Means something among its owner's jobs alone. */
  idempotencyKey: string | null;
  /** Of a new dataset and so of its job; a job on a dataset that is there belongs to whoever the dataset belongs to. */
  owner?: OwnerId;
  /** Whom to tell of the end. A job that an idempotency key finds again keeps the one it was made with. */
  webhook?: NewWebhook | null;
}

/** What the composition root decides about every new job. */
export interface StartTerms {
  mind: Mind;
  sandbox: SandboxKind;
  maxQueuedJobs: number;
  /** Default: none. */
  quotas?: Quotas;
}

/** Writes dataset (when new), job and first event in one transaction, or finds the job the key has made before. */
export async function startJob(
  store: JobStore,
  request: StartRequest & { retryOf?: JobId },
  terms: StartTerms,
): Promise<{ job: Job; created: boolean }> {
  const started = await store.write([QUEUE_TOPIC], async (tx) => {
    const now = store.now();
    const { idempotencyKey, options } = request;
    const stored = typeof request.dataset === 'string' ? await findDataset(tx, request.dataset) : null;
    const dataset = typeof request.dataset === 'string' ? stored : request.dataset;
    if (!dataset) throw new DatasetNotFoundError(String(request.dataset));
    const owner = stored?.owner ?? request.owner ?? LOCAL_OWNER;

    const idempotencyHash = idempotencyKey === null ? null : hashOf(dataset, options);
    if (idempotencyKey !== null) {
      const same = and(eq(jobs.owner, owner), eq(jobs.idempotencyKey, idempotencyKey));
      const [earlier] = await tx.select().from(jobs).where(same);
      if (earlier) {
        if (earlier.idempotencyHash !== idempotencyHash) throw keyReused(idempotencyKey);
        return { job: toJob(earlier), created: false };
      }
    }
    await refuseWhenFull(tx, terms.maxQueuedJobs);
    const { quotas = NO_QUOTAS } = terms;
    if (typeof request.dataset !== 'string') {
      await insertDataset(tx, { ...request.dataset, owner }, quotas, now);
    }
    await chargeJob(tx, owner, options.timeBudgetSeconds, quotas, now);

    const { name, ...otherOptions } = options;
    const [row] = await tx
      .insert(jobs)
      .values({
        id: newJobId(),
        owner,
        datasetId: dataset.id,
        name,
        options: otherOptions,
        status: 'QUEUED',
        progress: 0,
        task: options.task,
        metric: options.metric,
        mind: terms.mind,
        sandbox: terms.sandbox,
        attempt: 0,
        barrenAttempts: 0,
        lastSequence: 1,
        activeMs: 0,
        usage: NO_USAGE,
        retryOf: request.retryOf ?? null,
        idempotencyKey,
        idempotencyHash,
        traceParent: traceParent(),
        createdAt: now,
      })
      .returning();
    if (!row) throw new Error('The database did not answer with the job it inserted.');
    if (request.webhook) await insertWebhook(tx, row.id, request.webhook);
    const { stage, agent, message, ...body } = statusChanged(
      null,
      'QUEUED',
      `The job "${name}" waits for its turn.`,
    );
    await tx.insert(events).values({ jobId: row.id, sequence: 1, at: now, stage, agent, message, body });
    return { job: toJob(row), created: true };
  });
  if (started.created) store.bus.publish(jobTopic(started.job.id));
  return started;
}

/** Inside the caller's transaction; the blob is the dataset's from then on. Rejects with QuotaExceededError. */
export async function insertDataset(
  tx: Queries,
  dataset: NewDataset & { owner: OwnerId },
  quotas: Quotas,
  now: Date,
): Promise<Dataset> {
  await chargeUpload(tx, dataset.owner, dataset.size, quotas, now);
  const [row] = await tx
    .insert(datasets)
    .values({ ...dataset, createdAt: now })
    .returning();
  if (!row) throw new Error('The database did not answer with the dataset it inserted.');
  await own(tx, { kind: 'blob', key: dataset.blobKey });
  return toDataset(row);
}

async function refuseWhenFull(tx: Queries, maxQueuedJobs: number): Promise<void> {
  const [queued] = await tx.select({ count: count() }).from(jobs).where(eq(jobs.status, 'QUEUED'));
  if (queued && queued.count >= maxQueuedJobs) {
    throw new QuotaExceededError(
      'QUOTA_EXCEEDED',
      `${queued.count} jobs are waiting, the most this server takes.`,
      {
        hint: 'Try again when one has started, cancel one, or raise MAX_QUEUED_JOBS.',
      },
    );
  }
}

/**
 * The same bytes and options are the same input, whether uploaded again or named by a dataset's id. A key given to an earlier
 * version holds: an option that one did not know counts only where it is used.
 */
function hashOf(dataset: NewDataset, options: JobOptions): string {
  const later: Readonly<Record<string, unknown>> = LATER_OPTIONS;
  const parts = Object.entries(options)
    .filter(([name, value]) => !(name in later && isDeepStrictEqual(later[name], value)))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([dataset.sha256, parts]))
    .digest('hex');
}

const keyReused = (key: string): InvalidOptionsError =>
  new InvalidOptionsError(
    'IDEMPOTENCY_KEY_REUSED',
    `The idempotency key "${key}" was used with other input.`,
    {
      hint: 'Use a new key for a new job; repeat a key only with the very same file and options.',
      details: { field: 'idempotencyKey' },
    },
  );
