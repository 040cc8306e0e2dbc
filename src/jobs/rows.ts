import type { artifacts, datasets, events, jobs, trials } from '../db/schema.ts';
import type { JobEvent } from '../domain/events.ts';
import type { OwnerId } from '../domain/ids.ts';
import { type Artifact, type Dataset, type Job, LATER_OPTIONS, type Trial } from '../domain/records.ts';
import { NO_USAGE } from '../domain/usage.ts';

/** Rows as the database gives them, made the records of the domain: nothing of the tables' own leaks out. */

export function toJob(row: typeof jobs.$inferSelect): Job {
  const { name, options, barrenAttempts, idempotencyKey, idempotencyHash, traceParent, ...job } = row;
  const usage = { ...NO_USAGE, ...job.usage };
  return { ...job, usage, options: { ...LATER_OPTIONS, ...options, name } };
}

export function toEvent(row: typeof events.$inferSelect): JobEvent {
  const { sequence, at, stage, agent, message, body } = row;
  return { ...body, sequence, at, stage, agent, message };
}

export const toDataset = (row: typeof datasets.$inferSelect): Dataset => row;
export const toTrial = (row: typeof trials.$inferSelect): Trial => row;
export const toArtifact = (row: typeof artifacts.$inferSelect & { owner: OwnerId }): Artifact => row;
