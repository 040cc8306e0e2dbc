import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, SproutError } from '../../domain/errors.ts';

/**
 * What went wrong between us and Daytona, by what can be done about it:
 *
 *     unavailable  the service or the way there: try again, the request may or may not have been done
 *     rate         too many requests: try again, after `retryAfterMs`
 *     missing      there is no such thing
 *     conflict     there is one already, or it is changing
 *     quota        more than the organization may have; `perSandbox`: more than any one sandbox may have
 *     key          the key is not accepted, or may not do this
 *     refused      the request itself is wrong
 */
export type Trouble = 'unavailable' | 'rate' | 'missing' | 'conflict' | 'quota' | 'key' | 'refused';

/** A failed call, in our words; `trouble` says what kind it is. */
export class DaytonaError extends SproutError {
  readonly trouble: Trouble;
  readonly retryAfterMs: number | null;
  readonly perSandbox: boolean;

  constructor(trouble: Trouble, doing: string, cause: unknown) {
    const said = plainText(messageOf(cause));
    super(CODES[trouble], `Daytona: ${doing} failed: ${said}`, { hint: HINTS[trouble], cause });
    this.trouble = trouble;
    this.retryAfterMs = retryAfter(cause);
    this.perSandbox = /per sandbox/i.test(said);
  }
}

const CODES: Readonly<Record<Trouble, string>> = {
  unavailable: 'DAYTONA_UNAVAILABLE',
  rate: 'DAYTONA_RATE_LIMITED',
  missing: 'DAYTONA_NOT_FOUND',
  conflict: 'DAYTONA_CONFLICT',
  quota: 'DAYTONA_QUOTA',
  key: 'DAYTONA_KEY_REFUSED',
  refused: 'DAYTONA_REFUSED',
};

const HINTS: Readonly<Record<Trouble, string>> = {
  unavailable: 'Start the job again with `retryJob`; if it stays so, look at https://status.app.daytona.io.',
  rate: 'Fewer jobs at a time (JOB_CONCURRENCY, DAYTONA_MAX_PARALLEL), or a higher tier.',
  missing: 'Someone else, or an interval of its own, has removed it: start the job again with `retryJob`.',
  conflict: 'Two servers with one DATA_DIR? Otherwise start the job again with `retryJob`.',
  quota:
    'Delete sandboxes you no longer need, lower DAYTONA_CPU, DAYTONA_MEMORY_GIB, DAYTONA_DISK_GIB or DAYTONA_MAX_PARALLEL, or raise the tier.',
  key: 'Make a key at https://app.daytona.io/dashboard/keys that may write sandboxes, snapshots and volumes, and set DAYTONA_API_KEY.',
  refused: 'Is DAYTONA_API_URL right, and does DAYTONA_TARGET name a region of yours?',
};

/** Quota comes as a 400 that differs from other 400s in its words alone. */
const QUOTA = /limit exceeded|exceeds maximum allowed|quota/i;
/** What a toolbox proxy says of a sandbox that is not up, in whatever status. */
const NOT_UP = /is the sandbox started|sandbox (is )?not (running|started)|no ip address/i;

/** Sorts an error the SDK threw. Throws what is none: our own, and slips of the pen. */
export function sorted(doing: string, error: unknown): DaytonaError {
  if (error instanceof DaytonaError) return error;
  const slip = [TypeError, RangeError, ReferenceError, SyntaxError].some((kind) => error instanceof kind);
  if (slip || error instanceof SproutError) throw error;
  return new DaytonaError(troubleOf(error), doing, error);
}

function troubleOf(error: unknown): Trouble {
  const message = messageOf(error);
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  // Never answered: refused, reset, timed out. Below 400: the answer was cut short.
  if (typeof status !== 'number' || status < 400) return 'unavailable';
  if (NOT_UP.test(message)) return 'unavailable';
  if (status === 401) return 'key';
  if (QUOTA.test(message) && (status === 400 || status === 403)) return 'quota';
  if (status === 403) return 'key';
  if (status === 404 || status === 410) return 'missing';
  if (status === 409) return 'conflict';
  if (status === 429) return 'rate';
  return status === 408 || status >= 500 ? 'unavailable' : 'refused';
}

/** Proxies answer with whole pages; people want a sentence. */
function plainText(message: string): string {
  const text = message
    .replace(/<(style|script)[\s\S]*?<\/\1>/gi, ' ')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return text.length > 300 ? `${text.slice(0, 300)} …` : text || 'no reason given';
}

function retryAfter(error: unknown): number | null {
  const headers = (error as { headers?: Record<string, unknown> } | null)?.headers;
  const value = Number(headers?.['retry-after'] ?? headers?.['retry-after-throttler']);
  return Number.isFinite(value) && value >= 0 ? Math.min(value, 60) * 1000 : null;
}

export interface Patience {
  /** From the first try on; a retry that would begin later is not made. */
  totalMs: number;
  /** Before the first retry; doubled each time up to sixteen times it. */
  pauseMs: number;
  signal?: AbortSignal | undefined;
}

/** Calls until it works, the trouble is none that passes, patience ends or `signal` fires. For what may be done twice. */
export async function persistently<T>(doing: string, patience: Patience, call: () => Promise<T>): Promise<T> {
  const until = performance.now() + patience.totalMs;
  for (let pause = patience.pauseMs; ; pause = Math.min(pause * 2, patience.pauseMs * 16)) {
    patience.signal?.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      const trouble = sorted(doing, error);
      const passes = trouble.trouble === 'unavailable' || trouble.trouble === 'rate';
      const wait = Math.max(trouble.retryAfterMs ?? 0, pause * (0.5 + Math.random()));
      if (!passes || performance.now() + wait > until) throw trouble;
      await pauseFor(wait, patience.signal);
    }
  }
}

/** What comes of `promise`, or the signal's reason when that fires first; then nobody waits for it any more. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  promise.catch(() => undefined);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Sleeps; rejects with the signal's reason when that fires. */
export async function pauseFor(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
