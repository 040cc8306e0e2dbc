import { text } from 'node:stream/consumers';
import type { JobChanges, JobRecorder, JournalEntry, NewArtifact } from '../../src/agents/recorder.ts';
import { StaleAttemptError } from '../../src/domain/errors.ts';
import type { EventBody, NewEvent } from '../../src/domain/events.ts';
import type { JobResult, JobUsage } from '../../src/domain/records.ts';
import { addUsage, NO_USAGE } from '../../src/domain/usage.ts';

type ProgressUpdate = Parameters<JobRecorder['progress']>[0];

/** What a job's store holds; it outlives the attempts that write to it. */
export class MemoryStore {
  readonly events: NewEvent[] = [];
  readonly journal = new Map<string, JournalEntry>();
  readonly artifacts = new Map<string, string>();
  readonly progress: ProgressUpdate[] = [];
  readonly trials = new Map<string, NonNullable<JobChanges['trials']>[number]>();
  changes: JobChanges = {};
  usage: JobUsage = NO_USAGE;
  /** Another attempt owns the job: every write is refused. */
  claimLost = false;

  get result(): JobResult | null {
    return this.changes.result ?? null;
  }

  ofType<T extends EventBody['type']>(type: T): Extract<NewEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<NewEvent, { type: T }> => event.type === type);
  }
}

/** One attempt's recorder over a store. `onFinished` is called after each journal entry is in: the place to pull the plug. */
export class MemoryRecorder implements JobRecorder {
  readonly #store: MemoryStore;
  readonly #onFinished: (entry: JournalEntry) => void;

  constructor(store: MemoryStore, onFinished: (entry: JournalEntry) => void = () => undefined) {
    this.#store = store;
    this.#onFinished = onFinished;
  }

  async record(events: readonly NewEvent[], changes: JobChanges = {}): Promise<void> {
    this.#apply(events, changes);
  }

  progress(update: ProgressUpdate): void {
    this.#store.progress.push(update);
  }

  async finishedStep(key: string): Promise<JournalEntry | null> {
    return structuredClone(this.#store.journal.get(key) ?? null);
  }

  async finishStep(
    entry: JournalEntry,
    events: readonly NewEvent[],
    changes: JobChanges = {},
  ): Promise<void> {
    if (this.#store.journal.has(entry.key)) throw new Error(`Step ${entry.key} was finished twice.`);
    // Through JSON, as any store would.
    this.#store.journal.set(entry.key, JSON.parse(JSON.stringify(entry)));
    this.#apply(events, changes);
    this.#onFinished(entry);
  }

  async saveArtifact({ name, content }: NewArtifact): Promise<void> {
    this.#store.artifacts.set(name, await text(content));
  }

  #apply(events: readonly NewEvent[], changes: JobChanges): void {
    if (this.#store.claimLost) throw new StaleAttemptError('the job', 1);
    this.#store.events.push(...events);
    for (const trial of changes.trials ?? []) this.#store.trials.set(trial.id, trial);
    this.#store.usage = addUsage(this.#store.usage, changes.usage ?? {});
    this.#store.changes = { ...this.#store.changes, ...changes };
  }
}
