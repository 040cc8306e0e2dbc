import { index, integer, primaryKey, real, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';
import type { EventBody } from '../domain/events.ts';
import type { ApiKeyId, ArtifactId, BlobKey, DatasetId, JobId, OwnerId } from '../domain/ids.ts';
import type {
  DatasetColumn,
  Dialect,
  JobColumn,
  JobFailure,
  JobOptions,
  JobResult,
  JobUsage,
} from '../domain/records.ts';
import { LOCAL_OWNER, type Scope } from '../domain/viewer.ts';
import type {
  AgentRole,
  ArtifactKind,
  Family,
  JobStatus,
  Metric,
  Mind,
  SandboxKind,
  Stage,
  Task,
} from '../domain/vocabulary.ts';

/*
 * The tables. Only types that Postgres has as well: JSON (`jsonb` there), times in whole milliseconds (`timestamptz(3)`),
 * integers below 2^53. Times are always passed in by the application, so that no two clocks meet in one row.
 */

const time = (name: string) => integer(name, { mode: 'timestamp_ms' });

/** Rows from before there were owners are the local one's. */
const owner = () => text('owner').$type<OwnerId>().notNull().default(LOCAL_OWNER);

export const datasets = sqliteTable(
  'datasets',
  {
    id: text('id').$type<DatasetId>().primaryKey(),
    name: text('name').notNull(),
    columns: text('columns', { mode: 'json' }).$type<readonly DatasetColumn[]>().notNull(),
    rowCount: integer('row_count'),
    size: integer('size').notNull(),
    sha256: text('sha256').notNull(),
    dialect: text('dialect', { mode: 'json' }).$type<Dialect>().notNull(),
    blobKey: text('blob_key').$type<BlobKey>().notNull(),
    createdAt: time('created_at').notNull(),
    owner: owner(),
  },
  (table) => [
    index('datasets_newest').on(table.createdAt, table.id),
    index('datasets_by_owner').on(table.owner, table.createdAt, table.id),
  ],
);

export const jobs = sqliteTable(
  'jobs',
  {
    id: text('id').$type<JobId>().primaryKey(),
    datasetId: text('dataset_id')
      .$type<DatasetId>()
      .notNull()
      .references(() => datasets.id),
    /** `options.name`, in a column of its own to be searched. */
    name: text('name').notNull(),
    options: text('options', { mode: 'json' }).$type<Omit<JobOptions, 'name'>>().notNull(),
    status: text('status').$type<JobStatus>().notNull(),
    stage: text('stage').$type<Stage>(),
    progress: real('progress').notNull(),
    task: text('task').$type<Task>(),
    metric: text('metric').$type<Metric>(),
    mind: text('mind').$type<Mind>().notNull(),
    sandbox: text('sandbox').$type<SandboxKind>().notNull(),
    attempt: integer('attempt').notNull(),
    /** Attempts since a step last finished, not counting those given back by an orderly shutdown. */
    barrenAttempts: integer('barren_attempts').notNull(),
    lastSequence: integer('last_sequence').notNull(),
    activeMs: integer('active_ms').notNull(),
    cancelRequestedAt: time('cancel_requested_at'),
    result: text('result', { mode: 'json' }).$type<JobResult>(),
    failure: text('failure', { mode: 'json' }).$type<JobFailure>(),
    usage: text('usage', { mode: 'json' }).$type<JobUsage>().notNull(),
    /** Not a foreign key: the job that was tried again may be deleted. */
    retryOf: text('retry_of').$type<JobId>(),
    idempotencyKey: text('idempotency_key'),
    /** SHA-256 of what the key was first used with. */
    idempotencyHash: text('idempotency_hash'),
    createdAt: time('created_at').notNull(),
    startedAt: time('started_at'),
    finishedAt: time('finished_at'),
    owner: owner(),
    /** The W3C `traceparent` of the request it was asked for in, so that its runs belong to the same trace. */
    traceParent: text('trace_parent'),
  },
  (table) => [
    index('jobs_newest').on(table.createdAt, table.id),
    index('jobs_by_owner').on(table.owner, table.createdAt, table.id),
    index('jobs_by_status').on(table.status, table.createdAt, table.id),
    index('jobs_by_dataset').on(table.datasetId, table.createdAt, table.id),
    uniqueIndex('jobs_by_idempotency_key').on(table.owner, table.idempotencyKey),
  ],
);

const ofJob = () =>
  text('job_id')
    .$type<JobId>()
    .notNull()
    .references(() => jobs.id, { onDelete: 'cascade' });

/** What became of each column of the table; apart from the job, which is read far more often than thousands of columns are. */
export const jobColumns = sqliteTable('job_columns', {
  jobId: ofJob().primaryKey(),
  columns: text('columns', { mode: 'json' }).$type<readonly JobColumn[]>().notNull(),
});

/** The append-only log: `sequence` is 1, 2, 3 … within the job. */
export const events = sqliteTable(
  'events',
  {
    jobId: ofJob(),
    sequence: integer('sequence').notNull(),
    at: time('at').notNull(),
    stage: text('stage').$type<Stage>(),
    agent: text('agent').$type<AgentRole>(),
    message: text('message').notNull(),
    body: text('body', { mode: 'json' }).$type<EventBody>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.jobId, table.sequence] })],
);

