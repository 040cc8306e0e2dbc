import { jobTopic } from '../bus/bus.ts';
import { InvalidOptionsError, JobNotFoundError, SproutError } from '../domain/errors.ts';
import type { JobEvent } from '../domain/events.ts';
import type { JobId } from '../domain/ids.ts';
import type { Job } from '../domain/records.ts';
import { isTerminal } from '../domain/vocabulary.ts';
import type { JobStore } from './store.ts';

/** A job as it is now and, except for the first of a subscription, the event that made it so. */
export interface JobUpdate {
  job: Job;
  event: JobEvent | null;
}

/** Events read at once: a subscriber far behind catches up in steps of this many. */
const BATCH = 256;
/** Updates kept for all subscribers of a job; who is further behind reads the database. */
const TAIL = 1024;

/**
 * Follows jobs for any number of subscribers. Each job has one reader per process, started by its first subscriber and ended
 * with its last: an event costs one read of the database, however many listen, and all get the same `JobUpdate` object.
 */
export class Followers {
  readonly #store: JobStore;
  readonly #pollMs: number;
  readonly #readers = new Map<JobId, JobReader>();

  /** @param pollMs how often a reader looks without having been hinted at; the bus may drop any hint. */
  constructor(store: JobStore, pollMs = 500) {
    this.#store = store;
    this.#pollMs = pollMs;
  }

  /** Who follows a job right now and has not seen its end. */
  get count(): number {
    return [...this.#readers.values()].reduce((sum, reader) => sum + reader.latches.size, 0);
  }

  /**
   * The job as it is now (event null), then every event after it, each once and in order; with `after`, first every event
   * with a larger sequence. Ends when the job has ended and its last event is out, when `signal` aborts, or when the
   * consumer returns. Rejects with JobNotFoundError. `job` in an update is never older than its event.
   */
  follow(id: JobId, options: { after: number | null; signal: AbortSignal }): AsyncIterable<JobUpdate> {
    return { [Symbol.asyncIterator]: () => this.#iterate(id, options) };
  }

  #iterate(id: JobId, options: { after: number | null; signal: AbortSignal }): AsyncIterator<JobUpdate> {
    const latch = new Latch();
    const stop = (): void => latch.close();
    options.signal.addEventListener('abort', stop, { once: true });
    if (options.signal.aborted) stop();
    const updates = this.#updates(id, options.after, latch);
    return {
      async next() {
        const update = await updates.next();
        if (update.done) options.signal.removeEventListener('abort', stop);
        return update;
      },
      // A generator's own return() would wait for the next event first.
      async return() {
        stop();
        options.signal.removeEventListener('abort', stop);
        return updates.return(undefined);
      },
    };
  }

  async *#updates(id: JobId, after: number | null, latch: Latch): AsyncGenerator<JobUpdate, undefined> {
    const snapshot = await this.#store.job(id);
    if (!snapshot) throw new JobNotFoundError(id);
    if (after !== null && (after < 0 || after > snapshot.lastSequence)) {
      throw new InvalidOptionsError(
        'AFTER_OUT_OF_RANGE',
        `There is no event ${after}: the job's events go from 1 to ${snapshot.lastSequence}.`,
        {
          hint: 'Give `after` the sequence of an event you have seen, or 0 for all.',
          details: { field: 'after' },
        },
      );
    }
    yield { job: snapshot, event: null };

    let cursor = after ?? snapshot.lastSequence;
    if (isTerminal(snapshot.status) && cursor >= snapshot.lastSequence) return;
    const reader = this.#join(id, latch, snapshot);
    try {
      while (!latch.closed) {
        const batch = await reader.updatesAfter(cursor);
        for (const update of batch) {
          if (latch.closed) return;
          cursor = nextInLine(cursor, update);
          yield update;
        }
        if (batch.length > 0) continue;
        if (reader.hasEndedBy(cursor)) return;
        await latch.wait();
      }
    } finally {
      this.#leave(id, latch, reader);
    }
  }

  #join(id: JobId, latch: Latch, snapshot: Job): JobReader {
    let reader = this.#readers.get(id);
    if (!reader || reader.hasFailed) {
      reader = new JobReader(this.#store, snapshot, this.#pollMs);
      this.#readers.set(id, reader);
    }
    reader.latches.add(latch);
    return reader;
  }

