import { setTimeout as sleep } from 'node:timers/promises';
import type { Table } from '../seats.ts';
import { ModelFailure } from './failure.ts';

/** Of the search time left, so much at most is waited in one turn for a server that asks for patience. */
const PATIENCE_SHARE = 0.1;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** What may end a model's turn before it is taken: the hard stop, the soft one, the end of the search. */
export class TurnClock {
  /** Aborts with the first of them. */
  readonly signal: AbortSignal;
  readonly #table: Table;
  readonly #hard: AbortSignal;
  readonly #time: AbortSignal;
  readonly #patienceEnds: number;

  constructor(table: Table, ofRun: AbortSignal | undefined) {
    const left = Math.max(1, Math.ceil(table.budget.searchLeft * 1000));
    this.#table = table;
    this.#hard = ofRun ? AbortSignal.any([table.signal, ofRun]) : table.signal;
    this.#time = AbortSignal.timeout(Math.min(left, LONGEST_TIMER_MS));
    this.#patienceEnds = performance.now() + left * PATIENCE_SHARE;
    this.signal = AbortSignal.any([this.#hard, table.stopSignal, this.#time]);
  }

  /** Throws the hard stop's own reason: nobody may swallow it. */
  throwIfStoppedHard(): void {
    this.#hard.throwIfAborted();
  }

  /** Throws whatever has ended the turn: the hard stop's reason, or a ModelFailure after which the playbook wraps up. */
  throwIfOver(): void {
    this.throwIfStoppedHard();
    if (this.#table.stopReason() === 'cancelled') throw ending('STOPPED', 'the job was cancelled');
    const late = this.#time.aborted || this.#table.stopReason() === 'deadline';
    if (late || this.#table.budget.searchLeft <= 0)
      throw ending('TIME_USED', 'the time for the search is used');
  }

  /** Whether a wait of so long is worth it. */
  allows(ms: number): boolean {
    return performance.now() + ms <= this.#patienceEnds;
  }

  async pause(ms: number): Promise<void> {
    try {
      await sleep(ms, undefined, { signal: this.signal });
    } catch (error) {
      this.throwIfOver();
      throw error;
    }
  }
}

const ending = (code: 'STOPPED' | 'TIME_USED', why: string): ModelFailure =>
  new ModelFailure(code, why, { reach: 'job' });
