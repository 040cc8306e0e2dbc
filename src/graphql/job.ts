import type { JobId, OwnerId } from '../domain/ids.ts';
import type * as records from '../domain/records.ts';
import type { JobFilter } from '../jobs/jobs.ts';
import { builder } from './builder.ts';
import { ArtifactConnection, JobConnection } from './connections.ts';
import {
  ArtifactKindEnum,
  JobStatusEnum,
  MetricEnum,
  MindEnum,
  SandboxKindEnum,
  StageEnum,
  TaskEnum,
} from './enums.ts';
import { JobEventInterface } from './event.ts';
import { encodeGlobalId, parseId } from './global-id.ts';
import { JobColumn } from './job-column.ts';
import { badArgument, checkLimit, connectionComplexity, toConnection, toPageRequest } from './page.ts';
import { ArtifactRef, DatasetRef, JobRef, TrialRef } from './refs.ts';
import { TrainingResult } from './training-result.ts';
import { toTrialShape } from './trial.ts';
import { Usage } from './usage.ts';
import { WebhookRef } from './webhook.ts';

const MAX_EVENTS = 1_000;
const DEFAULT_EVENTS = 100;
const MAX_LEADERBOARD = 1_000;
const TYPICAL_COLUMNS = 50;

const Failure = builder.objectRef<records.JobFailure>('Failure').implement({
  description: 'Why a job failed.',
  fields: (t) => ({
    code: t.exposeString('code', { description: 'Stable name of the failure, in capitals.' }),
    message: t.exposeString('message', { description: 'What happened, for people.' }),
    hint: t.exposeString('hint', { description: 'What to do about it.', nullable: true }),
    stage: t.expose('stage', { type: StageEnum, description: 'Where it happened.', nullable: true }),
  }),
});

