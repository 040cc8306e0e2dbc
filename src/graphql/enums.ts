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
} from '../domain/vocabulary.ts';
import type { Containment } from '../sandbox/sandbox.ts';
import { builder } from './builder.ts';

/** Every value of `T` with what it means: a word added to the vocabulary does not compile until it is described. */
export function values<T extends string>(meanings: Readonly<Record<T, string>>) {
  return Object.fromEntries(
    Object.entries<string>(meanings).map(([value, description]) => [
      value,
      { value: value as T, description },
    ]),
  ) as Record<T, { value: T; description: string }>;
}

export const JobStatusEnum = builder.enumType('JobStatus', {
  description: 'Where a job stands. The last three are final.',
  values: values<JobStatus>({
    QUEUED: 'Waiting for a free place to run.',
    RUNNING: 'The agents are at work.',
    SUCCEEDED: 'Done: models, report and plots are there.',
    FAILED: 'Ended without a usable model; `failure` says why.',
    CANCELLED: 'Stopped on request; what was found until then is kept.',
  }),
});

export const StageEnum = builder.enumType('Stage', {
  description: 'What a running job is doing.',
  values: values<Stage>({
    SETUP: 'Opening the sandbox and bringing the data in.',
    PREPROCESSING: 'Looking at the data, sealing the holdout, deciding how columns become features.',
    TRAINING: 'Cross-validating kinds of model side by side.',
    EVALUATION: 'Judging what was found.',
    TUNING: 'Varying the best, and combining them.',
    REPORTING: 'Scoring the holdout once, writing the report and the files.',
  }),
});

export const AgentEnum = builder.enumType('Agent', {
  description: 'A member of the team.',
  values: values<AgentRole>({
    ORCHESTRATOR: 'Leads: decides what comes next and who does it.',
    PREPROCESSING: 'Profiles and prepares the data.',
    MASTER_TRAINER: 'Chooses the kinds of model and hands them out.',
    SUB_TRAINER: 'Trains one kind of model.',
    EVALUATOR: 'Judges the models and decides whether to go on.',
    TUNER: 'Improves the best models and combines them.',
  }),
});

export const TaskEnum = builder.enumType('Task', {
  description: 'What is predicted.',
  values: values<Task>({
    BINARY: 'One of two classes.',
    MULTICLASS: 'One of three or more classes.',
    REGRESSION: 'A number.',
  }),
});

export const MetricEnum = builder.enumType('Metric', {
  description:
    "How models are compared. Values are the metric's own: an RMSE of 50 is 50, and lower is better.",
  values: values<Metric>({
    ROC_AUC:
      'Area under the ROC curve; one-vs-rest average for several classes. Classification, higher is better.',
    PR_AUC: 'Area under the precision-recall curve (average precision). Binary, higher is better.',
    LOG_LOSS: 'Cross-entropy of the predicted probabilities. Classification, lower is better.',
    ACCURACY: 'Share of rows predicted right. Classification, higher is better.',
    BALANCED_ACCURACY: 'Average recall over the classes. Classification, higher is better.',
    F1: 'Harmonic mean of precision and recall of the positive class. Binary, higher is better.',
    F1_MACRO: 'F1 averaged over the classes. Classification, higher is better.',
    MCC: 'Matthews correlation coefficient. Classification, higher is better.',
    RMSE: 'Root of the mean squared error. Regression, lower is better.',
    MAE: 'Mean absolute error. Regression, lower is better.',
    MEDIAN_AE: 'Median absolute error. Regression, lower is better.',
    MAPE: 'Mean absolute error as a share of the truth. Regression, lower is better.',
    RMSLE: 'Root of the mean squared error of logarithms. Regression, lower is better.',
    PINBALL:
      'Pinball loss: predictions are to lie above the share `quantile` of the values. Regression, lower is better.',
    R2: 'Share of the variance explained. Regression, higher is better.',
  }),
});

export const MindEnum = builder.enumType('Mind', {
  description: "Who sits in the agents' seats.",
  values: values<Mind>({
    PLAYBOOK: 'The built-in deterministic policy; needs no key.',
    LANGUAGE_MODEL: 'A language model, the playbook standing by.',
  }),
});

export const SandboxKindEnum = builder.enumType('SandboxKind', {
  description: 'Where the training code runs.',
  values: values<SandboxKind>({
    LOCAL: 'On this machine; `Health.sandbox` says how it is contained.',
    DAYTONA: 'In a Daytona cloud sandbox.',
  }),
});

export const ContainmentEnum = builder.enumType('Containment', {
  description: 'What may run in the sandbox.',
  values: {
    CONTAINED: {
      value: 'contained' satisfies Containment,
      description: 'No network, secrets or host files: agent-written code may run.',
    },
    PROCESS: {
      value: 'process' satisfies Containment,
      description: 'A plain resource-limited process: only the built-in toolkit runs.',
    },
  },
});

export const ArtifactKindEnum = builder.enumType('ArtifactKind', {
  description: 'What a file that a job leaves is for.',
  values: values<ArtifactKind>({
    MODEL: 'A trained model to predict with.',
    REPORT: 'The report to read.',
    PLOT: 'A picture.',
    METRICS: 'Every metric, as data.',
    PREDICTIONS: 'Predictions for the rows of the dataset.',
    DATASET: 'A table made on the way.',
    CODE: 'Code that repeats the winner.',
    LOG: 'What was done, line by line.',
  }),
});

export const ColumnTypeEnum = builder.enumType('ColumnType', {
  description: 'What a column holds, as the profile found it.',
  values: values<ColumnType>({
    NUMERIC: 'Numbers.',
    CATEGORICAL: 'One of a limited set of values.',
    BOOLEAN: 'Yes or no.',
    DATE: 'Dates or times.',
    TEXT: 'Free text.',
    IDENTIFIER: 'A different value in every row: tells rows apart, predicts nothing.',
    CONSTANT: 'The same value in every row.',
  }),
});

export const ColumnRoleEnum = builder.enumType('ColumnRole', {
  description: 'What a column is to a job.',
  values: values<ColumnRole>({
    FEATURE: 'Models learn from it.',
    TARGET: 'It is predicted.',
    IGNORED: 'Left out as asked: by `ignoreColumns`, or as the column of groups.',
    DROPPED: 'Left out by the toolkit; `reason` says why. `keepColumns` takes it in where that can be.',
  }),
});

export const FamilyEnum = builder.enumType('Family', {
  description: 'A kind of model.',
  values: values<Family>({
    BASELINE: 'Predicts the prior or the median: what any model must beat.',
    LIGHTGBM: 'Gradient-boosted trees (LightGBM).',
    CATBOOST: 'Gradient-boosted trees (CatBoost).',
    LINEAR: 'Linear or logistic regression.',
    RANDOM_FOREST: 'Random forest.',
    EXTRA_TREES: 'Extremely randomised trees.',
    KNN: 'Nearest neighbours.',
    MLP: 'A small neural network.',
    KERNEL: 'Ridge regression, or its classifier, with a Gaussian kernel.',
    CODE: 'A pipeline of its own that an agent wrote.',
    ENSEMBLE: 'A weighted combination of other trials.',
  }),
});

export const LogLevelEnum = builder.enumType('LogLevel', {
  description: 'How serious a log line is.',
  values: values<'INFO' | 'WARNING' | 'ERROR'>({
    INFO: 'Worth knowing.',
    WARNING: 'Worth a look.',
    ERROR: 'Something went wrong.',
  }),
});
