import type { Readable } from 'node:stream';
import type { NewEvent } from '../domain/events.ts';
import type { DatasetColumn, JobColumn, JobResult, JobUsage, Trial } from '../domain/records.ts';
import type { ArtifactKind, Metric, SandboxKind, Stage, Task } from '../domain/vocabulary.ts';

/**
 * What the team needs of the job it works on; `jobs/` implements it over the store. Every write is fenced by the job's
 * attempt and rejects with StaleAttemptError once the claim is lost: stop at once, without another write.
 */
export interface JobRecorder {
  /** Appends events and applies `changes` to the job in one transaction. */
  record(events: readonly NewEvent[], changes?: JobChanges): Promise<void>;
  /** Latest-wins progress within a step: coalesced and written at most every 200 ms. Never throws. */
  progress(update: { stage: Stage; step: string | null; progress: number; message: string }): void;
  /** The finished step with this key, from this or an earlier attempt. */
  finishedStep(key: string): Promise<JournalEntry | null>;
  /** Journals a step and its events in one transaction, so that a step is finished exactly when its event is seen. */
  finishStep(entry: JournalEntry, events: readonly NewEvent[], changes?: JobChanges): Promise<void>;
  /** Streams a file to the blob store and records it with its ArtifactSaved event. The same name replaces the older file. */
  saveArtifact(file: NewArtifact): Promise<void>;
}

export interface JobChanges {
  stage?: Stage;
  task?: Task;
  metric?: Metric;
  sandbox?: SandboxKind;
  result?: JobResult;
  /** Added to what stands. */
  usage?: Partial<JobUsage>;
  /** Trials to insert; one with a known id is left as it is. */
  trials?: readonly Omit<Trial, 'jobId' | 'createdAt'>[];
  /** Written to the dataset: types, missing and distinct as the profile found them. */
  columns?: readonly DatasetColumn[];
  rowCount?: number;
  /** What became of the columns in this job, in place of what stood. */
  jobColumns?: readonly JobColumn[];
}

/** A finished step: failures are journaled too, so that a resumed run decides as the first did. */
export interface JournalEntry {
  key: string;
  tool: string;
  ok: boolean;
  /** The tool's result, or `{code, message, hint}` when not ok. JSON. */
  output: unknown;
  seconds: number;
}

export interface NewArtifact {
  name: string;
  kind: ArtifactKind;
  contentType: string;
  content: Readable;
}
