import { createHash } from 'node:crypto';
import type { NewEvent } from '../domain/events.ts';
import type { JobResult } from '../domain/records.ts';
import { type Family, isBetter, isLowerBetter, type Metric, type Mind } from '../domain/vocabulary.ts';
import type { Blackboard } from './blackboard.ts';
import type { AgentContext, Team } from './context.ts';
import type { JobChanges } from './recorder.ts';

interface FinishedTrial {
  id: string;
  name: string;
  family: Family;
  isPartial: boolean;
  /** The number of the call that asked for it in its agent's run. */
  call: number;
  parameters: Readonly<Record<string, unknown>>;
  origin: Mind;
  codes: readonly string[];
  stackedOn?: readonly string[];
  at: number;
  seconds: number;
  result: {
    score: number;
    foldScores: readonly (number | null)[];
    fitSeconds: number;
    predictMicrosPerRow: number | null;
    modelBytes: number;
  };
}

/** Puts a trial or ensemble on the leaderboard; returns the events and changes to record with it. */
export function recordTrial(
  { team, role, run, delegation }: AgentContext,
  finished: FinishedTrial,
): { message: string; events: NewEvent[]; changes: JobChanges } {
  const { board } = team;
  const { id, family, parameters, origin } = finished;
  const name = unusedName(board, finished.name);
  const { score, fitSeconds, predictMicrosPerRow } = finished.result;
  const previous = board.best();
  const isBaseline = family === 'BASELINE';
  const trial = {
    id,
    name,
    family,
    agent: role,
    origin,
    score,
    foldScores: finished.result.foldScores.filter((fold) => fold !== null),
    fitSeconds,
    predictMicrosPerRow,
    parameters,
    isBaseline,
  };
  const asked = { delegation: delegation ?? board.delegations, run, call: finished.call };
  board.addTrial({
    ...trial,
    isPartial: finished.isPartial,
    // A job begun under an earlier release has trials in its journal that do not say.
    modelBytes: finished.result.modelBytes ?? 0,
    wallSeconds: finished.seconds,
    at: finished.at,
    asked,
    codes: finished.codes,
    stackedOn: finished.stackedOn ?? [],
  });

  if (board.reaches(team.job.options.goalScore)) team.goalReached();

  const improves = !isBaseline && (previous === null || isBetter(board.metric, score, previous.score));
  const shown = `${name}: ${board.metric} ${formatScore(score)}`;
  const against = isBaseline
    ? ''
    : improves
      ? ', best so far'
      : `, best is ${formatScore(previous?.score ?? score)}`;
  const about = { stage: team.meter.stage, agent: role };
  const events: NewEvent[] = [
    {
      type: 'TrialFinished',
      trialId: id,
      name,
      family,
      score,
      fitSeconds,
      ...about,
      message: shown + against,
    },
  ];
  if (improves) {
    const before = previous ? `, was ${formatScore(previous.score)}` : '';
    const message = `New best: ${shown}${before}`;
    events.push({
      type: 'BestImproved',
      trialId: id,
      name,
      score,
      previousScore: previous?.score ?? null,
      ...about,
      message,
    });
  }
  const result = resultSoFar(team);
  return { message: shown + against, events, changes: { trials: [trial], ...(result ? { result } : {}) } };
}

/** Two minds may have the same idea of a name. */
function unusedName(board: Blackboard, wanted: string): string {
  const used = new Set(board.trials.map(({ name }) => name));
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? wanted : `${wanted} (${number})`;
    if (!used.has(name)) return name;
  }
}

/** The job's result as it stands: null until a model and the baseline to hold it against are there. */
export function resultSoFar(team: Team, summary?: string): JobResult | null {
  const { board } = team;
  const best = board.best();
  const baselineScore =
    board.baseline()?.score ?? (board.holdout ?? board.validation)?.baseline.validation ?? null;
  if (!best || baselineScore === null) return null;
  const holdout = board.holdout?.trialId === best.id ? board.holdout : null;
  const holdoutScore = holdout?.holdout?.[board.metric] ?? null;
  return {
    metric: board.metric,
    validationScore: best.score,
    holdoutScore,
    holdoutInterval: holdout?.interval ?? null,
    baselineScore,
    bestTrialId: best.id,
    summary: summary ?? summarize(team, best.name, best.score, baselineScore, holdoutScore),
    ...(team.mind === 'LANGUAGE_MODEL' ? liftOver(team, best.score) : {}),
  };
}

/** What the language model added to what the playbook did by itself. */
function liftOver({ board }: Team, best: number): Pick<JobResult, 'playbookScore' | 'lift'> {
  const playbookScore = board.bestOfPlaybook()?.score ?? null;
  if (playbookScore === null) return { playbookScore, lift: null };
  return { playbookScore, lift: isLowerBetter(board.metric) ? playbookScore - best : best - playbookScore };
}

function summarize(
  team: Team,
  name: string,
  score: number,
  baseline: number,
  holdout: number | null,
): string {
  const { board } = team;
  const models = board.trials.filter((trial) => !trial.isBaseline && trial.family !== 'ENSEMBLE').length;
  const sealed = holdout === null ? '' : `, ${formatScore(holdout)} on the sealed holdout`;
  return (
    `${name} is the best of ${models} ${models === 1 ? 'model' : 'models'}: ${board.metric} ${formatScore(score)} ` +
    `in cross-validation${sealed}, against ${formatScore(baseline)} for the baseline.`
  );
}

/** Four significant decimals for scores around one, fewer for large ones. */
export const formatScore = (score: number): string =>
  Math.abs(score) < 10
    ? score.toFixed(4)
    : score.toPrecision(Math.max(4, String(Math.trunc(Math.abs(score))).length));

/** Scores of every metric the way of `formatScore`, for messages. */
export const formatScores = (scores: Readonly<Record<string, number | null>>): string =>
  (Object.entries(scores) as [Metric, number | null][])
    .filter((entry): entry is [Metric, number] => entry[1] !== null)
    .map(([metric, score]) => `${metric} ${formatScore(score)}`)
    .join(', ');

/**
 * An id from who asks for the trial and for what: the same over all attempts and in every job that goes the same way, never
 * shared by two calls: `catboost-3f9a2c1d`.
 */
export const stableTrialId = (family: Family, run: string, call: number, input: unknown): string => {
  const hash = createHash('sha256')
    .update(JSON.stringify([run, call, input]))
    .digest('hex');
  return `${family.toLowerCase().replaceAll('_', '-')}-${hash.slice(0, 8)}`;
};
