import { InvalidDatasetError } from '../domain/errors.ts';
import type { Dialect } from '../domain/records.ts';
import { startsWith } from './encoding.ts';
import { RowScanner } from './row-scanner.ts';

/** In the order of preference when the rows leave it open. */
const DELIMITERS = [',', ';', '\t', '|'] as const;
const ROWS_TO_JUDGE = 200;

/**
 * The delimiter under which most rows have as many fields as the first, and more than one. A table of one column has
 * none: it reads the same under any.
 */
export function sniffDelimiter(head: Uint8Array): Dialect['delimiter'] {
  let best: Dialect['delimiter'] = ',';
  let bestScore = 0;
  let bestFields = 1;
  for (const delimiter of DELIMITERS) {
    const counts = fieldsPerRow(head, delimiter.charCodeAt(0));
    const [expected = 1] = counts;
    if (expected < 2) continue;
    const score = counts.filter((count) => count === expected).length / counts.length;
    if (score > bestScore || (score === bestScore && expected > bestFields)) {
      best = delimiter;
      bestScore = score;
      bestFields = expected;
    }
  }
  return best;
}

function fieldsPerRow(head: Uint8Array, delimiter: number): number[] {
  const counts: number[] = [];
  const scanner = new RowScanner(delimiter, (fields) => counts.push(fields));
  for (let start = 0; start < head.length && counts.length < ROWS_TO_JUDGE; start += 65_536) {
    scanner.write(head.subarray(start, start + 65_536));
  }
  scanner.end();
  return counts.length === 0 ? [scanner.fieldsSoFar] : counts.slice(0, ROWS_TO_JUDGE);
}

const bytes = (...values: number[]) => Buffer.from(values);
const FORMATS: readonly { magic: Buffer; name: string }[] = [
  { magic: Buffer.from('PK\x03\x04'), name: 'an Excel workbook or ZIP archive' },
  { magic: bytes(0xd0, 0xcf, 0x11, 0xe0), name: 'an old Excel workbook' },
  { magic: Buffer.from('PAR1'), name: 'a Parquet file' },
  { magic: Buffer.from('ARROW1'), name: 'an Arrow file' },
  { magic: Buffer.from('%PDF-'), name: 'a PDF' },
  { magic: Buffer.from('SQLite format 3'), name: 'an SQLite database' },
  { magic: bytes(0x89, 0x48, 0x44, 0x46), name: 'an HDF5 file' },
  { magic: Buffer.from('BZh9'), name: 'a bzip2 archive' },
  { magic: bytes(0xfd, 0x37, 0x7a, 0x58, 0x5a), name: 'an xz archive' },
  { magic: bytes(0x28, 0xb5, 0x2f, 0xfd), name: 'a Zstandard archive' },
  { magic: bytes(0x1f, 0x8b), name: 'gzip within gzip' },
];

/** Throws a coded error when the first bytes say that this is something other than delimited text we can read. */
export function assertTable(head: Buffer): void {
  const format = FORMATS.find(({ magic }) => startsWith(head, magic));
  if (format !== undefined) {
    throw new InvalidDatasetError('BINARY_FILE', `This is ${format.name}, not CSV.`, {
      hint: 'Export the table as CSV, plain or gzipped, and upload that.',
    });
  }
  const zeros = head.subarray(0, 4096).filter((byte) => byte === 0).length;
  const utf16 = startsWith(head, bytes(0xff, 0xfe)) || startsWith(head, bytes(0xfe, 0xff));
  if (utf16 || (head.length >= 8 && zeros / Math.min(head.length, 4096) > 0.3)) {
    throw new InvalidDatasetError('UNSUPPORTED_ENCODING', 'The file seems to be UTF-16 or UTF-32.', {
      hint: 'Save it as UTF-8. In Excel: "CSV UTF-8 (Comma delimited)".',
    });
  }
  const start = head.subarray(0, 512).toString('latin1').trimStart().toLowerCase();
  if (start.startsWith('<!doctype html') || start.startsWith('<html')) {
    throw new InvalidDatasetError('NOT_A_TABLE', 'This is a web page, not CSV.', {
      hint: 'The link it was saved from may need a login. Download the file itself.',
    });
  }
  if (/^(\u00ef\u00bb\u00bf)?(\[\s*[[{]|\{\s*")/.test(start)) {
    throw new InvalidDatasetError('NOT_A_TABLE', 'This is JSON, not CSV.', {
      hint: 'Export the records as CSV, one row each, and upload that.',
    });
  }
  if (/^(\u00ef\u00bb\u00bf)?sep=.\r?\n/.test(start)) {
    throw new InvalidDatasetError(
      'SEPARATOR_LINE',
      'The first line is an instruction to Excel (`sep=`), not a header.',
      {
        hint: 'Delete the first line; the delimiter is found without it.',
        details: { line: 1 },
      },
    );
  }
}
