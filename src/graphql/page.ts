import { GraphQLError } from 'graphql';
import { isUuid } from '../domain/ids.ts';
import type { Page, PageRequest } from '../jobs/jobs.ts';

export const DEFAULT_PAGE = 20;
export const MAX_PAGE = 100;

interface ConnectionArguments {
  first?: number | null | undefined;
  last?: number | null | undefined;
  after?: string | null | undefined;
  before?: string | null | undefined;
}

/** Relay arguments as the store's page request. A cursor is the row's own id. */
export function toPageRequest({ first, last, after, before }: ConnectionArguments): PageRequest {
  if (first != null && last != null) throw badArgument('Give `first` or `last`, not both.');
  const fromEnd = last != null;
  const limit = checkLimit(fromEnd ? 'last' : 'first', last ?? first ?? DEFAULT_PAGE, MAX_PAGE);
  for (const cursor of [after, before]) {
    if (cursor != null && !isUuid(cursor)) throw badArgument(`"${cursor}" is not a cursor of this list.`);
  }
  return { limit, fromEnd, ...(after == null ? {} : { after }), ...(before == null ? {} : { before }) };
}

/** Returns `value` when it is within 1 to `max`; throws a BAD_USER_INPUT error that names the argument otherwise. */
export function checkLimit(argument: string, value: number, max: number): number {
  if (value < 1 || value > max)
    throw badArgument(`\`${argument}\` must be between 1 and ${max}, not ${value}.`);
  return value;
}

export function badArgument(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });
}

export function toConnection<T extends { id: string }>({ rows, hasNext, hasPrevious }: Page<T>) {
  return {
    edges: rows.map((node) => ({ node, cursor: node.id })),
    pageInfo: {
      hasNextPage: hasNext,
      hasPreviousPage: hasPrevious,
      startCursor: rows[0]?.id ?? null,
      endCursor: rows.at(-1)?.id ?? null,
    },
  };
}

/** A connection costs its rows, however many were asked for. */
export const connectionComplexity = ({ first, last }: ConnectionArguments) => ({
  field: 1,
  multiplier: Math.max(1, first ?? last ?? DEFAULT_PAGE),
});
