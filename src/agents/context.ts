import type { Readable } from 'node:stream';
import type { Runner } from '@openai/agents-core';
import type { Dataset, Job } from '../domain/records.ts';
import type { AgentRole, Mind } from '../domain/vocabulary.ts';
import type { Toolkit } from '../sandbox/toolkit.ts';
import type { UntrustedPython } from '../sandbox/untrusted-python.ts';
import type { Blackboard } from './blackboard.ts';
import type { Budget } from './budget.ts';
import type { ProgressMeter } from './progress.ts';
import type { JobRecorder } from './recorder.ts';
import type { Slots } from './slots.ts';

/** Everything a team is given to work on one job. The table already lies in the sandbox at `inputPath(dataset)`. */
export interface TeamContext {
  readonly job: Job;
  readonly dataset: Dataset;
  readonly recorder: JobRecorder;
  /** Hard stop (shutdown, lost claim): nothing more is done or written, and the journal keeps the job resumable. */
  readonly signal: AbortSignal;
  /** Soft stop (cancel, deadline): running trials are killed, the best so far is kept, evaluated and reported. */
  readonly stopSignal: AbortSignal;
  stopReason(): StopReason | null;
  /** Milliseconds charged to the budget so far, over all attempts; downtime is not counted. */
  elapsedMs(): number;
  readonly toolkit: Toolkit;
  /** Reads a file of the job's folder, to be saved as an artifact. */
  readFile(path: string): Promise<{ size: number; stream: Readable }>;
  /** Cores this job may use. */
  readonly cpus: number;
  /** Trials that may run at the same time; default: one a core, as many as share memory well. */
  readonly trialsAtOnce?: number;
  readonly mind: Mind;
  readonly seed: number;
  /** Runs agent-written code apart from everything it must not see. Absent: it is not run. */
  readonly untrusted?: UntrustedPython;
  /** Whether cells of the table may be told to a language model: LLM_SHARE_SAMPLES. */
  readonly shareSamples?: boolean;
}

export type StopReason = 'cancelled' | 'deadline';

/** Where a dataset's bytes lie in the job's folder. */
export const inputPath = (dataset: Dataset): string =>
  dataset.dialect.compression === 'gzip' ? 'input/data.csv.gz' : 'input/data.csv';

/** The team at work: what it was given and what its agents share. */
export interface Team extends TeamContext {
  readonly runner: Runner;
  readonly board: Blackboard;
  readonly budget: Budget;
  /** One slot per trial that may run at the same time. */
  readonly slots: Slots;
  readonly meter: ProgressMeter;
  /** Ends the search and with it running trials: the soft stop, or the goal reached. */
  readonly searchSignal: AbortSignal;
  goalReached(): void;
  /** A language model's: how many it is being asked for, and whether it is asked for no more. */
  readonly turns: { underWay: number; over: boolean };
  /** Of a resumed run: `heard` is called with each finished step that is told again; `only`: no new one is begun. */
  readonly retelling?: { heard(): void; only: boolean };
  /** Ends every agent at once with this error. */
  fail(error: unknown): void;
}

/** Journaled once a language model's part in a job is over: nothing more is asked of it then, also after a restart. */
export const EXPLORED = 'orchestrator#explored';

/** One agent's run: what the SDK hands to each of its tools. */
export interface AgentContext {
  readonly team: Team;
  readonly role: AgentRole;
  /** Its place in the tree of delegations: `orchestrator/training/2`. */
  readonly run: string;
  readonly parentRun: string | null;
  /** How often each tool was called in this run. */
  readonly calls: Map<string, number>;
  /** Which of the orchestrator's delegations it counts as, where it is none of them. */
  readonly delegation?: number;
  /** Of all trials that the job may have, the share that its portfolio is planned with; else what is left of them. */
  readonly trialShare?: number;
  /** Whose idea all of this run's trials are, where whoever delegated chose them; else it is told by each call. */
  readonly author?: Mind;
  /** Set by the `finish` tool alone; a run without it is not over. */
  outcome: string | null;
}
