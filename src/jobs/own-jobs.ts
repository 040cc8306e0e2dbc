import { DatasetNotFoundError, JobNotFoundError } from '../domain/errors.ts';
import type { JobEvent } from '../domain/events.ts';
import type { ArtifactId, BlobKey, DatasetId, JobId, OwnerId } from '../domain/ids.ts';
import type { Artifact, Dataset, Job, JobColumn, Trial } from '../domain/records.ts';
import { isAllowed, type Viewer } from '../domain/viewer.ts';
import type { ArtifactKind } from '../domain/vocabulary.ts';
import type { Webhook } from '../domain/webhooks.ts';
import type {
  JobFilter,
  Jobs,
  JobUpdate,
  NewDataset,
  Page,
  PageRequest,
  Quotas,
  Standing,
  StartRequest,
} from './jobs.ts';

const NOTHING = { rows: [], hasNext: false, hasPrevious: false };

/**
 * Jobs and datasets as one viewer may see and change them: the outside has no other way to them, so this is the one place
 * that keeps owners apart. What is somebody else's is answered as what does not exist, by the same value or the same
 * error. Administrators see everything. Lives as long as one operation.
 */
export class OwnJobs {
  readonly #jobs: Jobs;
  readonly #viewer: Viewer;
  readonly #seesAll: boolean;
  /** Jobs found to be the viewer's: they stay that. */
  readonly #known = new Set<JobId>();

  constructor(jobs: Jobs, viewer: Viewer) {
    this.#jobs = jobs;
    this.#viewer = viewer;
    this.#seesAll = isAllowed(viewer, 'ADMIN');
  }

  /** As `Jobs.expectBlob`; answers how many bytes may be uploaded, null for any number. Rejects with QuotaExceededError. */
  async expectBlob(key: BlobKey): Promise<number | null> {
    const allowance = await this.#jobs.uploadAllowance(this.#viewer.owner);
    await this.#jobs.expectBlob(key);
    return allowance;
  }

  discardBlob(key: BlobKey): Promise<void> {
    return this.#jobs.discardBlob(key);
  }

  addDataset(dataset: NewDataset): Promise<Dataset> {
    return this.#jobs.addDataset(dataset, this.#viewer.owner);
  }

  async dataset(id: DatasetId): Promise<Dataset | null> {
    return this.#visible(await this.#jobs.dataset(id));
  }

  async datasets(ids: readonly DatasetId[]): Promise<readonly (Dataset | null)[]> {
    return (await this.#jobs.datasets(ids)).map((dataset) => this.#visible(dataset));
  }

  listDatasets(page: PageRequest): Promise<Page<Dataset>> {
    return this.#jobs.listDatasets(page, this.#ownFilter());
  }

  async start(request: Omit<StartRequest, 'owner'>): Promise<{ job: Job; created: boolean }> {
    const { dataset } = request;
    if (typeof dataset === 'string' && (await this.dataset(dataset)) === null) {
      throw new DatasetNotFoundError(dataset);
    }
    return this.#jobs.start({ ...request, owner: this.#viewer.owner });
  }

  async cancel(id: JobId): Promise<Job> {
    await this.#mustBeOwn(id);
    return this.#jobs.cancel(id);
  }

  /** The new job belongs to whom the old one does, also when an administrator asks for it. */
  async retry(id: JobId): Promise<Job> {
    await this.#mustBeOwn(id);
    return this.#jobs.retry(id);
  }

  async delete(id: JobId): Promise<void> {
    await this.#mustBeOwn(id);
    return this.#jobs.delete(id);
  }

  async job(id: JobId): Promise<Job | null> {
    const job = this.#visible(await this.#jobs.job(id));
    if (job) this.#known.add(id);
    return job;
  }

  async list(filter: JobFilter, page: PageRequest): Promise<Page<Job>> {
    if (!this.#seesAll && filter.owner !== undefined && filter.owner !== this.#viewer.owner) return NOTHING;
    const found = await this.#jobs.list({ ...filter, ...this.#ownFilter() }, page);
    for (const { id } of found.rows) this.#known.add(id);
    return found;
  }

  async events(id: JobId, after: number, limit: number): Promise<readonly JobEvent[]> {
    return (await this.#isOwn(id)) ? this.#jobs.events(id, after, limit) : [];
  }

  async leaderboard(id: JobId, limit: number | null): Promise<readonly Trial[]> {
    return (await this.#isOwn(id)) ? this.#jobs.leaderboard(id, limit) : [];
  }

  async columns(id: JobId): Promise<readonly JobColumn[]> {
    return (await this.#isOwn(id)) ? this.#jobs.columns(id) : [];
  }

  async webhook(id: JobId): Promise<Webhook | null> {
    return (await this.#isOwn(id)) ? this.#jobs.webhook(id) : null;
  }

  async trial(id: JobId, trialId: string): Promise<Trial | null> {
    return (await this.#isOwn(id)) ? this.#jobs.trial(id, trialId) : null;
  }

  async artifact(id: ArtifactId): Promise<Artifact | null> {
    return this.#visible(await this.#jobs.artifact(id));
  }

  async artifactByName(id: JobId, name: string): Promise<Artifact | null> {
    return this.#visible(await this.#jobs.artifactByName(id, name));
  }

  /** Rejects with JobNotFoundError. */
  async artifacts(
    id: JobId,
    kinds: readonly ArtifactKind[] | null,
    page: PageRequest,
  ): Promise<Page<Artifact>> {
    await this.#mustBeOwn(id);
    return this.#jobs.artifacts(id, kinds, page);
  }

  /** As `Jobs.follow`, once it is clear that the viewer may. */
  async follow(
    id: JobId,
    options: { after: number | null; signal: AbortSignal },
  ): Promise<AsyncIterable<JobUpdate>> {
    await this.#mustBeOwn(id);
    return this.#jobs.follow(id, options);
  }

  get quotas(): Quotas {
    return this.#jobs.quotas;
  }

  /** What the viewer has of what the quotas give. */
  standing(): Promise<Standing> {
    return this.#jobs.standing(this.#viewer.owner);
  }

  #visible<T extends { owner: OwnerId }>(thing: T | null): T | null {
    return thing !== null && (this.#seesAll || thing.owner === this.#viewer.owner) ? thing : null;
  }

  /** Nothing for who sees all: their own filter, if they gave one, stands. */
  #ownFilter(): { owner?: OwnerId } {
    return this.#seesAll ? {} : { owner: this.#viewer.owner };
  }

  async #isOwn(id: JobId): Promise<boolean> {
    return this.#seesAll || this.#known.has(id) || (await this.job(id)) !== null;
  }

  async #mustBeOwn(id: JobId): Promise<void> {
    if (!(await this.#isOwn(id))) throw new JobNotFoundError(id);
  }
}
