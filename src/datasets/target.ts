import { InvalidOptionsError, TargetNotFoundError } from '../domain/errors.ts';
import type { DatasetColumn } from '../domain/records.ts';
import { nearest } from './nearest.ts';

/** Checks that exactly one column has the target's name. Throws TargetNotFoundError or TARGET_AMBIGUOUS. */
export function assertTarget(columns: readonly DatasetColumn[], target: string): void {
  const names = columns.map(({ name }) => name);
  const found = names.filter((name) => name === target).length;
  if (found === 0) throw new TargetNotFoundError(target, names, nearest(target, names));
  if (found > 1) {
    throw new InvalidOptionsError('TARGET_AMBIGUOUS', `${found} columns are named "${target}".`, {
      hint: 'Rename the column to predict so that its name is its own.',
      details: { field: 'targetColumn' },
    });
  }
}
