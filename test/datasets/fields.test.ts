import { expect, it } from 'vitest';
import { readRows } from '../../src/datasets/fields.ts';

it.each([
  [
    'plain cells',
    'a,b\n1,\n',
    [
      ['a', 'b'],
      ['1', ''],
    ],
  ],
  [
    'line ends of every kind',
    'a,b\r\n1,2\n3,4\r5,6',
    [
      ['a', 'b'],
      ['1', '2'],
      ['3', '4'],
      ['5', '6'],
    ],
  ],
  ['quotes, line ends and delimiters inside', '"a,\r\n""b""",c\n', [['a,\r\n"b"', 'c']]],
  ['words behind a closing quote', '"x"y,"a"""b\n', [['xy', 'a"b']]],
  ['a quote inside a bare field', '5",x"y"\n', [['5"', 'x"y"']]],
  ['a blank before a quote', ' "a",b\n', [[' "a"', 'b']]],
  ['blank lines, and a quoted blank, which is none', '\n \t\n"a"\n""\n', [['a'], ['']]],
])('reads %s as pandas does', (_name, text, rows) => {
  expect([...readRows(text, ',')]).toEqual(rows);
});
