import { receiveDataset } from '../datasets/receive.ts';
import { assertTarget } from '../datasets/target.ts';
import {
  DatasetNotFoundError,
  InvalidDatasetError,
  InvalidOptionsError,
  QuotaExceededError,
  TargetNotFoundError,
} from '../domain/errors.ts';
import type { Dataset, Job } from '../domain/records.ts';
import { builder } from './builder.ts';
import type { ApiContext } from './context.ts';
import {
  DatasetNotFoundErrorType,
  InvalidDatasetErrorType,
  InvalidOptionsErrorType,
  orExpected,
  QuotaExceededErrorType,
  TargetNotFoundErrorType,
} from './errors.ts';
import { parseId } from './global-id.ts';
import { holdsJob, type JobHolder, JobRef } from './refs.ts';
import {
  assertColumns,
  checkOptions,
  StartTrainingInput,
  type TrainingOptions,
  toJobOptions,
  withTrimmedNames,
} from './training-options.ts';
import { checkedWebhook } from './webhook.ts';

const StartTrainingSuccess = builder.objectRef<JobHolder>('StartTrainingSuccess').implement({
  description: 'The job is queued; watch it with `jobUpdated`.',
  isTypeOf: holdsJob,
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

async function startTraining(given: TrainingOptions, { jobs, blobs, config }: ApiContext): Promise<Job> {
  const input = withTrimmedNames(given);
  // What can be refused without reading a gigabyte is refused first.
  checkOptions(input, config);
  const idempotencyKey = input.idempotencyKey ?? null;
  const webhook = checkedWebhook(input.webhook, config);

  if (input.datasetId != null) {
    const dataset = await existingDataset(input.datasetId, jobs);
    assertTarget(dataset.columns, input.targetColumn);
    assertColumns(dataset.columns, input);
    const options = toJobOptions(input, dataset.name, config);
    return (await jobs.start({ dataset: dataset.id, options, idempotencyKey, webhook })).job;
  }

  if (input.file == null)
    throw new InvalidOptionsError('FILE_OR_DATASET', 'Neither `file` nor `datasetId` is given.');
  const received = await receiveDataset(input.file, null, { jobs, blobs, limits: config });
  try {
    received.assertTarget(input.targetColumn);
    assertColumns(received.dataset.columns, input);
  } catch (error) {
    await jobs.discardBlob(received.dataset.blobKey);
    throw error;
  }
  const options = toJobOptions(input, received.dataset.name, config);
  // A table that this does not store, be it for the quota or because the key has its job already, loses its blob.
  return (await jobs.start({ dataset: received.dataset, options, idempotencyKey, webhook })).job;
}

async function existingDataset(globalId: string, jobs: ApiContext['jobs']): Promise<Dataset> {
  const id = parseId('Dataset', globalId);
  const dataset = id === null ? null : await jobs.dataset(id);
  if (dataset === null) throw new DatasetNotFoundError(globalId);
  return dataset;
}