  #leave(id: JobId, latch: Latch, reader: JobReader): void {
    reader.latches.delete(latch);
    if (reader.latches.size > 0) return;
    reader.close();
    if (this.#readers.get(id) === reader) this.#readers.delete(id);
  }
}

function nextInLine(cursor: number, { event }: JobUpdate): number {
  if (event?.sequence === cursor + 1) return event.sequence;
  throw new SproutError(
    'EVENT_GAP',
    `Event ${cursor + 1} is missing: the log went on with ${event?.sequence}.`,
  );
}

/** Reads one job's log as it grows, for everyone who follows the job. */
class JobReader {
  /** One per subscriber, opened whenever there is something new. */
  readonly latches = new Set<Latch>();
  readonly #store: JobStore;
  readonly #unsubscribe: () => void;
  readonly #poll: NodeJS.Timeout;
  /** The newest updates, without a gap, the last of them the newest event read. */
  #tail: JobUpdate[] = [];
  #cursor: number;
  #job: Job;
  #error: unknown = null;
  #reading = false;
  #dirty = false;

  constructor(store: JobStore, snapshot: Job, pollMs: number) {
    this.#store = store;
    this.#job = snapshot;
    this.#cursor = snapshot.lastSequence;
    const look = (): void => void this.#look();
    this.#unsubscribe = store.bus.subscribe(jobTopic(snapshot.id), look);
    this.#poll = setInterval(look, pollMs);
    look();
  }

  close(): void {
    this.#unsubscribe();
    clearInterval(this.#poll);
  }

  get hasFailed(): boolean {
    return this.#error !== null;
  }

  /** Updates that follow `cursor`, at most a batch; none when there is nothing yet. */
  async updatesAfter(cursor: number): Promise<readonly JobUpdate[]> {
    if (this.#error) throw this.#error;
    if (cursor >= this.#cursor) return [];
    const fromTail = this.#tail.length - (this.#cursor - cursor);
    if (fromTail >= 0) return this.#tail.slice(fromTail);
    return this.#read(cursor);
  }

  hasEndedBy(cursor: number): boolean {
    return isTerminal(this.#job.status) && cursor >= this.#job.lastSequence;
  }

  /** Events first, then the job: a job read later is never older than an event. */
  async #read(cursor: number): Promise<JobUpdate[]> {
    const { id } = this.#job;
    const events = await this.#store.events(id, cursor, BATCH);
    const job = await this.#store.job(id);
    if (!job) throw new JobNotFoundError(id);
    this.#job = job;
    return events.map((event) => ({ job, event }));
  }

  /** Reads until nothing is new. A hint in the middle of it makes for one more round, and a hundred hints do, too. */
  async #look(): Promise<void> {
    this.#dirty = true;
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (this.#dirty) {
        this.#dirty = false;
        const updates = await this.#read(this.#cursor);
        for (const update of updates) {
          this.#cursor = nextInLine(this.#cursor, update);
          this.#tail.push(update);
        }
        if (this.#tail.length > TAIL) this.#tail = this.#tail.slice(-TAIL / 2);
        if (updates.length === BATCH) this.#dirty = true;
        if (updates.length > 0 || isTerminal(this.#job.status)) this.#wakeAll();
      }
    } catch (error) {
      // Every subscriber gets it from `updatesAfter`; the next to come starts a fresh reader.
      this.#error = error;
      this.#wakeAll();
    } finally {
      this.#reading = false;
    }
  }

  #wakeAll(): void {
    for (const latch of this.latches) latch.open();
  }
}

/** Remembers that something happened until somebody waits for it. */
class Latch {
  closed = false;
  #isOpen = false;
  #wake: (() => void) | null = null;

  open(): void {
    this.#isOpen = true;
    this.#wake?.();
    this.#wake = null;
  }

  /** Open for good. */
  close(): void {
    this.closed = true;
    this.open();
  }

  /** Resolves once opened, and shuts behind the waiter. */
  async wait(): Promise<void> {
    if (!this.#isOpen) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#isOpen = this.closed;
  }
}
