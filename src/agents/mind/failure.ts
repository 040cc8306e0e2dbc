import { ModelBehaviorError } from '@openai/agents-core';
import { APIConnectionError, APIError } from 'openai';
import { z } from 'zod';
import { messageOf } from '../../domain/errors.ts';
import { type Redact, redactError } from './redact.ts';

/** How far a failure reaches: this turn, this agent's run, this model, or everything behind the address, to the end of the job. */
export type Reach = 'turn' | 'run' | 'model' | 'job';

export type FailureCode =
  | 'KEY_REFUSED'
  | 'ACCESS_REFUSED'
  | 'MODEL_NOT_FOUND'
  | 'QUOTA_USED'
  | 'RATE_LIMITED'
  | 'RESTING'
  | 'SERVER_ERROR'
  | 'REQUEST_REFUSED'
  | 'CONTEXT_TOO_LONG'
  | 'STALLED'
  | 'CONNECTION_LOST'
  | 'NONSENSE'
  | 'NO_CALL'
  | 'STUCK'
  | 'TOO_MANY_TURNS'
  | 'BUDGET_SPENT'
  | 'TIME_USED'
  | 'STOPPED'
  | 'MODEL_DOWN'
  | 'NOT_CONFIGURED';

/** Why a language model did not take a turn. `message` is for people and holds no key. */
export class ModelFailure extends Error {
  readonly code: FailureCode;
  readonly reach: Reach;
  /** Worth asking again, after `retryAfterMs` where the server said so. */
  readonly again: boolean;
  readonly retryAfterMs: number | null;
  /** The name of a setting the server does not take for this model. */
  readonly setting: string | null;

  constructor(
    code: FailureCode,
    message: string,
    more: { reach?: Reach; again?: boolean; retryAfterMs?: number | null; setting?: string | null } = {},
  ) {
    super(message);
    this.name = 'ModelFailure';
    this.code = code;
    this.reach = more.reach ?? 'turn';
    this.again = more.again ?? false;
    this.retryAfterMs = more.retryAfterMs ?? null;
    this.setting = more.setting ?? null;
  }
}

/** Of a server's own words, so much is shown. */
const MOST_WORDS = 200;

const httpError = z.object({
  status: z.number().optional(),
  code: z.string().nullish().catch(null),
  type: z.string().nullish().catch(null),
  param: z.string().nullish().catch(null),
  headers: z.instanceof(Headers).optional().catch(undefined),
});

/** What the SDK threw, as the seats deal with it. */
export function asFailure(error: unknown, redact: Redact): ModelFailure {
  if (error instanceof ModelFailure) return error;
  const said = redactError(redact, messageOf(error)).replace(/\s+/g, ' ').slice(0, MOST_WORDS);
  if (error instanceof ModelBehaviorError)
    return new ModelFailure('NONSENSE', `its answer is not whole (${said})`);
  if (error instanceof SyntaxError) return new ModelFailure('NONSENSE', `its answer is not JSON (${said})`);
  const http = httpError.safeParse(error);
  if (http.success && http.data.status !== undefined) return byStatus(http.data.status, http.data, said);
  if (error instanceof APIConnectionError || isTorn(error)) {
    return new ModelFailure('CONNECTION_LOST', `the connection failed (${said}${causeOf(error)})`, {
      again: true,
    });
  }
  if (error instanceof APIError)
    return new ModelFailure('SERVER_ERROR', `the server broke off: ${said}`, { again: true });
  return new ModelFailure('NONSENSE', `its answer cannot be read (${said})`);
}

/** What fetch throws when the other side hangs up in the middle of an answer. */
const isTorn = (error: unknown): boolean =>
  error instanceof TypeError && (error.cause !== undefined || error.message === 'terminated');

function byStatus(status: number, error: z.output<typeof httpError>, said: string): ModelFailure {
  const kinds = [error.code, error.type];
  if (status === 402 || kinds.some((kind) => kind && NO_MONEY.has(kind))) {
    return new ModelFailure('QUOTA_USED', `the account's quota is used up (${said})`, { reach: 'job' });
  }
  switch (status) {
    case 401:
      return new ModelFailure('KEY_REFUSED', `the key was refused; check OPENAI_API_KEY (${said})`, {
        reach: 'job',
      });
    case 403:
      return new ModelFailure('ACCESS_REFUSED', `access was refused (${said})`, { reach: 'model' });
    case 404:
      return new ModelFailure(
        'MODEL_NOT_FOUND',
        `the server does not know it; check OPENAI_MODEL, OPENAI_BASE_URL and OPENAI_API (${said})`,
        { reach: 'model' },
      );
    case 429:
      return new ModelFailure('RATE_LIMITED', `too many requests (${said})`, {
        again: true,
        retryAfterMs: readRetryAfter(error.headers),
      });
    case 408:
    case 409:
      return new ModelFailure('SERVER_ERROR', `the server answered ${said}`, { again: true });
    default:
  }
  if (status >= 500) return new ModelFailure('SERVER_ERROR', `the server answered ${said}`, { again: true });
  if (kinds.includes('context_length_exceeded')) {
    return new ModelFailure('CONTEXT_TOO_LONG', `the conversation is too long for it (${said})`);
  }
  const setting = error.param ?? (/encrypted content/i.test(said) ? 'include' : null);
  return new ModelFailure('REQUEST_REFUSED', `it refused the request (${said})`, { setting });
}

const NO_MONEY: ReadonlySet<string> = new Set([
  'insufficient_quota',
  'billing_hard_limit_reached',
  'billing_not_active',
]);

/** Milliseconds, from either of the headers in use; null: the server did not say. */
function readRetryAfter(headers: Headers | undefined): number | null {
  const ms = Number.parseFloat(headers?.get('retry-after-ms') ?? '');
  if (Number.isFinite(ms)) return Math.max(0, ms);
  const text = headers?.get('retry-after');
  if (!text) return null;
  const seconds = Number(text);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(text);
  return Number.isNaN(date) ? null : Math.max(0, date - Date.now());
}

/** ECONNREFUSED and the like stand in the cause of what fetch throws, sometimes one deeper. */
function causeOf(error: unknown): string {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && typeof cause.code === 'string') return `, ${cause.code}`;
  }
  return '';
}
