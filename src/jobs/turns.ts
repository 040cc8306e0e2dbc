import { and, asc, count, eq, lt, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/sqlite-core';
import type { Queries } from '../db/client.ts';
import { jobs, owners } from '../db/schema.ts';
import type { OwnerId } from '../domain/ids.ts';
import { dayOf, type Quotas } from './quotas.ts';

/**
 * The waiting job whose turn it is, inside the caller's transaction: owners take turns, so that a hundred jobs of one
 * hold up another's single job by one at most. First comes who has fewest running, then who has waited longest since a
 * job of theirs last began; among one owner's jobs the oldest. Owners at their `runningJobs` are passed over.
 */
export async function nextInTurn(
  tx: Queries,
  { runningJobs }: Pick<Quotas, 'runningJobs'>,
): Promise<typeof jobs.$inferSelect | null> {
  const other = alias(jobs, 'other');
  const running = sql<number>`(${tx
    .select({ count: count() })
    .from(other)
    .where(and(eq(other.owner, jobs.owner), eq(other.status, 'RUNNING')))})`;
  const [next] = await tx
    .select({ job: jobs })
    .from(jobs)
    .leftJoin(owners, eq(owners.owner, jobs.owner))
    .where(and(eq(jobs.status, 'QUEUED'), runningJobs === null ? undefined : lt(running, runningJobs)))
    .orderBy(asc(running), sql`coalesce(${owners.lastTurnAt}, 0)`, asc(jobs.createdAt), asc(jobs.id))
    .limit(1);
  return next?.job ?? null;
}

/** Notes that a job of `owner` begins: everybody else is before them now. */
export async function noteTurn(tx: Queries, owner: OwnerId, now: Date): Promise<void> {
  await tx
    .insert(owners)
    .values({ owner, lastTurnAt: now, day: dayOf(now), uploadedBytes: 0, budgetSeconds: 0 })
    .onConflictDoUpdate({ target: owners.owner, set: { lastTurnAt: now } });
}
