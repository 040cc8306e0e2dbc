import { receiveDataset } from '../datasets/receive.ts';
import { assertTarget } from '../datasets/target.ts';
import {
  DatasetNotFoundError,
  InvalidDatasetError,
  InvalidOptionsError,
  JobNotFoundError,
  JobStateError,
  QuotaExceededError,
  TargetNotFoundError,
} from '../domain/errors.ts';
import type { JobId } from '../domain/ids.ts';
import type { Dataset, Job } from '../domain/records.ts';
import { builder } from './builder.ts';
import type { ApiContext } from './context.ts';
import { MetricEnum, TaskEnum } from './enums.ts';
import {
  DatasetNotFoundErrorType,
  InvalidDatasetErrorType,
  InvalidOptionsErrorType,
  JobNotFoundErrorType,
  JobStateErrorType,
  orExpected,
  QuotaExceededErrorType,
  TargetNotFoundErrorType,
} from './errors.ts';
import { encodeGlobalId, parseId } from './global-id.ts';
import { JobRef } from './refs.ts';
import {
  assertColumns,
  checkOptions,
  DEFAULT_TIME_BUDGET_SECONDS,
  toJobOptions,
  withTrimmedNames,
} from './training-options.ts';

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
    timeBudgetSeconds: t.int({
      description: `Seconds the job may run, the report aside. Default: ${DEFAULT_TIME_BUDGET_SECONDS}.`,
    }),
    maxTrials: t.int({ description: 'Most model configurations to try. Default: as many as time allows.' }),
    goalScore: t.float({ description: 'Stop early once the validation score reaches this.' }),
    instructions: t.string({ description: 'Anything the agents should know or heed, in plain words.' }),
    ignoreColumns: t.stringList({ description: 'Columns the models must not see.' }),
    idempotencyKey: t.string({
      description:
        'Any string: the same key and input again return the same job instead of starting another.',
    }),
  }),
});

type JobResultOf = { job: Job };
const holdsJob = (value: unknown) => typeof value === 'object' && value !== null && 'job' in value;

const StartTrainingSuccess = builder.objectRef<JobResultOf>('StartTrainingSuccess').implement({
  description: 'The job is queued; watch it with `jobUpdated`.',
  isTypeOf: (value) => holdsJob(value),
  fields: (t) => ({ job: t.expose('job', { type: JobRef, description: 'The new job.' }) }),
});

const StartTrainingResult = builder.unionType('StartTrainingResult', {
  description: 'The queued job, or why there is none.',
  types: [
    StartTrainingSuccess,
    TargetNotFoundErrorType,
    InvalidDatasetErrorType,
    InvalidOptionsErrorType,
    DatasetNotFoundErrorType,
    QuotaExceededErrorType,
  ],
});

builder.mutationField('startTraining', (t) =>
  t.field({
    type: StartTrainingResult,
    description:
      'Starts training on an uploaded file or a dataset. File, header, target and options are checked before it returns.',
    args: {
      input: t.arg({ type: StartTrainingInput, required: true, description: 'What to train on and how.' }),
    },
    resolve: (_root, { input }, context) =>
      orExpected(
        [
          TargetNotFoundError,
          InvalidDatasetError,
          InvalidOptionsError,
          DatasetNotFoundError,
          QuotaExceededError,
        ],
        async () => ({ job: await startTraining(input, context) }),
      ),
  }),
);

async function startTraining(
  given: typeof StartTrainingInput.$inferInput,
  { jobs, blobs, config }: ApiContext,
): Promise<Job> {
  const input = withTrimmedNames(given);
  // What can be refused without reading a gigabyte is refused first.
  checkOptions(input, config);
  const idempotencyKey = input.idempotencyKey ?? null;

  if (input.datasetId != null) {
    const dataset = await existingDataset(input.datasetId, jobs);
    assertTarget(dataset.columns, input.targetColumn);
    assertColumns(dataset.columns, input);
    const options = toJobOptions(input, dataset.name);
    return (await jobs.start({ dataset: dataset.id, options, idempotencyKey })).job;
  }

  if (input.file == null)
    throw new InvalidOptionsError('FILE_OR_DATASET', 'Neither `file` nor `datasetId` is given.');
  const received = await receiveDataset(input.file, null, { jobs, blobs, limits: config });
  try {
    received.assertTarget(input.targetColumn);
    assertColumns(received.dataset.columns, input);
  } catch (error) {
    await blobs.delete(received.dataset.blobKey);
    throw error;
  }
  const options = toJobOptions(input, received.dataset.name);
  // A table that this does not store, be it for the quota or because the key has its job already, loses its blob.
  return (await jobs.start({ dataset: received.dataset, options, idempotencyKey })).job;
}

