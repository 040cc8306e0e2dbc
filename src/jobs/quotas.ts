import { and, count, eq, sum } from 'drizzle-orm';
import type { Config } from '../config.ts';
import { requiresAuthentication } from '../config-access.ts';
import type { Queries } from '../db/client.ts';
import { artifacts, datasets, jobs, owners } from '../db/schema.ts';
import { QuotaExceededError } from '../domain/errors.ts';
import type { OwnerId } from '../domain/ids.ts';

/** What one owner may have; null: as much as the server has. */
export interface Quotas {
  /** Jobs running at the same time; more of them wait. */
  runningJobs: number | null;
  queuedJobs: number | null;
  /** Bytes of the tables uploaded in a day (UTC). */
  uploadBytesPerDay: number | null;
  /** Bytes of all tables and artifacts together. */
  storageBytes: number | null;
  /** Time budgets of all jobs started in a day (UTC), in seconds. */
  budgetSecondsPerDay: number | null;
}

export const NO_QUOTAS: Quotas = {
  runningJobs: null,
  queuedJobs: null,
  uploadBytesPerDay: null,
  storageBytes: null,
  budgetSecondsPerDay: null,
};

/** As configured. Where owners are told apart, none may fill the queue for all. */
export function quotasIn(config: Config): Quotas {
  const share = requiresAuthentication(config) ? Math.ceil(config.MAX_QUEUED_JOBS / 4) : null;
  return {
    runningJobs: config.QUOTA_RUNNING_JOBS ?? null,
    queuedJobs: config.QUOTA_QUEUED_JOBS ?? share,
    uploadBytesPerDay: config.QUOTA_UPLOAD_BYTES_PER_DAY ?? null,
    storageBytes: config.QUOTA_STORAGE_BYTES ?? null,
    budgetSecondsPerDay: config.QUOTA_TIME_BUDGET_SECONDS_PER_DAY ?? null,
  };
}

/** What an owner has of each. */
export interface Standing {
  runningJobs: number;
  queuedJobs: number;
  uploadedBytesToday: number;
  storedBytes: number;
  budgetSecondsToday: number;
}

export async function standingOf(db: Queries, owner: OwnerId, now: Date): Promise<Standing> {
  const today = await spentToday(db, owner, now);
  return {
    runningJobs: await jobsOf(db, owner, 'RUNNING'),
    queuedJobs: await jobsOf(db, owner, 'QUEUED'),
    uploadedBytesToday: today.uploadedBytes,
    storedBytes: await storedBytes(db, owner),
    budgetSecondsToday: today.budgetSeconds,
  };
}

/** Bytes an owner may still upload, null for any number. Rejects with QuotaExceededError when it is none. */
export async function uploadAllowance(
  db: Queries,
  owner: OwnerId,
  quotas: Quotas,
  now: Date,
): Promise<number | null> {
  const left: number[] = [];
  if (quotas.uploadBytesPerDay !== null) {
    left.push(quotas.uploadBytesPerDay - (await spentToday(db, owner, now)).uploadedBytes);
  }
  if (quotas.storageBytes !== null) left.push(quotas.storageBytes - (await storedBytes(db, owner)));
  if (left.length === 0) return null;
  const allowance = Math.min(...left);
  if (allowance <= 0) throw tooManyBytes(quotas);
  return allowance;
}

/** Charges an upload, inside the transaction that stores it. Rejects with QuotaExceededError. */
export async function chargeUpload(
  tx: Queries,
  owner: OwnerId,
  bytes: number,
  quotas: Quotas,
  now: Date,
): Promise<void> {
  const allowance = await uploadAllowance(tx, owner, quotas, now);
  if (allowance !== null && bytes > allowance) throw tooManyBytes(quotas);
  await spend(tx, owner, now, { uploadedBytes: bytes, budgetSeconds: 0 });
}

