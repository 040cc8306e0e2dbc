import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SproutError } from '../domain/errors.ts';

/** While a restore is under way this folder lies in the data folder; one that was cut short leaves it there. */
export const RESTORING = 'restoring';

/** Throws RESTORE_UNFINISHED: what a restore has left half done is no data folder to run on. */
export function refuseUnfinishedRestore(dataDir: string): void {
  if (!existsSync(join(dataDir, RESTORING))) return;
  throw new SproutError('RESTORE_UNFINISHED', `A restore into ${dataDir} was not finished.`, {
    hint: 'Run `sproutml restore` again with the same backup; it begins anew.',
  });
}
