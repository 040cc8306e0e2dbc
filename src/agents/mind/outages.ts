import { type FailureCode, ModelFailure, type Reach } from './failure.ts';

/** Why a turn was not the model's. JSON: the journal keeps it. */
export interface Fallback {
  readonly model: string;
  readonly code: FailureCode;
  readonly reach: Reach;
  readonly reason: string;
  /** False where it follows from one that was told before. */
  readonly isNews: boolean;
}

/** So many turns in a row that a model did not take, and it is given up. */
const MOST_FAILED_TURNS = 3;

/** Failures that say something about the model or the way to it, not about one conversation. */
const COUNTED: ReadonlySet<FailureCode> = new Set([
  'RATE_LIMITED',
  'SERVER_ERROR',
  'REQUEST_REFUSED',
  'STALLED',
  'CONNECTION_LOST',
  'NONSENSE',
  'NO_CALL',
]);

/** What one job has learnt of its models: which are down, or given up in one agent's run, and whether people know. */
export class Outages {
  /** Everything behind the address. */
  #all: ModelFailure | null = null;
  /** By model, and by agent's run. */
  readonly #parts = new Map<string, ModelFailure>();
  readonly #failedTurns = new Map<string, number>();
  #toldOfRest = false;

  /** Why this model is not to be asked in this run; null: it is. */
  standing(model: string, run: string): ModelFailure | null {
    return this.#all ?? this.#parts.get(model) ?? this.#parts.get(run) ?? null;
  }

  answered(model: string): void {
    this.#failedTurns.set(model, 0);
    this.#toldOfRest = false;
  }

  /** Remembers a failure as far as it reaches. */
  note(model: string, run: string, failure: ModelFailure): Fallback {
    const known = this.standing(model, run) === failure;
    const told = known ? failure : this.#inARow(model, failure);
    const isNews = !known && (told.reach === 'turn' ? !this.#isOldRest(told) : this.#close(model, run, told));
    return { model, code: told.code, reach: told.reach, reason: told.message, isNews };
  }

  /** What an earlier attempt at the job learnt. */
  recall({ model, code, reason, reach }: Fallback, run: string): void {
    this.#close(model, run, new ModelFailure(code, reason, { reach }));
  }

  #inARow(model: string, failure: ModelFailure): ModelFailure {
    if (failure.reach !== 'turn' || !COUNTED.has(failure.code)) return failure;
    const failed = (this.#failedTurns.get(model) ?? 0) + 1;
    this.#failedTurns.set(model, failed);
    if (failed < MOST_FAILED_TURNS) return failure;
    return new ModelFailure('MODEL_DOWN', `${failure.message}, ${failed} turns in a row`, { reach: 'model' });
  }

  /** One pause is told of once, however many turns fall into it. */
  #isOldRest({ code }: ModelFailure): boolean {
    const isOld = code === 'RESTING' && this.#toldOfRest;
    if (code === 'RESTING' || code === 'RATE_LIMITED') this.#toldOfRest = true;
    return isOld;
  }

  /** False when there was nothing to close, or it was already. */
  #close(model: string, run: string, failure: ModelFailure): boolean {
    if (failure.reach === 'turn') return false;
    if (failure.reach === 'job') {
      const isNew = this.#all === null;
      this.#all ??= failure;
      return isNew;
    }
    const part = failure.reach === 'model' ? model : run;
    const isNew = !this.#parts.has(part);
    if (isNew) this.#parts.set(part, failure);
    return isNew;
  }
}
