import type { Family } from '../domain/vocabulary.ts';
import type { Blackboard } from './blackboard.ts';

/**
 * Families whose training can stop early and still give a usable model, and the microseconds in which such a model answers a row on
 * one core: however small the sample that it learnt from, it answers all rows.
 */
const STOPPABLE: ReadonlyMap<Family, number> = new Map([
  ['LIGHTGBM', 6.5],
  ['CATBOOST', 1.5],
  ['MLP', 20],
]);

/** Seconds to cross-validate a family's defaults per million cells (rows x features) and fold, before any measure. */
const SECONDS_PER_MILLION_CELLS: Readonly<Record<Family, number>> = {
  BASELINE: 0.01,
  LIGHTGBM: 2,
  CATBOOST: 12,
  LINEAR: 1,
  RANDOM_FOREST: 3,
  EXTRA_TREES: 2,
  KNN: 4,
  MLP: 20,
  KERNEL: 12,
  CODE: 10,
  ENSEMBLE: 0.1,
};
/** What any trial costs, however small the table. */
const FIXED_SECONDS = 0.3;
/** A quick trial learns from so many rows of a fold at most: it is there to be first. */
const QUICK_ROWS = 100_000;
/** How many quick trials take as long as one of its family with time enough, about. */
const QUICKER = 4;
/** Of its estimate, what a family that can stop early needs at least to be worth its start. */
const LEAST_SHARE = 1 / 3;
/** A booster learns more from all rows of a fold in a few hasty rounds than from fewer rows than this. */
const LEAST_SAMPLE_ROWS = 50_000;

/** What scores and report cost on two cores, however small the table. */
const WRAP_UP_SECONDS = 2.4;
/** Tables are read twice more, and every row's prediction is written. */
const WRAP_UP_ROWS_PER_SECOND = 100_000;
const WRAP_UP_CELLS_PER_SECOND = 2_000_000;
/** The model is read to be scored, to be explained and to be written, and its file is read, hashed and moved. */
const WRAP_UP_MODEL_BYTES_PER_SECOND = 40_000_000;
/** The last ensemble, before any has told what one costs: members are chosen by a part of many rows, scored on all. */
const ENSEMBLE_ROWS_PER_SECOND = 40_000;
const ENSEMBLE_CHOICE_SECONDS = 5;
const ENSEMBLE_SCORED_ROWS_PER_SECOND = 500_000;
const LEAST_ENSEMBLE_SECONDS = 5;
/** How often the winner answers the sealed rows: to be scored, to be explained at least, to be timed. */
const SEALED_ANSWERS = 2;
/** A model's answer to a row, before any model has told. */
const MICROS_PER_ROW = 100;
/** Explaining may overrun its time by its least work, and longer jobs have larger ensembles, which load and answer slower. */
const EXPLAINED_MARGIN = 2;
/** The share of the job that goes into explaining its model, and the seconds below and beyond which that makes no sense. */
const EXPLAINED_SHARE = 0.03;
const LEAST_EXPLAINED_SECONDS = 1;
const MOST_EXPLAINED_SECONDS = 15;
/** The share of the job beyond its first minute kept for the light model beside the winner; shorter jobs fit it in what is left over. */
const REFIT_SHARE = 0.02;
const SHORT_SECONDS = 60;
const MOST_KEPT_FOR_REFIT = 20;
/** Of the whole job, the most that is given to it where the search ended early. */
const LEFTOVER_REFIT_SHARE = 0.25;
/** Less is not worth a try. */
const LEAST_REFIT_SECONDS = 0.3;
/** What of the wrap-up is the report's own, and of what a model takes its file. */
const REPORT_SECONDS = 2;
const WRITTEN_SHARE = 0.5;
/** Of the search's time, on one core of two: with less, big tables get no strong model; with more, too few kinds. */
const LARGEST_SHARE = 0.4;
/** Of the time left, for the first model: boosting ends after the one, and its process after all but the other. */
const FIRST_MODEL_SHARE = 0.4;
const LEFT_AFTER_FIRST_MODEL = 0.15;

/** A trial as its cost is told: by its family, its layer, and what must be left after it. */
export interface Sized {
  family: Family;
  keepFree: number;
  isStacked?: boolean;
}

/**
 * The job's wall clock, and what may still be started on it. Seconds throughout.
 *
 * Where trials are counted (`maxTrials`), time is a guard rail alone: nothing is kept free for later trials, no rows are left out,
 * and only what would not end before the deadline is refused or cut, so that the same job comes out the same on a slower or busier
 * machine as long as that has the time.
 */
