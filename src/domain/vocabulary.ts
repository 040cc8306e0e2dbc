/** The words of the product, as values: every enum of the schema is one of these lists. */

export const JOB_STATUSES = ['QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED'] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

const TERMINAL: ReadonlySet<JobStatus> = new Set(['SUCCEEDED', 'FAILED', 'CANCELLED']);
export const isTerminal = (status: JobStatus): boolean => TERMINAL.has(status);

export const STAGES = ['SETUP', 'PREPROCESSING', 'TRAINING', 'EVALUATION', 'TUNING', 'REPORTING'] as const;
export type Stage = (typeof STAGES)[number];

export const AGENTS = [
  'ORCHESTRATOR',
  'PREPROCESSING',
  'MASTER_TRAINER',
  'SUB_TRAINER',
  'EVALUATOR',
  'TUNER',
] as const;
export type AgentRole = (typeof AGENTS)[number];

export const TASKS = ['BINARY', 'MULTICLASS', 'REGRESSION'] as const;
export type Task = (typeof TASKS)[number];

export const MINDS = ['PLAYBOOK', 'LANGUAGE_MODEL'] as const;
export type Mind = (typeof MINDS)[number];

export const SANDBOX_KINDS = ['LOCAL', 'DAYTONA'] as const;
export type SandboxKind = (typeof SANDBOX_KINDS)[number];

export const ARTIFACT_KINDS = [
  'MODEL',
  'REPORT',
  'PLOT',
  'METRICS',
  'PREDICTIONS',
  'DATASET',
  'CODE',
  'LOG',
] as const;
export type ArtifactKind = (typeof ARTIFACT_KINDS)[number];

export const COLUMN_TYPES = [
  'NUMERIC',
  'CATEGORICAL',
  'BOOLEAN',
  'DATE',
  'TEXT',
  'IDENTIFIER',
  'CONSTANT',
] as const;
export type ColumnType = (typeof COLUMN_TYPES)[number];

/** What a column is to a job. */
export const COLUMN_ROLES = ['FEATURE', 'TARGET', 'IGNORED', 'DROPPED'] as const;
export type ColumnRole = (typeof COLUMN_ROLES)[number];

export const METRICS = [
  'ROC_AUC',
  'PR_AUC',
  'LOG_LOSS',
  'ACCURACY',
  'BALANCED_ACCURACY',
  'F1',
  'F1_MACRO',
  'MCC',
  'RMSE',
  'MAE',
  'MEDIAN_AE',
  'MAPE',
  'RMSLE',
  'PINBALL',
  'R2',
] as const;
export type Metric = (typeof METRICS)[number];

const LOWER_IS_BETTER: ReadonlySet<Metric> = new Set([
  'LOG_LOSS',
  'RMSE',
  'MAE',
  'MEDIAN_AE',
  'MAPE',
  'RMSLE',
  'PINBALL',
]);

const METRIC_TASKS: Readonly<Record<Metric, readonly Task[]>> = {
  ROC_AUC: ['BINARY', 'MULTICLASS'],
  PR_AUC: ['BINARY'],
  LOG_LOSS: ['BINARY', 'MULTICLASS'],
  ACCURACY: ['BINARY', 'MULTICLASS'],
  BALANCED_ACCURACY: ['BINARY', 'MULTICLASS'],
  F1: ['BINARY'],
  F1_MACRO: ['BINARY', 'MULTICLASS'],
  MCC: ['BINARY', 'MULTICLASS'],
  RMSE: ['REGRESSION'],
  MAE: ['REGRESSION'],
  MEDIAN_AE: ['REGRESSION'],
  MAPE: ['REGRESSION'],
  RMSLE: ['REGRESSION'],
  PINBALL: ['REGRESSION'],
  R2: ['REGRESSION'],
};

export const metricFits = (metric: Metric, task: Task): boolean => METRIC_TASKS[metric].includes(task);
export const isLowerBetter = (metric: Metric): boolean => LOWER_IS_BETTER.has(metric);

/** True when `a` is strictly better than `b` under the metric's own direction. */
export const isBetter = (metric: Metric, a: number, b: number): boolean =>
  isLowerBetter(metric) ? a < b : a > b;

/** True when `score` is at least as good as `goal`. */
export const reachesGoal = (metric: Metric, score: number, goal: number): boolean =>
  score === goal || isBetter(metric, score, goal);

export const FAMILIES = [
  'BASELINE',
  'LIGHTGBM',
  'CATBOOST',
  'LINEAR',
  'RANDOM_FOREST',
  'EXTRA_TREES',
  'KNN',
  'MLP',
  'KERNEL',
  'CODE',
  'ENSEMBLE',
] as const;
export type Family = (typeof FAMILIES)[number];
