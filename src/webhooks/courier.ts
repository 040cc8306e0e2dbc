import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { messageOf, SproutError } from '../domain/errors.ts';
import type { Job } from '../domain/records.ts';
import type { JobStore } from '../jobs/store.ts';
import { type AttemptResult, type DueWebhook, dueWebhooks, recordAttempt } from '../jobs/webhooks.ts';
import { type Resolve, resolveHost } from './address.ts';
import { send } from './send.ts';

/** Seconds between one attempt and the next, as Standard Webhooks has them: nine in about three days. */
const RETRY_SECONDS = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000];
const POLL_MS = 1_000;
const AT_ONCE = 8;
const TIMEOUT_MS = 15_000;
const UNWRITTEN_PAUSE_MS = 60_000;

export interface CourierParts {
  store: JobStore;
  logger: Logger;
  /** Hosts that may be private: WEBHOOK_PRIVATE_HOSTS. */
  privateHosts: readonly string[];
  /** A job's id as clients know it. */
  publicId(job: Job): string;
  attempted?(outcome: 'delivered' | 'failed'): void;
  resolve?: Resolve;
  retrySeconds?: readonly number[];
  timeoutMs?: number;
}

/**
 * Tells whoever wanted to know that a job has ended. The database says what is due, so a delivery survives any crash; one that
 * dies between being taken and being noted is repeated, under the same message id.
 */
export class Courier {
  readonly #parts: CourierParts;
  readonly #privateHosts: ReadonlySet<string>;
  readonly #closing = new AbortController();
  readonly #underWay = new Map<string, Promise<void>>();
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> = Promise.resolve();

  constructor(parts: CourierParts) {
    this.#parts = parts;
    this.#privateHosts = new Set(parts.privateHosts);
  }

  start(): void {
    const look = (): void => {
      this.#looking = this.#looking.then(() => this.#look());
    };
    this.#timer = setInterval(look, POLL_MS);
    look();
  }

  /** Cuts what is under way; it counts for nothing and is tried again at the next start. */
  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    this.#closing.abort();
    await this.#looking;
    await Promise.all(this.#underWay.values());
  }

  async #look(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const { store, logger } = this.#parts;
    try {
      const due = await dueWebhooks(store, AT_ONCE * 2);
      for (const webhook of due) {
        if (this.#underWay.size >= AT_ONCE) break;
        const { id } = webhook.job;
        if (this.#underWay.has(id)) continue;
        this.#underWay.set(
          id,
          this.#deliver(webhook).finally(() => this.#underWay.delete(id)),
        );
      }
    } catch (error) {
      logger.error({ err: error }, 'webhooks could not be looked up; the next second tries again');
    }
  }

  async #deliver(webhook: DueWebhook): Promise<void> {
    const { store, logger, attempted } = this.#parts;
    const result = await this.#attempt(webhook);
    if (result === null) return;
    attempted?.(result.error === null ? 'delivered' : 'failed');
    // The path may be a secret of the receiver's.
    const about = { jobId: webhook.job.id, host: new URL(webhook.url).host, ...result };
    if (result.error !== null) logger.warn(about, 'a webhook was not delivered');
    try {
      await recordAttempt(store, webhook, result);
    } catch (error) {
      // A full disk or the like. It will be sent again, but not every second.
      logger.error({ err: error, jobId: webhook.job.id }, 'what became of a webhook was not written');
      await sleep(UNWRITTEN_PAUSE_MS, undefined, { signal: this.#closing.signal }).catch(() => undefined);
    }
  }

  /** Null when we were cut off ourselves. */
  async #attempt(webhook: DueWebhook): Promise<AttemptResult | null> {
    const { store, resolve = resolveHost, timeoutMs = TIMEOUT_MS, publicId } = this.#parts;
    const { signal } = this.#closing;
    const at = store.now();
    const message = {
      url: webhook.url,
      secret: webhook.secret,
      id: webhook.messageId,
      at,
      body: JSON.stringify(payload(webhook.job, publicId(webhook.job), at)),
    };
    try {
      const statusCode = await send(message, {
        privateHosts: this.#privateHosts,
        resolve,
        timeoutMs,
        signal,
      });
      if (statusCode >= 200 && statusCode < 300) return { statusCode, error: null, nextAttemptAt: null };
      const error = `answered ${statusCode}`;
      // Gone: whoever was to be told says never again.
      return { statusCode, error, nextAttemptAt: statusCode === 410 ? null : this.#next(webhook) };
    } catch (error) {
      if (signal.aborted) return null;
      const refused = error instanceof SproutError && error.code === 'WEBHOOK_ADDRESS_REFUSED';
      return {
        statusCode: null,
        error: messageOf(error),
        nextAttemptAt: refused ? null : this.#next(webhook),
      };
    }
  }

  /** A little late, differently each time, so that many deliveries that failed together do not come back together. */
  #next({ attempts }: DueWebhook): Date | null {
    const seconds = (this.#parts.retrySeconds ?? RETRY_SECONDS)[attempts];
    if (seconds === undefined) return null;
    return new Date(this.#parts.store.now().getTime() + seconds * 1000 * (1 + Math.random() / 5));
  }
}

/** Thin on purpose: what else there is to know is behind the API, for who may see it. */
function payload(job: Job, id: string, at: Date): unknown {
  return {
    type: 'job.ended',
    timestamp: at.toISOString(),
    data: {
      id,
      name: job.options.name,
      status: job.status,
      metric: job.metric,
      validationScore: job.result?.validationScore ?? null,
      holdoutScore: job.result?.holdoutScore ?? null,
      failure: job.failure === null ? null : { code: job.failure.code, message: job.failure.message },
      finishedAt: job.finishedAt?.toISOString() ?? null,
    },
  };
}
