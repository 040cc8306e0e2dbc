import type { Stage } from '../domain/vocabulary.ts';
import type { Blackboard } from './blackboard.ts';
import type { Budget } from './budget.ts';
import type { JobRecorder } from './recorder.ts';

/** Where each part of a job begins on the scale from 0 to 1. */
const SEARCH_BEGINS = 0.06;
const SEARCH_ENDS = 0.88;

/** Turns stages, trials and time into one number that never falls. */
export class ProgressMeter {
  readonly #recorder: JobRecorder;
  readonly #budget: Budget;
  readonly #board: Blackboard;
  #reached: number;
  #stage: Stage = 'SETUP';
  #plannedTrials = 0;
  #finishedTrials = 0;
  readonly #running = new Map<string, number>();
  #wrappingUp = false;

  constructor(recorder: JobRecorder, budget: Budget, board: Blackboard, reached: number) {
    this.#recorder = recorder;
    this.#budget = budget;
    this.#board = board;
    this.#reached = reached;
  }

  get stage(): Stage {
    return this.#stage;
  }

  /** Seconds into the job when the current stage began; null before the first. */
  stageStartedAt: number | null = null;

  enter(stage: Stage, at: number): void {
    this.#stage = stage;
    this.stageStartedAt = at;
  }

  /** The portfolio to be trained; how much tuning follows nobody knows yet. */
  planTrials(count: number): void {
    this.#plannedTrials += count;
  }

  /** The search is over; what remains is the last evaluation and the report. */
  wrapUp(): void {
    this.#wrappingUp = true;
  }

  trialFinished(): void {
    this.#finishedTrials += 1;
  }

  /** Tells the recorder how far step `key` is (0 to 1). */
  step(key: string, fraction: number, label: string, message: string): void {
    if (fraction >= 1) this.#running.delete(key);
    else this.#running.set(key, fraction);
    this.#reached = Math.min(1, Math.max(this.#reached, this.#overall(fraction)));
    this.#recorder.progress({ stage: this.#stage, step: label, progress: this.#reached, message });
  }

  #overall(fraction: number): number {
    if (this.#stage === 'SETUP') return 0.04 * fraction;
    if (this.#stage === 'PREPROCESSING') return 0.04 + 0.02 * fraction;
    if (this.#stage === 'REPORTING') return 0.93 + 0.07 * fraction;
    if (this.#wrappingUp) return SEARCH_ENDS + 0.05 * fraction;
    let done = this.#finishedTrials;
    for (const part of this.#running.values()) done += part;
    const byTrials = Math.min(0.97, done / (this.#plannedTrials + this.#board.patience() / 2));
    const byTime = Math.min(
      0.97,
      this.#budget.elapsed / Math.max(1, this.#budget.total - this.#budget.reserve),
    );
    return SEARCH_BEGINS + (SEARCH_ENDS - SEARCH_BEGINS) * Math.max(byTrials, byTime);
  }
}
