import { and, eq } from 'drizzle-orm';
import type { Logger } from 'pino';
import type { BlobStore } from '../artifacts/blob-store.ts';
import type { Queries } from '../db/client.ts';
import { leftovers } from '../db/schema.ts';
import type { BlobKey, JobId } from '../domain/ids.ts';
import type { JobStore } from './store.ts';

/** Something outside the database that no row owns: not yet, or no more. */
export type Leftover = { kind: 'blob'; key: BlobKey } | { kind: 'sandbox'; key: JobId };

/** Notes things as ownerless: in the transaction that disowns them, or before they are made. */
export async function disown(tx: Queries, things: readonly Leftover[], now: Date): Promise<void> {
  if (things.length === 0) return;
  await tx
    .insert(leftovers)
    .values(things.map((thing) => ({ ...thing, since: now })))
    .onConflictDoNothing();
}

/** Takes the note back, in the transaction that gives the thing an owner. */
export async function own(tx: Queries, thing: Leftover): Promise<void> {
  await tx.delete(leftovers).where(and(eq(leftovers.kind, thing.kind), eq(leftovers.key, thing.key)));
}

/**
 * Removes what nothing owns from disk (or bucket), so that a crash between a commit and the removal it calls for leaks
 * nothing: the note outlives the crash and the next boot acts on it.
 */
export class LeftoverRemover {
  readonly #store: JobStore;
  readonly #blobs: BlobStore;
  readonly #destroySandbox: (jobId: JobId, options: { keep: boolean }) => Promise<void>;
  readonly #logger: Logger;

  constructor(parts: {
    store: JobStore;
    blobs: BlobStore;
    destroySandbox: (jobId: JobId, options: { keep: boolean }) => Promise<void>;
    logger: Logger;
  }) {
    this.#store = parts.store;
    this.#blobs = parts.blobs;
    this.#destroySandbox = parts.destroySandbox;
    this.#logger = parts.logger;
  }

  /**
   * Removes each thing, then its note. What can't be removed is logged and stays noted for the next boot; never rejects. With
   * `keep`, sandboxes may be left to people for a while, where their provider has that.
   */
  async remove(things: readonly Leftover[], { keep = false }: { keep?: boolean } = {}): Promise<void> {
    for (const thing of things) {
      try {
        if (thing.kind === 'blob') await this.#blobs.delete(thing.key);
        else await this.#destroySandbox(thing.key, { keep });
        await this.#store.write([], (tx) => own(tx, thing));
      } catch (error) {
        this.#logger.warn({ err: error, ...thing }, 'a leftover was not removed; the next start tries again');
      }
    }
  }

  /** At boot, before any upload or job is accepted: what is noted then belongs to a process that died. */
  async removeAll(): Promise<void> {
    const rows = await this.#store.read.select().from(leftovers);
    await this.remove(rows.map(({ kind, key }) => ({ kind, key }) as Leftover));
  }
}
