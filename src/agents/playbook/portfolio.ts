import type { Family } from '../../domain/vocabulary.ts';
import type { Parameters } from '../toolkit-protocol.ts';
import type { TrialRequest } from '../tools/training.ts';

/** Above this many rows the cheap families no longer add diversity worth their time. */
const SMALL_TABLE_ROWS = 5_000;
/** Above this many rows boosters learn as much, or more, in fewer and larger steps that see most columns. */
const LARGE_TABLE_ROWS = 15_000;
/** Less core time than this per row, and only boosters pay: nothing else learns as much from as many rows as fast. */
const HURRIED_CORE_SECONDS_PER_ROW = 0.008;
/** What a second configuration of a family leaves to the tuner, who knows by then which families are worth it. */
const TUNERS_SHARE = 0.25;

/** What is decided by where trials are counted: the time that was given and two cores, instead of time left and cores there are. */
export const unclocked = (job: { timeBudgetSeconds: number }) => ({
  secondsLeft: job.timeBudgetSeconds,
  parallel: 2,
});

export interface TrialGroup {
  group: string;
  why: string;
  trials: TrialRequest[];
  /** Whether all may start at once; else the first one goes ahead alone, so that every kind gets its turn. */
  together: boolean;
}

/** The family's own defaults unless said. */
const trial = (name: string, family: TrialRequest['family'], parameters: Parameters = {}): TrialRequest => ({
  name,
  family,
  parameters: asList(parameters),
  quick: false,
  keepFree: 0,
});

/** One more configuration of a kind that is tried anyway. */
const variant = (name: string, family: TrialRequest['family'], parameters: Parameters): TrialRequest => ({
  ...trial(name, family, parameters),
  keepFree: TUNERS_SHARE,
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
  metric: string;
  rows: number;
  secondsLeft: number;
  parallel: number;
  trialsLeft: number | null;
}): TrialGroup[] {
  const small = job.rows <= SMALL_TABLE_ROWS;
  const large = job.rows > LARGE_TABLE_ROWS;
  const hurried = (job.secondsLeft * job.parallel) / job.rows < HURRIED_CORE_SECONDS_PER_ROW;
  const groups = [
    lightgbm(small, large, hurried),
    yardsticks(small, hurried),
    ...(hurried ? [catboostInHurry] : [catboost, forests, ...(small ? [networks] : [])]),
    ...(job.metric === 'PINBALL' && !hurried ? [shiftedMeans] : []),
    ...(hurried ? [] : [secondConfigurations(small, large)]),
  ];
  return job.trialsLeft === null ? groups : limitTrials(groups, job.trialsLeft);
}

function lightgbm(small: boolean, large: boolean, hurried: boolean): TrialGroup {
  const quick = small
    ? { learning_rate: 0.1, rounds: 150, num_leaves: 15 }
    : { learning_rate: 0.2, rounds: 50, num_leaves: 31 };
  return {
    group: 'LightGBM',
    why: 'LightGBM: a quick one at once, so that a result always exists, then slower and better ones.',
    together: false,
    trials: [
      { ...trial('LightGBM (quick)', 'LIGHTGBM', quick), quick: true },
      ...(hurried ? hurriedLightgbm() : unhurriedLightgbm(large)),
    ],
  };
}

/** All learn fast. Generated columns gain most where rows are many: 523 for 530 on diamonds, and 515 for both together. */
const hurriedLightgbm = (): TrialRequest[] => [
  trial('LightGBM', 'LIGHTGBM', { learning_rate: 0.1 }),
  trial('LightGBM (generated columns)', 'LIGHTGBM', {
    learning_rate: 0.1,
    generate: true,
    feature_fraction: 0.6,
  }),
  variant('LightGBM (84 leaves)', 'LIGHTGBM', {
    learning_rate: 0.022,
    num_leaves: 84,
    feature_fraction: 0.53,
    min_data_in_leaf: 3,
  }),
];