builder.node(JobRef, {
  description: 'One training request on one dataset, and all that came of it.',
  id: { resolve: (job) => job.id, description: 'Unique over all types; opaque.' },
  loadOne: (id, { jobs }) => jobs.job(id as JobId),
  isTypeOf: (value) => typeof value === 'object' && value !== null && 'lastSequence' in value,
  fields: (t) => ({
    name: t.string({ description: 'Name to show.', resolve: ({ options }) => options.name }),
    status: t.expose('status', { type: JobStatusEnum, description: 'Where the job stands.' }),
    stage: t.expose('stage', {
      type: StageEnum,
      description: 'What a running job is doing.',
      nullable: true,
    }),
    progress: t.exposeFloat('progress', { description: '0 to 1; never falls.' }),
    etaSeconds: t.int({
      description: 'Estimate of the seconds left, at most what the budget leaves; null unless running.',
      nullable: true,
      resolve: estimateSecondsLeft,
    }),
    targetColumn: t.string({
      description: 'The column that is predicted.',
      resolve: ({ options }) => options.targetColumn,
    }),
    task: t.expose('task', {
      type: TaskEnum,
      description: 'As given or inferred from the target; null until it is known.',
      nullable: true,
    }),
    metric: t.expose('metric', {
      type: MetricEnum,
      description: 'How models are compared; null until it is known.',
      nullable: true,
    }),
    timeBudgetSeconds: t.int({
      description: 'Seconds the job may run, the report aside.',
      resolve: ({ options }) => options.timeBudgetSeconds,
    }),
    maxTrials: t.int({
      description: 'Most model configurations to try.',
      nullable: true,
      resolve: ({ options }) => options.maxTrials,
    }),
    seed: t.int({
      description: 'What is left to chance is decided by it.',
      resolve: ({ options }) => options.seed,
    }),
    goalScore: t.float({
      description: 'The score at which the job stops early.',
      nullable: true,
      resolve: ({ options }) => options.goalScore,
    }),
    instructions: t.string({
      description: 'What the agents were told besides.',
      nullable: true,
      resolve: ({ options }) => options.instructions,
    }),
    ignoreColumns: t.stringList({
      description: 'Columns the models do not see.',
      resolve: ({ options }) => [...options.ignoreColumns],
    }),
    keepColumns: t.stringList({
      description: 'Columns that are used though they look like row names or copies of others.',
      resolve: ({ options }) => [...options.keepColumns],
    }),
    quantile: t.float({
      description: 'The quantile that the metric PINBALL asks for; null: the median, or another metric.',
      nullable: true,
      resolve: ({ options }) => options.quantile,
    }),
    holdoutFraction: t.float({
      description: 'Share of the rows sealed off for the final score; null: by the size of the table.',
      nullable: true,
      resolve: ({ options }) => options.holdoutFraction,
    }),
    groupColumn: t.string({
      description: 'Rows of one value in this column are never both learnt from and scored on.',
      nullable: true,
      resolve: ({ options }) => options.groupColumn,
    }),
    timeColumn: t.string({
      description: 'The column by which the latest rows are sealed.',
      nullable: true,
      resolve: ({ options }) => options.timeColumn,
    }),
    maxCostUsd: t.float({
      description: "Most US dollars its language model may cost; null: the server's own limit.",
      nullable: true,
      resolve: ({ options }) => options.maxCostUsd,
    }),
    dataset: t.field({
      type: DatasetRef,
      description: 'The table it trains on.',
      resolve: ({ datasetId }, _args, { datasetLoader }) => datasetLoader.load(datasetId),
    }),
    columns: t.field({
      type: [JobColumn],
      description:
        'What became of each column of the table, in the order of the file; none until it is profiled.',
      complexity: { field: 1, multiplier: TYPICAL_COLUMNS },
      resolve: async ({ id }, _args, { jobs }) => [...(await jobs.columns(id))],
    }),
    mind: t.expose('mind', { type: MindEnum, description: "Who sits in the agents' seats." }),
    sandbox: t.expose('sandbox', {
      type: SandboxKindEnum,
      description:
        'Where the training code runs. How it is contained there, or why it is not, stands in `health { sandbox { description } }`.',
    }),
    attempt: t.exposeInt('attempt', {
      description: 'How often the job was picked up: more than 1 after a restart of the server.',
    }),
    retryOf: t.id({
      description: 'The job this one repeats.',
      nullable: true,
      resolve: ({ retryOf }) => (retryOf === null ? null : encodeGlobalId('Job', retryOf)),
    }),
    owner: t.exposeString('owner', { description: 'Whose it is: always the owner of its dataset.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was asked for.' }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      description: 'When it first ran.',
      nullable: true,
    }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', description: 'When it ended.', nullable: true }),
    lastSequence: t.exposeInt('lastSequence', {
      description: 'Number of its latest event: pass it as `after` to go on from here.',
    }),
    leaderboard: t.field({
      type: [TrialRef],
      description: 'The models tried, best first by validation score, the baseline among them.',
      args: { first: t.arg.int({ description: `Only the best so many, at most ${MAX_LEADERBOARD}.` }) },
      complexity: ({ first }) => ({ field: 1, multiplier: first ?? 50 }),
      resolve: async (job, { first }, { jobs }) => {
        const limit = checkLimit('first', first ?? MAX_LEADERBOARD, MAX_LEADERBOARD);
        const trials = await jobs.leaderboard(job.id, limit);
        return trials.map((trial) => toTrialShape(trial, job));
      },
    }),
    result: t.field({
      type: TrainingResult,
      description: 'The best so far: present as soon as a usable model exists.',
      nullable: true,
      resolve: (job) => (job.result === null ? null : { ...job.result, job }),
    }),
    usage: t.expose('usage', { type: Usage, description: 'What it has used so far.' }),
    failure: t.expose('failure', {
      type: Failure,
      description: 'Why it failed; null unless FAILED.',
      nullable: true,
    }),
    webhook: t.field({
      type: WebhookRef,
      description: 'Who is told of its end; null: nobody.',
      nullable: true,
      resolve: (job, _args, { jobs }) => jobs.webhook(job.id),
    }),
    events: t.field({
      type: [JobEventInterface],
      description: 'What happened, in order.',
      args: {
        after: t.arg.int({ description: 'Only events with a larger sequence.', defaultValue: 0 }),
        first: t.arg.int({
          description: `How many: 1 to ${MAX_EVENTS}.`,
          defaultValue: DEFAULT_EVENTS,
        }),
      },
      complexity: ({ first }) => ({ field: 1, multiplier: first ?? DEFAULT_EVENTS }),
      resolve: async (job, { after, first }, { jobs }) => {
        if ((after ?? 0) < 0) throw badArgument('`after` must not be negative.');
        const limit = checkLimit('first', first ?? DEFAULT_EVENTS, MAX_EVENTS);
        const events = await jobs.events(job.id, after ?? 0, limit);
        return events.map((event) => ({ ...event, jobId: job.id }));
      },
    }),
    artifacts: t.connection(
      {
        type: ArtifactRef,
        description: 'The files it left, newest first.',
        complexity: connectionComplexity,
        args: { kinds: t.arg({ type: [ArtifactKindEnum], description: 'Only these kinds.' }) },
        resolve: async (job, args, { jobs }) =>
          toConnection(await jobs.artifacts(job.id, args.kinds ?? null, toPageRequest(args))),
      },
      ArtifactConnection,
    ),
  }),
});

