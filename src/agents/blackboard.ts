import type { Trial } from '../domain/records.ts';
import { type AgentRole, isBetter, type Metric, reachesGoal } from '../domain/vocabulary.ts';
import type {
  EvaluateResult,
  PrepareResult,
  ProfileResult,
  ReportResult,
  SplitResult,
} from './toolkit-protocol.ts';

/** A trial or ensemble on the leaderboard, with when and how long it ran. */
export interface BoardTrial extends Omit<Trial, 'jobId' | 'createdAt'> {
  /** Deliberately short, or learnt from a sample of the rows: says little about what its family costs. */
  readonly isPartial: boolean;
  /** The size of its model as a file, all members'. */
  readonly modelBytes: number;
  /** Seconds from its start to its end, warm-up and all folds. */
  readonly wallSeconds: number;
  /** Seconds into the job when it ended. */
  readonly at: number;
  readonly asked: Asked;
  /** The trials whose answers it learns from; none in the first layer. */
  readonly stackedOn: readonly string[];
  /** Ids of the agent-written code that it needs to answer. */
  readonly codes: readonly string[];
}

/** Something a language model wrote, and what came of it: the memory that it improves on. */
export interface Idea {
  /** The code's id. */
  readonly id: string;
  readonly name: string;
  readonly plan: string;
  readonly kind: 'FEATURES' | 'PIPELINE';
  readonly source: string;
  /** The id of the failed idea that it repairs. */
  readonly repairs: string | null;
  readonly trialId: string | null;
  readonly score: number | null;
  readonly error: string | null;
  readonly at: number;
}

/** Where in the team's plan a trial was asked for: which of two came first does not depend on which ended first. */
export interface Asked {
  /** The orchestrator's delegations up to then. */
  readonly delegation: number;
  readonly run: string;
  /** The number of the call in its run. */
  readonly call: number;
}

/** A gain smaller than this share of the distance between baseline and best does not count as one. */
const GAIN_THAT_COUNTS = 0.002;

/**
 * What the team knows, written by finished steps alone: a resumed team rebuilds it by replaying the journal.
 * Everything derived from it orders by `at`, so that it comes out the same however replayed steps interleave.
 */
export class Blackboard {
  profile: ProfileResult | null = null;
  split: SplitResult | null = null;
  plan: PrepareResult | null = null;
  validation: EvaluateResult | null = null;
  holdout: EvaluateResult | null = null;
  report: ReportResult | null = null;
  /** What the orchestrator has delegated so far. */
  delegations = 0;
  /** Configurations asked for so far, baseline and ensembles aside: what `maxTrials` limits. */
  trialsStarted = 0;
  readonly #trials: BoardTrial[] = [];
  readonly #ideas: Idea[] = [];
  /** Trials whose agent-written code failed when the model was to be used, and ensembles with such a member. */
  readonly #failing = new Set<string>();
  /** Seconds that went into code of which nothing came. */
  lostToCode = 0;
  /** Configurations begun so far, by family and parameters: where two minds train side by side, none is trained twice. */
  readonly asked = new Set<string>();
  readonly #decisions: { at: number; agent: AgentRole; text: string }[] = [];
  readonly #log: { at: number; text: string }[] = [];

  get metric(): Metric {
    if (!this.profile) throw new Error('The metric is known only after the table is profiled.');
    return this.profile.metric;
  }

  /** In the order they ended. */
  get trials(): readonly BoardTrial[] {
    return this.#trials;
  }

  /** Rows that train, feature columns and folds; zeros before the table is known. */
  size(): { rows: number; features: number; folds: number } {
    const usable = this.profile?.columns.filter((column) => column.role === 'feature').length ?? 0;
    return {
      rows: this.split?.trainRows ?? this.profile?.usableRows ?? 0,
      features: this.plan?.estimates.features ?? usable,
      folds: this.split?.folds ?? 5,
    };
  }

  addTrial(trial: BoardTrial): void {
    this.#trials.push(trial);
    this.#trials.sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
  }