async function existingDataset(globalId: string, jobs: ApiContext['jobs']): Promise<Dataset> {
  const id = parseId('Dataset', globalId);
  const dataset = id === null ? null : await jobs.dataset(id);
  if (dataset === null) throw new DatasetNotFoundError(globalId);
  return dataset;
}

const CancelJobInput = builder.inputType('CancelJobInput', {
  description: 'Which job to cancel.',
  fields: (t) => ({ jobId: t.id({ required: true, description: 'The id of the job.' }) }),
});
const RetryJobInput = builder.inputType('RetryJobInput', {
  description: 'Which job to repeat.',
  fields: (t) => ({ jobId: t.id({ required: true, description: 'The id of the job.' }) }),
});
const DeleteJobInput = builder.inputType('DeleteJobInput', {
  description: 'Which job to delete.',
  fields: (t) => ({ jobId: t.id({ required: true, description: 'The id of the job.' }) }),
});

const CancelJobSuccess = builder.objectRef<JobResultOf>('CancelJobSuccess').implement({
  description: 'The job is cancelled, or will be as soon as its runner has saved the best so far.',
  isTypeOf: holdsJob,
  fields: (t) => ({ job: t.expose('job', { type: JobRef, description: 'The job as it is now.' }) }),
});
const RetryJobSuccess = builder.objectRef<JobResultOf>('RetryJobSuccess').implement({
  description: 'A new job is queued.',
  isTypeOf: holdsJob,
  fields: (t) => ({ job: t.expose('job', { type: JobRef, description: 'The new job.' }) }),
});
const DeleteJobSuccess = builder.objectRef<{ deletedJobId: JobId }>('DeleteJobSuccess').implement({
  description: 'The job is gone.',
  isTypeOf: (value) => typeof value === 'object' && value !== null && 'deletedJobId' in value,
  fields: (t) => ({
    deletedJobId: t.id({
      description: 'The id it had.',
      resolve: ({ deletedJobId }) => encodeGlobalId('Job', deletedJobId),
    }),
  }),
});

const CancelJobResult = builder.unionType('CancelJobResult', {
  description: 'The cancelled job, or why it is not.',
  types: [CancelJobSuccess, JobNotFoundErrorType, JobStateErrorType],
});
const RetryJobResult = builder.unionType('RetryJobResult', {
  description: 'The new job, or why there is none.',
  types: [RetryJobSuccess, JobNotFoundErrorType, JobStateErrorType, QuotaExceededErrorType],
});
const DeleteJobResult = builder.unionType('DeleteJobResult', {
  description: 'What was deleted, or why nothing was.',
  types: [DeleteJobSuccess, JobNotFoundErrorType, JobStateErrorType],
});

function jobIdOf(globalId: string): JobId {
  const id = parseId('Job', globalId);
  if (id === null) throw new JobNotFoundError(globalId);
  return id;
}

builder.mutationFields((t) => ({
  cancelJob: t.field({
    type: CancelJobResult,
    description: 'Stops a job and keeps the best model so far.',
    args: { input: t.arg({ type: CancelJobInput, required: true, description: 'Which job.' }) },
    resolve: (_root, { input }, { jobs }) =>
      orExpected([JobNotFoundError, JobStateError], async () => ({
        job: await jobs.cancel(jobIdOf(input.jobId)),
      })),
  }),
  retryJob: t.field({
    type: RetryJobResult,
    description: 'Starts a new job on the same dataset with the same options.',
    args: { input: t.arg({ type: RetryJobInput, required: true, description: 'Which job.' }) },
    resolve: (_root, { input }, { jobs }) =>
      orExpected([JobNotFoundError, JobStateError, QuotaExceededError], async () => ({
        job: await jobs.retry(jobIdOf(input.jobId)),
      })),
  }),
  deleteJob: t.field({
    type: DeleteJobResult,
    description: 'Deletes an ended job, its events and its files. The dataset stays.',
    args: { input: t.arg({ type: DeleteJobInput, required: true, description: 'Which job.' }) },
    resolve: (_root, { input }, { jobs }) =>
      orExpected([JobNotFoundError, JobStateError], async () => {
        const deletedJobId = jobIdOf(input.jobId);
        await jobs.delete(deletedJobId);
        return { deletedJobId };
      }),
  }),
}));
