import type { Family } from '../../domain/vocabulary.ts';
import type { Parameters } from '../toolkit-protocol.ts';
import type { TrialRequest } from '../tools/training.ts';

/** Above this many rows the cheap families no longer add diversity worth their time. */
const SMALL_TABLE_ROWS = 5_000;
const LARGE_TABLE_ROWS = 100_000;

export interface TrialGroup {
  group: string;
  why: string;
  trials: TrialRequest[];
}

/** The family's own defaults unless said; LightGBM's variants are AutoGluon's learned portfolio (notes: automl). */
const trial = (
  name: string,
  family: TrialRequest['family'],
  parameters: Parameters = {},
  quick = false,
): TrialRequest => ({
  name,
  family,
  parameters: asList(parameters),
  quick,
});

/** Parameters as strict tool schemas know them; null stands for "the default" and is left out. */
export const asList = (parameters: Parameters): TrialRequest['parameters'] =>
  Object.entries(parameters).flatMap(([name, value]) =>
    value === null ? [] : [{ name, value: isList(value) ? [...value] : value }],
  );

const isList = (value: unknown): value is readonly number[] => Array.isArray(value);

/**
 * What is trained before any tuning, grouped by kind: one sub-trainer each. Groups start in this order and take turns at the
 * free cores, so that a usable model exists within seconds and every kind is tried before any is tried twice.
 */
export function choosePortfolio(job: {
  rows: number;
  features: number;
  trialsLeft: number | null;
}): TrialGroup[] {
  const small = job.rows <= SMALL_TABLE_ROWS;
  const large = job.rows > LARGE_TABLE_ROWS;
  const groups: TrialGroup[] = [
    {
      group: 'LightGBM',
      why: 'LightGBM: a quick one at once, so that a result always exists, then the tuned variants.',
      trials: [
        trial('LightGBM (quick)', 'LIGHTGBM', { learning_rate: 0.1, rounds: 150, num_leaves: 15 }, true),
        trial('LightGBM', 'LIGHTGBM'),
        trial('LightGBM (39 leaves, extra trees)', 'LIGHTGBM', {
          learning_rate: 0.018,
          num_leaves: 39,
          extra_trees: true,
          feature_fraction: 0.46,
          min_data_in_leaf: 3,
        }),
        trial('LightGBM (84 leaves)', 'LIGHTGBM', {
          learning_rate: 0.011,
          num_leaves: 84,
          feature_fraction: 0.53,
          min_data_in_leaf: 3,
        }),
        trial('LightGBM (8 leaves, extra trees)', 'LIGHTGBM', {
          learning_rate: 0.02,
          num_leaves: 8,
          extra_trees: true,
          feature_fraction: 0.42,
        }),
      ],
    },
    {
      group: small ? 'baseline and neighbours' : 'baseline',
      why: `The baseline every score is held against${small ? ', then k-NN: few rows make it cheap, and it errs in its own way' : ''}.`,
      trials: [trial('Baseline', 'BASELINE'), ...(small ? [trial('k-NN', 'KNN')] : [])],
    },
    {
      group: 'linear',
      why: 'A linear model is cheap, cannot overfit much, and is unlike every tree.',
      trials: [trial('Linear', 'LINEAR')],
    },
    {
      group: 'CatBoost',
      why: 'CatBoost with its defaults is the strongest single model on most tables.',
      trials: [trial('CatBoost', 'CATBOOST'), trial('CatBoost (depth 8)', 'CATBOOST', { depth: 8 })],
    },
    {
      group: 'forests',
      why: 'Forests err differently from boosted trees.',
      trials: [trial('Extra trees', 'EXTRA_TREES'), trial('Random forest', 'RANDOM_FOREST')],
    },
    {
      group: 'neural network',
      why: 'A neural network sees smooth structure that trees cut into steps.',
      trials: [trial('Neural network', 'MLP')],
    },
  ];
  const fitting = groups.filter(
    ({ group }) => !(large && (group === 'forests' || group === 'neural network')),
  );
  return job.trialsLeft === null ? fitting : limitTrials(fitting, job.trialsLeft);
}

/** The first trials of each group in turn, as long as there are any left; the baseline is free. */
function limitTrials(groups: readonly TrialGroup[], limit: number): TrialGroup[] {
  const rounds = Math.max(...groups.map(({ trials }) => trials.length));
  const kept = new Set<TrialRequest>();
  let left = limit;
  for (let round = 0; round < rounds; round += 1) {
    for (const { trials } of groups) {
      const paid = trials.filter((each) => each.family !== ('BASELINE' satisfies Family));
      const next = paid[round];
      if (next && left > 0) {
        kept.add(next);
        left -= 1;
      }
    }
  }
  return groups
    .map((group) => ({
      ...group,
      trials: group.trials.filter((each) => each.family === 'BASELINE' || kept.has(each)),
    }))
    .filter(({ trials }) => trials.length > 0);
}
