import { and, asc, desc, eq, gt, lt, or, type SQL } from 'drizzle-orm';
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core';
import { InvalidOptionsError } from '../domain/errors.ts';

/** A page of rows, newest first: `after` and `before` are ids of rows already seen. */
export interface PageRequest {
  limit: number;
  after?: string;
  before?: string;
  /** True for `last`: the page nearest the end (or nearest before `before`). */
  fromEnd?: boolean;
}
export interface Page<T> {
  rows: readonly T[];
  hasNext: boolean;
  hasPrevious: boolean;
}

/** Rows lie by creation time, newest first, and by id within one millisecond. */
interface Position {
  createdAt: Date;
  id: string;
}

export interface PageQuery {
  where: SQL | undefined;
  orderBy: [SQL, SQL];
  /** One more than asked for: whether it comes back says whether there is more. */
  limit: number;
}

/**
 * Runs a keyset query: pages don't shift when rows come and go, and the last costs no more than the first.
 * `find` looks up the row a cursor names; `query` selects with the given condition, order and limit.
 */
export async function selectPage<T>(
  columns: { createdAt: SQLiteColumn; id: SQLiteColumn },
  request: PageRequest,
  find: (id: string) => Promise<Position | undefined>,
  query: (page: PageQuery) => Promise<T[]>,
): Promise<Page<T>> {
  const { limit, after, before, fromEnd = false } = request;
  const beyond = async (cursor: string | undefined, compare: typeof lt): Promise<SQL | undefined> => {
    if (cursor === undefined) return undefined;
    const position = await find(cursor);
    if (!position) {
      throw new InvalidOptionsError('CURSOR_NOT_FOUND', `The row of cursor "${cursor}" is gone.`, {
        hint: 'It was deleted since; start again from the first page.',
        details: { field: cursor === after ? 'after' : 'before' },
      });
    }
    return or(
      compare(columns.createdAt, position.createdAt),
      and(eq(columns.createdAt, position.createdAt), compare(columns.id, position.id)),
    );
  };

  const direction = fromEnd ? asc : desc;
  const rows = await query({
    where: and(await beyond(after, lt), await beyond(before, gt)),
    orderBy: [direction(columns.createdAt), direction(columns.id)],
    limit: limit + 1,
  });
  const hasMore = rows.length > limit;
  const page = rows.slice(0, limit);
  if (fromEnd) page.reverse();
  // Beyond a cursor there is at least the row it names.
  return {
    rows: page,
    hasNext: fromEnd ? before !== undefined : hasMore || before !== undefined,
    hasPrevious: fromEnd ? hasMore || after !== undefined : after !== undefined,
  };
}
