/**
 * Every failure a client can meet: a stable code, what happened, and what to do about it. The GraphQL layer maps
 * these to the schema's error types, the job runner to `Job.failure`, the command line to a line on stderr.
 */
export class SproutError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: string,
    message: string,
    options: { hint?: string; details?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? {};
  }
}

/** The named column is not in the table. `details.columns` lists what is; `details.suggestion` the nearest. */
export class TargetNotFoundError extends SproutError {
  readonly columns: readonly string[];
  readonly suggestion: string | null;
  constructor(target: string, columns: readonly string[], suggestion: string | null) {
    super('TARGET_NOT_FOUND', `There is no column "${target}".`, {
      hint: suggestion ? `Did you mean "${suggestion}"?` : `Columns: ${columns.slice(0, 20).join(', ')}`,
    });
    this.columns = columns;
    this.suggestion = suggestion;
  }
}

/** The uploaded file is not a table we can train on. Codes: EMPTY_FILE, HEADER_ONLY, BINARY_FILE, RAGGED_ROWS … */
export class InvalidDatasetError extends SproutError {}

/** The options contradict each other, the task or the limits. `details.field` names the input field. */
export class InvalidOptionsError extends SproutError {}

export class DatasetNotFoundError extends SproutError {
  constructor(id: string) {
    super('DATASET_NOT_FOUND', `There is no dataset with id "${id}".`, {
      hint: 'List what there is with the `datasets` query, or upload the file again.',
    });
  }
}

export class JobNotFoundError extends SproutError {
  constructor(id: string) {
    super('JOB_NOT_FOUND', `There is no job with id "${id}".`, {
      hint: 'List what there is with the `jobs` query.',
    });
  }
}

export class ApiKeyNotFoundError extends SproutError {
  constructor(id: string) {
    super('API_KEY_NOT_FOUND', `There is no API key with id "${id}".`, {
      hint: 'List what there is with the `apiKeys` query or `sproutml keys list`.',
    });
  }
}

/** The job is not in a state that allows this: cancelling an ended one, deleting a running one. */
export class JobStateError extends SproutError {}

/** A limit of this server is reached; nothing was stored. */
export class QuotaExceededError extends SproutError {}

/** Whoever asks has not said, or not proved, who they are. One code whatever the reason; the message tells it. */
export class UnauthenticatedError extends SproutError {
  constructor(reason: string, cause?: unknown) {
    super('UNAUTHENTICATED', reason, {
      hint: 'Send `authorization: Bearer <token or API key>`; over WebSocket, `{ authorization }` in connectionParams.',
      cause,
    });
  }
}

/** Who asks is known, and may not do this. */
export class ForbiddenError extends SproutError {
  constructor(wanted: string) {
    super('FORBIDDEN', `This needs the scope ${wanted}.`, {
      hint: 'Use a token or an API key of that scope; an administrator can make one.',
    });
  }
}

/** A runner wrote with an attempt number that is no longer the job's: it lost its claim and must stop at once. */
export class StaleAttemptError extends SproutError {
  constructor(jobId: string, attempt: number) {
    super('STALE_ATTEMPT', `Attempt ${attempt} no longer owns job ${jobId}.`);
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