  /** The model is not to be relied on: it and all that need the code that failed, where `why` tells which, leave the ranking. */
  disqualify(trialId: string, why: string): void {
    this.#failing.add(trialId);
    const codes = this.#trials.find(({ id }) => id === trialId)?.codes ?? [];
    const [only] = codes;
    const bad = codes.length === 1 ? only : codes.find((code) => why.includes(`(code ${code})`));
    for (const trial of this.#trials) if (bad && trial.codes.includes(bad)) this.#failing.add(trial.id);
  }

  addIdea(idea: Idea): void {
    this.#ideas.push(idea);
    this.#ideas.sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
  }

  /** In the order they ended. */
  get ideas(): readonly Idea[] {
    return this.#ideas;
  }

  /** Why configurations failed, refusals aside. */
  readonly failures: string[] = [];

  addFailure(reason: string): void {
    this.failures.push(reason);
  }

  addDecision(at: number, agent: AgentRole, text: string): void {
    this.#decisions.push({ at, agent, text });
  }

  addLog(at: number, text: string): void {
    this.#log.push({ at, text });
  }

  get decisions(): { agent: AgentRole; text: string }[] {
    return this.#decisions.toSorted((a, b) => a.at - b.at).map(({ agent, text }) => ({ agent, text }));
  }

  get log(): string[] {
    return this.#log
      .toSorted((a, b) => a.at - b.at)
      .map(({ at, text }) => `${at.toFixed(1).padStart(8)} s  ${text}`);
  }

  baseline(): BoardTrial | null {
    return this.#trials.find((trial) => trial.isBaseline) ?? null;
  }

  /** In the order they were asked for. */
  #asAsked(): BoardTrial[] {
    return this.#trials.toSorted(byAsked);
  }

  /** Everything but the baseline, best first; of equals the simpler (the one asked for earlier) leads. */
  ranked(): BoardTrial[] {
    const metric = this.metric;
    return this.#trials
      .filter((trial) => !trial.isBaseline && !this.#failing.has(trial.id))
      .sort((a, b) =>
        isBetter(metric, a.score, b.score) ? -1 : isBetter(metric, b.score, a.score) ? 1 : byAsked(a, b),
      );
  }

  /** The best of what the playbook did by itself. */
  bestOfPlaybook(): BoardTrial | null {
    return this.ranked().find(({ origin }) => origin === 'PLAYBOOK') ?? null;
  }

  best(): BoardTrial | null {
    return this.ranked()[0] ?? null;
  }

  /** The best score over time: one point for each trial that became the best. */
  history(): { seconds: number; score: number; name: string }[] {
    let best: number | null = null;
    const points: { seconds: number; score: number; name: string }[] = [];
    for (const trial of this.#trials) {
      if (trial.isBaseline || (best !== null && !isBetter(this.metric, trial.score, best))) continue;
      best = trial.score;
      points.push({ seconds: trial.at, score: trial.score, name: trial.name });
    }
    return points;
  }

  /** Models trained since the best score last improved by an amount that counts. */
  modelsSinceGain(): number {
    const best = this.best();
    if (!best) return 0;
    const distance = Math.abs(best.score - (this.baseline()?.score ?? 0)) * GAIN_THAT_COUNTS;
    let reached: number | null = null;
    let since = 0;
    for (const trial of this.#asAsked()) {
      if (trial.isBaseline) continue;
      // A second layer is made of what is there: that it gains nothing says little of what a first-layer model would.
      if (trial.family !== 'ENSEMBLE' && trial.stackedOn.length === 0) since += 1;
      const gain = reached === null || isBetter(this.metric, trial.score, reached);
      if (gain && (reached === null || Math.abs(trial.score - reached) > distance)) {
        reached = trial.score;
        since = 0;
      }
    }
    return since;
  }

  /** How many models without gain end the search (AutoGluon's rule: small tables overfit their validation early). */
  patience(): number {
    const { rows } = this.size();
    if (rows <= 100) return 4;
    if (rows <= 500) return 8;
    if (rows <= 2_500) return 15;
    if (rows <= 10_000) return 40;
    return 100;
  }

  reaches(goal: number | null): boolean {
    const best = this.best();
    return goal !== null && best !== null && reachesGoal(this.metric, best.score, goal);
  }
}

const byAsked = ({ asked: a }: BoardTrial, { asked: b }: BoardTrial): number =>
  a.delegation - b.delegation || a.run.localeCompare(b.run, 'en', { numeric: true }) || a.call - b.call;