/** Charges a new job, inside the transaction that queues it. Rejects with QuotaExceededError. */
export async function chargeJob(
  tx: Queries,
  owner: OwnerId,
  seconds: number,
  quotas: Quotas,
  now: Date,
): Promise<void> {
  const { queuedJobs, budgetSecondsPerDay, storageBytes } = quotas;
  if (queuedJobs !== null && (await jobsOf(tx, owner, 'QUEUED')) >= queuedJobs) {
    throw exceeded(`${queuedJobs} of your jobs are waiting, the most you may have.`, {
      hint: 'Try again when one has started, or cancel one.',
    });
  }
  if (storageBytes !== null && (await storedBytes(tx, owner)) > storageBytes) throw tooManyBytes(quotas);
  if (budgetSecondsPerDay !== null) {
    const left = budgetSecondsPerDay - (await spentToday(tx, owner, now)).budgetSeconds;
    if (seconds > left) {
      throw exceeded(
        `The job asks for ${seconds} seconds; of today's ${budgetSecondsPerDay} you have ${Math.max(0, left)} left.`,
        { hint: 'Give it a smaller `timeBudgetSeconds`, or start it after midnight UTC.' },
      );
    }
  }
  await spend(tx, owner, now, { uploadedBytes: 0, budgetSeconds: seconds });
}

export const tooManyBytes = ({ uploadBytesPerDay, storageBytes }: Quotas): QuotaExceededError => {
  const limits = [
    ...(uploadBytesPerDay === null ? [] : [`${uploadBytesPerDay} bytes of uploads a day`]),
    ...(storageBytes === null ? [] : [`${storageBytes} bytes stored`]),
  ];
  return exceeded(`You may have ${limits.join(' and ')}; this would be more.`, {
    hint: 'Delete jobs you no longer need, upload a smaller table (.csv.gz is read as it is), or wait for midnight UTC.',
  });
};

const exceeded = (message: string, options: { hint: string }): QuotaExceededError =>
  new QuotaExceededError('QUOTA_EXCEEDED', message, options);

/** 2026-01-31, in UTC. */
export const dayOf = (now: Date): string => now.toISOString().slice(0, 10);

interface Spent {
  uploadedBytes: number;
  budgetSeconds: number;
}

async function spentToday(db: Queries, owner: OwnerId, now: Date): Promise<Spent> {
  const [row] = await db.select().from(owners).where(eq(owners.owner, owner));
  return row?.day === dayOf(now) ? row : { uploadedBytes: 0, budgetSeconds: 0 };
}

async function spend(tx: Queries, owner: OwnerId, now: Date, more: Spent): Promise<void> {
  const before = await spentToday(tx, owner, now);
  const sums = {
    day: dayOf(now),
    uploadedBytes: before.uploadedBytes + more.uploadedBytes,
    budgetSeconds: before.budgetSeconds + more.budgetSeconds,
  };
  await tx
    .insert(owners)
    .values({ owner, lastTurnAt: null, ...sums })
    .onConflictDoUpdate({ target: owners.owner, set: sums });
}

async function jobsOf(db: Queries, owner: OwnerId, status: 'QUEUED' | 'RUNNING'): Promise<number> {
  const [row] = await db
    .select({ count: count() })
    .from(jobs)
    .where(and(eq(jobs.status, status), eq(jobs.owner, owner)));
  return row?.count ?? 0;
}

async function storedBytes(db: Queries, owner: OwnerId): Promise<number> {
  const [tables] = await db
    .select({ bytes: sum(datasets.size) })
    .from(datasets)
    .where(eq(datasets.owner, owner));
  const [files] = await db
    .select({ bytes: sum(artifacts.size) })
    .from(artifacts)
    .innerJoin(jobs, eq(artifacts.jobId, jobs.id))
    .where(eq(jobs.owner, owner));
  return Number(tables?.bytes ?? 0) + Number(files?.bytes ?? 0);
}
