import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RowScanner } from '../../src/datasets/row-scanner.ts';

interface Row {
  fields: number;
  line: number;
  text: string;
}

function scan(
  text: string,
  delimiter = ',',
  chunkSize = 1_000_000,
): { rows: Row[]; openQuoteLine: number | null } {
  const bytes = Buffer.from(text);
  const rows: Row[] = [];
  const scanner = new RowScanner(delimiter.charCodeAt(0), (fields, line, start, end) =>
    rows.push({ fields, line, text: bytes.subarray(start, end).toString() }),
  );
  for (let at = 0; at < bytes.length; at += chunkSize) scanner.write(bytes.subarray(at, at + chunkSize));
  scanner.end();
  return { rows, openQuoteLine: scanner.openQuoteLine };
}

/** Values as they are written: bare where that is allowed, quoted where it must be. */
const value = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'ü', '1', ' ', '.', '|', '東') }).map((text) => `x${text}`),
  fc
    .string({ unit: fc.constantFrom('a', '"', ',', ';', '\n', '\r\n', 'é') })
    .map((text) => `"${text.replaceAll('"', '""')}"`),
  fc.constant(''),
);

it('finds the rows and fields that csv-parse finds, however the bytes are cut into chunks', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(value, { minLength: 2, maxLength: 5 }), { minLength: 1, maxLength: 12 }),
      fc.constantFrom('\n', '\r\n', '\r'),
      fc.constantFrom(',', ';', '\t', '|'),
      fc.boolean(),
      fc.integer({ min: 1, max: 40 }),
      (table, newline, delimiter, endsWithNewline, chunkSize) => {
        const cells = table.map((row) =>
          row.map((cell) => (delimiter === '|' ? cell.replaceAll('|', '') : cell)),
        );
        const text = cells.map((row) => row.join(delimiter)).join(newline) + (endsWithNewline ? newline : '');
        const expected: string[][] = parse(text, {
          delimiter,
          record_delimiter: newline,
          relax_column_count: true,
          skip_empty_lines: true,
        });
        const { rows, openQuoteLine } = scan(text, delimiter, chunkSize);
        // A row of nothing but tabs is blank to us as it is to pandas, unless the tab is the delimiter.
        expect(rows.map(({ fields }) => fields)).toEqual(expected.map((row) => row.length));
        expect(openQuoteLine).toBeNull();
      },
    ),
    { numRuns: 2_000 },
  );
});

it.each([
  ['LF', 'a,b\n1,2\n', 2],
  ['CRLF', 'a,b\r\n1,2\r\n', 2],
  ['CR', 'a,b\r1,2\r', 2],
  ['no line end at the end', 'a,b\n1,2', 2],
  ['line ends of every kind', 'a,b\r,\n1,2\r\n,\r\r\n3,4', 5],
  ['blank lines between', '\n\na,b\n\n  \n1,2\n\t\n\n', 2],
  ['a field that is only a quoted blank', 'a\n""\n" "\n', 3],
  ['a control character behind a blank', 'a\n \x01\n', 2],
  ['nothing', '', 0],
])('counts rows with %s', (_name, text, rows) => {
  for (const size of [1, 2, 3, 1000]) expect(scan(text, ',', size).rows).toHaveLength(rows);
});

it('says on which line a row starts, line breaks inside quotes counted', () => {
  const { rows } = scan('a,b\r\n"one\r\ntwo\nthree",2\r\n\r\n3,4\n');
  expect(rows.map(({ line }) => line)).toEqual([1, 2, 6]);
});

it('gives the bytes of each row without its line end', () => {
  expect(scan('a,b\r\n"1\n",2\r\n3,4').rows.map(({ text }) => text)).toEqual(['a,b', '"1\n",2', '3,4']);
});

it('takes a quote inside a bare field as a character, as pandas does', () => {
  expect(scan('size,n\n5",1\n6" pipe,2\n').rows.map(({ fields }) => fields)).toEqual([2, 2, 2]);
});

it('says where a quote was opened that is never closed', () => {
  expect(scan('a,b\n1,2\n3,"4\n5,6\n').openQuoteLine).toBe(3);
  expect(scan('a,b\n1,"2"').openQuoteLine).toBeNull();
});
