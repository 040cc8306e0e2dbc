import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { type BetterSQLite3Database, drizzle } from 'drizzle-orm/better-sqlite3';
import { migrate } from 'drizzle-orm/better-sqlite3/migrator';
import { asDiskFull } from '../domain/disk-full.ts';
import { lockDataDir } from './lock.ts';
import { refuseUnfinishedRestore } from './restoring.ts';
import * as schema from './schema.ts';

/**
 * A connection as the rest of the program uses it: drizzle's query builder, always awaited. better-sqlite3 would answer
 * without; Postgres will not.
 */
export type Queries = Omit<
  BetterSQLite3Database<typeof schema>,
  'all' | 'get' | 'run' | 'values' | 'transaction'
>;

export interface Database {
  /** Reads committed data; a write through it fails. */
  readonly read: Queries;
  /**
   * Runs `change` in one transaction, alone among the writers: all of it is durable when this resolves, none of it when
   * it rejects. Await nothing but the given queries inside: every other writer waits.
   */
  write<T>(change: (tx: Queries) => Promise<T>): Promise<T>;
  /** Lets the writes under way finish, refuses new ones, frees the data folder. */
  close(): Promise<void>;
}

const FILE = 'sproutml.db';
const MIGRATIONS = join(import.meta.dirname, 'migrations');

/** How many migrations this release knows: a database that has seen more is of a later one. */
export function knownMigrations(): number {
  const journal: unknown = JSON.parse(readFileSync(join(MIGRATIONS, 'meta/_journal.json'), 'utf8'));
  return (journal as { entries: unknown[] }).entries.length;
}

/** Opens (and migrates) the database of a data folder, for one process at a time: see `lockDataDir`. */
export function openDatabase(dataDir: string): Database {
  refuseUnfinishedRestore(dataDir);
  const unlock = lockDataDir(dataDir);
  try {
    const writer = openWriter(dataDir);
    migrate(drizzle(writer, { schema }), { migrationsFolder: MIGRATIONS });
    return serve(writer, dataDir, unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

/**
 * Opens the database of a data folder that a running server holds, as it is, for a few rows that the server looks up anew
 * each time. Jobs are not to be touched: those are the server's.
 */
export function openDatabaseBesideServer(dataDir: string): Database {
  return serve(openWriter(dataDir), dataDir, () => undefined);
}

function openWriter(dataDir: string): Sqlite.Database {
  const writer = new Sqlite(join(dataDir, FILE));
  writer.pragma('journal_mode = WAL');
  // With WAL, NORMAL loses nothing when a process dies; only a power cut may take the last commits, never the order.
  writer.pragma('synchronous = NORMAL');
  writer.pragma('foreign_keys = ON');
  writer.pragma('busy_timeout = 5000');
  return writer;
}

function serve(writer: Sqlite.Database, dataDir: string, unlock: () => void): Database {
  const tx = drizzle(writer, { schema });
  const reader = new Sqlite(join(dataDir, FILE));
  reader.pragma('query_only = ON');
  reader.pragma('busy_timeout = 5000');

  let tail: Promise<unknown> = Promise.resolve();
  let closed = false;
  return {
    read: drizzle(reader, { schema }),
    write(change) {
      if (closed) return Promise.reject(new Error('The database is closed.'));
      const done = tail.then(() => transact(writer, () => change(tx)));
      // The caller sees the failure; the next writer only waits for the end.
      tail = done.catch(() => undefined);
      return done;
    },
    async close() {
      if (closed) return;
      closed = true;
      await tail;
      reader.close();
      writer.close();
      unlock();
    },
  };
}

/** better-sqlite3 takes no async transaction callback. IMMEDIATE: a read first would else lose against another writer. */
async function transact<T>(writer: Sqlite.Database, change: () => Promise<T>): Promise<T> {
  writer.exec('BEGIN IMMEDIATE');
  try {
    const value = await change();
    writer.exec('COMMIT');
    return value;
  } catch (error) {
    // A full disk and the like have rolled back already.
    if (writer.inTransaction) writer.exec('ROLLBACK');
    throw asDiskFull(error);
  }
}
