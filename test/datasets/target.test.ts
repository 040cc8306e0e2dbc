import { expect, it } from 'vitest';
import { nearest } from '../../src/datasets/nearest.ts';
import { assertTarget } from '../../src/datasets/target.ts';

const columns = (...names: string[]) =>
  names.map((name) => ({ name, type: null, missing: null, distinct: null }));

it.each([
  ['prce', 'price'],
  ['Price', 'price'],
  [' price ', 'price'],
  ['pirce', 'price'],
  ['sale price', 'sale_price'],
  ['qwertz', null],
  ['', null],
])('takes %j for %j', (wanted, meant) => {
  expect(nearest(wanted, ['id', 'price', 'sale_price', 'date'])).toBe(meant);
});

it('names the nearest column and all the columns when the target is not there', () => {
  expect(() => assertTarget(columns('id', 'price'), 'prce')).toThrow(
    expect.objectContaining({
      code: 'TARGET_NOT_FOUND',
      columns: ['id', 'price'],
      suggestion: 'price',
      hint: 'Did you mean "price"?',
    }),
  );
});

it('refuses a target that two columns are named by, and no other column', () => {
  expect(() => assertTarget(columns('a', 'a', 'y'), 'a')).toThrow(
    expect.objectContaining({ code: 'TARGET_AMBIGUOUS' }),
  );
  expect(() => assertTarget(columns('a', 'a', 'y'), 'y')).not.toThrow();
});
