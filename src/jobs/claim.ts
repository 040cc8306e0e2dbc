import { and, asc, eq, inArray } from 'drizzle-orm';
import { jobTopic } from '../bus/bus.ts';
import { jobs } from '../db/schema.ts';
import { StaleAttemptError } from '../domain/errors.ts';
import type { NewEvent } from '../domain/events.ts';
import type { JobId } from '../domain/ids.ts';
import type { Job, JobFailure } from '../domain/records.ts';
import { append, type Claim, claimFence, withinFence } from './event-log.ts';
import { disown } from './leftovers.ts';
import { NO_QUOTAS, type Quotas } from './quotas.ts';
import { toJob } from './rows.ts';
import { findJob, type JobStore } from './store.ts';
import { nextInTurn, noteTurn } from './turns.ts';

/** Takes the waiting job whose turn it is, or answers null. */
export async function claimQueued(
  store: JobStore,
  quotas: Pick<Quotas, 'runningJobs'> = NO_QUOTAS,
): Promise<Job | null> {
  const job = await store.write([], async (tx) => {
    const next = await nextInTurn(tx, quotas);
    if (!next) return null;
    const now = store.now();
    const row = await append(
      tx,
      { jobId: next.id, status: 'QUEUED', attempt: next.attempt },
      [statusChanged('QUEUED', 'RUNNING', 'The job has started.')],
      { status: 'RUNNING', attempt: next.attempt + 1, barrenAttempts: 1, startedAt: now },
      now,
    );
    await noteTurn(tx, next.owner, now);
    return row && toJob(row);
  });
  if (job) store.bus.publish(jobTopic(job.id));
  return job;
}

/** Running jobs, oldest first: when no runner is up yet, those whose process died. */
export async function runningJobs(store: JobStore): Promise<JobId[]> {
  const rows = await store.read
    .select({ id: jobs.id })
    .from(jobs)
    .where(eq(jobs.status, 'RUNNING'))
    .orderBy(asc(jobs.createdAt), asc(jobs.id));
  return rows.map((row) => row.id);
}

/** Jobs that may still need their sandbox. */
export async function livingJobs(store: JobStore): Promise<ReadonlySet<JobId>> {
  const rows = await store.read
    .select({ id: jobs.id })
    .from(jobs)
    .where(inArray(jobs.status, ['QUEUED', 'RUNNING']));
  return new Set(rows.map((row) => row.id));
}

/**
 * Takes over a running job whose runner is gone. `barrenAttempts` counts the attempts, this one included, since a step last
 * finished. Null when the job has ended meanwhile.
 */
export async function reclaim(
  store: JobStore,
  jobId: JobId,
): Promise<{ job: Job; barrenAttempts: number } | null> {
  return store.write([jobTopic(jobId)], async (tx) => {
    const [found] = await tx
      .select()
      .from(jobs)
      .where(and(eq(jobs.id, jobId), eq(jobs.status, 'RUNNING')));
    if (!found) return null;
    const row = await append(
      tx,
      claimFence({ jobId, attempt: found.attempt }),
      [
        {
          type: 'LogWritten',
          level: 'WARNING',
          step: null,
          stage: found.stage,
          agent: null,
          message: `The job was interrupted; it goes on from its last finished step (attempt ${found.attempt + 1}).`,
        },
      ],
      { attempt: found.attempt + 1, barrenAttempts: found.barrenAttempts + 1 },
      store.now(),
    );
    return row && { job: toJob(row), barrenAttempts: row.barrenAttempts };
  });
}

/** Charges the running time to the job and looks whether it is to stop. Rejects when the claim is lost. */
export async function beat(
  store: JobStore,
  claim: Claim,
  activeMs: number,
): Promise<{ cancelRequested: boolean }> {
  const [row] = await store.write([], (tx) =>
    tx
      .update(jobs)
      .set({ activeMs: Math.round(activeMs) })
      .where(withinFence(claimFence(claim)))
      .returning({ cancelRequestedAt: jobs.cancelRequestedAt }),
  );
  if (!row) throw new StaleAttemptError(claim.jobId, claim.attempt);
  return { cancelRequested: row.cancelRequestedAt !== null };
}

/** How a run ended. */
export type Outcome =
  | { status: 'SUCCEEDED' | 'CANCELLED'; message: string }
  | { status: 'FAILED'; failure: JobFailure };

/** A cancel honoured, and what there is to keep. */
export const cancelled = ({ result }: Pick<Job, 'result'>): Outcome => ({
  status: 'CANCELLED',
  message:
    result === null
      ? 'The job was cancelled before there was a model.'
      : 'The job was cancelled; the best so far is kept.',
});

/**
 * Ends the job: its last event. Its sandbox folder is nobody's from then on. A cancel that was accepted makes it CANCELLED
 * however the run ended, also one that the run was too near its end to notice.
 */
export async function settle(
  store: JobStore,
  claim: Claim,
  outcome: Outcome,
  activeMs: number,
): Promise<Job> {
  const { jobId } = claim;
  return store.write([jobTopic(jobId)], async (tx) => {
    const now = store.now();
    const job = await findJob(tx, jobId);
    const end = job?.cancelRequestedAt ? cancelled(job) : outcome;
    const message = end.status === 'FAILED' ? end.failure.message : end.message;
    const newEvents = [statusChanged('RUNNING', end.status, message)];
    if (end.status === 'SUCCEEDED') newEvents.unshift(allDone());
    const row = await append(
      tx,
      claimFence(claim),
      newEvents,
      {
        status: end.status,
        finishedAt: now,
        activeMs: Math.round(activeMs),
        ...(end.status === 'FAILED' ? { failure: end.failure } : {}),
      },
      now,
    );
    if (!row) throw new StaleAttemptError(jobId, claim.attempt);
    await disown(tx, [{ kind: 'sandbox', key: jobId }], now);
    return toJob(row);
  });
}

/** An orderly shutdown: the job stays running for the next boot to take over, and this attempt is not held against it. */
export async function giveBack(store: JobStore, claim: Claim, activeMs: number): Promise<void> {
  await store.write([], (tx) =>
    tx
      .update(jobs)
      .set({ activeMs: Math.round(activeMs), barrenAttempts: 0 })
      .where(withinFence(claimFence(claim))),
  );
}

const allDone = (): NewEvent => ({
  type: 'ProgressMade',
  progress: 1,
  step: null,
  stage: null,
  agent: null,
  message: 'All done.',
});

export const statusChanged = (
  from: Extract<NewEvent, { type: 'StatusChanged' }>['from'],
  to: Extract<NewEvent, { type: 'StatusChanged' }>['to'],
  message: string,
): NewEvent => ({ type: 'StatusChanged', from, to, stage: null, agent: null, message });
