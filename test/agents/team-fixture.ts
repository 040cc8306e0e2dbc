import { Readable } from 'node:stream';
import type { ModelProvider } from '@openai/agents-core';
import type { TakeSeats } from '../../src/agents/seats.ts';
import { runTeam, type StopReason, type TeamContext } from '../../src/agents/team.ts';
import type { BlobKey, DatasetId, JobId } from '../../src/domain/ids.ts';
import type { Dataset, Job, JobOptions } from '../../src/domain/records.ts';
import { NO_USAGE } from '../../src/domain/usage.ts';
import { LOCAL_OWNER } from '../../src/domain/viewer.ts';
import type { Mind } from '../../src/domain/vocabulary.ts';
import type { Toolkit } from '../../src/sandbox/toolkit.ts';
import { MemoryRecorder, MemoryStore } from './memory-recorder.ts';

export const dataset: Dataset = {
  id: '5b0c7c55-0000-4000-8000-000000000001' as DatasetId,
  owner: LOCAL_OWNER,
  name: 'toy.csv',
  columns: [],
  rowCount: null,
  size: 100,
  sha256: '00',
  dialect: { delimiter: ',', encoding: 'utf-8', compression: null },
  blobKey: 'datasets/1' as BlobKey,
  createdAt: new Date(0),
};

export function jobWith(options: Partial<JobOptions> = {}): Job {
  return {
    id: '5b0c7c55-0000-4000-8000-000000000002' as JobId,
    owner: LOCAL_OWNER,
    datasetId: dataset.id,
    options: {
      targetColumn: 'y',
      name: 'toy',
      task: null,
      metric: null,
      timeBudgetSeconds: 60,
      maxTrials: null,
      goalScore: null,
      instructions: null,
      ignoreColumns: [],
      keepColumns: [],
      quantile: null,
      holdoutFraction: null,
      groupColumn: null,
      timeColumn: null,
      maxCostUsd: null,
      seed: 0,
      ...options,
    },
    status: 'RUNNING',
    stage: null,
    progress: 0,
    task: null,
    metric: null,
    mind: 'PLAYBOOK',
    sandbox: 'LOCAL',
    attempt: 1,
    lastSequence: 1,
    activeMs: 0,
    cancelRequestedAt: null,
    result: null,
    failure: null,
    usage: NO_USAGE,
    retryOf: null,
    createdAt: new Date(0),
    startedAt: new Date(0),
    finishedAt: null,
  };
}

export interface Attempt {
  toolkit: Toolkit;
  store?: MemoryStore;
  options?: Partial<JobOptions>;
  cpus?: number;
  elapsedMs?: () => number;
  seats?: ModelProvider | TakeSeats;
  mind?: Mind;
  /** Pulls the plug after this many more journal entries. */
  dieAfter?: number;
}

/** One attempt at the job; `stop` ends it softly. A second attempt on the same store goes on where it ended. */
export function startTeam(attempt: Attempt): {
  store: MemoryStore;
  done: Promise<void>;
  stop(reason: StopReason): void;
  /** The hard stop, as when the server ends. */
  pull(): void;
} {
  const store = attempt.store ?? new MemoryStore();
  const plug = new AbortController();
  const soft = new AbortController();
  let reason: StopReason | null = null;
  let left = attempt.dieAfter ?? Number.POSITIVE_INFINITY;
  const recorder = new MemoryRecorder(store, () => {
    left -= 1;
    if (left === 0) pull();
  });
  const pull = (): void => plug.abort(new DOMException('the plug is pulled', 'AbortError'));
  const startedAt = performance.now();
  const mind = attempt.mind ?? 'PLAYBOOK';
  const context: TeamContext = {
    job: { ...jobWith(attempt.options), mind, usage: store.usage },
    dataset,
    recorder,
    signal: plug.signal,
    stopSignal: soft.signal,
    stopReason: () => reason,
    elapsedMs: attempt.elapsedMs ?? (() => performance.now() - startedAt),
    toolkit: attempt.toolkit,
    readFile: async (path) => ({ size: path.length, stream: Readable.from([path]) }),
    cpus: attempt.cpus ?? 2,
    mind,
    seed: 7,
  };
  return {
    store,
    done: runTeam(context, attempt.seats),
    pull,
    stop(why) {
      reason = why;
      soft.abort();
    },
  };
}
