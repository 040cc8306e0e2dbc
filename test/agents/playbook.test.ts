import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { masterTrainerPlaybook } from '../../src/agents/playbook/master-trainer.ts';
import { orchestratorPlaybook } from '../../src/agents/playbook/orchestrator.ts';
import { choosePortfolio } from '../../src/agents/playbook/portfolio.ts';
import { randomStream } from '../../src/agents/playbook/random.ts';
import { perturb, SEARCH_SPACES, sample } from '../../src/agents/playbook/search-space.ts';
import { type Layered, secondLayer } from '../../src/agents/playbook/second-layer.ts';
import { tunerPlaybook } from '../../src/agents/playbook/tuner.ts';
import type { View, ViewCall } from '../../src/agents/playbook/view.ts';

const answered = (name: string, result: unknown, input: unknown = {}): ViewCall => ({
  name,
  input,
  answer: { ok: true, result },
});
const small = {
  metric: 'RMSE',
  rows: 500,
  timeBudgetSeconds: 60,
  secondsLeft: 60,
  parallel: 2,
  trialsLeft: null,
};
const families = (portfolio: ReturnType<typeof choosePortfolio>) =>
  new Set(portfolio.flatMap(({ trials }) => trials.map(({ family }) => family)));

describe('the portfolio', () => {
  it('also learns the mean where a quantile is asked for', () => {
    const names = (metric: string) =>
      choosePortfolio({ ...small, metric }).flatMap(({ trials }) => trials.map(({ name }) => name));
    expect(names('PINBALL').filter((name) => !names('MAE').includes(name))).toEqual([
      'LightGBM (shifted mean)',
      'CatBoost (shifted mean)',
    ]);
  });

  it('begins with a quick LightGBM and the baseline', () => {
    const [first, second] = choosePortfolio(small);
    expect(first?.trials[0]).toMatchObject({ family: 'LIGHTGBM', quick: true });
    expect(second?.trials[0]).toMatchObject({ family: 'BASELINE' });
  });

  it('leaves out what does not suit the size of the table', () => {
    const [few, many] = [small, { ...small, rows: 20_000, secondsLeft: 600 }].map((job) =>
      families(choosePortfolio(job)),
    );
    for (const family of ['KNN', 'KERNEL']) {
      expect(few).toContain(family);
      expect(many).not.toContain(family);
    }
  });

  it('keeps to boosters that learn fast when there is little time for many rows', () => {
    const hurried = choosePortfolio({ ...small, rows: 1_000_000 });
    expect(families(hurried)).toEqual(new Set(['BASELINE', 'LIGHTGBM', 'CATBOOST']));
    const rate = (portfolio: typeof hurried) =>
      portfolio
        .flatMap(({ trials }) => trials)
        .find(({ name }) => name === 'LightGBM')
        ?.parameters.find(({ name }) => name === 'learning_rate')?.value;
    expect(rate(hurried)).toBeGreaterThan(Number(rate(choosePortfolio(small))));
  });

  it('keeps one of each kind before a second of any when trials are limited, and always the baseline', () => {
    const portfolio = choosePortfolio({ ...small, trialsLeft: 4 });
    const paid = portfolio.flatMap(({ trials }) => trials).filter(({ family }) => family !== 'BASELINE');
    expect(paid).toHaveLength(4);
    expect(new Set(paid.map(({ family }) => family)).size).toBe(4);
    const single = choosePortfolio({ ...small, trialsLeft: 1 }).flatMap(({ trials }) => trials);
    expect(single.map(({ name }) => name)).toEqual(['LightGBM', 'Baseline']);
    expect(families(choosePortfolio({ ...small, trialsLeft: 0 }))).toEqual(new Set(['BASELINE']));
    const all = choosePortfolio(small).flatMap(({ trials }) => trials);
    const firsts = all.filter(({ keepFree, family }) => keepFree === 0 && family !== 'BASELINE');
    const asMany = choosePortfolio({ ...small, trialsLeft: firsts.length }).flatMap(({ trials }) => trials);
    expect(asMany.every(({ keepFree }) => keepFree === 0)).toBe(true);
    expect(firsts.length).toBeLessThan(all.length - 1);
  });
});

