import fc from 'fast-check';
import type { Dialect } from '../../../src/domain/records.ts';

/** A table as a careful program writes it, and what must be found in it: the oracle of the fuzz run. */
export interface WrittenTable {
  bytes: Buffer;
  /** The header's cells without blanks around them: no two alike, none empty. */
  columns: string[];
  rows: number;
  delimiter: Dialect['delimiter'];
  encoding: Dialect['encoding'];
}

/**
 * No delimiter stands in a header, so that only one of them gives the first row more than one field: with any other header
 * the dialect would be a matter of taste and the oracle could not speak.
 */
const HEADER_UNITS = ['a', 'Z', '7', '_', '.', '-', ' ', "'", '"', '\n', '\r\n', 'ü', 'é', '=', '@', '('];
const CELL_UNITS = [...HEADER_UNITS, ',', ';', '\t', '|', '\r', '""', '\\', '#', '%', '\u00b5'];
/** What Latin-1 has no bytes for. */
const UNICODE_UNITS = ['東', '🦀', 'e\u0301', '\u2028', '\u200b'];

const isBlank = (cell: string) => /^\p{White_Space}*$/u.test(cell);
const strip = (cell: string) => cell.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, '');

const written = (encoding: 'utf-8' | 'utf-8-sig' | 'latin-1') => {
  const more = encoding === 'latin-1' ? [] : UNICODE_UNITS;
  const header = fc
    .uniqueArray(fc.string({ unit: fc.constantFrom(...HEADER_UNITS, ...more), minLength: 1, maxLength: 8 }), {
      minLength: 1,
      maxLength: 6,
      selector: strip,
    })
    .filter((cells) => !cells.some(isBlank));
  const cell = fc.string({ unit: fc.constantFrom(...CELL_UNITS, ...more), maxLength: 6 });
  return fc.record({
    encoding: fc.constant(encoding),
    header,
    // Few distinct cells make many rows at the price of few.
    cells: fc.array(cell, { minLength: 5, maxLength: 12 }),
    rows: fc.integer({ min: 10, max: 30 }),
    delimiter: fc.constantFrom<Dialect['delimiter'][]>(',', ';', '\t', '|'),
    newline: fc.constantFrom('\n', '\r\n', '\r'),
    quoteAll: fc.boolean(),
    blankLines: fc.boolean(),
    endsWithNewline: fc.boolean(),
  });
};

/** Tables in every dialect that the product promises to read. */
export const writtenTable: fc.Arbitrary<WrittenTable> = fc
  .oneof(
    { weight: 3, arbitrary: written('utf-8') },
    { weight: 1, arbitrary: written('utf-8-sig') },
    { weight: 1, arbitrary: written('latin-1') },
  )
  .map(({ encoding, header, cells, rows, delimiter, newline, quoteAll, blankLines, endsWithNewline }) => {
    const width = header.length;
    const write = (cell: string) => {
      // A line of nothing but blanks is no row, so the only cell of a row must show that it is there.
      const mustQuote = /[",;|\t\r\n]/.test(cell) || cell.startsWith(' ') || (width === 1 && isBlank(cell));
      return quoteAll || mustQuote ? `"${cell.replaceAll('"', '""')}"` : cell;
    };
    const lines = [header.map(write).join(delimiter)];
    for (let row = 0; row < rows; row++) {
      if (blankLines && row % 7 === 3) lines.push(row % 2 === 0 || delimiter === '\t' ? '' : ' \t ');
      const line = Array.from({ length: width }, (_, at) =>
        write(cells[(row * 3 + at) % cells.length] ?? ''),
      );
      lines.push(line.join(delimiter));
    }
    const text = lines.join(newline) + (endsWithNewline ? newline : '');
    const isAscii = /^[\0-\x7f]*$/.test(text);
    return {
      bytes:
        encoding === 'latin-1'
          ? Buffer.from(text, 'latin1')
          : Buffer.from(encoding === 'utf-8-sig' ? `\ufeff${text}` : text),
      columns: header.map(strip),
      rows,
      delimiter: width === 1 ? ',' : delimiter,
      encoding: encoding === 'latin-1' && isAscii ? 'utf-8' : encoding,
    };
  });
