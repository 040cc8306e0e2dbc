import { and, eq } from 'drizzle-orm';
import type { JournalEntry } from '../agents/recorder.ts';
import type { Queries } from '../db/client.ts';
import { steps } from '../db/schema.ts';
import type { JobId } from '../domain/ids.ts';
import type { Claim } from './event-log.ts';

/** The step that finished under this key, in this or an earlier attempt. */
export async function findStep(db: Queries, jobId: JobId, key: string): Promise<JournalEntry | null> {
  const [row] = await db
    .select({ key: steps.key, tool: steps.tool, ok: steps.ok, output: steps.output, seconds: steps.seconds })
    .from(steps)
    .where(and(eq(steps.jobId, jobId), eq(steps.key, key)));
  return row ?? null;
}

/** Inside the transaction that appends the step's events. A key finishes once: a second time is a bug and rejects. */
export async function insertStep(tx: Queries, claim: Claim, entry: JournalEntry, now: Date): Promise<void> {
  await tx.insert(steps).values({
    jobId: claim.jobId,
    attempt: claim.attempt,
    key: entry.key,
    tool: entry.tool,
    ok: entry.ok,
    // JSON has no undefined: a step that gives nothing gives null.
    output: entry.output ?? null,
    seconds: entry.seconds,
    finishedAt: now,
  });
}