/** Small steps on generated columns: 21.8 for 22.9 on moneyball, 2.08 for 2.14 on abalone, 0.885 for 0.865 on titanic. */
const carefulGenerated: Parameters = {
  learning_rate: 0.019,
  generate: true,
  num_leaves: 64,
  extra_trees: true,
  feature_fraction: 0.55,
  min_data_in_leaf: 28,
};

/** On sealed rows of bike sharing 34.2 for the careful one's 34.8 in 73 s for 120, of diamonds 519.7 for 522.9 in 41 s for 88. */
const briskGenerated: Parameters = {
  learning_rate: 0.05,
  generate: true,
  num_leaves: 64,
  extra_trees: true,
  feature_fraction: 0.9,
};

const unhurriedLightgbm = (large: boolean): TrialRequest[] => [
  trial('LightGBM', 'LIGHTGBM', { learning_rate: 0.05 }),
  trial('LightGBM (generated columns)', 'LIGHTGBM', large ? briskGenerated : carefulGenerated),
];

/** The baseline, and what costs next to nothing on few rows: in line before the heavy families. */
function yardsticks(small: boolean, hurried: boolean): TrialGroup {
  const cheap = [
    ...(hurried ? [] : [trial('Linear', 'LINEAR')]),
    ...(small && !hurried ? [trial('k-NN', 'KNN')] : []),
  ];
  return {
    group: cheap.length > 0 ? 'baseline and simple models' : 'baseline',
    why:
      cheap.length > 0
        ? 'The baseline every score is held against, and simple models: cheap, and unlike every tree.'
        : 'The baseline every score is held against.',
    trials: [trial('Baseline', 'BASELINE'), ...cheap],
    together: true,
  };
}

const catboost: TrialGroup = {
  group: 'CatBoost',
  why: 'CatBoost with its defaults is the strongest single model on most tables.',
  trials: [trial('CatBoost', 'CATBOOST')],
  together: false,
};

const forests: TrialGroup = {
  group: 'extra trees',
  why: 'Forests err differently from boosted trees.',
  trials: [trial('Extra trees', 'EXTRA_TREES')],
  together: false,
};

/**
 * Networks are the best single models on small tables of measured numbers: on vehicle's sealed rows an ensemble with one loses 0.31
 * of log loss for 0.37, on abalone its error is 2.146 for 2.154; credit_g's AUC is .809 for .805. Of more rows they take minutes, and
 * ensembles do without: 34.40 either way on bike sharing, 517.3 for 517.4 on diamonds, .8535 either way on telco.
 */
const networks: TrialGroup = {
  group: 'neural network',
  why: 'Neural networks see smooth structure that trees cut into steps.',
  trials: [trial('Neural network', 'MLP')],
  together: false,
};

/**
 * Second configurations of kinds that are tried anyway, the cheap ones first. The boosters' are AutoGluon's learned portfolio; its
 * extra trees in LightGBM take many rounds: on large tables they cost three to seven times as much and score worse. There 128 leaves
 * do better in half the time than 84 that see half of the columns: 34.8 for 35.7 on bike sharing, 537 for 540 on diamonds.
 */
