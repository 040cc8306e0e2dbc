import { and, eq } from 'drizzle-orm';
import type { Logger } from 'pino';
import type { JobChanges, JobRecorder, JournalEntry, NewArtifact } from '../agents/recorder.ts';
import type { BlobStore } from '../artifacts/blob-store.ts';
import { jobTopic } from '../bus/bus.ts';
import type { Queries } from '../db/client.ts';
import { artifacts, datasets, jobColumns, jobs, trials } from '../db/schema.ts';
import { StaleAttemptError } from '../domain/errors.ts';
import type { NewEvent } from '../domain/events.ts';
import { type BlobKey, newArtifactId } from '../domain/ids.ts';
import { addUsage, NO_USAGE } from '../domain/usage.ts';
import type { Stage } from '../domain/vocabulary.ts';
import { append, type Claim, claimFence } from './event-log.ts';
import { findStep, insertStep } from './journal.ts';
import { disown, type Leftover, type LeftoverRemover, own } from './leftovers.ts';
import type { JobStore } from './store.ts';

/** Progress is written at most this often; between, the latest of each step waits. */
const PROGRESS_INTERVAL_MS = 200;

type ProgressUpdate = Parameters<JobRecorder['progress']>[0];

/** The recorder of one attempt at one job: every write is fenced by the attempt's number. */
export class AttemptRecorder implements JobRecorder {
  readonly #store: JobStore;
  readonly #blobs: BlobStore;
  readonly #leftovers: LeftoverRemover;
  readonly #claim: Claim;
  readonly #logger: Logger;
  readonly #onStale: (error: StaleAttemptError) => void;
  #stage: Stage | null;
  readonly #pending = new Map<string | null, ProgressUpdate>();
  #timer: NodeJS.Timeout | null = null;
  #lastFlush = 0;
  #closed = false;

  constructor(parts: {
    store: JobStore;
    blobs: BlobStore;
    leftovers: LeftoverRemover;
    claim: Claim;
    /** The stage an earlier attempt had reached. */
    stage: Stage | null;
    logger: Logger;
    /** Told at the first write that finds the claim lost. */
    onStale: (error: StaleAttemptError) => void;
  }) {
    this.#store = parts.store;
    this.#blobs = parts.blobs;
    this.#leftovers = parts.leftovers;
    this.#claim = parts.claim;
    this.#stage = parts.stage;
    this.#logger = parts.logger;
    this.#onStale = parts.onStale;
  }

  async record(events: readonly NewEvent[], changes: JobChanges = {}): Promise<void> {
    await this.#write(events, changes);
  }

