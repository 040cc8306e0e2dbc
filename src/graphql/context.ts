import DataLoader from 'dataloader';
import type { Logger } from 'pino';
import type { BlobStore } from '../artifacts/blob-store.ts';
import type { UrlSigner } from '../artifacts/signed-url.ts';
import type { Config } from '../config.ts';
import { DatasetNotFoundError } from '../domain/errors.ts';
import type { DatasetId } from '../domain/ids.ts';
import type { Dataset } from '../domain/records.ts';
import type { Mind, SandboxKind } from '../domain/vocabulary.ts';
import type { Jobs } from '../jobs/jobs.ts';
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

/** What resolvers may reach for; the composition root fills it. */
export interface ApiDependencies {
  config: Config;
  jobs: Jobs;
  blobs: BlobStore;
  signer: UrlSigner;
  logger: Logger;
  about: About;
}

/** One per operation. */
export interface ApiContext extends ApiDependencies {
  /** Where the client sees this server, without a trailing slash: download URLs start with it. */
  origin: string;
  /** Turns the `dataset` of a page of jobs into one read. */
  datasetLoader: DataLoader<DatasetId, Dataset>;
}

export function createContext(dependencies: ApiDependencies, origin: string): ApiContext {
  return { ...dependencies, origin, datasetLoader: createDatasetLoader(dependencies.jobs) };
}

/** Batches but does not cache: a subscription outlives what it has read, and profiling fills in a dataset's columns. */
function createDatasetLoader(jobs: Jobs): DataLoader<DatasetId, Dataset> {
  return new DataLoader<DatasetId, Dataset>(
    async (ids: readonly DatasetId[]) => {
      const datasets = await jobs.datasets(ids);
      return ids.map((id, index) => datasets[index] ?? new DatasetNotFoundError(id));
    },
    { cache: false },
  );
}
