import { InvalidOptionsError, TargetNotFoundError } from '../domain/errors.ts';
import type { DatasetColumn } from '../domain/records.ts';
import { stripped } from './column-names.ts';
import { nearest } from './nearest.ts';

/** Checks that there is a column of the target's name. Throws TargetNotFoundError with the nearest name there is. */
export function assertTarget(columns: readonly DatasetColumn[], target: string): void {
  const names = columns.map(({ name }) => name);
  if (!names.includes(target)) throw new TargetNotFoundError(target, names, nearest(target, names));
}

/** Checks that the target is one column of the header as it was uploaded. Throws TARGET_AMBIGUOUS. */
export function assertUnambiguous(header: readonly string[], target: string): void {
  const found = header.filter((cell) => stripped(cell) === target).length;
  if (found < 2) return;
  throw new InvalidOptionsError('TARGET_AMBIGUOUS', `${found} columns are named "${target}".`, {
    hint: 'Rename the column to predict so that its name is its own.',
    details: { field: 'targetColumn' },
  });
}
