import { eq } from 'drizzle-orm';
import { jobTopic } from '../bus/bus.ts';
import { artifacts, jobs } from '../db/schema.ts';
import { JobNotFoundError, JobStateError } from '../domain/errors.ts';
import type { JobId } from '../domain/ids.ts';
import { isTerminal } from '../domain/vocabulary.ts';
import { disown, type Leftover, type LeftoverRemover } from './leftovers.ts';
import { findJob, type JobStore } from './store.ts';

/**
 * Removes an ended job and, by foreign key, its events, steps, trials, columns and artifacts in one transaction; then its blobs and
 * sandbox folder, which are noted in that transaction so that a crash in between leaks nothing.
 */
export async function deleteJob(store: JobStore, leftovers: LeftoverRemover, id: JobId): Promise<void> {
  const disowned = await store.write([jobTopic(id)], async (tx) => {
    const job = await findJob(tx, id);
    if (!job) throw new JobNotFoundError(id);
    if (!isTerminal(job.status)) {
      throw new JobStateError(
        'JOB_NOT_ENDED',
        `The job is ${job.status}; only an ended job can be deleted.`,
        {
          hint: 'Cancel it with `cancelJob` and delete it once it has ended.',
        },
      );
    }
    const blobs = await tx.select({ key: artifacts.blobKey }).from(artifacts).where(eq(artifacts.jobId, id));
    const things: Leftover[] = [
      ...blobs.map(({ key }) => ({ kind: 'blob' as const, key })),
      { kind: 'sandbox', key: id },
    ];
    await disown(tx, things, store.now());
    await tx.delete(jobs).where(eq(jobs.id, id));
    return things;
  });
  await leftovers.remove(disowned);
}
