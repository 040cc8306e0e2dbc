import { access } from 'node:fs/promises';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { SproutError } from '../domain/errors.ts';
import type { BlobKey } from '../domain/ids.ts';
import { artifacts, datasets } from './schema.ts';

export const DATABASE_FILE = 'sproutml.db';

/** A blob that a row of the database names, and what it must be. */
export interface NamedBlob {
  key: BlobKey;
  size: number;
  /** Hex. */
  sha256: string;
}

/**
 * Copies the database of a data folder into the file `to`, as it stands at one moment, beside a server that goes on writing.
 * The copy is a single file and has passed SQLite's own check. Rejects with NOTHING_TO_BACK_UP, or DATABASE_DAMAGED.
 */
export async function copyDatabase(dataDir: string, to: string): Promise<void> {
  const source = await openCopied(join(dataDir, DATABASE_FILE), dataDir);
  try {
    // All pages in one step, of one moment: with pauses between steps each write of the server would start it over.
    await source.backup(to, { progress: () => 0x7fffffff });
  } finally {
    source.close();
  }
  const copy = new Sqlite(to);
  try {
    copy.pragma('journal_mode = DELETE');
    checkDatabase(copy, to);
  } finally {
    copy.close();
  }
}

async function openCopied(file: string, dataDir: string): Promise<Sqlite.Database> {
  try {
    await access(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new SproutError('NOTHING_TO_BACK_UP', `There is no database in ${dataDir}.`, {
      hint: 'Set DATA_DIR to the folder that the server uses.',
    });
  }
  return new Sqlite(file, { readonly: true, fileMustExist: true, timeout: 5000 });
}

function checkDatabase(database: Sqlite.Database, file: string): void {
  const said = (database.pragma('integrity_check') as { integrity_check: string }[]).map(
    (row) => row.integrity_check,
  );
  const strays = database.pragma('foreign_key_check') as { table: string }[];
  const problems = [
    ...said.filter((line) => line !== 'ok'),
    ...strays.map(({ table }) => `a row of ${table} points to nothing`),
  ];
  if (problems.length === 0) return;
  throw new SproutError('DATABASE_DAMAGED', `${file} is damaged: ${problems.slice(0, 5).join('; ')}.`, {
    hint: 'Restore the last good backup.',
  });
}

/** The blobs that the rows of a database file name, and how many migrations the file has seen. */
export async function readContents(file: string): Promise<{ blobs: NamedBlob[]; migrations: number }> {
  const database = new Sqlite(file, { readonly: true, fileMustExist: true, timeout: 5000 });
  try {
    const db = drizzle(database);
    const ofDatasets = await db
      .select({ key: datasets.blobKey, size: datasets.size, sha256: datasets.sha256 })
      .from(datasets);
    const ofArtifacts = await db
      .select({ key: artifacts.blobKey, size: artifacts.size, sha256: artifacts.sha256 })
      .from(artifacts);
    const row = database.prepare('select count(*) as count from __drizzle_migrations').get();
    return { blobs: [...ofDatasets, ...ofArtifacts], migrations: (row as { count: number }).count };
  } finally {
    database.close();
  }
}
