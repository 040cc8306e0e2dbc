import type { Config } from '../config.ts';
import { nearest } from '../datasets/nearest.ts';
import { InvalidOptionsError } from '../domain/errors.ts';
import type { DatasetColumn, JobOptions } from '../domain/records.ts';
import { METRICS, type Metric, metricFits, type Task } from '../domain/vocabulary.ts';
import { builder } from './builder.ts';
import { MetricEnum, TaskEnum } from './enums.ts';
import { WebhookInput } from './webhook.ts';

const DEFAULT_TIME_BUDGET_SECONDS = 600;
const MIN_TIME_BUDGET_SECONDS = 10;
const MAX_TRIALS = 10_000;
const MAX_HOLDOUT_FRACTION = 0.5;
/** Models of one job take seeds a little above it, and some libraries none beyond 2^31. */
const MAX_SEED = 1_000_000_000;

const SPLIT_COLUMNS = ['groupColumn', 'timeColumn'] as const;
const MAX_NAME = 200;
const MAX_INSTRUCTIONS = 10_000;
const MAX_IDEMPOTENCY_KEY = 200;

/** Metrics whose values lie in 0 to 1 (R2 and MCC may fall below 0, but a goal there is a mistake too). */
const BOUNDED = new Set<Metric>([
  'ROC_AUC',
  'PR_AUC',
  'ACCURACY',
  'BALANCED_ACCURACY',
  'F1',
  'F1_MACRO',
  'MCC',
  'R2',
]);

export const StartTrainingInput = builder.inputType('StartTrainingInput', {
  description:
    'A table, the column to predict, and how far to go. Give exactly one of `file` and `datasetId`.',
  fields: (t) => ({
    file: t.field({
      type: 'Upload',
      description: 'A CSV file (comma, semicolon, tab or pipe), plain or gzipped.',
    }),
    datasetId: t.id({ description: 'A dataset uploaded before.' }),
    targetColumn: t.string({
      required: true,
      description: 'The column to predict, by its name in the header.',
    }),
    name: t.string({ description: 'Name to show; default: made from the dataset and the target.' }),
    task: t.field({ type: TaskEnum, description: 'Default: inferred from the target.' }),
    metric: t.field({
      type: MetricEnum,
      description:
        'How models are compared. Default: ROC_AUC (binary), LOG_LOSS (multiclass), RMSE (regression).',
    }),
    quantile: t.float({
      description:
        'With the metric PINBALL: the share of the values that predictions are to lie above, between 0 and 1. Default: 0.5, the median.',
    }),
    timeBudgetSeconds: t.int({
      description: `Seconds the job may run, the report aside. Default: ${DEFAULT_TIME_BUDGET_SECONDS}, or the most the server takes if that is less.`,
    }),
    maxTrials: t.int({
      description:
        'Most model configurations to try. Default: as many as time allows. With it, and time enough for them, the same table and input give the same leaderboard again.',
    }),
    seed: t.int({
      description: `Decides what is left to chance: which rows are sealed and dealt to which fold, and what models draw. 0 to ${MAX_SEED}; default: 0. Another one tells how much of a score is luck.`,
    }),
    goalScore: t.float({ description: 'Stop early once the validation score reaches this.' }),
    instructions: t.string({ description: 'Anything the agents should know or heed, in plain words.' }),
    ignoreColumns: t.stringList({ description: 'Columns the models must not see.' }),
    keepColumns: t.stringList({
      description:
        'Columns the models are to see though they look like row names, repeat another column or give the target away: such are left out, or warned of, by themselves.',
    }),
    holdoutFraction: t.float({
      description: `Share of the rows sealed off for the final score, 0 to ${MAX_HOLDOUT_FRACTION}. Default: by the size of the table, a fifth of most. With 0 none are sealed, and the score is that of validation.`,
    }),
    groupColumn: t.string({
      description:
        'A column such as a customer or a patient: rows of one value are never both learnt from and scored on. For models that will meet new ones. It is no feature.',
    }),
    timeColumn: t.string({
      description:
        'A column of dates, or of numbers that grow with time: the latest rows are sealed, and folds are blocks of time. For models that will predict the future. Not together with `groupColumn`.',
    }),
    maxCostUsd: t.float({
      description:
        "Most US dollars the language model in the agents' seats may cost, by list price; then the playbook goes on. With 0 it never sits. Default: the server's LLM_MAX_COST_USD.",
    }),
    idempotencyKey: t.string({
      description:
        'Any string: the same key and input again return the same job instead of starting another.',
    }),
    webhook: t.field({ type: WebhookInput, description: 'Whom to tell when the job has ended.' }),
  }),
});

