import { and, eq, isNotNull, lt, notExists, sql } from 'drizzle-orm';
import type { Logger } from 'pino';
import { artifacts, datasets, jobs } from '../db/schema.ts';
import { JobNotFoundError } from '../domain/errors.ts';
import { deleteJob } from './delete.ts';
import { disown, type Leftover, type LeftoverRemover } from './leftovers.ts';
import type { JobStore } from './store.ts';

/** How long things are kept, in days; undefined: for ever. */
export interface RetentionRules {
  /** From the job's end; its events, files and trials go with it. */
  jobDays: number | undefined;
  /** From the end of the job whose files they are; the job stays. */
  artifactDays: number | undefined;
  /** From the upload, for datasets that no job uses. */
  datasetDays: number | undefined;
}

export interface Swept {
  jobs: number;
  artifacts: number;
  datasets: number;
}

/** Rows of one transaction: nobody else can write meanwhile. */
const BATCH = 50;
const EVERY_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** Deletes what is older than it is to be kept, every hour. Never a job that has not ended, nor a dataset that a job uses. */
export class Retention {
  readonly #store: JobStore;
  readonly #leftovers: LeftoverRemover;
  readonly #rules: RetentionRules;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | null = null;
  #sweeping: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(parts: {
    store: JobStore;
    leftovers: LeftoverRemover;
    rules: RetentionRules;
    logger: Logger;
  }) {
    this.#store = parts.store;
    this.#leftovers = parts.leftovers;
    this.#rules = parts.rules;
    this.#logger = parts.logger;
  }

  /** Sweeps now and from now on. */
  start(): void {
    const { jobDays, artifactDays, datasetDays } = this.#rules;
    if (jobDays === undefined && artifactDays === undefined && datasetDays === undefined) return;
    const sweep = (): void => {
      this.#sweeping = this.#sweepAndTell();
    };
    this.#timer = setInterval(sweep, EVERY_MS);
    sweep();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearInterval(this.#timer);
    await this.#sweeping;
  }

  async #sweepAndTell(): Promise<void> {
    try {
      const swept = await this.sweep();
      if (swept.jobs + swept.artifacts + swept.datasets > 0) {
        this.#logger.info(swept, 'deleted what was older than it is to be kept');
      }
    } catch (error) {
      this.#logger.error({ err: error }, 'what is too old was not all deleted; the next hour tries again');
    }
  }

  /** Datasets last: those of the jobs just deleted are nobody's now. */
  async sweep(): Promise<Swept> {
    const { jobDays, artifactDays, datasetDays } = this.#rules;
    return {
      jobs: jobDays === undefined ? 0 : await this.#sweepJobs(this.#before(jobDays)),
      artifacts:
        artifactDays === undefined
          ? 0
          : await this.#inBatches(() => this.#sweepArtifacts(this.#before(artifactDays))),
      datasets:
        datasetDays === undefined
          ? 0
          : await this.#inBatches(() => this.#sweepDatasets(this.#before(datasetDays))),
    };
  }

  #before(days: number): Date {
    return new Date(this.#store.now().getTime() - days * DAY_MS);
  }

  async #sweepJobs(before: Date): Promise<number> {
    const old = await this.#store.read
      .select({ id: jobs.id })
      .from(jobs)
      .where(and(isNotNull(jobs.finishedAt), lt(jobs.finishedAt, before)));
    let deleted = 0;
    for (const { id } of old) {
      if (this.#stopped) break;
      try {
        await deleteJob(this.#store, this.#leftovers, id);
        deleted += 1;
      } catch (error) {
        // Somebody else has just deleted it.
        if (!(error instanceof JobNotFoundError)) throw error;
      }
    }
    return deleted;
  }

  async #inBatches(sweepBatch: () => Promise<Leftover[]>): Promise<number> {
    let deleted = 0;
    while (!this.#stopped) {
      const disowned = await sweepBatch();
      await this.#leftovers.remove(disowned);
      deleted += disowned.length;
      if (disowned.length < BATCH) break;
    }
    return deleted;
  }

  #sweepArtifacts(before: Date): Promise<Leftover[]> {
    return this.#store.write([], async (tx) => {
      const rows = await tx
        .select({ id: artifacts.id, key: artifacts.blobKey })
        .from(artifacts)
        .innerJoin(jobs, eq(jobs.id, artifacts.jobId))
        .where(and(isNotNull(jobs.finishedAt), lt(jobs.finishedAt, before)))
        .limit(BATCH);
      const things = rows.map(({ key }): Leftover => ({ kind: 'blob', key }));
      await disown(tx, things, this.#store.now());
      for (const { id } of rows) await tx.delete(artifacts).where(eq(artifacts.id, id));
      return things;
    });
  }

  #sweepDatasets(before: Date): Promise<Leftover[]> {
    return this.#store.write([], async (tx) => {
      const users = tx.select({ one: sql`1` }).from(jobs).where(eq(jobs.datasetId, datasets.id));
      const rows = await tx
        .select({ id: datasets.id, key: datasets.blobKey })
        .from(datasets)
        .where(and(lt(datasets.createdAt, before), notExists(users)))
        .limit(BATCH);
      const things = rows.map(({ key }): Leftover => ({ kind: 'blob', key }));
      await disown(tx, things, this.#store.now());
      for (const { id } of rows) await tx.delete(datasets).where(eq(datasets.id, id));
      return things;
    });
  }
}
