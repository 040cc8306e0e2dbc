import { and, asc, desc, eq, getTableColumns, inArray, type SQL, sql } from 'drizzle-orm';
import type { Queries } from '../db/client.ts';
import { artifacts, datasets, jobColumns, jobs, trials } from '../db/schema.ts';
import type { ArtifactId, DatasetId, JobId, OwnerId } from '../domain/ids.ts';
import type { Artifact, Dataset, Job, JobColumn, Trial } from '../domain/records.ts';
import { type ArtifactKind, isLowerBetter, type JobStatus, type Task } from '../domain/vocabulary.ts';
import { type Page, type PageRequest, selectPage } from './pagination.ts';
import { toArtifact, toDataset, toJob, toTrial } from './rows.ts';

export interface JobFilter {
  owner?: OwnerId;
  statuses?: readonly JobStatus[];
  datasetId?: DatasetId;
  task?: Task;
  nameContains?: string;
}

export async function listJobs(db: Queries, filter: JobFilter, request: PageRequest): Promise<Page<Job>> {
  const visible = filter.owner === undefined ? undefined : eq(jobs.owner, filter.owner);
  const wanted = and(
    visible,
    filter.statuses && inArray(jobs.status, [...filter.statuses]),
    filter.datasetId && eq(jobs.datasetId, filter.datasetId),
    filter.task && eq(jobs.task, filter.task),
    filter.nameContains ? contains(jobs.name, filter.nameContains) : undefined,
  );
  return selectPage(
    jobs,
    request,
    async (id) =>
      (
        await db
          .select()
          .from(jobs)
          .where(and(visible, eq(jobs.id, id as JobId)))
      )[0],
    async ({ where, orderBy, limit }) => {
      const query = db.select().from(jobs).where(and(wanted, where));
      return (await query.orderBy(...orderBy).limit(limit)).map(toJob);
    },
  );
}

export async function listDatasets(
  db: Queries,
  filter: { owner?: OwnerId },
  request: PageRequest,
): Promise<Page<Dataset>> {
  const visible = filter.owner === undefined ? undefined : eq(datasets.owner, filter.owner);
  return selectPage(
    datasets,
    request,
    async (id) =>
      (
        await db
          .select()
          .from(datasets)
          .where(and(visible, eq(datasets.id, id as DatasetId)))
      )[0],
    async ({ where, orderBy, limit }) => {
      const query = db.select().from(datasets).where(and(visible, where));
      return (await query.orderBy(...orderBy).limit(limit)).map(toDataset);
    },
  );
}

export async function listArtifacts(
  db: Queries,
  jobId: JobId,
  kinds: readonly ArtifactKind[] | null,
  request: PageRequest,
): Promise<Page<Artifact>> {
  const wanted = and(eq(artifacts.jobId, jobId), kinds ? inArray(artifacts.kind, [...kinds]) : undefined);
  return selectPage(
    artifacts,
    request,
    async (id) => {
      const own = and(eq(artifacts.jobId, jobId), eq(artifacts.id, id as ArtifactId));
      return (await db.select().from(artifacts).where(own))[0];
    },
    async ({ where, orderBy, limit }) => {
      const query = selectArtifacts(db).where(and(wanted, where));
      return (await query.orderBy(...orderBy).limit(limit)).map(toArtifact);
    },
  );
}

/** In the order of the ids, null where there is none. */
export async function findDatasets(
  db: Queries,
  ids: readonly DatasetId[],
): Promise<readonly (Dataset | null)[]> {
  const rows = await db
    .select()
    .from(datasets)
    .where(inArray(datasets.id, [...ids]));
  const byId = new Map(rows.map((row) => [row.id, toDataset(row)]));
  return ids.map((id) => byId.get(id) ?? null);
}

/** In the order of the file; none before the table is profiled. */
export async function findJobColumns(db: Queries, id: JobId): Promise<readonly JobColumn[]> {
  const rows = await db.select().from(jobColumns).where(eq(jobColumns.jobId, id));
  return rows[0]?.columns ?? [];
}

/** Best first by the job's metric; of equal scores the earlier trial is ahead. */
export async function findLeaderboard(db: Queries, jobId: JobId, limit: number | null): Promise<Trial[]> {
  const [job] = await db.select({ metric: jobs.metric }).from(jobs).where(eq(jobs.id, jobId));
  // Trials are scored by a metric, so before there is one there are none.
  if (!job?.metric) return [];
  const direction = isLowerBetter(job.metric) ? asc : desc;
  const query = db.select().from(trials).where(eq(trials.jobId, jobId));
  const rows = await query
    .orderBy(direction(trials.score), asc(trials.createdAt), asc(trials.id))
    .limit(limit ?? Number.MAX_SAFE_INTEGER);
  return rows.map(toTrial);
}

export async function findTrial(db: Queries, jobId: JobId, trialId: string): Promise<Trial | null> {
  const own = and(eq(trials.jobId, jobId), eq(trials.id, trialId));
  const [row] = await db.select().from(trials).where(own);
  return row ? toTrial(row) : null;
}

export async function findArtifact(db: Queries, which: SQL | undefined): Promise<Artifact | null> {
  const [row] = await selectArtifacts(db).where(which);
  return row ? toArtifact(row) : null;
}

const selectArtifacts = (db: Queries) =>
  db
    .select({ ...getTableColumns(artifacts), owner: jobs.owner })
    .from(artifacts)
    .innerJoin(jobs, eq(artifacts.jobId, jobs.id));

/** Letter case aside (ASCII letters, as SQLite folds them); `%` and `_` stand for themselves. */
function contains(column: typeof jobs.name, text: string): SQL {
  const pattern = `%${text.replace(/[\\%_]/g, '\\$&')}%`;
  return sql`lower(${column}) like lower(${pattern}) escape '\\'`;
}
