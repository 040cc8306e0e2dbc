/** What is to go wrong with a request, instead of or after what it asks for. */
export type Fault =
  /** An answer of this status; nothing is done. HTML as a proxy would send it, else Daytona's own JSON. */
  | { kind: 'answer'; status: number; message?: string; html?: boolean; retryAfter?: number }
  /** The connection is cut before anything is done. */
  | { kind: 'cut' }
  /** It is done, and the connection is cut instead of an answer. */
  | { kind: 'lose-answer' }
  /** The answer ends in its middle. */
  | { kind: 'cut-body' }
  /** The answer comes late. */
  | { kind: 'delay'; ms: number };

export interface FaultRule {
  /** `POST /api/sandbox`, with `*` for any part of the path; `run follow` for one of our programs' commands inside. */
  on: RegExp;
  fault: Fault;
  /** How often; default: once. */
  times?: number;
  /** Requests to let pass first. */
  after?: number;
  /** Chance of each matching request; default: certain. */
  odds?: number;
}

/** Faults by script: each request is matched against the rules, first come first served. */
export class Faults {
  readonly #rules: (Required<FaultRule> & { seen: number })[] = [];
  readonly #random: () => number;
  /** How many went wrong. */
  taken = 0;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  add(rule: FaultRule): void {
    this.#rules.push({ times: 1, after: 0, odds: 1, ...rule, seen: 0 });
  }

  clear(): void {
    this.#rules.length = 0;
  }

  /** What is to go wrong with this request; null: nothing. */
  take(request: string): Fault | null {
    for (const rule of this.#rules) {
      if (rule.times <= 0 || !rule.on.test(request)) continue;
      rule.seen += 1;
      if (rule.seen <= rule.after || this.#random() >= rule.odds) continue;
      rule.times -= 1;
      this.taken += 1;
      return rule.fault;
    }
    return null;
  }
}
