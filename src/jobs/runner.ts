import type { Logger } from 'pino';
import type { BlobStore } from '../artifacts/blob-store.ts';
import { QUEUE_TOPIC } from '../bus/bus.ts';
import { messageOf } from '../domain/errors.ts';
import type { JobId } from '../domain/ids.ts';
import type { Job } from '../domain/records.ts';
import { claimQueued, reclaim, runningJobs, settle } from './claim.ts';
import type { LeftoverRemover } from './leftovers.ts';
import type { Quotas } from './quotas.ts';
import { type RunJob, runAttempt } from './run.ts';
import type { JobStore } from './store.ts';
import type { RunLimits } from './watch.ts';

export interface RunnerOptions {
  store: JobStore;
  blobs: BlobStore;
  leftovers: LeftoverRemover;
  /** The pipeline: everything a job does, from its first stage to its last. */
  runJob: RunJob;
  /** Jobs at the same time. */
  concurrency: number;
  /** Default: no owner has one. */
  quotas?: Pick<Quotas, 'runningJobs'>;
  logger: Logger;
  limits?: Partial<RunLimits>;
  observer?: RunnerObserver;
}

/** Told of what the runner has done, after it is committed. Must not throw. */
export interface RunnerObserver {
  /** A waiting job runs for the first time. */
  begun(job: Job): void;
  ended(job: Job): void;
}

/** Looks for waiting jobs this often without having been hinted at. */
const POLL_MS = 1000;

const DEFAULT_LIMITS: RunLimits = {
  beatMs: 1000,
  graceMs: (budgetMs) => Math.min(budgetMs * 0.25 + 30_000, 120_000),
  abandonMs: 10_000,
  maxBarrenAttempts: 5,
};

/**
 * Claims jobs, one owner's after another's, and runs them. One runner per database: at its start every RUNNING job is an orphan of a
 * process that ended, and is taken over before any waiting one is begun.
 */
export class Runner {
  readonly #options: RunnerOptions & { limits: RunLimits };
  readonly #active = new Map<JobId, Promise<void>>();
  readonly #shutdown = new AbortController();
  #orphans: JobId[] = [];
  #unsubscribe: (() => void) | null = null;
  #poll: NodeJS.Timeout | null = null;
  #filling: Promise<void> | null = null;
  #refill = false;

  constructor(options: RunnerOptions) {
    this.#options = { ...options, limits: { ...DEFAULT_LIMITS, ...options.limits } };
  }

  /** Jobs running right now. */
  get running(): number {
    return this.#active.size;
  }

  async start(): Promise<void> {
    const { store } = this.#options;
    this.#orphans = await runningJobs(store);
    this.#unsubscribe = store.bus.subscribe(QUEUE_TOPIC, () => this.#wake());
    this.#poll = setInterval(() => this.#wake(), POLL_MS);
    this.#wake();
  }

  /**
   * Claims no more, aborts what runs and resolves when it has stopped. The jobs stay RUNNING in the database and go on
   * from their last finished step at the next start.
   */
  async stop(): Promise<void> {
    this.#unsubscribe?.();
    if (this.#poll) clearInterval(this.#poll);
    this.#shutdown.abort(new Error('The server is shutting down.'));
    await this.#filling;
    await Promise.all(this.#active.values());
  }

  #wake(): void {
    this.#refill = true;
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = null;
      if (this.#refill) this.#wake();
    });
  }

  /** Claims until all places are taken or nothing waits. Never rejects. */
  async #fill(): Promise<void> {
    const { concurrency, logger } = this.#options;
    while (this.#refill) {
      this.#refill = false;
      try {
        while (this.#active.size < concurrency && !this.#shutdown.signal.aborted) {
          const job = (await this.#takeOrphan()) ?? (await this.#takeQueued());
          if (!job) break;
          this.#run(job);
        }
      } catch (error) {
        logger.error({ err: error }, 'claiming a job failed; the next poll tries again');
      }
    }
  }

  async #takeQueued(): Promise<Job | null> {
    const { store, quotas, observer } = this.#options;
    const job = await claimQueued(store, quotas);
    if (job) observer?.begun(job);
    return job;
  }

  async #takeOrphan(): Promise<Job | null> {
    const { store, logger, limits } = this.#options;
    for (let id = this.#orphans[0]; id; id = this.#orphans[0]) {
      const claimed = await reclaim(store, id);
      if (claimed && claimed.barrenAttempts <= limits.maxBarrenAttempts) {
        this.#orphans.shift();
        logger.warn(
          { jobId: id, attempt: claimed.job.attempt },
          'taking over a job that was running when the server ended',
        );
        return claimed.job;
      }
      if (claimed) await this.#giveUp(claimed.job, claimed.barrenAttempts - 1);
      // Only now: where giving up fails, as on a full disk, the next poll comes back to it.
      this.#orphans.shift();
    }
    return null;
  }

  async #giveUp(job: Job, crashes: number): Promise<void> {
    const { store, leftovers, logger, observer } = this.#options;
    const failure = {
      code: 'JOB_KEEPS_CRASHING',
      message: `The job was interrupted ${crashes} times in a row without a step finishing in between.`,
      hint: 'Look at the server log for what ended it (often memory), then start the job again with `retryJob`.',
      stage: job.stage,
    };
    const claim = { jobId: job.id, attempt: job.attempt };
    const settled = await settle(store, claim, { status: 'FAILED', failure }, job.activeMs);
    observer?.ended(settled);
    logger.error({ jobId: job.id, crashes }, failure.message);
    await leftovers.remove([{ kind: 'sandbox', key: job.id }]);
  }

  #run(job: Job): void {
    const { logger } = this.#options;
    const ended = runAttempt({ ...this.#options, job, shutdown: this.#shutdown.signal })
      .catch((error: unknown) => {
        // A full disk or the like: the job still stands as running, so it is taken over like one of a dead process.
        logger.error({ err: error, jobId: job.id }, `the attempt could not be ended: ${messageOf(error)}`);
        this.#orphans.push(job.id);
      })
      .finally(() => {
        this.#active.delete(job.id);
        if (!this.#shutdown.signal.aborted) this.#wake();
      });
    this.#active.set(job.id, ended);
  }
}