export type TrainingOptions = typeof StartTrainingInput.$inferInput;

/** Columns are named without the blanks around them, in tables and in options alike. */
export const withTrimmedNames = (input: TrainingOptions): TrainingOptions => ({
  ...input,
  targetColumn: input.targetColumn.trim(),
  ...(input.ignoreColumns == null ? {} : { ignoreColumns: input.ignoreColumns.map((name) => name.trim()) }),
  ...(input.keepColumns == null ? {} : { keepColumns: input.keepColumns.map((name) => name.trim()) }),
  ...(input.groupColumn == null ? {} : { groupColumn: input.groupColumn.trim() }),
  ...(input.timeColumn == null ? {} : { timeColumn: input.timeColumn.trim() }),
});

/** Checks all that needs no table. Throws InvalidOptionsError naming the field. */
export function checkOptions(input: TrainingOptions, config: Pick<Config, 'MAX_TIME_BUDGET_SECONDS'>): void {
  if ((input.file == null) === (input.datasetId == null)) {
    throw invalid(
      'FILE_OR_DATASET',
      'file',
      `Give exactly one of \`file\` and \`datasetId\`, not ${input.file == null ? 'none' : 'both'}.`,
      'Upload a file, or name a dataset uploaded before.',
    );
  }
  within(
    'timeBudgetSeconds',
    input.timeBudgetSeconds,
    MIN_TIME_BUDGET_SECONDS,
    config.MAX_TIME_BUDGET_SECONDS,
  );
  within('maxTrials', input.maxTrials, 1, MAX_TRIALS);
  within('seed', input.seed, 0, MAX_SEED);
  notLonger('targetColumn', input.targetColumn, 10_000);
  notLonger('name', input.name, MAX_NAME);
  notLonger('instructions', input.instructions, MAX_INSTRUCTIONS);
  notLonger('idempotencyKey', input.idempotencyKey, MAX_IDEMPOTENCY_KEY);
  if (input.idempotencyKey === '') {
    throw invalid(
      'OPTION_EMPTY',
      'idempotencyKey',
      '`idempotencyKey` is empty.',
      'Leave it out, or give any string.',
    );
  }
  checkMetric(input.metric ?? null, input.task ?? null);
  checkQuantile(input.quantile ?? null, input.metric ?? null);
  checkGoal(input.goalScore ?? null, input.metric ?? null);
  checkHoldout(input.holdoutFraction ?? null);
  checkCost(input.maxCostUsd ?? null);
  if (input.ignoreColumns?.includes(input.targetColumn)) {
    throw invalid(
      'TARGET_IGNORED',
      'ignoreColumns',
      `"${input.targetColumn}" can't be the target and ignored.`,
      'Take it out of `ignoreColumns`.',
    );
  }
  checkSplit(input);
  checkKept(input);
}

