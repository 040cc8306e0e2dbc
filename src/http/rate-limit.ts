import type { ServerResponse } from 'node:http';

/** Where an owner stands after one more operation. */
export interface Rate {
  allowed: boolean;
  /** Operations left at once. */
  remaining: number;
  /** Until there is one more (or, while there are some, until all are there again). */
  seconds: number;
}

const FORGET_ABOVE = 10_000;

/**
 * A bucket of tokens for each owner: `perMinute` of them at once, filled up again evenly. An owner who has been quiet for
 * a minute has a full bucket, which is what one not known has, so it is forgotten.
 */
export class RateLimit {
  readonly #perMinute: number;
  readonly #now: () => number;
  #forgetAt = FORGET_ABOVE;
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  constructor(perMinute: number, now: () => number = () => performance.now()) {
    this.#perMinute = perMinute;
    this.#now = now;
  }

  /** Owners with less than a full bucket, and some not yet forgotten. */
  get known(): number {
    return this.#buckets.size;
  }

  take(owner: string): Rate {
    const now = this.#now();
    const perMs = this.#perMinute / 60_000;
    const bucket = this.#buckets.get(owner) ?? { tokens: this.#perMinute, at: now };
    bucket.tokens = Math.min(this.#perMinute, bucket.tokens + (now - bucket.at) * perMs);
    bucket.at = now;
    const allowed = bucket.tokens >= 1;
    if (allowed) bucket.tokens -= 1;
    if (this.#buckets.size >= this.#forgetAt) this.#forgetFull(now, perMs);
    this.#buckets.set(owner, bucket);
    const missing = allowed ? this.#perMinute - bucket.tokens : 1 - bucket.tokens;
    return { allowed, remaining: Math.floor(bucket.tokens), seconds: Math.ceil(missing / perMs / 1000) };
  }

  /** Says so in the headers of draft-ietf-httpapi-ratelimit-headers, and when to come back once there is nothing left. */
  tell(response: ServerResponse, { allowed, remaining, seconds }: Rate): void {
    response.setHeader('ratelimit-policy', `"owner";q=${this.#perMinute};w=60`);
    response.setHeader('ratelimit', `"owner";r=${remaining};t=${seconds}`);
    if (!allowed) response.setHeader('retry-after', seconds);
  }

  #forgetFull(now: number, perMs: number): void {
    for (const [owner, { tokens, at }] of this.#buckets) {
      if (tokens + (now - at) * perMs >= this.#perMinute) this.#buckets.delete(owner);
    }
    // Twice as many as are left: looking through them all stays rare, however many are busy.
    this.#forgetAt = Math.max(FORGET_ABOVE, 2 * this.#buckets.size);
  }
}

export const RATE_LIMITED = {
  code: 'RATE_LIMITED',
  message: 'You send more operations than you may.',
  hint: 'Wait as long as `retry-after` says. To follow a job, subscribe to `jobUpdated` instead of asking again and again.',
} as const;

/** How much of a server one owner holds at once. */
export class Places {
  readonly #most: number;
  readonly #taken = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Answers what gives the place back, to be called once; null when the owner has as many as they may. */
  take(owner: string): (() => void) | null {
    const taken = this.#taken.get(owner) ?? 0;
    if (taken >= this.#most) return null;
    this.#taken.set(owner, taken + 1);
    return () => {
      const left = (this.#taken.get(owner) ?? 1) - 1;
      if (left === 0) this.#taken.delete(owner);
      else this.#taken.set(owner, left);
    };
  }
}

export const NO_PLACE_LEFT = {
  code: 'TOO_MANY_CONNECTIONS',
  message: 'You have more requests, streams and sockets open than you may.',
  hint: 'Close some first. One socket carries many subscriptions.',
} as const;
