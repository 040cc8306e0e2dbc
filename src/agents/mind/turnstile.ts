/** Calls are counted over this long. */
const MINUTE_MS = 60_000;

interface Waiting {
  go(): void;
}

/** Where calls of all jobs pass, first come, first served: so many at once, so many a minute, none during a pause. */
export class Turnstile {
  readonly #atOnce: number;
  readonly #perMinute: number;
  readonly #now: () => number;
  #inside = 0;
  /** When the latest calls began, oldest first. */
  readonly #begun: number[] = [];
  readonly #line: Waiting[] = [];
  #pausedUntil = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(limits: { atOnce: number; perMinute: number | null }, now: () => number = Date.now) {
    this.#atOnce = limits.atOnce;
    this.#perMinute = limits.perMinute ?? Number.POSITIVE_INFINITY;
    this.#now = now;
  }

  /** Runs `work` when its turn has come; rejects with the signal's reason when that comes first. */
  async pass<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        const place = this.#line.indexOf(waiting);
        if (place >= 0) this.#line.splice(place, 1);
        reject(signal.reason);
      };
      const waiting: Waiting = {
        go() {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#line.push(waiting);
      this.#advance();
    });
    try {
      return await work();
    } finally {
      this.#inside -= 1;
      this.#advance();
    }
  }

  /** The server asked for a rest: nobody passes for so long. */
  pause(ms: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, this.#now() + ms);
  }

  /** Milliseconds until the pause is over; 0: there is none. */
  pausedFor(): number {
    return Math.max(0, this.#pausedUntil - this.#now());
  }

  #advance(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    for (let next = this.#line[0]; next && this.#inside < this.#atOnce; next = this.#line[0]) {
      const wait = this.#untilFree();
      if (wait > 0) {
        this.#timer = setTimeout(() => this.#advance(), wait);
        return;
      }
      this.#line.shift();
      this.#inside += 1;
      if (Number.isFinite(this.#perMinute)) this.#begun.push(this.#now());
      next.go();
    }
  }

  #untilFree(): number {
    const now = this.#now();
    while (this.#begun[0] !== undefined && this.#begun[0] <= now - MINUTE_MS) this.#begun.shift();
    const oldest = this.#begun.length >= this.#perMinute ? this.#begun[0] : undefined;
    return Math.max(this.pausedFor(), oldest === undefined ? 0 : oldest + MINUTE_MS - now);
  }
}
