import { messageOf, SproutError } from '../domain/errors.ts';

/** What was asked cannot be done as asked: a file that cannot be read, a column that is not there, options that clash. */
export class InputError extends SproutError {}

/** Nothing answers at the server's address, or what answers is no SproutML. */
export class ServerUnreachableError extends SproutError {
  constructor(endpoint: URL, cause: unknown) {
    super('SERVER_UNREACHABLE', `No answer from ${endpoint.href}: ${rootCause(cause)}.`, {
      hint: 'Start a server with `sproutml serve`, or name another with --server.',
      cause,
    });
  }
}

/** The server stayed away for longer than we were ready to wait. */
export class ConnectionLostError extends SproutError {
  constructor(endpoint: URL, jobId: string, reason: string) {
    super('SERVER_UNREACHABLE', `Lost the connection to ${endpoint.host}: ${reason}.`, {
      hint: `The job goes on without us; \`sproutml watch ${jobId} --server ${endpoint.origin}\` picks it up again.`,
    });
  }
}

/** The server answered in a shape this release does not know. */
export class UnreadableAnswerError extends SproutError {
  constructor(endpoint: URL, cause: Error) {
    super('ANSWER_UNREADABLE', `${endpoint.host} answered in an unknown shape: ${cause.message}`, {
      hint: 'Command line and server are probably of different releases.',
      cause,
    });
  }
}

/** What the members of a result union that are errors have in common. */
export interface UnionError {
  __typename: string;
  code: string;
  message: string;
  hint?: string | null | undefined;
}

/** The server says no: to what was asked, except where a limit of its own is the reason. */
export function refused({ __typename, code, message, hint }: UnionError): SproutError {
  const Refusal = __typename === 'QuotaExceededError' ? SproutError : InputError;
  return new Refusal(code, message, hint ? { hint } : {});
}

/** A top-level GraphQL error as the coded error it stands for. */
export function graphQLError(problem: { message: string; extensions?: unknown }): SproutError {
  const { code, hint, id } = (problem.extensions ?? {}) as { code?: unknown; hint?: unknown; id?: unknown };
  return new SproutError(
    typeof code === 'string' ? code : 'SERVER_ERROR',
    typeof id === 'string' ? `${problem.message} (id ${id})` : problem.message,
    code === 'UNAUTHENTICATED' ? { hint: TOKEN_HINT } : typeof hint === 'string' ? { hint } : {},
  );
}

/** The server's own hint speaks of headers. */
const TOKEN_HINT = 'Give an API key or a token with --token, or set SPROUTML_TOKEN.';

/** `fetch failed` says nothing; what it wraps does. */
function rootCause(error: unknown): string {
  let deepest: unknown = error;
  while (deepest instanceof Error && deepest.cause !== undefined) deepest = deepest.cause;
  if (deepest instanceof AggregateError && deepest.errors.length > 0) return messageOf(deepest.errors[0]);
  return messageOf(deepest);
}
