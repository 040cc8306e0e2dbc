import type { Logger } from 'pino';
import { cancelTopic } from '../bus/bus.ts';
import { messageOf, StaleAttemptError } from '../domain/errors.ts';
import type { Job } from '../domain/records.ts';
import { beat } from './claim.ts';
import type { JobStore } from './store.ts';

export type StopReason = 'cancelled' | 'deadline';
/** Why a pipeline must leave at once. */
export type HardStop = 'shutdown' | 'lost-claim' | 'grace-over';

export interface RunLimits {
  /** How often running time is written and the claim and cancel requests are looked at. */
  beatMs: number;
  /** From the soft stop to the hard one. */
  graceMs: (budgetMs: number) => number;
  /** From the hard stop until a pipeline that ignores it is left behind; its writes fail from then on. */
  abandonMs: number;
  /** Attempts in a row that may die without finishing a step before the job is given up. */
  maxBarrenAttempts: number;
}

/**
 * Watches over one attempt: counts its running time, and says when it must stop and why. Softly: cancelled or out of
 * time. Hard: the grace after that is used up, the claim is lost, the server shuts down.
 */
export class AttemptWatch {
  readonly #store: JobStore;
  readonly #job: Job;
  readonly #limits: RunLimits;
  readonly #logger: Logger;
  readonly #soft = new AbortController();
  readonly #hard = new AbortController();
  readonly #startedAt = performance.now();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #endings: (() => void)[] = [];
  #stopReason: StopReason | null = null;
  #hardStop: HardStop | null = null;
  #closed = false;

  constructor(parts: {
    store: JobStore;
    job: Job;
    limits: RunLimits;
    logger: Logger;
    /** Aborts when the server shuts down. */
    shutdown: AbortSignal;
  }) {
    this.#store = parts.store;
    this.#job = parts.job;
    this.#limits = parts.limits;
    this.#logger = parts.logger;

    const onShutdown = (): void => this.stopHard('shutdown');
    parts.shutdown.addEventListener('abort', onShutdown, { once: true });
    this.#endings.push(() => parts.shutdown.removeEventListener('abort', onShutdown));
    if (parts.shutdown.aborted) onShutdown();

    const look = (): void => void this.#look();
    this.#endings.push(parts.store.bus.subscribe(cancelTopic(parts.job.id), look));
    const beats = setInterval(look, parts.limits.beatMs);
    this.#endings.push(() => clearInterval(beats));

    if (parts.job.cancelRequestedAt) this.#stopSoft('cancelled');
    this.#after(parts.job.options.timeBudgetSeconds * 1000 - parts.job.activeMs, () =>
      this.#stopSoft('deadline'),
    );
  }

  get signal(): AbortSignal {
    return this.#hard.signal;
  }
  get stopSignal(): AbortSignal {
    return this.#soft.signal;
  }
  get stopReason(): StopReason | null {
    return this.#stopReason;
  }
  get hardStop(): HardStop | null {
    return this.#hardStop;
  }

  /** Running time over all attempts, this one included. */
  elapsedMs(): number {
    return this.#job.activeMs + (performance.now() - this.#startedAt);
  }

  stopHard(why: HardStop): void {
    if (this.#hardStop) return;
    this.#hardStop = why;
    this.#hard.abort(new DOMException(`The attempt must end at once: ${why}.`, 'AbortError'));
  }

  /** Resolves `afterMs` after a hard stop: the pipeline had time to leave and did not. */
  abandoned(afterMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wait = (): void => this.#after(afterMs, resolve);
      if (this.signal.aborted) wait();
      else this.signal.addEventListener('abort', wait, { once: true });
    });
  }

  /** Ends all timers and subscriptions. */
  close(): void {
    this.#closed = true;
    for (const end of this.#endings) end();
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #stopSoft(reason: StopReason): void {
    // A cancel during the wrap-up after the deadline still makes the job a cancelled one.
    if (this.#stopReason === null || reason === 'cancelled') this.#stopReason = reason;
    if (this.#soft.signal.aborted) return;
    this.#logger.info({ reason }, 'the job is to stop and keep the best so far');
    this.#soft.abort(new DOMException(`The job is to stop: ${reason}.`, 'AbortError'));
    const grace = this.#limits.graceMs(this.#job.options.timeBudgetSeconds * 1000);
    this.#after(grace, () => this.stopHard('grace-over'));
  }

  async #look(): Promise<void> {
    try {
      const { cancelRequested } = await beat(
        this.#store,
        { jobId: this.#job.id, attempt: this.#job.attempt },
        this.elapsedMs(),
      );
      if (cancelRequested && this.#stopReason !== 'cancelled') this.#stopSoft('cancelled');
    } catch (error) {
      if (error instanceof StaleAttemptError) this.stopHard('lost-claim');
      else this.#logger.error({ err: error }, `running time was not written: ${messageOf(error)}`);
    }
  }

  #after(ms: number, act: () => void): void {
    if (this.#closed) return;
    // Node's timers end at 2^31 ms, some 24 days.
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        act();
      },
      Math.min(Math.max(0, ms), 2 ** 31 - 1),
    );
    this.#timers.add(timer);
  }
}
