import { eq } from 'drizzle-orm';
import type { Bus } from '../bus/bus.ts';
import type { Database, Queries } from '../db/client.ts';
import { datasets, jobs } from '../db/schema.ts';
import type { DatasetId, JobId } from '../domain/ids.ts';
import type { Dataset, Job } from '../domain/records.ts';
import { toDataset, toJob } from './rows.ts';

/** What every part of this folder works on: the database, the bus to hint at commits, and the clock. */
export class JobStore {
  readonly read: Queries;
  readonly bus: Bus;
  readonly now: () => Date;
  readonly #database: Database;

  constructor(parts: { database: Database; bus: Bus; now?: () => Date }) {
    this.#database = parts.database;
    this.read = parts.database.read;
    this.bus = parts.bus;
    this.now = parts.now ?? (() => new Date());
  }

  /** One transaction; the topics are hinted at after its commit, never inside it. */
  async write<T>(topics: readonly string[], change: (tx: Queries) => Promise<T>): Promise<T> {
    const value = await this.#database.write(change);
    for (const topic of topics) this.bus.publish(topic);
    return value;
  }

  job(id: JobId): Promise<Job | null> {
    return findJob(this.read, id);
  }

  dataset(id: DatasetId): Promise<Dataset | null> {
    return findDataset(this.read, id);
  }
}

export async function findJob(db: Queries, id: JobId): Promise<Job | null> {
  const [row] = await db.select().from(jobs).where(eq(jobs.id, id));
  return row ? toJob(row) : null;
}

export async function findDataset(db: Queries, id: DatasetId): Promise<Dataset | null> {
  const [row] = await db.select().from(datasets).where(eq(datasets.id, id));
  return row ? toDataset(row) : null;
}
