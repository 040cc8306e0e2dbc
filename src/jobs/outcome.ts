import { and, eq } from 'drizzle-orm';
import type { Logger } from 'pino';
import { artifacts } from '../db/schema.ts';
import { asDiskFull } from '../domain/disk-full.ts';
import { JobNotFoundError, SproutError, StaleAttemptError } from '../domain/errors.ts';
import type { JobId } from '../domain/ids.ts';
import type { Job, JobFailure } from '../domain/records.ts';
import { cancelled, type Outcome } from './claim.ts';
import type { JobStore } from './store.ts';
import type { StopReason } from './watch.ts';

/** How a pipeline came to its end. */
export type PipelineEnd = { kind: 'done' } | { kind: 'threw'; error: unknown } | { kind: 'abandoned' };

/** What that means for the job. Rejects with StaleAttemptError when the pipeline had lost its claim. */
export async function outcomeOf(
  store: JobStore,
  jobId: JobId,
  end: PipelineEnd,
  stopReason: StopReason | null,
  logger: Logger,
): Promise<Outcome> {
  if (end.kind === 'threw' && end.error instanceof StaleAttemptError) throw end.error;

  const job = await store.job(jobId);
  if (!job) throw new JobNotFoundError(jobId);
  if (stopReason === 'cancelled') {
    if (end.kind === 'threw')
      logger.info({ err: end.error }, 'after the cancel the pipeline ended with an error');
    return cancelled(job);
  }
  if (stopReason === 'deadline') {
    if (end.kind === 'threw')
      logger.warn({ err: end.error }, 'after the deadline the pipeline ended with an error');
    const usable = job.result !== null && (end.kind === 'done' || (await hasModel(store, jobId)));
    if (usable) {
      return {
        status: 'SUCCEEDED',
        message: 'The time budget is used up; the best model so far is the result.',
      };
    }
    const said = end.kind === 'threw' && end.error instanceof SproutError ? end.error : null;
    return { status: 'FAILED', failure: said === null ? deadlineExceeded(job) : failureOf(said, job) };
  }

  if (end.kind === 'done') return { status: 'SUCCEEDED', message: 'The job is done.' };
  const error =
    end.kind === 'threw' ? asDiskFull(end.error) : new Error('The pipeline did not end after its hard stop.');
  if (error instanceof SproutError) {
    logger.warn({ err: error }, 'the job has failed');
    return { status: 'FAILED', failure: failureOf(error, job) };
  }
  logger.error({ err: error }, 'the job has failed on an error nobody foresaw');
  return {
    status: 'FAILED',
    failure: {
      code: 'INTERNAL_ERROR',
      message: 'Something went wrong inside the server.',
      hint: `Try again with \`retryJob\`; the server log has the details under job ${jobId}.`,
      stage: job.stage,
    },
  };
}

const failureOf = (error: SproutError, job: Job): JobFailure => ({
  code: error.code,
  message: error.message,
  hint: error.hint ?? null,
  stage: job.stage,
});

const deadlineExceeded = (job: Job): JobFailure => ({
  code: 'DEADLINE_EXCEEDED',
  message: `The time budget of ${job.options.timeBudgetSeconds} s was used up before there was a usable model.`,
  hint: 'Give the job a larger `timeBudgetSeconds`, or fewer rows or columns.',
  stage: job.stage,
});

async function hasModel(store: JobStore, jobId: JobId): Promise<boolean> {
  const rows = await store.read
    .select({ id: artifacts.id })
    .from(artifacts)
    .where(and(eq(artifacts.jobId, jobId), eq(artifacts.kind, 'MODEL')))
    .limit(1);
  return rows.length > 0;
}
