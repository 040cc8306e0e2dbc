import { z } from 'zod';
import { FAMILIES, type Family, MINDS } from '../../domain/vocabulary.ts';
import type { Parameters } from '../toolkit-protocol.ts';
import type { TrialRequest } from '../tools/training.ts';
import { asList, unclocked } from './portfolio.ts';
import { randomStream } from './random.ts';
import { perturb, SEARCH_SPACES, type SearchSpace, sample } from './search-space.ts';
import { secondLayer } from './second-layer.ts';
import { answersOf, called, type Move, type Moves, type View } from './view.ts';

const task = z.object({ round: z.int() });
const brief = z.object({
  task: z.string().default(''),
  parallel: z.int(),
  seed: z.number(),
  timeBudgetSeconds: z.number(),
  trialsLeft: z.int().nullable(),
  secondsLeft: z.number(),
});
const leaderboard = z.array(
  z.object({
    id: z.string().default(''),
    name: z.string(),
    family: z.enum(FAMILIES),
    seconds: z.number(),
    parameters: z.record(z.string(), z.unknown()),
    stackedOn: z.array(z.string()).optional(),
    needsCode: z.boolean().optional(),
    origin: z.enum(MINDS).optional(),
  }),
);
type Entry = z.output<typeof leaderboard>[number];

/** Families tuned in one round: the strongest, by their best configuration. */
const FAMILIES_PER_ROUND = 3;
/** A configuration that takes more of what is left than this is too dear to be varied: all of it, where trials are counted. */
const DEAREST_SHARE = 0.65;
/** One proposal in this many is drawn from the whole space, so that the search is not caught where it began. */
const EXPLORE_EVERY = 4;

export function tunerPlaybook(view: View): Moves {
  const { round } = task.parse(view.task);
  if (called(view, 'read_brief') === 0) return [{ tool: 'read_brief' }, { tool: 'read_leaderboard' }];
  if (called(view, 'train_trial') + called(view, 'train_stacked') > 0) return [finishWith(view)];
  const job = answersOf(view, 'read_brief', brief)[0];
  const board = answersOf(view, 'read_leaderboard', leaderboard)[0];
  if (!job || !board)
    return [{ tool: 'finish', input: { outcome: 'Brief or leaderboard could not be read.' } }];

  const counted = job.trialsLeft !== null;
  const { parallel } = counted ? unclocked(job) : job;
  const trialsLeft = job.trialsLeft ?? Number.POSITIVE_INFINITY;
  const canStack = view.tools?.includes('train_stacked') ?? true;
  const stacked = canStack ? secondLayer(board, job.task, round).slice(0, trialsLeft) : [];
  const wanted = Math.min(Math.max(6, parallel * 2), trialsLeft - stacked.length);
  const dearest = job.secondsLeft * (counted ? 1 : DEAREST_SHARE);
  const proposals = propose(board, wanted, dearest, job.seed, round);
  // The dearest start first: a long trial that starts last leaves the other cores idle.
  if (!counted) proposals.sort((a, b) => b.source.seconds - a.source.seconds);
  if (stacked.length + proposals.length === 0)
    return [{ tool: 'finish', input: { outcome: 'No family with parameters to tune fits the time left.' } }];
  const families = [...new Set(proposals.map(({ source }) => source.name))].join(', ');
  return [
    ...told(
      'train_stacked',
      stacked,
      proposals.length,
      `Round ${round}: ${stacked.length} models that also learn from what the best of each kind answer.`,
    ),
    ...told(
      'train_trial',
      proposals.map(({ trial }) => trial),
      0,
      `Round ${round}: ${proposals.length} changes around ${families}; only what scores better counts.`,
    ),
  ];
}

/** Calls side by side, numbered from `first` on; the first says why. */
const told = (tool: string, inputs: readonly Move['input'][], first: number, why: string): Moves =>
  inputs.map((input, index) => ({
    tool,
    number: first + index,
    ...(input ? { input } : {}),
    ...(index === 0 ? { why } : {}),
  }));

interface Proposal {
  source: Entry;
  trial: TrialRequest;
}

/** Proposals take turns over the strongest families, by configurations of `dearest` seconds at most, the strongest one twice as often. */
function propose(
  board: readonly Entry[],
  wanted: number,
  dearest: number,
  seed: number,
  round: number,
): Proposal[] {
  const random = randomStream(seed, round);
  const leaders = strongest(board, dearest);
  const [first] = leaders;
  if (!first) return [];
  const turns = [first, ...leaders];
  const known = new Set(board.map((entry) => fingerprint(entry.family, entry.parameters)));
  const proposals: Proposal[] = [];
  for (let attempt = 0; proposals.length < wanted && attempt < wanted * 10; attempt += 1) {
    const source = turns[attempt % turns.length] ?? first;
    const space: SearchSpace = SEARCH_SPACES[source.family] ?? {};
    const explore = attempt % EXPLORE_EVERY === EXPLORE_EVERY - 1;
    const parameters = explore ? sample(space, random) : perturb(space, source.parameters, random);
    const mark = fingerprint(source.family, parameters);
    if (known.has(mark)) continue;
    known.add(mark);
    proposals.push({
      source,
      trial: asTrial(source.family, parameters, `${round}.${proposals.length + 1}`),
    });
  }
  return proposals;
}

/** The best configuration of each tunable family that takes `dearest` seconds at most, best first. */
function strongest(board: readonly Entry[], dearest: number): Entry[] {
  const bestOfFamily = new Map<Family, Entry>();
  for (const entry of board) {
    const isTunable = SEARCH_SPACES[entry.family] && entry.seconds <= dearest && !entry.stackedOn?.length;
    if (isTunable && !bestOfFamily.has(entry.family)) bestOfFamily.set(entry.family, entry);
  }
  return [...bestOfFamily.values()].slice(0, FAMILIES_PER_ROUND);
}

const NAMES: Readonly<Record<Exclude<Family, 'ENSEMBLE' | 'CODE'>, string>> = {
  BASELINE: 'Baseline',
  LIGHTGBM: 'LightGBM',
  CATBOOST: 'CatBoost',
  LINEAR: 'Linear',
  RANDOM_FOREST: 'Random forest',
  EXTRA_TREES: 'Extra trees',
  KNN: 'k-NN',
  MLP: 'Neural network',
  KERNEL: 'Kernel machine',
};

function asTrial(family: Family, parameters: Parameters, number: string): TrialRequest {
  if (family === 'ENSEMBLE' || family === 'CODE') throw new Error(`${family} has no parameters to tune.`);
  return {
    name: `${NAMES[family]} (tuned ${number})`,
    family,
    parameters: asList(parameters),
    quick: false,
    keepFree: 0,
  };
}

const fingerprint = (family: Family, parameters: Readonly<Record<string, unknown>>): string =>
  JSON.stringify([family, Object.entries(parameters).toSorted(([a], [b]) => (a < b ? -1 : 1))]);

function finishWith(view: View) {
  const scores = ['train_stacked', 'train_trial'].flatMap((tool) =>
    answersOf(view, tool, z.object({ score: z.number() })),
  );
  const trained = scores.filter((score) => score !== null).length;
  return {
    tool: 'finish',
    input: { outcome: `${trained} of ${scores.length} configurations trained.` },
  };
}
