import type { JobEvent } from '../domain/events.ts';
import type { ArtifactId, DatasetId, JobId } from '../domain/ids.ts';
import type { Artifact, Dataset, Job, JobOptions, Trial } from '../domain/records.ts';
import type { ArtifactKind, JobStatus, Task } from '../domain/vocabulary.ts';

/** A page of rows, newest first: `after` and `before` are ids of rows already seen. */
export interface PageRequest {
  limit: number;
  after?: string;
  before?: string;
  /** True for `last`: the page nearest the end (or nearest before `before`). */
  fromEnd?: boolean;
}
export interface Page<T> {
  rows: readonly T[];
  hasNext: boolean;
  hasPrevious: boolean;
}

export interface JobFilter {
  statuses?: readonly JobStatus[];
  datasetId?: DatasetId;
  task?: Task;
  nameContains?: string;
}

/** A job as it is now and, except for the first of a subscription, the event that made it so. */
export interface JobUpdate {
  job: Job;
  event: JobEvent | null;
}

/** What the outside may do with jobs and datasets. Failures are the classes of domain/errors.ts. */
export interface Jobs {
  // Datasets. Immutable; the blob is in the store before `addDataset` is called.
  addDataset(dataset: Omit<Dataset, 'createdAt'>): Promise<Dataset>;
  dataset(id: DatasetId): Promise<Dataset | null>;
  datasets(ids: readonly DatasetId[]): Promise<readonly (Dataset | null)[]>;
  listDatasets(page: PageRequest): Promise<Page<Dataset>>;

  /**
   * Queues a job: dataset (when new), job and first event in one transaction. The same idempotency key with the same
   * input returns the job it made; with other input it rejects with InvalidOptionsError IDEMPOTENCY_KEY_REUSED.
   * Rejects with QuotaExceededError when the queue is full.
   */
  start(request: {
    dataset: Omit<Dataset, 'createdAt'> | DatasetId;
    options: JobOptions;
    idempotencyKey: string | null;
  }): Promise<{ job: Job; created: boolean }>;
  /** QUEUED: cancelled at once. RUNNING: the runner is told, keeps the best so far and ends it. Ended: JobStateError. */
  cancel(id: JobId): Promise<Job>;
  /** A new job on the same dataset and options. */
  retry(id: JobId): Promise<Job>;
  /** Removes an ended job, its events, its artifacts' rows and their blobs, its sandbox folder. Running: JobStateError. */
  delete(id: JobId): Promise<void>;

  job(id: JobId): Promise<Job | null>;
  list(filter: JobFilter, page: PageRequest): Promise<Page<Job>>;
  /** Events with `sequence > after`, in order, at most `limit`. */
  events(id: JobId, after: number, limit: number): Promise<readonly JobEvent[]>;
  /** Best first by validation score; the baseline is in it. */
  leaderboard(id: JobId, limit: number | null): Promise<readonly Trial[]>;
  trial(id: JobId, trialId: string): Promise<Trial | null>;
  artifact(id: ArtifactId): Promise<Artifact | null>;
  artifactByName(id: JobId, name: string): Promise<Artifact | null>;
  artifacts(id: JobId, kinds: readonly ArtifactKind[] | null, page: PageRequest): Promise<Page<Artifact>>;

  /**
   * The job as it is now (event null), then every event after it, each once and in order, whatever the bus drops; with
   * `after`, first every event with a larger sequence. Ends when the job has ended and its last event is out, or when
   * `signal` aborts. Rejects with JobNotFoundError. `job` in an update is never older than its event.
   */
  follow(id: JobId, options: { after: number | null; signal: AbortSignal }): AsyncIterable<JobUpdate>;
}