export class Budget {
  readonly total: number;
  readonly #elapsedMs: () => number;
  readonly #board: Blackboard;
  readonly #cpus: number;
  readonly #maxTrials: number | null;

  constructor(
    total: number,
    elapsedMs: () => number,
    board: Blackboard,
    cpus: number,
    maxTrials: number | null,
  ) {
    this.total = total;
    this.#elapsedMs = elapsedMs;
    this.#board = board;
    this.#cpus = cpus;
    this.#maxTrials = maxTrials;
  }

  get elapsed(): number {
    return this.#elapsedMs() / 1000;
  }

  get left(): number {
    return Math.max(0, this.total - this.elapsed);
  }

  /** Kept back for the last ensemble, the evaluation, the light model and the report, by what has been measured; at most a third. */
  get reserve(): number {
    const light = Math.min(MOST_KEPT_FOR_REFIT, REFIT_SHARE * Math.max(0, this.total - SHORT_SECONDS));
    const { rows } = this.#board.size();
    const last = this.#board.trials.findLast(({ family }) => family === 'ENSEMBLE');
    const chosen = ENSEMBLE_CHOICE_SECONDS + rows / ENSEMBLE_SCORED_ROWS_PER_SECOND;
    const ensemble = last?.wallSeconds ?? Math.min(rows / ENSEMBLE_ROWS_PER_SECOND, chosen);
    const ending = WRAP_UP_SECONDS + this.#ofTable() + this.#ofModel() + ensemble + this.#sealed();
    return Math.min(this.total / 3, ending + light);
  }

