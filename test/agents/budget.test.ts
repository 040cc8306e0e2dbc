import { describe, expect, it } from 'vitest';
import { Blackboard, type BoardTrial } from '../../src/agents/blackboard.ts';
import { Budget } from '../../src/agents/budget.ts';

const trial = (over: Partial<BoardTrial>): BoardTrial => ({
  id: 'a',
  name: 'A',
  family: 'LIGHTGBM',
  agent: 'SUB_TRAINER',
  origin: 'PLAYBOOK',
  codes: [],
  stackedOn: [],
  score: 1,
  foldScores: [],
  fitSeconds: 1,
  predictMicrosPerRow: 10,
  parameters: {},
  isBaseline: false,
  isPartial: false,
  modelBytes: 0,
  wallSeconds: 1,
  at: 1,
  asked: { delegation: 0, run: 'r', call: 0 },
  ...over,
});

/** A job of a minute, twenty seconds in, on a table of 50,000 rows and 10 features of which 10,000 rows are sealed. */
function halfway(holdoutRows = 10_000): { board: Blackboard; budget: Budget } {
  const board = new Blackboard();
  board.split = { trainRows: 40_000, holdoutRows, folds: 5, stratified: true, decisions: [], warnings: [] };
  board.plan = {
    features: [],
    dropped: [],
    decisions: [],
    warnings: [],
    estimates: { rows: 40_000, features: 10 },
  };
  return { board, budget: new Budget(60, () => 20_000, board, 2, null) };
}

describe('what is kept back for the end', () => {
  it('is more where the models that were trained answer slowly, but never more than a third', () => {
    const { board, budget } = halfway();
    board.addTrial(trial({ predictMicrosPerRow: 5 }));
    const quick = budget.reserve;
    board.addTrial(trial({ id: 'b', predictMicrosPerRow: 300 }));
    expect(budget.reserve).toBeGreaterThan(quick + 5);
    board.addTrial(trial({ id: 'c', predictMicrosPerRow: 1e6 }));
    expect(budget.reserve).toBe(20);
  });

  it('is less where no rows are sealed, for nothing is scored or explained on them', () => {
    expect(halfway(0).budget.reserve).toBeLessThan(halfway().budget.reserve - 3);
  });

  it('is more where a model is large', () => {
    const { board, budget } = halfway();
    board.addTrial(trial({}));
    const small = budget.reserve;
    board.addTrial(trial({ id: 'b', modelBytes: 100_000_000 }));
    expect(budget.reserve).toBeGreaterThan(small + 2);
  });

  it('leaves the light model no time that writing a large model takes', () => {
    const { board, budget } = halfway();
    board.addTrial(trial({}));
    const small = budget.refitSeconds;
    board.addTrial(trial({ id: 'b', modelBytes: 2_400_000_000 }));
    expect(budget.refitSeconds).toBeLessThan(small);
  });

  it('goes by what the last ensemble cost', () => {
    const { board, budget } = halfway();
    const before = budget.reserve;
    board.addTrial(trial({ id: 'e', family: 'ENSEMBLE', wallSeconds: 6, predictMicrosPerRow: null }));
    expect(budget.reserve).toBeCloseTo(before + 5, 5);
  });
});

describe('what a trial is expected to cost', () => {
  it('is by the table at first, then by the quick one, then by the dearest of its family', () => {
    const { board, budget } = halfway();
    const guess = budget.estimate('LIGHTGBM');
    board.addTrial(trial({ isPartial: true, wallSeconds: 0.5 }));
    expect(budget.estimate('LIGHTGBM')).toBeLessThan(guess);
    expect(budget.estimate('LIGHTGBM')).toBeGreaterThan(0.5);
    board.addTrial(trial({ id: 'b', wallSeconds: 7 }));
    board.addTrial(trial({ id: 'c', wallSeconds: 3 }));
    expect(budget.estimate('LIGHTGBM')).toBe(7);
  });
});

/** A job of a minute, twenty seconds in, on so many rows and 40 features in three folds. */
function onRows(trainRows: number, maxTrials: number | null = null): Budget {
  const { board } = halfway();
  if (board.split && board.plan) {
    board.split = { ...board.split, trainRows, folds: 3 };
    board.plan = { ...board.plan, estimates: { rows: trainRows, features: 40 } };
  }
  return new Budget(60, () => 20_000, board, 2, maxTrials);
}

describe('a table too large for the time', () => {
  it('is sampled by as much as the time allows, for families that stop early', () => {
    const rows = onRows(450_000).sampleRows({ family: 'LIGHTGBM', keepFree: 0 });
    expect(rows).toBeGreaterThan(50_000);
    expect(rows).toBeLessThan(300_000);
    expect(onRows(450_000).fits({ family: 'LIGHTGBM', keepFree: 0 })).toBe(true);
    expect(onRows(450_000).fits({ family: 'LIGHTGBM', keepFree: 0, mayBeSampled: false })).toBe(false);
    const { mostRows, limitSeconds } = onRows(450_000).allowance(
      { family: 'LIGHTGBM', quick: false, keepFree: 0 },
      false,
    );
    expect(mostRows).toBe(rows);
    // Its models answer all rows, which is time not to learn in.
    expect(limitSeconds).toBeLessThan(onRows(450_000).trialLimit(0) - 2);
  });

  it('is left alone where the sample would be too small to tell anything, or the family cannot stop', () => {
    expect(onRows(450_000).fits({ family: 'CATBOOST', keepFree: 0 })).toBe(false);
    expect(onRows(450_000).sampleRows({ family: 'RANDOM_FOREST', keepFree: 0 })).toBeNull();
    expect(onRows(450_000).fits({ family: 'RANDOM_FOREST', keepFree: 0 })).toBe(false);
  });

  it('is never sampled where trials are counted, for the clock would say how many rows', () => {
    expect(onRows(450_000, 10).sampleRows({ family: 'LIGHTGBM', keepFree: 0 })).toBeNull();
  });

  it('is not sampled where it fits', () => {
    expect(onRows(40_000).sampleRows({ family: 'LIGHTGBM', keepFree: 0 })).toBeNull();
  });
});
