import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { SproutError } from '../domain/errors.ts';

/** What a held folder has in it. */
export const LOCK_FILE = 'sproutml.lock';
export const HOLDER_FILE = 'sproutml.lock.json';

/**
 * Holds a data folder for this process alone until the returned function is called or the process dies, however it dies:
 * the operating system frees the lock. Throws DATA_DIR_LOCKED, naming the holder, when another process has it.
 */
export function lockDataDir(dataDir: string): () => void {
  mkdirSync(dataDir, { recursive: true });
  const holderFile = join(dataDir, HOLDER_FILE);
  const lock = new Sqlite(join(dataDir, LOCK_FILE), { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if (!(error instanceof Sqlite.SqliteError) || !error.code.startsWith('SQLITE_BUSY')) throw error;
    throw new SproutError(
      'DATA_DIR_LOCKED',
      `The data folder ${dataDir} is in use${describeHolder(holderFile)}.`,
      {
        hint: 'Stop that process, or set DATA_DIR to another folder. The lock frees itself when its process ends.',
        cause: error,
      },
    );
  }
  // The lock file itself can't be read while it is held, so who holds it stands beside it.
  writeFileSync(holderFile, JSON.stringify({ pid: process.pid, since: new Date().toISOString() }));
  return () => {
    rmSync(holderFile, { force: true });
    lock.close();
  };
}

function describeHolder(file: string): string {
  try {
    const { pid, since } = JSON.parse(readFileSync(file, 'utf8'));
    return ` by process ${pid} since ${since}`;
  } catch (error) {
    // Between taking the lock and writing the note a holder has no name yet; the refusal stands all the same.
    return error instanceof SyntaxError || isMissing(error) ? ' by another process' : ` (${String(error)})`;
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';
