/**
 * A semaphore: `size` holders at a time. First come, first served within a lane; lanes that wait take turns, and so do the lines
 * within a lane: one with a long queue does not keep another from its first.
 */
export class Slots {
  readonly size: number;
  #free: number;
  readonly #lanes = new Map<string, Map<string, (() => void)[]>>();

  constructor(size: number) {
    this.size = size;
    this.#free = size;
  }

  /** Whether nobody holds one. */
  get idle(): boolean {
    return this.#free === this.size;
  }

  /** Runs `work` as soon as a slot is free; the slot is given back whatever becomes of it. */
  async hold<T>(work: () => Promise<T>, lane = '', line = ''): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#queue(lane, line).push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#next();
      if (next) next();
      else this.#free += 1;
    }
  }

  #queue(lane: string, line: string): (() => void)[] {
    const lines = this.#lanes.get(lane) ?? new Map<string, (() => void)[]>();
    this.#lanes.set(lane, lines);
    const queue = lines.get(line) ?? [];
    lines.set(line, queue);
    return queue;
  }

  /** The first of the line whose turn it is in the lane whose turn it is; both go to the end. */
  #next(): (() => void) | undefined {
    return turn(this.#lanes, (lines) => turn(lines, (queue) => queue.shift()));
  }
}

/** The first thing that any of `waiting` gives, asked in order; whoever gave it goes to the end, who had none is forgotten. */
function turn<W, T>(waiting: Map<string, W>, give: (each: W) => T | undefined): T | undefined {
  for (const [name, each] of waiting) {
    const given = give(each);
    waiting.delete(name);
    if (given === undefined) continue;
    waiting.set(name, each);
    return given;
  }
  return undefined;
}