/** Checks that every column named besides the target is there, and that one is left to predict from. */
export function assertColumns(columns: readonly DatasetColumn[], input: TrainingOptions): void {
  const names = new Set(columns.map(({ name }) => name));
  assertThere(names, 'ignoreColumns', input.ignoreColumns ?? []);
  assertThere(names, 'keepColumns', input.keepColumns ?? []);
  for (const field of SPLIT_COLUMNS) assertThere(names, field, input[field] == null ? [] : [input[field]]);

  const unused = new Set([input.targetColumn, input.groupColumn, ...(input.ignoreColumns ?? [])]);
  if (columns.every(({ name }) => unused.has(name))) {
    throw invalid(
      'NO_FEATURES',
      input.groupColumn == null ? 'ignoreColumns' : 'groupColumn',
      'No column is left to predict from.',
      'A table needs at least one column besides the target and the one that groups its rows.',
    );
  }
}

function assertThere(
  names: ReadonlySet<string>,
  field: keyof TrainingOptions,
  named: readonly string[],
): void {
  const unknown = [...new Set(named)].filter((name) => !names.has(name));
  const [first] = unknown;
  if (first === undefined) return;
  const suggestion = unknown.length === 1 ? nearest(first, [...names]) : null;
  throw invalid(
    'COLUMNS_NOT_FOUND',
    field,
    `The table has no column ${unknown.map((name) => `"${name}"`).join(', ')}.`,
    suggestion === null
      ? 'Name columns exactly as they stand in the header.'
      : `Did you mean "${suggestion}"?`,
  );
}

export function toJobOptions(
  input: TrainingOptions,
  datasetName: string,
  { MAX_TIME_BUDGET_SECONDS }: Pick<Config, 'MAX_TIME_BUDGET_SECONDS'>,
): JobOptions {
  return {
    targetColumn: input.targetColumn,
    name:
      input.name?.trim() || `${datasetName.replace(/(\.(csv|tsv|txt|gz))+$/i, '')}: ${input.targetColumn}`,
    task: input.task ?? null,
    metric: input.metric ?? null,
    quantile: input.quantile ?? null,
    timeBudgetSeconds:
      input.timeBudgetSeconds ?? Math.min(DEFAULT_TIME_BUDGET_SECONDS, MAX_TIME_BUDGET_SECONDS),
    maxTrials: input.maxTrials ?? null,
    goalScore: input.goalScore ?? null,
    instructions: input.instructions?.trim() || null,
    ignoreColumns: [...new Set(input.ignoreColumns ?? [])],
    keepColumns: [...new Set(input.keepColumns ?? [])],
    holdoutFraction: input.holdoutFraction ?? null,
    groupColumn: input.groupColumn ?? null,
    timeColumn: input.timeColumn ?? null,
    maxCostUsd: input.maxCostUsd ?? null,
    seed: input.seed ?? 0,
  };
}

function checkMetric(metric: Metric | null, task: Task | null): void {
  if (metric === null || task === null || metricFits(metric, task)) return;
  throw invalid(
    'METRIC_MISMATCH',
    'metric',
    `${metric} does not measure ${task} models.`,
    `Metrics for ${task}: ${METRICS.filter((candidate) => metricFits(candidate, task)).join(', ')}.`,
  );
}

function checkQuantile(quantile: number | null, metric: Metric | null): void {
  if (quantile === null) return;
  if (!(quantile > 0 && quantile < 1)) {
    throw invalid(
      'OPTION_OUT_OF_RANGE',
      'quantile',
      `\`quantile\` is ${quantile}; it must lie between 0 and 1.`,
      'Give a share such as 0.9, above which a tenth of the values lie.',
    );
  }
  if (metric === 'PINBALL') return;
  throw invalid(
    'QUANTILE_WITHOUT_PINBALL',
    'quantile',
    `${metric ?? 'The default metric'} does not ask for a quantile.`,
    'Choose the metric PINBALL, or leave `quantile` out.',
  );
}

