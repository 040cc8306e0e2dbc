import DataLoader from 'dataloader';
import type { Logger } from 'pino';
import type { BlobStore } from '../artifacts/blob-store.ts';
import type { UrlSigner } from '../artifacts/signed-url.ts';
import type { ApiKeys } from '../auth/api-keys.ts';
import type { Config } from '../config.ts';
import { DatasetNotFoundError } from '../domain/errors.ts';
import type { DatasetId } from '../domain/ids.ts';
import type { Dataset } from '../domain/records.ts';
import type { Viewer } from '../domain/viewer.ts';
import type { Mind, SandboxKind } from '../domain/vocabulary.ts';
import type { Jobs } from '../jobs/jobs.ts';
import { OwnJobs } from '../jobs/own-jobs.ts';
import type { Containment } from '../sandbox/sandbox.ts';

/** What this server is, for `health` and for clients that adapt to it. */
export interface About {
  version: string;
  /** Who sits in the agents' seats of a new job. */
  mind: Mind;
  sandboxKind: SandboxKind;
  containment: Containment;
  /** One sentence: how code is contained here, or why it is not. */
  sandboxDescription: string;
}

/** What the API stands on; the composition root fills it. */
export interface ApiDependencies {
  config: Config;
  /** Everybody's. */
  jobs: Jobs;
  keys: ApiKeys;
  blobs: BlobStore;
  signer: UrlSigner;
  logger: Logger;
  about: About;
}

/** What resolvers may reach for, one per operation. */
export interface ApiContext extends Omit<ApiDependencies, 'jobs'> {
  /** Who asks. */
  viewer: Viewer;
  /** Those that the viewer may see: there is no way here to any other. */
  jobs: OwnJobs;
  /** Where the client sees this server, without a trailing slash: download URLs start with it. */
  origin: string;
  /** Turns the `dataset` of a page of jobs into one read. */
  datasetLoader: DataLoader<DatasetId, Dataset>;
}

export function createContext(
  dependencies: ApiDependencies,
  { origin, viewer }: { origin: string; viewer: Viewer },
): ApiContext {
  const jobs = new OwnJobs(dependencies.jobs, viewer);
  return { ...dependencies, origin, viewer, jobs, datasetLoader: createDatasetLoader(jobs) };
}

/** Batches but does not cache: a subscription outlives what it has read, and profiling fills in a dataset's columns. */
function createDatasetLoader(jobs: OwnJobs): DataLoader<DatasetId, Dataset> {
  return new DataLoader<DatasetId, Dataset>(
    async (ids: readonly DatasetId[]) => {
      const datasets = await jobs.datasets(ids);
      return ids.map((id, index) => datasets[index] ?? new DatasetNotFoundError(id));
    },
    { cache: false },
  );
}
