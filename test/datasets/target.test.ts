import { expect, it } from 'vitest';
import { columnNames } from '../../src/datasets/column-names.ts';
import { nearest } from '../../src/datasets/nearest.ts';
import { assertTarget, assertUnambiguous } from '../../src/datasets/target.ts';

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
  const header = ['a', ' a', 'y'];
  expect(() => assertUnambiguous(header, 'a')).toThrow(expect.objectContaining({ code: 'TARGET_AMBIGUOUS' }));
  expect(() => assertUnambiguous(header, 'y')).not.toThrow();
});

it.each([
  [
    ['a', 'b'],
    ['a', 'b'],
  ],
  [
    [' a ', 'b\t'],
    ['a', 'b'],
  ],
  [
    ['x', 'x', 'x'],
    ['x', 'x_2', 'x_3'],
  ],
  [
    ['x', 'x', 'x_2'],
    ['x', 'x_3', 'x_2'],
  ],
  [
    ['', 'y', ''],
    ['column_1', 'y', 'column_3'],
  ],
  [
    ['', 'column_1'],
    ['column_1_2', 'column_1'],
  ],
  [
    ['\x1ca', '\x85b\u2028', '\ufeffc'],
    ['a', 'b', '\ufeffc'],
  ],
])('names the columns of %j as the toolkit does', (header, names) => {
  expect(columnNames(header)).toEqual(names);
});

it('names thousands of columns of one name in no time', () => {
  const started = performance.now();
  const names = columnNames(Array.from({ length: 8192 }, () => 'same'));
  expect(names.at(-1)).toBe('same_8192');
  // It was seconds, and no one else was answered meanwhile.
  expect(performance.now() - started).toBeLessThan(250);
});
