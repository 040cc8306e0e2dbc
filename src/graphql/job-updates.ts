import { JobNotFoundError } from '../domain/errors.ts';
import type { JobId } from '../domain/ids.ts';
import type { JobUpdate } from '../jobs/jobs.ts';
import type { OwnJobs } from '../jobs/own-jobs.ts';
import { builder } from './builder.ts';
import { JobEventInterface } from './event.ts';
import { parseId } from './global-id.ts';
import { JobRef } from './refs.ts';

/** `told` is there for the update without an event. */
type ToldUpdate = JobUpdate & { told?: number };

const JobUpdateType = builder.objectRef<ToldUpdate>('JobUpdate').implement({
  description: 'A job as it is now and the event that made it so.',
  fields: (t) => ({
    sequence: t.int({
      description: 'Everything up to here has been told: pass it as `after` to resume.',
      resolve: ({ job, event, told }) => event?.sequence ?? told ?? job.lastSequence,
    }),
    job: t.expose('job', { type: JobRef, description: 'The job, never older than the event.' }),
    event: t.field({
      type: JobEventInterface,
      description: 'What happened; null in the first update, which only says how things stand.',
      nullable: true,
      resolve: ({ job, event }) => (event === null ? null : { ...event, jobId: job.id }),
    }),
  }),
});

builder.subscriptionField('jobUpdated', (t) =>
  t.field({
    type: JobUpdateType,
    description:
      'Emits the job as it is now (event null), then every event after it, in order, none missing and none twice, and ' +
      'completes when the job has ended. With `after` it first replays every event with a larger sequence.',
    args: {
      id: t.arg.id({ required: true, description: 'The id of the job.' }),
      after: t.arg.int({ description: 'Number of the last event already seen; 0 replays all of them.' }),
    },
    subscribe: async (_root, { id, after }, { jobs }) => {
      const jobId = parseId('Job', id);
      // Asked here and not left to the first event: an unknown job is an answer, not a broken stream.
      if (jobId === null || (await jobs.job(jobId)) === null) throw new JobNotFoundError(id);
      return followUntilReturn(jobs, jobId, after ?? null);
    },
    resolve: (update) => update,
  }),
);

/**
 * `jobs.follow` with what a subscription needs besides: `return` ends a wait that is under way, and the update without an
 * event says from where to resume. While a backlog is still to be told that is not the job's latest. Events go through as
 * the objects they are, so that they can be executed once for all who wait for them.
 */
async function followUntilReturn(
  jobs: OwnJobs,
  id: JobId,
  after: number | null,
): Promise<AsyncIterableIterator<ToldUpdate>> {
  const closing = new AbortController();
  const followed = await jobs.follow(id, { after, signal: closing.signal });
  const updates = followed[Symbol.asyncIterator]();
  const told: AsyncIterableIterator<ToldUpdate> = {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      const { done, value } = await updates.next();
      if (done === true) return { done, value: undefined };
      const isSnapshot = value.event === null && after !== null;
      return { done: false, value: isSnapshot ? { ...value, told: after } : value };
    },
    async return() {
      closing.abort();
      await updates.return?.();
      return { done: true, value: undefined };
    },
  };
  return told;
}