/** Progress so far extrapolated, never past the budget. By running time: hours that the server was down foretell nothing. */
function estimateSecondsLeft(job: records.Job): number | null {
  if (job.status !== 'RUNNING') return null;
  const elapsed = job.activeMs / 1000;
  const budget = Math.max(0, job.options.timeBudgetSeconds - elapsed);
  if (elapsed === 0 || job.progress <= 0) return Math.ceil(budget);
  return Math.ceil(Math.min(budget, (elapsed * (1 - job.progress)) / job.progress));
}

const JobFilterInput = builder.inputType('JobFilter', {
  description: 'Which jobs; conditions are joined by and.',
  fields: (t) => ({
    statuses: t.field({ type: [JobStatusEnum], description: 'In one of these states.' }),
    datasetId: t.id({ description: 'On this dataset.' }),
    task: t.field({ type: TaskEnum, description: 'Of this task.' }),
    nameContains: t.string({ description: 'With this in the name, whatever the case.' }),
    owner: t.string({ description: "Of this owner; only administrators see other owners' jobs." }),
  }),
});

builder.queryFields((t) => ({
  job: t.field({
    type: JobRef,
    nullable: true,
    description: 'A job by its id; null when there is none.',
    args: { id: t.arg.id({ required: true, description: 'The id of the job.' }) },
    resolve: (_root, args, { jobs }) => {
      const id = parseId('Job', args.id);
      return id === null ? null : jobs.job(id);
    },
  }),
  jobs: t.connection(
    {
      type: JobRef,
      description: 'Jobs, newest first.',
      complexity: connectionComplexity,
      args: { filter: t.arg({ type: JobFilterInput, description: 'Only these.' }) },
      resolve: async (_root, args, { jobs }) => {
        const filter = toJobFilter(args.filter ?? {});
        if (filter === null) return toConnection({ rows: [], hasNext: false, hasPrevious: false });
        return toConnection(await jobs.list(filter, toPageRequest(args)));
      },
    },
    JobConnection,
  ),
}));

/** Null when the filter can match nothing: its dataset id is none. */
function toJobFilter(input: typeof JobFilterInput.$inferInput): JobFilter | null {
  const datasetId = input.datasetId == null ? undefined : parseId('Dataset', input.datasetId);
  if (datasetId === null) return null;
  return {
    ...(input.statuses == null ? {} : { statuses: input.statuses }),
    ...(datasetId === undefined ? {} : { datasetId }),
    ...(input.task == null ? {} : { task: input.task }),
    ...(input.nameContains == null ? {} : { nameContains: input.nameContains }),
    ...(input.owner == null ? {} : { owner: input.owner as OwnerId }),
  };
}
