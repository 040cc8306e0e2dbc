import { QuotaExceededError } from './errors.ts';

/** What the operating system, and SQLite for it, call a full disk. */
const FULL = new Set(['ENOSPC', 'EDQUOT', 'SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE']);

/** DISK_FULL in place of an error that says, itself or by its causes, that the disk is full; any other as it is. */
export function asDiskFull(error: unknown): unknown {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && FULL.has(String(cause.code))) return diskFull(error);
  }
  return error;
}

export const diskFull = (cause?: unknown): QuotaExceededError =>
  new QuotaExceededError('DISK_FULL', "The server's disk is full.", {
    hint: 'Free some space under DATA_DIR, or delete old jobs.',
    cause,
  });
