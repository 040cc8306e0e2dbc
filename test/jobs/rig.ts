import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { pino } from 'pino';
import { openDiskBlobStore } from '../../src/artifacts/disk-blob-store.ts';
import type { Bus } from '../../src/bus/bus.ts';
import { createMemoryBus } from '../../src/bus/memory.ts';
import { openDatabase } from '../../src/db/client.ts';
import { type BlobKey, type JobId, newDatasetId } from '../../src/domain/ids.ts';
import type { JobOptions } from '../../src/domain/records.ts';
import type { Claim } from '../../src/jobs/event-log.ts';
import { Jobs, type JobUpdate, type NewDataset } from '../../src/jobs/jobs.ts';
import { LeftoverRemover } from '../../src/jobs/leftovers.ts';
import type { Quotas } from '../../src/jobs/quotas.ts';
import { AttemptRecorder } from '../../src/jobs/recorder.ts';
import type { RunJob } from '../../src/jobs/run.ts';
import { Runner, type RunnerObserver } from '../../src/jobs/runner.ts';
import { JobStore } from '../../src/jobs/store.ts';
import type { RunLimits } from '../../src/jobs/watch.ts';

/** The real parts of one server, as src/app.ts puts them together, on a folder of their own. */
export async function openRig(
  options: {
    dataDir?: string;
    bus?: Bus;
    maxQueuedJobs?: number;
    quotas?: Quotas;
    now?: () => Date;
    /** Called before and after everything that leaves something behind: each write and each blob. */
    betweenChanges?: () => void;
    /** Beside noting it. */
    destroySandbox?: (jobId: JobId, options: { keep: boolean }) => Promise<void>;
  } = {},
) {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'sproutml-jobs-')));
  const database = openDatabase(dataDir);
  const blobs = await openDiskBlobStore(join(dataDir, 'blobs'));
  if (options.betweenChanges) {
    database.write = between(database.write, options.betweenChanges);
    blobs.put = between(blobs.put, options.betweenChanges);
    blobs.delete = between(blobs.delete, options.betweenChanges);
  }
  const bus = options.bus ?? createMemoryBus();
  const store = new JobStore({ database, bus, ...(options.now ? { now: options.now } : {}) });
  const logger = pino({ level: 'silent' });
  const destroyedSandboxes: JobId[] = [];
  const leftovers = new LeftoverRemover({
    store,
    blobs,
    logger,
    async destroySandbox(jobId, how) {
      destroyedSandboxes.push(jobId);
      await options.destroySandbox?.(jobId, how);
    },
  });
  const jobs = new Jobs({
    store,
    leftovers,
    terms: {
      mind: 'PLAYBOOK',
      sandbox: 'LOCAL',
      maxQueuedJobs: options.maxQueuedJobs ?? 1000,
      ...(options.quotas ? { quotas: options.quotas } : {}),
    },
  });
  return {
    dataDir,
    database,
    bus,
    store,
    blobs,
    leftovers,
    jobs,
    destroyedSandboxes,
    runner: (
      runJob: RunJob,
      limits: Partial<RunLimits> = {},
      concurrency = 1,
      observer?: RunnerObserver,
    ): Runner =>
      new Runner({
        store,
        blobs,
        leftovers,
        runJob,
        concurrency,
        logger,
        limits,
        ...(observer ? { observer } : {}),
      }),
    recorder: (claim: Claim): AttemptRecorder =>
      new AttemptRecorder({ store, blobs, leftovers, claim, logger, stage: null, onStale: () => undefined }),
    async close() {
      await database.close();
      await bus.close();
    },
    async remove() {
      await this.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** The same operation with `moment` before and after it. */
function between<F extends (...args: never[]) => Promise<unknown>>(operation: F, moment: () => void): F {
  const wrapped = async (...args: Parameters<F>): Promise<unknown> => {
    moment();
    const value = await operation(...args);
    moment();
    return value;
  };
  return wrapped as F;
}

export type Rig = Awaited<ReturnType<typeof openRig>>;

export function newDataset(changes: Partial<NewDataset> = {}): NewDataset {
  const id = newDatasetId();
  return {
    id,
    name: 'penguins.csv',
    columns: [{ name: 'species', type: null, missing: null, distinct: null }],
    rowCount: null,
    size: 17,
    sha256: 'a'.repeat(64),
    dialect: { delimiter: ',', encoding: 'utf-8', compression: null },
    blobKey: `datasets/${id}` as BlobKey,
    ...changes,
  };
}

export const jobOptions = (changes: Partial<JobOptions> = {}): JobOptions => ({
  targetColumn: 'species',
  name: 'penguins',
  task: null,
  metric: null,
  quantile: null,
  timeBudgetSeconds: 600,
  maxTrials: null,
  goalScore: null,
  instructions: null,
  ignoreColumns: [],
  keepColumns: [],
  holdoutFraction: null,
  groupColumn: null,
  timeColumn: null,
  maxCostUsd: null,
  seed: 0,
  ...changes,
});

export async function startJob(rig: Rig, changes: Partial<JobOptions> = {}): Promise<JobId> {
  const { job } = await rig.jobs.start({
    dataset: newDataset(),
    options: jobOptions(changes),
    idempotencyKey: null,
  });
  return job.id;
}

/** Everything a subscriber gets until the job has ended. */
export async function followToEnd(rig: Rig, id: JobId, after: number | null = 0): Promise<JobUpdate[]> {
  const updates: JobUpdate[] = [];
  const { signal } = new AbortController();
  for await (const update of rig.jobs.follow(id, { after, signal })) updates.push(update);
  return updates;
}

export const sequencesOf = (updates: readonly JobUpdate[]): number[] =>
  updates.flatMap(({ event }) => (event ? [event.sequence] : []));

/** 1, 2, 3 … n */
export const oneTo = (n: number): number[] => Array.from({ length: n }, (_, index) => index + 1);

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Keys of all blobs on disk. */
export async function blobsOf(rig: Rig): Promise<string[]> {
  const root = join(rig.dataDir, 'blobs');
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}
