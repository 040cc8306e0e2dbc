import { FAMILIES, type Mind } from '../../domain/vocabulary.ts';
import type { Parameters } from '../toolkit-protocol.ts';
import type { StackedRequest } from '../tools/training.ts';
import { asList } from './portfolio.ts';

/** What of a leaderboard's entry says whether, and how, a second layer is built on it. */
export interface Layered {
  id: string;
  family: (typeof FAMILIES)[number];
  parameters: Readonly<Record<string, unknown>>;
  stackedOn?: readonly string[] | undefined;
  needsCode?: boolean | undefined;
  origin?: Mind | undefined;
}

/**
 * A gain for tables of values and of many classes: log loss .290 for .311 on vehicle's sealed rows, RMSE 34.2 for 34.4 on those of bike
 * sharing. Not for two classes: AUC .923 for .925 on churn and .852 for .854 on telco, and nothing on credit_g and titanic.
 */
const GAINS: ReadonlySet<string> = new Set(['REGRESSION', 'MULTICLASS']);
/** More would make each answer dearer, and the best of them say what there is to say. */
const MOST_BASES = 12;

/** Trees only: linear models take the last trace of a target out of what the first layer answers. */
const CONFIGURATIONS: readonly [string, StackedRequest['family'], Parameters][] = [
  ['CatBoost', 'CATBOOST', {}],
  ['LightGBM', 'LIGHTGBM', { learning_rate: 0.05 }],
  ['Extra trees', 'EXTRA_TREES', {}],
  [
    'LightGBM (extra trees)',
    'LIGHTGBM',
    {
      learning_rate: 0.02,
      extra_trees: true,
      feature_fraction: 0.5,
    },
  ],
];

/** In the tuner's rounds 1, 2, 4, 8 …: when there is about twice as much to learn from. */
const isDue = (round: number): boolean => (round & (round - 1)) === 0;

/**
 * Models that learn from what others answer: the best of each family and the ensemble's members. `board`: best first. Beside a language
 * model only of the playbook's own, so that what that adds can be told.
 */
export function secondLayer(board: readonly Layered[], task: string, round: number): StackedRequest[] {
  const ensemble = board.find(({ family }) => family === 'ENSEMBLE');
  if (!GAINS.has(task) || !isDue(round) || !ensemble) return [];
  const first = board
    .filter(({ family, stackedOn }) => family !== 'ENSEMBLE' && !stackedOn?.length)
    .filter(({ needsCode, origin }) => !needsCode && origin !== 'LANGUAGE_MODEL');
  const members = first.filter(({ id }) => id in Object(ensemble.parameters.weights));
  const leaders = FAMILIES.flatMap((family) => first.find((entry) => entry.family === family) ?? []);
  const stackOn = [...new Set([...leaders, ...members].map(({ id }) => id))].slice(0, MOST_BASES);
  const isBuilt = board.some(({ stackedOn }) => new Set(stackedOn).isSupersetOf(new Set(stackOn)));
  if (stackOn.length < 2 || isBuilt) return [];
  return CONFIGURATIONS.map(([name, family, parameters]) => ({
    name: `${name} (second layer ${round})`,
    family,
    parameters: asList(parameters),
    stackOn,
  }));
}
