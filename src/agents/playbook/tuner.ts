import { z } from 'zod';
import { FAMILIES, type Family } from '../../domain/vocabulary.ts';
import type { Parameters } from '../toolkit-protocol.ts';
import type { TrialRequest } from '../tools/training.ts';
import { asList } from './portfolio.ts';
import { randomStream } from './random.ts';
import { perturb, SEARCH_SPACES, type SearchSpace, sample } from './search-space.ts';
import { answersOf, called, type Moves, type View } from './view.ts';

const task = z.object({ round: z.int() });
const brief = z.object({
  parallel: z.int(),
  seed: z.number(),
  trialsLeft: z.int().nullable(),
  rows: z.number(),
});
const leaderboard = z.array(
  z.object({
    name: z.string(),
    family: z.enum(FAMILIES),
    score: z.number(),
    quick: z.boolean(),
    parameters: z.record(z.string(), z.unknown()),
  }),
);
type Entry = z.output<typeof leaderboard>[number];

/** Families tuned in one round: the strongest, by their best configuration. */
const FAMILIES_PER_ROUND = 3;
/** One proposal in this many is drawn from the whole space, so that the search is not caught where it began. */
const EXPLORE_EVERY = 4;

export function tunerPlaybook(view: View): Moves {
  const { round } = task.parse(view.task);
  if (called(view, 'read_brief') === 0) return [{ tool: 'read_brief' }, { tool: 'read_leaderboard' }];
  if (called(view, 'train_trial') > 0) return [finishWith(view)];
  const job = answersOf(view, 'read_brief', brief)[0];
  const board = answersOf(view, 'read_leaderboard', leaderboard)[0];
  if (!job || !board)
    return [{ tool: 'finish', input: { outcome: 'Brief or leaderboard could not be read.' } }];

  const count = Math.min(Math.max(6, job.parallel * 2), job.trialsLeft ?? Number.POSITIVE_INFINITY);
  const proposals = propose(board, count, randomStream(job.seed, round), round);
  if (proposals.length === 0)
    return [{ tool: 'finish', input: { outcome: 'No family here has parameters to tune.' } }];
  const families = [...new Set(proposals.map(({ source }) => source.name))].join(', ');
  return proposals.map(({ trial }, index) => ({
    tool: 'train_trial',
    input: trial,
    ...(index === 0
      ? {
          why: `Round ${round}: ${proposals.length} changes around ${families}; only what scores better counts.`,
        }
      : {}),
  }));
}

interface Proposal {
  source: Entry;
  trial: TrialRequest;
}

/** Proposals take turns over the strongest families, the strongest one twice as often. */
function propose(board: readonly Entry[], count: number, random: () => number, round: number): Proposal[] {
  const leaders = [...new Map(board.toReversed().map((entry) => [entry.family, entry])).values()].reverse();
  const tunable = leaders
    .filter((entry) => SEARCH_SPACES[entry.family] !== undefined)
    .sort((a, b) => board.indexOf(a) - board.indexOf(b))
    .slice(0, FAMILIES_PER_ROUND);
  const [first] = tunable;
  if (!first) return [];
  const turns = [first, ...tunable];
  const known = new Set(board.map((entry) => fingerprint(entry.family, entry.parameters)));
  const proposals: Proposal[] = [];
  for (let attempt = 0; proposals.length < count && attempt < count * 10; attempt += 1) {
    const source = turns[attempt % turns.length] ?? first;
    const space: SearchSpace = SEARCH_SPACES[source.family] ?? {};
    const explore = attempt % EXPLORE_EVERY === EXPLORE_EVERY - 1;
    const parameters = explore ? sample(space, random) : perturb(space, source.parameters, random);
    const mark = fingerprint(source.family, parameters);
    if (known.has(mark)) continue;
    known.add(mark);
    proposals.push({ source, trial: asTrial(source.family, parameters, `${round}.${proposals.length + 1}`) });
  }
  return proposals;
}

const NAMES: Readonly<Record<Exclude<Family, 'ENSEMBLE'>, string>> = {
  BASELINE: 'Baseline',
  LIGHTGBM: 'LightGBM',
  CATBOOST: 'CatBoost',
  LINEAR: 'Linear',
  RANDOM_FOREST: 'Random forest',
  EXTRA_TREES: 'Extra trees',
  KNN: 'k-NN',
  MLP: 'Neural network',
};

function asTrial(family: Family, parameters: Parameters, number: string): TrialRequest {
  if (family === 'ENSEMBLE') throw new Error('Ensembles are built by the evaluator, not tuned.');
  return { name: `${NAMES[family]} (tuned ${number})`, family, parameters: asList(parameters), quick: false };
}

const fingerprint = (family: Family, parameters: Readonly<Record<string, unknown>>): string =>
  JSON.stringify([family, Object.entries(parameters).toSorted(([a], [b]) => (a < b ? -1 : 1))]);

function finishWith(view: View) {
  const scores = answersOf(view, 'train_trial', z.object({ score: z.number() }));
  const trained = scores.filter((score) => score !== null).length;
  return {
    tool: 'finish',
    input: { outcome: `${trained} of ${scores.length} tuned configurations trained.` },
  };
}