describe('the search spaces', () => {
  it('give values inside their bounds, near or far, whatever the seed', () => {
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom(...Object.values(SEARCH_SPACES)), (seed, space) => {
        const random = randomStream(seed);
        let parameters = sample(space, random);
        for (let step = 0; step < 20; step += 1) parameters = perturb(space, parameters, random);
        for (const [name, value] of Object.entries(parameters)) {
          const dimension = space[name];
          if (dimension?.kind === 'choice') expect(dimension.choices).toContainEqual(value);
          else {
            expect(value).toBeGreaterThanOrEqual(dimension?.low ?? Number.NaN);
            expect(value).toBeLessThanOrEqual(dimension?.high ?? Number.NaN);
            if (dimension?.kind === 'int') expect(Number.isInteger(value)).toBe(true);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it('keep what a perturbation does not touch, and always touch something', () => {
    const space = SEARCH_SPACES.CATBOOST ?? {};
    const from = sample(space, randomStream(1));
    let kept = 0;
    for (let seed = 0; seed < 50; seed += 1) {
      const near = perturb(space, from, randomStream('near', seed));
      kept += Object.keys(from).filter((name) => near[name] === from[name]).length;
      expect(near).not.toEqual(from);
    }
    expect(kept).toBeGreaterThan(50);
  });
});

describe('the second layer', () => {
  const entry = (id: string, family: Layered['family'], more: Partial<Layered> = {}): Layered => ({
    id,
    family,
    parameters: {},
    ...more,
  });
  const board = [
    entry('e', 'ENSEMBLE', { parameters: { weights: { c1: 0.5, c2: 0.5 } } }),
    entry('s', 'CATBOOST', { stackedOn: ['c1'] }),
    entry('c1', 'CATBOOST'),
    entry('c2', 'CATBOOST'),
    entry('c3', 'CATBOOST'),
    entry('l1', 'LIGHTGBM'),
    entry('l2', 'LIGHTGBM'),
    entry('r', 'LINEAR'),
  ];

  it("is built on the ensemble's members and the best of each family, of the first layer alone", () => {
    for (const { stackOn } of secondLayer(board, 'REGRESSION', 1)) {
      expect(stackOn.toSorted()).toEqual(['c1', 'c2', 'l1', 'r']);
    }
    expect(secondLayer(board, 'MULTICLASS', 2).length).toBeGreaterThan(2);
  });

  it('is never built twice on the same, nor on what needs code, nor on what a language model added', () => {
    const built = secondLayer(board, 'REGRESSION', 1)[0]?.stackOn ?? [];
    expect(secondLayer([...board, entry('t', 'CATBOOST', { stackedOn: built })], 'REGRESSION', 2)).toEqual(
      [],
    );
    const theirs = [
      entry('m', 'MLP', { needsCode: true }),
      entry('k', 'KNN', { origin: 'LANGUAGE_MODEL' }),
      ...board,
    ];
    expect(secondLayer(theirs, 'REGRESSION', 1)[0]?.stackOn).toEqual(built);
  });

  it('keeps the best of each family where an ensemble has more members than it can take', () => {
    const many = Array.from({ length: 20 }, (_, index) => entry(`c${index + 4}`, 'CATBOOST'));
    const weights = Object.fromEntries(many.map(({ id }) => [id, 0.05]));
    const wide = [entry('e', 'ENSEMBLE', { parameters: { weights } }), ...many, ...board.slice(1)];
    const [first] = secondLayer(wide, 'REGRESSION', 1);
    expect(first?.stackOn).toEqual(expect.arrayContaining(['c4', 'l1', 'r']));
    expect(first?.stackOn).toHaveLength(12);
  });

  it('is of trees alone, which make least of what its scores are too good by', () => {
    const built = new Set(secondLayer(board, 'REGRESSION', 1).map(({ family }) => family));
    expect(built).toEqual(new Set(['CATBOOST', 'LIGHTGBM', 'EXTRA_TREES']));
  });

  it('waits until there is about twice as much to learn from', () => {
    const due = [1, 2, 3, 4, 5, 6, 7, 8].filter(
      (round) => secondLayer(board, 'REGRESSION', round).length > 0,
    );
    expect(due).toEqual([1, 2, 4, 8]);
  });

  it('is none for two classes, where it gains nothing, nor without an ensemble', () => {
    expect(secondLayer(board, 'BINARY', 1)).toEqual([]);
    expect(secondLayer(board.slice(1), 'REGRESSION', 1)).toEqual([]);
  });
});

describe('the tuner', () => {
  const board = [
    {
      name: 'CatBoost',
      family: 'CATBOOST',
      score: 0.9,
      seconds: 20,
      parameters: { learning_rate: 0.05, depth: 6 },
    },
    {
      name: 'LightGBM',
      family: 'LIGHTGBM',
      score: 0.89,
      seconds: 2,
      parameters: { learning_rate: 0.05, num_leaves: 31 },
    },
    { name: 'Linear', family: 'LINEAR', score: 0.8, seconds: 1, parameters: {} },
  ];
  const view = (secondsLeft: number, round = 1, trialsLeft: number | null = null): View => ({
    task: { round },
    calls: [
      answered('read_brief', { parallel: 2, seed: 0, trialsLeft, secondsLeft, timeBudgetSeconds: 1_000 }),
      answered('read_leaderboard', board),
    ],
  });
  it('calls no tool that its seat lacks, and numbers its calls as a release without a second layer did', () => {
    const layered = view(500);
    const [brief] = layered.calls;
    if (!brief) throw new Error('no calls');
    const ensemble = {
      id: 'e',
      name: 'E',
      family: 'ENSEMBLE',
      score: 0.95,
      seconds: 1,
      parameters: { weights: {} },
    };
    const calls = [
      answered('read_brief', { ...(brief.answer as { result: object }).result, task: 'REGRESSION' }),
      answered('read_leaderboard', [ensemble, ...board.map((each, index) => ({ ...each, id: `b${index}` }))]),
    ];
    const number = (moves: ReturnType<typeof tunerPlaybook>, wanted: string) =>
      moves.filter(({ tool }) => tool === wanted).map((move) => move.number);
    const moves = tunerPlaybook({ ...layered, calls, tools: ['train_trial', 'train_stacked'] });
    expect(number(moves, 'train_trial')).toEqual([0, 1, 2, 3, 4, 5]);
    expect(number(moves, 'train_stacked')).toEqual([6, 7, 8, 9]);
    expect(moves[0]?.tool).toBe('train_stacked');
    const without = tunerPlaybook({ ...layered, calls, tools: ['train_trial'] });
    expect(new Set(without.map(({ tool }) => tool))).toEqual(new Set(['train_trial']));
  });

  const tuned = (moves: ReturnType<typeof tunerPlaybook>) => moves.map(({ input }) => input?.family);

  it('tunes the strongest families, the dearest trials first', () => {
    const chosen = tuned(tunerPlaybook(view(1_000)));
    expect(new Set(chosen)).toEqual(new Set(['CATBOOST', 'LIGHTGBM']));
    expect(chosen).toEqual(chosen.toSorted());
  });

  it('leaves a family out whose trials are too dear for the time left', () => {
    expect(new Set(tuned(tunerPlaybook(view(30))))).toEqual(new Set(['LIGHTGBM']));
    expect(tunerPlaybook(view(1))).toMatchObject([{ tool: 'finish' }]);
  });

  it('proposes the same for the same round and something else for the next', () => {
    expect(tunerPlaybook(view(1_000))).toEqual(tunerPlaybook(view(1_000)));
    expect(tunerPlaybook(view(1_000, 2))).not.toEqual(tunerPlaybook(view(1_000)));
  });

  it('proposes no more than there are trials left', () => {
    expect(tunerPlaybook(view(1_000, 1, 2))).toHaveLength(2);
  });
});

describe('a playbook', () => {
  it('goes on from calls it did not make itself, as after a language model gave up its seat', () => {
    const brief = answered('read_brief', small);
    const odd = answered('read_leaderboard', []);
    expect(masterTrainerPlaybook({ task: {}, calls: [odd, brief, odd] })[0]).toMatchObject({
      tool: 'delegate_trials',
    });
  });

  it('ends the search on what it cannot read instead of going round for ever', () => {
    const calls = [
      'profile_table',
      'read_brief',
      'split_table',
      'delegate_preprocessing',
      'delegate_training',
    ];
    const view = { task: '', calls: calls.map((name) => ({ name, input: {}, answer: 'gibberish' })) };
    expect(orchestratorPlaybook(view)).toMatchObject([
      { tool: 'delegate_evaluation', input: { final: true } },
    ]);
  });
});
