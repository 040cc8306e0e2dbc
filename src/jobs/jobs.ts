import { and, eq } from 'drizzle-orm';
import { artifacts } from '../db/schema.ts';
import { JobNotFoundError, JobStateError } from '../domain/errors.ts';
import type { JobEvent } from '../domain/events.ts';
import type { ArtifactId, BlobKey, DatasetId, JobId, OwnerId } from '../domain/ids.ts';
import type { Artifact, Dataset, Job, JobColumn, Trial } from '../domain/records.ts';
import { LOCAL_OWNER } from '../domain/viewer.ts';
import { type ArtifactKind, isTerminal } from '../domain/vocabulary.ts';
import type { Webhook } from '../domain/webhooks.ts';
import { cancelJob } from './cancel.ts';
import {
  findArtifact,
  findDatasets,
  findJobColumns,
  findLeaderboard,
  findTrial,
  type JobFilter,
  listArtifacts,
  listDatasets,
  listJobs,
} from './catalogue.ts';
import { deleteJob } from './delete.ts';
import { Followers, type JobUpdate } from './follow.ts';
import { disown, type LeftoverRemover } from './leftovers.ts';
import type { Page, PageRequest } from './pagination.ts';
import { NO_QUOTAS, type Quotas, type Standing, standingOf, uploadAllowance } from './quotas.ts';
import { insertDataset, type NewDataset, type StartRequest, type StartTerms, startJob } from './start.ts';
import type { JobStore } from './store.ts';
import { findWebhook, webhookOf } from './webhooks.ts';

export type { JobFilter } from './catalogue.ts';
export type { JobUpdate } from './follow.ts';
export type { Page, PageRequest } from './pagination.ts';
export type { Quotas, Standing } from './quotas.ts';
export type { NewDataset, StartRequest } from './start.ts';

/**
 * What can be done with jobs and datasets, whoever they belong to: the outside gets them by `OwnJobs`. Failures are the
 * classes of domain/errors.ts.
 */
export class Jobs {
  readonly #store: JobStore;
  readonly #leftovers: LeftoverRemover;
  readonly #terms: StartTerms;
  readonly #followers: Followers;

  constructor(parts: { store: JobStore; leftovers: LeftoverRemover; terms: StartTerms }) {
    this.#store = parts.store;
    this.#leftovers = parts.leftovers;
    this.#terms = parts.terms;
    this.#followers = new Followers(parts.store);
  }

  /**
   * Announces a blob that is about to be written for a dataset: unless `addDataset` or `start` takes it, the next boot
   * removes it, so that an upload the server dies in leaves nothing behind.
   */
  async expectBlob(key: BlobKey): Promise<void> {
    await this.#store.write([], (tx) => disown(tx, [{ kind: 'blob', key }], this.#store.now()));
  }

  /** Removes a blob that was announced and is not wanted after all. Never rejects. */
  discardBlob(key: BlobKey): Promise<void> {
    return this.#leftovers.remove([{ kind: 'blob', key }]);
  }

  /** Datasets are immutable; the blob is in the store before this is called. Rejects with QuotaExceededError. */
  addDataset(dataset: NewDataset, owner: OwnerId = LOCAL_OWNER): Promise<Dataset> {
    return this.#store.write([], (tx) =>
      insertDataset(tx, { ...dataset, owner }, this.quotas, this.#store.now()),
    );
  }

  /** What each owner may have. */
  get quotas(): Quotas {
    return this.#terms.quotas ?? NO_QUOTAS;
  }