  /** Reading and writing what grows with the table. */
  #ofTable(): number {
    const { rows, features } = this.#board.size();
    return rows / WRAP_UP_ROWS_PER_SECOND + (rows * features) / WRAP_UP_CELLS_PER_SECOND;
  }

  /** Reading and writing the model; the largest one, for it may win. */
  #ofModel(): number {
    return (
      Math.max(0, ...this.#board.trials.map(({ modelBytes }) => modelBytes)) / WRAP_UP_MODEL_BYTES_PER_SECOND
    );
  }

  /** What the sealed rows are for: a score, and the model explained on them. */
  #sealed(): number {
    const { split, trials } = this.#board;
    if (split === null || split.holdoutRows === 0) return 0;
    const slowest = Math.max(0, ...trials.map(({ predictMicrosPerRow }) => predictMicrosPerRow ?? 0));
    const answering = (split.holdoutRows * (slowest || MICROS_PER_ROW)) / 1e6;
    return EXPLAINED_MARGIN * this.explanation + SEALED_ANSWERS * answering;
  }

  /** For importances, dependence plots and example rows. */
  get explanation(): number {
    const share = this.total * EXPLAINED_SHARE;
    return Math.min(MOST_EXPLAINED_SECONDS, Math.max(LEAST_EXPLAINED_SECONDS, share));
  }

  /** Between the last score and the report, for the light model: what is left over; 0 where that is too little. */
  get refitSeconds(): number {
    const over = this.left - REPORT_SECONDS - this.#ofTable() - WRITTEN_SHARE * this.#ofModel();
    const seconds = Math.min(over, LEFTOVER_REFIT_SHARE * this.total);
    return seconds < LEAST_REFIT_SECONDS ? 0 : seconds;
  }

  get searchLeft(): number {
    return Math.max(0, this.left - this.reserve);
  }

  /** Expected wall seconds of one trial: the dearest of its family so far, else by the quick one or the size of the table. */
  estimate(family: Family, isStacked = false): number {
    const quick = this.#board.trials.find(({ isPartial }) => isPartial);
    const seen = this.#seen(family, isStacked);
    if (seen.length > 0) return Math.max(...seen);
    if (isStacked) return this.estimate(family);
    const { rows, features, folds } = this.#board.size();
    // On more rows the quick one learnt from a part of them.
    if (family === quick?.family && rows <= QUICK_ROWS) return quick.wallSeconds * QUICKER;
    return FIXED_SECONDS + SECONDS_PER_MILLION_CELLS[family] * ((rows * features) / 1e6) * folds;
  }

  /** What trials of a family and layer took so far. */
  #seen(family: Family, isStacked: boolean): number[] {
    return (
      this.#board.trials
        .filter((trial) => trial.family === family && trial.stackedOn.length > 0 === isStacked)
        // What agent-written code costs beside its family says nothing about the family.
        .filter((trial) => !trial.isPartial && trial.codes.length === 0)
        .map((trial) => trial.wallSeconds)
    );
  }

  /** What is left of the search for a trial after which the given share of all search time must still be free. */
  leftFor(keepFree: number): number {
    const kept = this.#maxTrials === null ? keepFree : 0;
    return Math.max(0, this.searchLeft - kept * (this.total - this.reserve));
  }

  /** Whether a trial started now would end in time, on a sample of the rows if need be and `mayBeSampled`. */
  fits(trial: Sized & { mayBeSampled?: boolean }): boolean {
    const sample = trial.mayBeSampled === false ? null : this.sampleRows(trial);
    if (sample !== null) return sample >= LEAST_SAMPLE_ROWS;
    return this.leftFor(trial.keepFree) > Math.max(FIXED_SECONDS, this.#least(trial));
  }

  /**
   * Of a fold's training rows, as many as a trial started now has time to learn from; null: all of them. Only large tables are
   * sampled, for families that stop early; and none where trials are counted, for it is the clock that says how many.
   */
  sampleRows(trial: Sized): number | null {
    const { family, keepFree } = trial;
    if (this.#maxTrials !== null || !STOPPABLE.has(family) || !this.#isLarge()) return null;
    const least = this.#least(trial);
    if (this.trialLimit(keepFree) >= least) return null;
    return Math.floor((this.#rowsInFold() * this.#sampleLimit(family, keepFree)) / least);
  }

  /** As trialLimit, for a trial that learns from a sample and then answers all rows. */
  #sampleLimit(family: Family, keepFree: number): number {
    const answering = (this.#board.size().rows * (STOPPABLE.get(family) ?? 0)) / 1e6;
    return Math.max(0, this.trialLimit(keepFree) - answering);
  }

  /**
   * What a trial started now is given: rows of a fold at most (null: all), seconds to learn in, and those after which it is given up.
   * Boosters stop by themselves at the limit; the grace is for finishing the fold and for those that can't.
   */
  allowance(
    trial: Sized & { quick: boolean },
    isFirst: boolean,
  ): { mostRows: number | null; limitSeconds: number; timeoutSeconds: number } {
    if (isFirst) {
      const limitSeconds = Math.max(this.trialLimit(0), this.left * FIRST_MODEL_SHARE);
      // Even the first model is given up in the end, for what is left is needed to make a result of another.
      const timeoutSeconds = Math.max(limitSeconds * 1.25 + 5, this.left * (1 - LEFT_AFTER_FIRST_MODEL));
      return { mostRows: QUICK_ROWS, limitSeconds, timeoutSeconds };
    }
    const { family, keepFree, quick } = trial;
    const limit = this.trialLimit(keepFree);
    const mostRows = quick ? QUICK_ROWS : this.sampleRows(trial);
    return {
      mostRows,
      limitSeconds: quick || mostRows === null ? limit : this.#sampleLimit(family, keepFree),
      timeoutSeconds: Math.min(limit * 1.25 + 5, this.searchLeft + this.reserve / 2),
    };
  }

  /** Seconds without which a trial is not worth its start: of families that stop early, where rows are few, as few as one took. */
  #least({ family, isStacked = false }: Sized): number {
    const estimate = this.estimate(family, isStacked);
    if (!STOPPABLE.has(family)) return estimate;
    const quickest = this.#maxTrials === null && !this.#isLarge() ? this.#seen(family, isStacked) : [];
    return Math.min(estimate * LEAST_SHARE, ...quickest);
  }

  /** Whether trials may learn from a part of a fold's rows. */
  #isLarge(): boolean {
    return this.#rowsInFold() > QUICK_ROWS;
  }

  #rowsInFold(): number {
    const { rows, folds } = this.#board.size();
    return rows * (1 - 1 / folds);
  }

  /** The time limit handed to a trial: what is left, but never so much that one configuration eats the search. */
  trialLimit(keepFree: number): number {
    const fair = this.#maxTrials === null ? 0 : Math.min(1, this.#cpus / this.#maxTrials);
    const share = (this.total - this.reserve) * Math.max(fair, LARGEST_SHARE * Math.min(1, this.#cpus / 2));
    return Math.max(1, Math.min(this.leftFor(keepFree), Math.max(share, 5)));
  }

  /** Limit for an ensemble: one that is not ready then costs the job its end, and there is a best model without it. */
  get ensembleSeconds(): number {
    return Math.max(LEAST_ENSEMBLE_SECONDS, this.total / 4, Math.min(this.wrapUpSeconds(), this.left));
  }

  /** Limit for the work that turns the best so far into a result; it is granted even past the deadline. */
  wrapUpSeconds(): number {
    return Math.max(30, this.reserve * 3);
  }
}
