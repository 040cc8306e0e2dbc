/**
 * A semaphore: `size` holders at a time. First come, first served within a lane; lanes that wait take turns, so that one with a
 * long queue does not keep the other from its first.
 */
export class Slots {
  readonly size: number;
  #free: number;
  readonly #lanes = new Map<string, (() => void)[]>();

  constructor(size: number) {
    this.size = size;
    this.#free = size;
  }

  /** Runs `work` as soon as a slot is free; the slot is given back whatever becomes of it. */
  async hold<T>(work: () => Promise<T>, lane = ''): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#queue(lane).push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#next();
      if (next) next();
      else this.#free += 1;
    }
  }

  #queue(lane: string): (() => void)[] {
    const known = this.#lanes.get(lane);
    if (known) return known;
    const queue: (() => void)[] = [];
    this.#lanes.set(lane, queue);
    return queue;
  }

  /** The first of the lane whose turn it is; the lane goes to the end of the line. */
  #next(): (() => void) | undefined {
    for (const [lane, queue] of this.#lanes) {
      const next = queue.shift();
      this.#lanes.delete(lane);
      if (next === undefined) continue;
      this.#lanes.set(lane, queue);
      return next;
    }
    return undefined;
  }
}