  /** What of that an owner has. */
  standing(owner: OwnerId): Promise<Standing> {
    return standingOf(this.#store.read, owner, this.#store.now());
  }

  /** Bytes an owner may still upload, null for any number. Rejects with QuotaExceededError when it is none. */
  uploadAllowance(owner: OwnerId): Promise<number | null> {
    return uploadAllowance(this.#store.read, owner, this.quotas, this.#store.now());
  }

  dataset(id: DatasetId): Promise<Dataset | null> {
    return this.#store.dataset(id);
  }

  /** In the order of the ids, null where there is none. */
  datasets(ids: readonly DatasetId[]): Promise<readonly (Dataset | null)[]> {
    return findDatasets(this.#store.read, ids);
  }

  listDatasets(page: PageRequest, filter: { owner?: OwnerId } = {}): Promise<Page<Dataset>> {
    return listDatasets(this.#store.read, filter, page);
  }

  /**
   * Queues a job: dataset (when new), job and first event in one transaction. The same idempotency key with the same
   * input (bytes and options) returns the job it made; with other input it rejects with InvalidOptionsError
   * IDEMPOTENCY_KEY_REUSED. Rejects with QuotaExceededError when the queue is full. A new dataset that was not stored,
   * because of either, loses its blob.
   */
  async start(request: StartRequest): Promise<{ job: Job; created: boolean }> {
    try {
      return await startJob(this.#store, request, this.#terms);
    } finally {
      await this.#discardUnstored(request.dataset);
    }
  }

  async #discardUnstored(dataset: NewDataset | DatasetId): Promise<void> {
    if (typeof dataset === 'string' || (await this.#store.dataset(dataset.id))) return;
    await this.discardBlob(dataset.blobKey);
  }

  /** QUEUED: cancelled at once. RUNNING: the runner is told, keeps the best so far and ends it. Ended: JobStateError. */
  cancel(id: JobId): Promise<Job> {
    return cancelJob(this.#store, id);
  }

  /** A new job on an ended job's dataset and options. Not ended: JobStateError. */
  async retry(id: JobId): Promise<Job> {
    const job = await this.#store.job(id);
    if (!job) throw new JobNotFoundError(id);
    if (!isTerminal(job.status)) {
      throw new JobStateError(
        'JOB_NOT_ENDED',
        `The job is ${job.status}; only an ended job can be tried again.`,
        {
          hint: 'Wait for its end, or cancel it with `cancelJob` first.',
        },
      );
    }
    const again = {
      dataset: job.datasetId,
      options: job.options,
      idempotencyKey: null,
      retryOf: id,
      webhook: await webhookOf(this.#store.read, id),
    };
    return (await startJob(this.#store, again, this.#terms)).job;
  }

  /** Removes an ended job, its events, its artifacts' rows and their blobs, its sandbox folder. Not ended: JobStateError. */
  delete(id: JobId): Promise<void> {
    return deleteJob(this.#store, this.#leftovers, id);
  }

  job(id: JobId): Promise<Job | null> {
    return this.#store.job(id);
  }

  list(filter: JobFilter, page: PageRequest): Promise<Page<Job>> {
    return listJobs(this.#store.read, filter, page);
  }

  /** Events with `sequence > after`, in order, at most `limit`. */
  events(id: JobId, after: number, limit: number): Promise<readonly JobEvent[]> {
    return this.#store.events(id, after, limit);
  }

  /** What became of each column in this job, in the order of the file; none before the table is profiled. */
  columns(id: JobId): Promise<readonly JobColumn[]> {
    return findJobColumns(this.#store.read, id);
  }

  /** Who is told of the job's end and how that goes; null: nobody. */
  webhook(id: JobId): Promise<Webhook | null> {
    return findWebhook(this.#store.read, id);
  }

  /** Best first by validation score; the baseline is in it. */
  leaderboard(id: JobId, limit: number | null): Promise<readonly Trial[]> {
    return findLeaderboard(this.#store.read, id, limit);
  }

  trial(id: JobId, trialId: string): Promise<Trial | null> {
    return findTrial(this.#store.read, id, trialId);
  }

  artifact(id: ArtifactId): Promise<Artifact | null> {
    return findArtifact(this.#store.read, eq(artifacts.id, id));
  }

  artifactByName(id: JobId, name: string): Promise<Artifact | null> {
    return findArtifact(this.#store.read, and(eq(artifacts.jobId, id), eq(artifacts.name, name)));
  }

  artifacts(id: JobId, kinds: readonly ArtifactKind[] | null, page: PageRequest): Promise<Page<Artifact>> {
    return listArtifacts(this.#store.read, id, kinds, page);
  }

  /** How many follow a job right now. */
  get followers(): number {
    return this.#followers.count;
  }

  /**
   * The job as it is now (event null), then every event after it, each once and in order, whatever the bus drops; with
   * `after`, first every event with a larger sequence. Ends when the job has ended and its last event is out, or when
   * `signal` aborts. Rejects with JobNotFoundError, or InvalidOptionsError AFTER_OUT_OF_RANGE for an `after` the job has
   * not reached. `job` in an update is never older than its event; all subscribers share one object per event.
   */
  follow(id: JobId, options: { after: number | null; signal: AbortSignal }): AsyncIterable<JobUpdate> {
    return this.#followers.follow(id, options);
  }
}
