import { JobNotFoundError } from '../domain/errors.ts';
import type { JobId } from '../domain/ids.ts';
import type { Jobs, JobUpdate } from '../jobs/jobs.ts';
import { builder } from './builder.ts';
import { JobEventInterface } from './event.ts';
import { parseId } from './global-id.ts';
import { badArgument } from './page.ts';
import { JobRef } from './refs.ts';

type NumberedUpdate = JobUpdate & { sequence: number };

const JobUpdateType = builder.objectRef<NumberedUpdate>('JobUpdate').implement({
  description: 'A job as it is now and the event that made it so.',
  fields: (t) => ({
    sequence: t.exposeInt('sequence', {
      description: 'Everything up to here has been told: pass it as `after` to resume.',
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
      if (after != null && after < 0) throw badArgument('`after` must not be negative.');
      return followUntilReturn(jobs, jobId, after ?? null);
    },
    resolve: (update) => update,
  }),
);

/**
 * `jobs.follow` with what a subscription needs besides: `return` ends a wait that is under way (a generator alone would
 * only return after its next event), and each update says from where to resume. While a backlog is being replayed that
 * is the last event told, not the job's latest.
 */
export function followUntilReturn(
  jobs: Jobs,
  id: JobId,
  after: number | null,
): AsyncIterableIterator<NumberedUpdate> {
  const closing = new AbortController();
  const updates = jobs.follow(id, { after, signal: closing.signal })[Symbol.asyncIterator]();
  let told = after;
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      const { done, value } = await updates.next();
      if (done === true) return { done, value: undefined };
      told = value.event?.sequence ?? told ?? value.job.lastSequence;
      return { done: false, value: { ...value, sequence: told } };
    },
    async return() {
      closing.abort();
      await updates.return?.();
      return { done: true, value: undefined };
    },
  };
}
