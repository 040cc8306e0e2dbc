import type { JobEvent } from '../domain/events.ts';
import type { JobId } from '../domain/ids.ts';
import type * as records from '../domain/records.ts';
import { builder } from './builder.ts';

/** Object types that refer to each other, declared here and implemented in a file each. */
export const JobRef = builder.objectRef<records.Job>('Job');
export const DatasetRef = builder.objectRef<records.Dataset>('Dataset');
export const ArtifactRef = builder.objectRef<records.Artifact>('Artifact');

export type TrialShape = records.Trial & { isBest: boolean };
export const TrialRef = builder.objectRef<TrialShape>('Trial');

/** An event and the job it belongs to, so that its fields can look further. */
export type JobEventShape = JobEvent & { jobId: JobId };

/** The success of a mutation that ends in a job. */
export interface JobHolder {
  job: records.Job;
}
export const holdsJob = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'job' in value;
