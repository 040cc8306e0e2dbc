import { randomUUID } from 'node:crypto';
import { GraphQLError } from 'graphql';
import type { Logger } from 'pino';
import { asDiskFull } from '../domain/disk-full.ts';
import { SproutError } from '../domain/errors.ts';

/**
 * What a client may learn of an error. Errors meant for clients keep their code and hint; of anything else only an id gets
 * out, which finds the whole story in the log.
 */
export function maskError(error: unknown, logger: Logger): GraphQLError {
  const cause = asDiskFull(rootCause(error));
  const place = error instanceof GraphQLError ? { nodes: error.nodes, path: error.path } : {};
  if (cause instanceof GraphQLError) {
    return coded(error instanceof GraphQLError ? error : cause);
  }
  if (cause instanceof SproutError) {
    const hint = cause.hint === undefined ? {} : { hint: cause.hint };
    return new GraphQLError(cause.message, { ...place, extensions: { code: cause.code, ...hint } });
  }
  const id = randomUUID();
  logger.error({ err: cause, errorId: id, path: place.path }, 'an operation failed unexpectedly');
  return new GraphQLError('Something went wrong on our side.', {
    ...place,
    extensions: { code: 'INTERNAL_ERROR', id, hint: 'The server log tells more under this id.' },
  });
}

/** graphql-js gives no code to what it finds wrong with a request itself: variables of another type, an unknown operation name. */
function coded(error: GraphQLError): GraphQLError {
  if (error.extensions.code !== undefined) return error;
  const { message, nodes, source, positions, path, extensions } = error;
  return new GraphQLError(message, {
    nodes,
    source,
    positions,
    path,
    extensions: { ...extensions, code: 'BAD_USER_INPUT' },
  });
}

function rootCause(error: unknown): unknown {
  return error instanceof GraphQLError && error.originalError != null
    ? rootCause(error.originalError)
    : error;
}
