import { z } from 'zod';

/** Kinds of values that variables of the environment have. */

/** A whole number from `min` to `max`. */
export function integer(min: number, max = Number.MAX_SAFE_INTEGER) {
  return z.coerce.number().int().min(min).max(max);
}

/** Words separated by commas, without the blanks around them; `preset` where the variable is absent. */
export function list(preset = '') {
  return z
    .string()
    .default(preset)
    .transform((text) =>
      text
        .split(',')
        .map((word) => word.trim())
        .filter((word) => word !== ''),
    );
}
