import type { Family } from '../../domain/vocabulary.ts';
import type { Parameters } from '../toolkit-protocol.ts';

/** A parameter's value; lists are layer sizes. */
type Value = string | number | boolean | readonly number[];

/** How one parameter may vary. `log` steps by factors; `choices` are unordered. */
export type Dimension =
  | { kind: 'float'; low: number; high: number; log: boolean }
  | { kind: 'int'; low: number; high: number; log: boolean }
  | { kind: 'choice'; choices: readonly Value[] };

export type SearchSpace = Readonly<Record<string, Dimension>>;

const float = (low: number, high: number): Dimension => ({ kind: 'float', low, high, log: false });
const logFloat = (low: number, high: number): Dimension => ({ kind: 'float', low, high, log: true });
const int = (low: number, high: number): Dimension => ({ kind: 'int', low, high, log: false });
const logInt = (low: number, high: number): Dimension => ({ kind: 'int', low, high, log: true });
const choice = (...choices: readonly Value[]): Dimension => ({
  kind: 'choice',
  choices,
});

const FOREST: SearchSpace = { min_samples_leaf: logInt(1, 20), max_features: float(0.2, 1) };

/**
 * What is searched per family, close to the ranges of TabRepo and of the papers on tuning GBDTs. Rounds are not among it:
 * early stopping finds them. Families without a space are not tuned: linear models and k-NN choose theirs on inner folds.
 */
export const SEARCH_SPACES: Readonly<Partial<Record<Family, SearchSpace>>> = {
  LIGHTGBM: {
    learning_rate: logFloat(0.005, 0.1),
    num_leaves: logInt(4, 128),
    min_data_in_leaf: logInt(2, 60),
    feature_fraction: float(0.4, 1),
    lambda_l2: logFloat(0.01, 10),
    extra_trees: choice(false, true),
    generate: choice(false, true),
  },
  CATBOOST: {
    learning_rate: logFloat(0.02, 0.15),
    depth: int(4, 8),
    l2_leaf_reg: logFloat(1, 10),
    random_strength: logFloat(0.3, 5),
    rsm: float(0.5, 1),
    generate: choice(false, true),
  },
  RANDOM_FOREST: FOREST,
  EXTRA_TREES: FOREST,
  MLP: {
    learning_rate: logFloat(0.0005, 0.01),
    hidden: choice([64, 64, 64, 64], [108, 108, 108, 108], [256, 256], [256, 256, 256]),
    dropout: float(0, 0.5),
  },
};

/** Anywhere in the space. */
export function sample(space: SearchSpace, random: () => number): Parameters {
  return Object.fromEntries(
    Object.entries(space).map(([name, dimension]) => [name, at(dimension, random())]),
  );
}

/**
 * Near `from`: about half of the parameters move, numbers by up to a quarter of their range. A parameter that `from`
 * does not name keeps the family's default unless it is drawn to move.
 */
export function perturb(
  space: SearchSpace,
  from: Readonly<Record<string, unknown>>,
  random: () => number,
): Parameters {
  const names = Object.keys(space);
  const forced = names[Math.floor(random() * names.length)];
  const result: Record<string, Value | null> = {};
  for (const [name, dimension] of Object.entries(space)) {
    const current = plain(from[name]);
    const [moves, where] = [name === forced || random() < 0.5, random()];
    if (!moves) {
      if (current !== null) result[name] = current;
    } else if (dimension.kind === 'choice' || typeof current !== 'number') {
      result[name] = at(dimension, where);
    } else {
      const position = positionOf(dimension, current);
      result[name] = at(dimension, Math.min(1, Math.max(0, position + (where - 0.5) / 2)));
    }
  }
  return result;
}

function at(dimension: Dimension, position: number): Value {
  if (dimension.kind === 'choice') {
    const index = Math.min(dimension.choices.length - 1, Math.floor(position * dimension.choices.length));
    return dimension.choices[index] ?? false;
  }
  const { low, high, log, kind } = dimension;
  const value = log ? low * (high / low) ** position : low + (high - low) * position;
  return kind === 'int' ? Math.round(value) : Number(value.toPrecision(3));
}

function positionOf(dimension: Exclude<Dimension, { kind: 'choice' }>, value: number): number {
  const { low, high, log } = dimension;
  return log ? Math.log(Math.max(value, low) / low) / Math.log(high / low) : (value - low) / (high - low);
}

const plain = (value: unknown): Value | null =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' || isNumbers(value)
    ? value
    : null;

const isNumbers = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'number');
