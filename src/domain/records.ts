import type { ArtifactId, BlobKey, DatasetId, JobId, OwnerId } from './ids.ts';
import type {
  AgentRole,
  ArtifactKind,
  ColumnRole,
  ColumnType,
  Family,
  JobStatus,
  Metric,
  Mind,
  SandboxKind,
  Stage,
  Task,
} from './vocabulary.ts';

/** How the uploaded bytes are to be read as a table. */
export interface Dialect {
  delimiter: ',' | ';' | '\t' | '|';
  /** Names that both Node and Python know. */
  encoding: 'utf-8' | 'utf-8-sig' | 'latin-1';
  compression: 'gzip' | null;
}

export interface DatasetColumn {
  name: string;
  /** Null until a job has profiled the table. */
  type: ColumnType | null;
  missing: number | null;
  distinct: number | null;
}

/** What became of a column in one job. */
export interface JobColumn {
  name: string;
  type: ColumnType;
  role: ColumnRole;
  /** How it becomes numbers; null until features are planned, and where it is none. */
  treatment: string | null;
  /** Why it has its role, or how its cells are read where that was a choice. */
  reason: string | null;
  /** What is to be known of it before the score is believed. */
  warnings: readonly { code: string; message: string }[];
}

export interface Dataset {
  id: DatasetId;
  owner: OwnerId;
  name: string;
  columns: readonly DatasetColumn[];
  rowCount: number | null;
  /** Bytes as uploaded. */
  size: number;
  sha256: string;
  dialect: Dialect;
  blobKey: BlobKey;
  createdAt: Date;
}

export interface JobOptions {
  targetColumn: string;
  name: string;
  task: Task | null;
  metric: Metric | null;
  /** Which quantile PINBALL asks for, between 0 and 1; null: the median. Of no other metric. */
  quantile: number | null;
  timeBudgetSeconds: number;
  maxTrials: number | null;
  goalScore: number | null;
  instructions: string | null;
  ignoreColumns: readonly string[];
  /** Columns that stay features, though they look like row names or copies of others. */
  keepColumns: readonly string[];
  /** Share of the rows that is sealed for the final score; 0: none; null: by the size of the table. */
  holdoutFraction: number | null;
  /** Rows of one value here are never on two sides of the split. */
  groupColumn: string | null;
  /** The rows that are latest by this column are sealed. Not together with `groupColumn`. */
  timeColumn: string | null;
  /** Most US dollars a language model may cost; null: the server's own limit. */
  maxCostUsd: number | null;
  /** Decides all that is left to chance: which rows are sealed and dealt where, what models draw. */
  seed: number;
}

/** Options that jobs of earlier versions were stored without, and what that means. */
export const LATER_OPTIONS = {
  keepColumns: [] as readonly string[],
  quantile: null,
  holdoutFraction: null,
  groupColumn: null,
  timeColumn: null,
  maxCostUsd: null,
  seed: 0,
} as const satisfies Partial<JobOptions>;

export interface Interval {
  low: number;
  high: number;
}

export interface JobResult {
  metric: Metric;
  validationScore: number;
  holdoutScore: number | null;
  holdoutInterval: Interval | null;
  baselineScore: number;
  bestTrialId: string;
  summary: string;
  /** Of a job with a language model: the best validation score of the playbook's own trials; null until there is one. */
  playbookScore?: number | null;
  /** How much better than that the best trial is, in the metric's units; 0 where the best is the playbook's own. */
  lift?: number | null;
}

export interface JobFailure {
  code: string;
  message: string;
  hint: string | null;
  stage: Stage | null;
}

/** What one agent has used of a language model. */
export interface AgentUsage {
  /** Calls that were answered. */
  modelCalls: number;
  inputTokens: number;
  /** Of `inputTokens`, those read from the model's cache. */
  cachedInputTokens: number;
  outputTokens: number;
  estimatedCostUsd: number;
}

export interface JobUsage extends AgentUsage {
  sandboxSeconds: number;
  /** Core-seconds and GiB-seconds that its cloud sandboxes were there for, which is what clouds bill; 0 on this machine. */
  sandboxCpuSeconds: number;
  sandboxMemoryGibSeconds: number;
  /** Who used it; the playbook uses nothing. */
  agents: Partial<Record<AgentRole, AgentUsage>>;
}

export interface Job {
  id: JobId;
  /** Always the owner of its dataset. */
  owner: OwnerId;
  datasetId: DatasetId;
  options: JobOptions;
  status: JobStatus;
  stage: Stage | null;
  /** 0 to 1, never falls. */
  progress: number;
  /** As inferred or given; null until the table is profiled. */
  task: Task | null;
  metric: Metric | null;
  mind: Mind;
  sandbox: SandboxKind;
  /** The fence: a runner may write only while this equals the number it claimed with. */
  attempt: number;
  lastSequence: number;
  /** Milliseconds spent running so far, over all attempts: the budget is charged for these alone. */
  activeMs: number;
  cancelRequestedAt: Date | null;
  result: JobResult | null;
  failure: JobFailure | null;
  usage: JobUsage;
  retryOf: JobId | null;
  createdAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
}

export interface Trial {
  id: string;
  jobId: JobId;
  name: string;
  family: Family;
  agent: AgentRole;
  /** Whose idea it was; an ensemble with a language model's trial in it is the model's. */
  origin: Mind;
  score: number;
  foldScores: readonly number[];
  fitSeconds: number;
  predictMicrosPerRow: number | null;
  parameters: Readonly<Record<string, unknown>>;
  isBaseline: boolean;
  createdAt: Date;
}

export interface Artifact {
  id: ArtifactId;
  jobId: JobId;
  /** The owner of its job. */
  owner: OwnerId;
  name: string;
  kind: ArtifactKind;
  contentType: string;
  size: number;
  sha256: string;
  blobKey: BlobKey;
  createdAt: Date;
}
