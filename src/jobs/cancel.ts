import { cancelTopic, jobTopic } from '../bus/bus.ts';
import { JobNotFoundError, JobStateError } from '../domain/errors.ts';
import type { JobId } from '../domain/ids.ts';
import type { Job } from '../domain/records.ts';
import { isTerminal } from '../domain/vocabulary.ts';
import { statusChanged } from './claim.ts';
import { append } from './event-log.ts';
import { toJob } from './rows.ts';
import { findJob, type JobStore } from './store.ts';

/** Cancels a waiting job at once; asks the runner of a running one to wrap up. Asking twice is asking once. */
export async function cancelJob(store: JobStore, id: JobId): Promise<Job> {
  return store.write([jobTopic(id), cancelTopic(id)], async (tx) => {
    const job = await findJob(tx, id);
    if (!job) throw new JobNotFoundError(id);
    if (isTerminal(job.status)) {
      throw new JobStateError('JOB_ENDED', `The job has ended already: it is ${job.status}.`, {
        hint: 'There is nothing to cancel. `deleteJob` removes it, `retryJob` starts it again.',
      });
    }
    if (job.cancelRequestedAt) return job;

    const now = store.now();
    const row =
      job.status === 'QUEUED'
        ? await append(
            tx,
            { jobId: id, status: 'QUEUED', attempt: job.attempt },
            [statusChanged('QUEUED', 'CANCELLED', 'The job was cancelled before it started.')],
            { status: 'CANCELLED', cancelRequestedAt: now, finishedAt: now },
            now,
          )
        : await append(
            tx,
            { jobId: id, status: 'RUNNING', attempt: job.attempt },
            [
              {
                type: 'LogWritten',
                level: 'INFO',
                step: null,
                stage: job.stage,
                agent: null,
                message: 'Cancel requested: the job keeps its best so far and ends.',
              },
            ],
            { cancelRequestedAt: now },
            now,
          );
    if (!row) throw new Error(`Job ${id} changed under the writer's own lock.`);
    return toJob(row);
  });
}