/** The journal: each step that has finished, and what it gave. */
export const steps = sqliteTable(
  'steps',
  {
    jobId: ofJob(),
    key: text('key').notNull(),
    tool: text('tool').notNull(),
    ok: integer('ok', { mode: 'boolean' }).notNull(),
    output: text('output', { mode: 'json' }).$type<unknown>(),
    seconds: real('seconds').notNull(),
    attempt: integer('attempt').notNull(),
    finishedAt: time('finished_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.jobId, table.key] })],
);

export const trials = sqliteTable(
  'trials',
  {
    jobId: ofJob(),
    id: text('id').notNull(),
    name: text('name').notNull(),
    family: text('family').$type<Family>().notNull(),
    agent: text('agent').$type<AgentRole>().notNull(),
    score: real('score').notNull(),
    foldScores: text('fold_scores', { mode: 'json' }).$type<readonly number[]>().notNull(),
    fitSeconds: real('fit_seconds').notNull(),
    predictMicrosPerRow: real('predict_micros_per_row'),
    parameters: text('parameters', { mode: 'json' }).$type<Readonly<Record<string, unknown>>>().notNull(),
    isBaseline: integer('is_baseline', { mode: 'boolean' }).notNull(),
    createdAt: time('created_at').notNull(),
    origin: text('origin').$type<Mind>().notNull().default('PLAYBOOK'),
  },
  (table) => [primaryKey({ columns: [table.jobId, table.id] })],
);

export const artifacts = sqliteTable(
  'artifacts',
  {
    id: text('id').$type<ArtifactId>().primaryKey(),
    jobId: ofJob(),
    name: text('name').notNull(),
    kind: text('kind').$type<ArtifactKind>().notNull(),
    contentType: text('content_type').notNull(),
    size: integer('size').notNull(),
    sha256: text('sha256').notNull(),
    blobKey: text('blob_key').$type<BlobKey>().notNull(),
    createdAt: time('created_at').notNull(),
  },
  (table) => [
    uniqueIndex('artifacts_by_name').on(table.jobId, table.name),
    index('artifacts_newest').on(table.jobId, table.createdAt, table.id),
  ],
);

/** Whom to tell when a job has ended, and how far that has got. The job's end itself says that it is time. */
export const webhooks = sqliteTable(
  'webhooks',
  {
    jobId: ofJob().primaryKey(),
    /** The same at every attempt: receivers know a repetition by it. */
    messageId: text('message_id').notNull(),
    url: text('url').notNull(),
    secret: text('secret').notNull(),
    /** OPEN until it is delivered or given up. */
    state: text('state').$type<'OPEN' | 'DELIVERED' | 'FAILED'>().notNull(),
    attempts: integer('attempts').notNull(),
    nextAttemptAt: time('next_attempt_at'),
    lastStatusCode: integer('last_status_code'),
    lastError: text('last_error'),
    deliveredAt: time('delivered_at'),
  },
  (table) => [index('webhooks_by_state').on(table.state, table.nextAttemptAt)],
);

/**
 * Blobs and sandbox folders that no row owns: not yet, or no more. Written before such a thing is made or in the
 * transaction that disowns it, removed once it is owned or gone; what a crash leaves here is cleared at boot.
 */
export const leftovers = sqliteTable(
  'leftovers',
  {
    kind: text('kind').$type<'blob' | 'sandbox'>().notNull(),
    key: text('key').notNull(),
    since: time('since').notNull(),
  },
  (table) => [primaryKey({ columns: [table.kind, table.key] })],
);

/** What is remembered of an owner beside their rows, so that deleting those gives nothing back. */
export const owners = sqliteTable('owners', {
  owner: text('owner').$type<OwnerId>().primaryKey(),
  /** When a job of theirs was last begun: whoever waits longest is next. */
  lastTurnAt: time('last_turn_at'),
  /** The day (UTC, as 2026-01-31) that the sums below are of. */
  day: text('day').notNull(),
  uploadedBytes: integer('uploaded_bytes').notNull(),
  budgetSeconds: integer('budget_seconds').notNull(),
});

export const apiKeys = sqliteTable('api_keys', {
  id: text('id').$type<ApiKeyId>().primaryKey(),
  name: text('name').notNull(),
  owner: text('owner').$type<OwnerId>().notNull(),
  scope: text('scope').$type<Scope>().notNull(),
  /** SHA-256 of the secret, in hex. The secret itself is random enough to need no salt, and is nowhere. */
  secretHash: text('secret_hash').notNull(),
  createdAt: time('created_at').notNull(),
  expiresAt: time('expires_at'),
  revokedAt: time('revoked_at'),
  /** To the minute. */
  lastUsedAt: time('last_used_at'),
});