function checkGoal(goal: number | null, metric: Metric | null): void {
  if (goal === null) return;
  if (!Number.isFinite(goal)) {
    throw invalid('OPTION_OUT_OF_RANGE', 'goalScore', '`goalScore` must be a finite number.');
  }
  if (metric === null) return;
  const highest = BOUNDED.has(metric) ? 1 : Number.POSITIVE_INFINITY;
  if (goal < 0 || goal > highest) {
    throw invalid(
      'OPTION_OUT_OF_RANGE',
      'goalScore',
      `A goal of ${goal} in ${metric} ${goal < 0 ? 'is none' : "can't be reached"}.`,
      BOUNDED.has(metric) ? 'Give a value from 0 to 1.' : 'Give 0 or more: lower is better.',
    );
  }
}

/** What can be said of the columns that rows are split by without knowing the table. */
function checkSplit(input: TrainingOptions): void {
  if (input.groupColumn != null && input.timeColumn != null) {
    throw invalid(
      'GROUP_OR_TIME',
      'timeColumn',
      'Rows are split by `groupColumn` or by `timeColumn`, not by both.',
      'Leave one out: the time, where new rows will be of new groups; the group, where they will be later ones.',
    );
  }
  for (const field of SPLIT_COLUMNS) {
    if (input[field] !== input.targetColumn) continue;
    throw invalid(
      'COLUMN_IS_TARGET',
      field,
      `"${input.targetColumn}" can't be the target and \`${field}\`.`,
      'Name another column.',
    );
  }
}

/** A column to keep is a feature: it can't be anything else as well. */
function checkKept(input: TrainingOptions): void {
  const others = [
    { name: input.targetColumn, what: 'is what to predict' },
    { name: input.groupColumn, what: 'groups the rows and is no feature' },
    ...(input.ignoreColumns ?? []).map((name) => ({ name, what: 'is in `ignoreColumns` too' })),
  ];
  for (const { name, what } of others) {
    if (name == null || !input.keepColumns?.includes(name)) continue;
    throw invalid(
      'COLUMN_NOT_KEPT',
      'keepColumns',
      `"${name}" can't be kept as a feature: it ${what}.`,
      'Name it in one place only.',
    );
  }
}

function checkHoldout(fraction: number | null): void {
  if (fraction === null || (fraction >= 0 && fraction <= MAX_HOLDOUT_FRACTION)) return;
  throw invalid(
    'OPTION_OUT_OF_RANGE',
    'holdoutFraction',
    `\`holdoutFraction\` is ${fraction}; it may be from 0 to ${MAX_HOLDOUT_FRACTION}.`,
    'Give a share of the rows, such as 0.2, or 0 to seal none, or leave it out.',
  );
}

function checkCost(dollars: number | null): void {
  if (dollars === null || (Number.isFinite(dollars) && dollars >= 0)) return;
  throw invalid(
    'OPTION_OUT_OF_RANGE',
    'maxCostUsd',
    `\`maxCostUsd\` is ${dollars}; it must be 0 or more.`,
    'Give US dollars, such as 0.5, or 0 for the playbook alone, or leave it out.',
  );
}

function within(
  field: keyof TrainingOptions,
  value: number | null | undefined,
  min: number,
  max: number,
): void {
  if (value == null || (value >= min && value <= max)) return;
  throw invalid(
    'OPTION_OUT_OF_RANGE',
    field,
    `\`${field}\` is ${value}; this server takes ${min} to ${max}.`,
    `Give a whole number from ${min} to ${max}, or leave it out.`,
  );
}

function notLonger(field: keyof TrainingOptions, value: string | null | undefined, max: number): void {
  if (value == null || value.length <= max) return;
  throw invalid(
    'OPTION_TOO_LONG',
    field,
    `\`${field}\` has ${value.length} characters; at most ${max} are taken.`,
    'Shorten it.',
  );
}

function invalid(code: string, field: string, message: string, hint?: string): InvalidOptionsError {
  return new InvalidOptionsError(code, message, {
    ...(hint === undefined ? {} : { hint }),
    details: { field },
  });
}