function secondConfigurations(small: boolean, large: boolean): TrialGroup {
  const extraTrees = variant('LightGBM (39 leaves, extra trees)', 'LIGHTGBM', {
    learning_rate: 0.018,
    num_leaves: 39,
    extra_trees: true,
    feature_fraction: 0.46,
    min_data_in_leaf: 3,
  });
  const manyLeaves = variant('LightGBM (84 leaves)', 'LIGHTGBM', {
    learning_rate: 0.011,
    num_leaves: 84,
    feature_fraction: 0.53,
    min_data_in_leaf: 3,
  });
  const largest = variant('LightGBM (128 leaves)', 'LIGHTGBM', {
    learning_rate: 0.03,
    num_leaves: 128,
    min_data_in_leaf: 3,
  });
  const generatedCatboost = variant('CatBoost (generated columns)', 'CATBOOST', { generate: true });
  const randomForest = variant('Random forest', 'RANDOM_FOREST', {});
  const careful = variant('LightGBM (generated columns, small steps)', 'LIGHTGBM', carefulGenerated);
  const narrow = variant('Neural network (narrow)', 'MLP', {
    hidden: [64, 64, 64, 64, 64],
    dropout: 0.1,
    learning_rate: 0.005,
  });
  const fewLeaves = variant('LightGBM (8 leaves, generated columns)', 'LIGHTGBM', {
    learning_rate: 0.02,
    generate: true,
    num_leaves: 8,
    extra_trees: true,
    feature_fraction: 0.42,
  });
  return {
    group: 'second ones of each kind',
    why: 'Second configurations of each kind, as long as enough time stays for tuning what does best.',
    together: true,
    trials: small
      ? [...cheapOnFewRows, generatedCatboost, extraTrees, manyLeaves, narrow, fewLeaves, randomForest]
      : [
          ...(large
            ? [largest, generatedCatboost, randomForest, careful]
            : [generatedCatboost, randomForest, extraTrees, manyLeaves]),
          fewLeaves,
          variant('Neural network', 'MLP', {}),
          narrow,
        ],
  };
}

/**
 * A fully grown forest remembers rows that come again: log loss 0.76 for 0.82 on wine_quality_white (0.74 for 0.81 on sealed rows).
 * The kernel machine is the best single model on moneyball, 20.8 for 21.3 of the networks. Elsewhere ensembles leave both out.
 */
const cheapOnFewRows: readonly TrialRequest[] = [
  variant('Extra trees (fully grown)', 'EXTRA_TREES', {
    min_samples_leaf: 1,
    bootstrap: false,
    n_estimators: 150,
  }),
  variant('Kernel machine', 'KERNEL', {}),
];

/**
 * The mean, shifted to the quantile, is learnt from fewer rows than the quantile itself: on 1,500 rows of bike sharing an ensemble
 * with both lost 9.97 for 11.09 at 0.9 and 8.66 for 8.98 at 0.1; on diamonds nothing is lost.
 */
const shiftedMeans: TrialGroup = {
  group: 'shifted means',
  why: 'A quantile is hard to learn from few rows; the mean is learnt better, and shifted to it.',
  trials: [
    trial('LightGBM (shifted mean)', 'LIGHTGBM', { mean: true }),
    trial('CatBoost (shifted mean)', 'CATBOOST', { mean: true }),
  ],
  together: false,
};

const catboostInHurry: TrialGroup = {
  group: 'CatBoost',
  why: 'So many rows in so little time leave room for boosters alone; CatBoost learns three times as fast as usual.',
  trials: [trial('CatBoost', 'CATBOOST', { learning_rate: 0.15 })],
  together: false,
};

/** Fewer trials than this, and none is spent on the quick one. */
const TRIALS_WORTH_A_QUICK_ONE = 4;

/** The first trials of each group in turn, second configurations last, as long as there are any left; the baseline is free. */
function limitTrials(all: readonly TrialGroup[], limit: number): TrialGroup[] {
  const groups = all.map((group) => ({
    ...group,
    trials: group.trials.filter((each) => !each.quick || limit >= TRIALS_WORTH_A_QUICK_ONE),
  }));
  const rounds = Math.max(...groups.map(({ trials }) => trials.length));
  const inTurn = Array.from({ length: rounds }, (_, round) =>
    groups.flatMap(({ trials }) => trials.filter(isPaid)[round] ?? []),
  ).flat();
  const kept = new Set(inTurn.toSorted((a, b) => a.keepFree - b.keepFree).slice(0, limit));
  return groups
    .map((group) => ({
      ...group,
      trials: group.trials.filter((each) => !isPaid(each) || kept.has(each)),
    }))
    .filter(({ trials }) => trials.length > 0);
}

const isPaid = ({ family }: TrialRequest): boolean => family !== ('BASELINE' satisfies Family);
