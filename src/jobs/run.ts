import type { Logger } from 'pino';
import type { JobRecorder } from '../agents/recorder.ts';
import type { BlobStore } from '../artifacts/blob-store.ts';
import { DatasetNotFoundError, StaleAttemptError } from '../domain/errors.ts';
import type { Dataset, Job } from '../domain/records.ts';
import { giveBack, settle } from './claim.ts';
import type { Claim } from './event-log.ts';
import type { LeftoverRemover } from './leftovers.ts';
import { outcomeOf, type PipelineEnd } from './outcome.ts';
import { AttemptRecorder } from './recorder.ts';
import type { JobStore } from './store.ts';
import { AttemptWatch, type RunLimits, type StopReason } from './watch.ts';

/** What a pipeline gets to work with. */
export interface JobContext {
  /** The job as it was claimed. */
  job: Job;
  dataset: Dataset;
  recorder: JobRecorder;
  /** Hard stop: server shutdown, lost claim, grace used up. Leave at once; what is not recorded yet will not be. */
  signal: AbortSignal;
  /** Soft stop: cancelled or out of time. Stop searching, keep the best so far, wrap up and return. */
  stopSignal: AbortSignal;
  /** Why the soft stop fired; a cancel outranks the deadline. */
  stopReason(): StopReason | null;
  /** Running time used so far, over all attempts: what the time budget is charged with. */
  elapsedMs(): number;
}

/**
 * A job's work. Resolving means it is done, or wrapped up after a soft stop; a SproutError becomes the job's failure,
 * anything else INTERNAL_ERROR.
 */
export type RunJob = (context: JobContext) => Promise<void>;

export interface AttemptParts {
  store: JobStore;
  blobs: BlobStore;
  leftovers: LeftoverRemover;
  runJob: RunJob;
  logger: Logger;
  limits: RunLimits;
  /** Told of the job as it has ended. */
  observer?: { ended(job: Job): void };
  job: Job;
  /** Aborts when the server shuts down. */
  shutdown: AbortSignal;
}

/** Runs a claimed job to its end, or to the end of this attempt. Rejects only when the database fails. */
export async function runAttempt(parts: AttemptParts): Promise<void> {
  const { store, job } = parts;
  const claim: Claim = { jobId: job.id, attempt: job.attempt };
  const logger = parts.logger.child({ jobId: job.id, attempt: job.attempt });
  const watch = new AttemptWatch({ ...parts, logger });
  const onStale = (): void => watch.stopHard('lost-claim');
  const recorder = new AttemptRecorder({ ...parts, claim, logger, stage: job.stage, onStale });

  logger.info({ name: job.options.name }, 'job started');
  let failed = false;
  try {
    const end = await runPipeline(parts, recorder, watch);
    await recorder.close();
    if (watch.hardStop === 'shutdown') {
      await giveBack(store, claim, watch.elapsedMs());
      logger.info('job left for the next start');
      return;
    }
    if (watch.hardStop === 'lost-claim') throw new StaleAttemptError(job.id, job.attempt);
    const outcome = await outcomeOf(store, job.id, end, watch.stopReason, logger);
    const settled = await settle(store, claim, outcome, watch.elapsedMs());
    failed = settled.status === 'FAILED';
    logger.info({ status: settled.status }, 'job ended');
    parts.observer?.ended(settled);
  } catch (error) {
    if (!(error instanceof StaleAttemptError)) throw error;
    logger.warn('another attempt owns the job now; this one has ended');
    return;
  } finally {
    watch.close();
  }
  await parts.leftovers.remove([{ kind: 'sandbox', key: job.id }], { keep: failed });
}

async function runPipeline(
  { store, job, runJob, limits }: AttemptParts,
  recorder: JobRecorder,
  watch: AttemptWatch,
): Promise<PipelineEnd> {
  const dataset = await store.dataset(job.datasetId);
  if (!dataset) return { kind: 'threw', error: new DatasetNotFoundError(job.datasetId) };

  if (watch.signal.aborted) return { kind: 'abandoned' };

  const pipeline = (async (): Promise<PipelineEnd> => {
    try {
      await runJob({
        job,
        dataset,
        recorder,
        signal: watch.signal,
        stopSignal: watch.stopSignal,
        stopReason: () => watch.stopReason,
        elapsedMs: () => watch.elapsedMs(),
      });
      return { kind: 'done' };
    } catch (error) {
      return { kind: 'threw', error };
    }
  })();
  const abandoned = watch.abandoned(limits.abandonMs).then((): PipelineEnd => ({ kind: 'abandoned' }));
  return Promise.race([pipeline, abandoned]);
}
