import { eq, sql } from 'drizzle-orm';
import type { Bus } from '../bus/bus.ts';
import type { Database, Queries } from '../db/client.ts';
import { datasets, jobs } from '../db/schema.ts';
import type { JobEvent } from '../domain/events.ts';
import type { DatasetId, JobId } from '../domain/ids.ts';
import type { Dataset, Job } from '../domain/records.ts';
import { eventReader } from './event-log.ts';
import { toDataset, toJob } from './rows.ts';

/** What every part of this folder works on: the database, the bus to hint at commits, and the clock. */
export class JobStore {
  readonly read: Queries;
  readonly bus: Bus;
  readonly now: () => Date;
  /** Events with a larger sequence than `after`, in order, at most `limit`. */
  readonly events: (jobId: JobId, after: number, limit: number) => Promise<JobEvent[]>;
  /** Null when there is none. */
  readonly job: (id: JobId) => Promise<Job | null>;
  /** Null when there is none. */
  readonly dataset: (id: DatasetId) => Promise<Dataset | null>;
  readonly #database: Database;

  constructor(parts: { database: Database; bus: Bus; now?: () => Date }) {
    this.#database = parts.database;
    this.read = parts.database.read;
    this.bus = parts.bus;
    this.now = parts.now ?? (() => new Date());
    this.events = eventReader(this.read);
    this.job = jobFinder(this.read);
    this.dataset = datasetFinder(this.read);
  }

  /** One transaction; the topics are hinted at after its commit, never inside it. */
  async write<T>(topics: readonly string[], change: (tx: Queries) => Promise<T>): Promise<T> {
    const value = await this.#database.write(change);
    for (const topic of topics) this.bus.publish(topic);
    return value;
  }
}

// The reads that every request and every event make are prepared once: building a query costs ten times its answer.
function jobFinder(db: Queries): (id: JobId) => Promise<Job | null> {
  const query = db
    .select()
    .from(jobs)
    .where(eq(jobs.id, sql.placeholder('id')))
    .prepare();
  return async (id) => {
    const [row] = await query.execute({ id });
    return row ? toJob(row) : null;
  };
}

function datasetFinder(db: Queries): (id: DatasetId) => Promise<Dataset | null> {
  const query = db
    .select()
    .from(datasets)
    .where(eq(datasets.id, sql.placeholder('id')))
    .prepare();
  return async (id) => {
    const [row] = await query.execute({ id });
    return row ? toDataset(row) : null;
  };
}

/** As seen from inside a transaction. */
export async function findJob(db: Queries, id: JobId): Promise<Job | null> {
  const [row] = await db.select().from(jobs).where(eq(jobs.id, id));
  return row ? toJob(row) : null;
}

/** As seen from inside a transaction. */
export async function findDataset(db: Queries, id: DatasetId): Promise<Dataset | null> {
  const [row] = await db.select().from(datasets).where(eq(datasets.id, id));
  return row ? toDataset(row) : null;
}
