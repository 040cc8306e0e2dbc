import { JobNotFoundError, JobStateError, QuotaExceededError } from '../domain/errors.ts';
import type { JobId } from '../domain/ids.ts';
import { builder } from './builder.ts';
import { JobNotFoundErrorType, JobStateErrorType, orExpected, QuotaExceededErrorType } from './errors.ts';
import { encodeGlobalId, parseId } from './global-id.ts';
import { holdsJob, type JobHolder, JobRef } from './refs.ts';

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

const CancelJobSuccess = builder.objectRef<JobHolder>('CancelJobSuccess').implement({
  description: 'The job is cancelled, or will be as soon as its runner has saved the best so far.',
  isTypeOf: holdsJob,
  fields: (t) => ({ job: t.expose('job', { type: JobRef, description: 'The job as it is now.' }) }),
});
const RetryJobSuccess = builder.objectRef<JobHolder>('RetryJobSuccess').implement({
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