  progress(update: ProgressUpdate): void {
    if (this.#closed) return;
    this.#pending.set(update.step, update);
    if (this.#timer) return;
    const wait = Math.max(0, this.#lastFlush + PROGRESS_INTERVAL_MS - performance.now());
    this.#timer = setTimeout(() => void this.#flushInBackground(), wait);
  }

  finishedStep(key: string): Promise<JournalEntry | null> {
    return findStep(this.#store.read, this.#claim.jobId, key);
  }

  async finishStep(
    entry: JournalEntry,
    events: readonly NewEvent[],
    changes: JobChanges = {},
  ): Promise<void> {
    await this.#write(events, changes, async (tx, now) => {
      await insertStep(tx, this.#claim, entry, now);
      await tx.update(jobs).set({ barrenAttempts: 0 }).where(eq(jobs.id, this.#claim.jobId));
    });
  }

  async saveArtifact(file: NewArtifact): Promise<void> {
    const { jobId } = this.#claim;
    const id = newArtifactId();
    const blobKey = `artifacts/${jobId}/${id}` as BlobKey;
    const { name, kind, contentType, content } = file;
    let ownerless: BlobKey[] = [blobKey];
    try {
      // Noted before it is written: should we die in between, the next boot removes the blob.
      await this.#store.write([], (tx) => disown(tx, toLeftovers(ownerless), this.#store.now()));
      const { size, sha256 } = await this.#blobs.put(blobKey, content);
      const saved: NewEvent = {
        type: 'ArtifactSaved',
        artifactId: id,
        name,
        kind,
        size,
        stage: this.#stage,
        agent: null,
        message: `Saved ${name}.`,
      };
      await this.#write([saved], {}, async (tx, now) => {
        const older = await tx
          .delete(artifacts)
          .where(and(eq(artifacts.jobId, jobId), eq(artifacts.name, name)))
          .returning({ blobKey: artifacts.blobKey });
        await tx
          .insert(artifacts)
          .values({ id, jobId, name, kind, contentType, size, sha256, blobKey, createdAt: now });
        await own(tx, { kind: 'blob', key: blobKey });
        ownerless = older.map((row) => row.blobKey);
        await disown(tx, toLeftovers(ownerless), now);
      });
    } finally {
      content.destroy();
      await this.#leftovers.remove(toLeftovers(ownerless));
    }
  }

  /** Writes the progress that still waits; later progress is ignored. Rejects when the claim is lost. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#write([], {});
  }

  /** Waiting progress goes first, so that no event overtakes what it follows. */
  async #write(
    events: readonly NewEvent[],
    changes: JobChanges,
    also?: (tx: Queries, now: Date) => Promise<void>,
  ): Promise<void> {
    const all = [...this.#takeProgress(), ...events];
    if (all.length === 0 && Object.keys(changes).length === 0 && !also) return;
    this.#stage = changes.stage ?? this.#stage;
    try {
      await this.#store.write([jobTopic(this.#claim.jobId)], async (tx) => {
        const now = this.#store.now();
        await applyChanges(tx, this.#claim, all, changes, now);
        await also?.(tx, now);
      });
    } catch (error) {
      if (error instanceof StaleAttemptError) this.#onStale(error);
      throw error;
    }
  }

  #takeProgress(): NewEvent[] {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#pending.size === 0) return [];
    this.#lastFlush = performance.now();
    const updates = [...this.#pending.values()];
    this.#pending.clear();
    return updates.map(({ stage, step, progress, message }) => ({
      type: 'ProgressMade',
      progress: Math.min(1, Math.max(0, progress)),
      step,
      stage,
      agent: null,
      message,
    }));
  }

  async #flushInBackground(): Promise<void> {
    try {
      await this.#write([], {});
    } catch (error) {
      // A lost claim has been reported through onStale; anything else meets the next awaited write as well.
      if (!(error instanceof StaleAttemptError))
        this.#logger.error({ err: error }, 'progress was not written');
    }
  }
}

const toLeftovers = (keys: readonly BlobKey[]): Leftover[] => keys.map((key) => ({ kind: 'blob', key }));

async function applyChanges(
  tx: Queries,
  claim: Claim,
  events: readonly NewEvent[],
  changes: JobChanges,
  now: Date,
): Promise<void> {
  const { usage, trials: newTrials, columns, rowCount, jobColumns: fates, ...columnsOfJob } = changes;
  const row = await append(tx, claimFence(claim), events, columnsOfJob, now);
  if (!row) throw new StaleAttemptError(claim.jobId, claim.attempt);

  if (usage) {
    await tx
      .update(jobs)
      .set({ usage: addUsage({ ...NO_USAGE, ...row.usage }, usage) })
      .where(eq(jobs.id, claim.jobId));
  }
  if (newTrials && newTrials.length > 0) {
    await tx
      .insert(trials)
      .values(newTrials.map((trial) => ({ ...trial, jobId: claim.jobId, createdAt: now })))
      .onConflictDoNothing();
  }
  if (fates) {
    await tx
      .insert(jobColumns)
      .values({ jobId: claim.jobId, columns: fates })
      .onConflictDoUpdate({ target: jobColumns.jobId, set: { columns: fates } });
  }
  if (columns || rowCount !== undefined) {
    await tx
      .update(datasets)
      .set({ ...(columns ? { columns } : {}), ...(rowCount === undefined ? {} : { rowCount }) })
      .where(eq(datasets.id, row.datasetId));
  }
}
