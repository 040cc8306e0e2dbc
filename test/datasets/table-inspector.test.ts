import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type TableFacts, TableInspector, type TableLimits } from '../../src/datasets/table-inspector.ts';
import type { Dialect } from '../../src/domain/records.ts';

const LIMITS: TableLimits = {
  MAX_COLUMNS: 4096,
  MAX_DECOMPRESSED_BYTES: 50_000_000,
  MAX_UPLOAD_BYTES: 1_000_000_000,
};

async function inspect(
  content: string | Buffer,
  { chunkSize = 65_536, limits = {} }: { chunkSize?: number; limits?: Partial<TableLimits> } = {},
): Promise<TableFacts> {
  const bytes = Buffer.from(content);
  const inspector = new TableInspector({ ...LIMITS, ...limits });
  const chunks = function* () {
    for (let at = 0; at < bytes.length; at += chunkSize) yield bytes.subarray(at, at + chunkSize);
  };
  const [through] = await Promise.all([buffer(inspector), pipeline(Readable.from(chunks()), inspector)]);
  expect(through.equals(bytes)).toBe(true);
  return inspector.facts();
}

const rows = (delimiter: string, newline = '\n', n = 12) =>
  ['id;name;value', ...Array.from({ length: n }, (_, i) => `${i};"n;${i}";${i}`)]
    .map((line) => line.replaceAll(';', delimiter))
    .join(newline);

describe('dialects people have', () => {
  const plain: Dialect = { delimiter: ',', encoding: 'utf-8', compression: null };
  const bom = '\ufeff';
  const cases: [string, string | Buffer, Partial<Dialect>][] = [
    ['comma', rows(','), {}],
    ['semicolon', rows(';'), { delimiter: ';' }],
    ['semicolon with decimal commas', 'a;b\n1,5;2,5\n3,5;4\n', { delimiter: ';' }],
    ['tab', rows('\t'), { delimiter: '\t' }],
    ['pipe', rows('|'), { delimiter: '|' }],
    ['CRLF', rows(',', '\r\n'), {}],
    ['CR', rows(',', '\r'), {}],
    ['a byte order mark', bom + rows(','), { encoding: 'utf-8-sig' }],
    ['a byte order mark before a quote', `${bom}"a","b"\n1,2\n`, { encoding: 'utf-8-sig' }],
    ['two byte order marks before a quote', `${bom}${bom}"a","b"\n1,2\n`, { encoding: 'utf-8-sig' }],
    ['UTF-8', 'straße,größe\n1,2\n', {}],
    ['Latin-1', Buffer.from('straße,größe\n1,2\n', 'latin1'), { encoding: 'latin-1' }],
    [
      'Latin-1 only past the first megabyte',
      Buffer.concat([
        Buffer.from('a,b\n'),
        Buffer.alloc(2_000_000, '1,2\n'),
        Buffer.from('1,\xe9\n', 'latin1'),
      ]),
      { encoding: 'latin-1' },
    ],
    ['gzip', gzipSync(rows(';')), { delimiter: ';', compression: 'gzip' }],
    [
      'gzip of two members',
      Buffer.concat([gzipSync('a,b\n1,2\n'), gzipSync('3,4\n')]),
      { compression: 'gzip' },
    ],
    [
      'gzip with zeros behind it, as tar and tapes pad',
      Buffer.concat([gzipSync('a,b\n1,2\n'), Buffer.alloc(200_000)]),
      { compression: 'gzip' },
    ],
    ['one column', 'y\n1\n2\n3\n', {}],
    ['one column of prose', 'text\n"a, b"\nhello; you\n', {}],
    ['commas inside semicolons', 'name;note\nx;a,b\ny;c,d\n', { delimiter: ';' }],
  ];
  it.each(cases)('reads %s, however it is cut', async (_name, content, dialect) => {
    for (const chunkSize of content.length > 10_000 ? [65_536, 65_521] : [1, 2, 3, 65_536]) {
      const facts = await inspect(content, { chunkSize });
      expect(facts.dialect).toEqual({ ...plain, ...dialect });
      expect(facts.rows).toBeGreaterThan(0);
    }
  });

  it('keeps the whole table when it is small, and only facts when it is not', async () => {
    expect((await inspect(rows(','))).whole?.toString()).toBe(rows(','));
    expect((await inspect(`\ufeff${rows(',')}`)).whole?.toString()).toBe(rows(','));
    expect((await inspect(rows(',', '\n', 200_000))).whole).toBeNull();
  });

  it('counts the rows of a table larger than its head', async () => {
    const facts = await inspect(rows(',', '\n', 200_000));
    expect(facts.rows).toBe(200_000);
    expect(facts.header.toString()).toBe('id,name,value');
  });
});

describe('refusals', () => {
  const wide = Array.from({ length: 5_000 }, (_, i) => `c${i}`).join(',');
  const cases: [string, string | Buffer, string][] = [
    ['nothing', '', 'EMPTY_FILE'],
    ['nothing, gzipped', gzipSync(''), 'EMPTY_FILE'],
    ['blank lines', '\n  \n\r\n', 'EMPTY_FILE'],
    ['only a byte order mark', '\ufeff', 'EMPTY_FILE'],
    ['only a header', 'a,b,c\n', 'HEADER_ONLY'],
    ['only a header without a line end', 'a,b,c', 'HEADER_ONLY'],
    ['an Excel workbook', Buffer.concat([Buffer.from('PK\x03\x04'), randomBytes(3000)]), 'BINARY_FILE'],
    ['a Parquet file', Buffer.concat([Buffer.from('PAR1'), randomBytes(3000)]), 'BINARY_FILE'],
    ['gzip in gzip', gzipSync(gzipSync('a,b\n1,2\n')), 'BINARY_FILE'],
    ['a NUL byte', 'a,b\n1,\0\n', 'BINARY_FILE'],
    ['a NUL byte past the first megabyte', `a,b\n${'1,2\n'.repeat(400_000)}1,\0\n`, 'BINARY_FILE'],
    ['UTF-16 with a byte order mark', Buffer.from('\ufeffa,b\n1,2\n', 'utf16le'), 'UNSUPPORTED_ENCODING'],
    ['UTF-16 without', Buffer.from('a,b\n1,2\n3,4\n', 'utf16le'), 'UNSUPPORTED_ENCODING'],
    [
      'bytes that belie the byte order mark',
      Buffer.from('\xef\xbb\xbfa,b\n1,\xe9\n', 'latin1'),
      'UNSUPPORTED_ENCODING',
    ],
    ['a row too long', 'a,b\n1,2\n1,2,3\n', 'RAGGED_ROWS'],
    ['a row too short', 'a,b\n1,2\n1\n', 'RAGGED_ROWS'],
    ['a quote never closed', 'a,b\n1,"2\n3,4\n', 'UNCLOSED_QUOTE'],
    ['too many columns', `${wide}\n${wide}\n`, 'TOO_MANY_COLUMNS'],
    ['a header without an end', 'column,'.repeat(300_000), 'TOO_MANY_COLUMNS'],
    ['text without a line break', 'x'.repeat(3_000_000), 'TOO_MANY_COLUMNS'],
    ['a gzip cut short', gzipSync(rows(',', '\n', 5000)).subarray(0, -20), 'CORRUPT_GZIP'],
    ['a gzip with a broken middle', gzipSync(randomBytes(50_000)).fill(7, 20_000, 20_200), 'CORRUPT_GZIP'],
    [
      'a gzip that goes on behind zeros',
      Buffer.concat([gzipSync('a,b\n1,2\n'), Buffer.alloc(9), gzipSync('3,4\n')]),
      'CORRUPT_GZIP',
    ],
    ['a web page', '<!DOCTYPE html>\n<html><body>Sign in</body></html>\n', 'NOT_A_TABLE'],
    ['a list of JSON objects', '[{"a": 1, "y": 2},\n {"a": 3, "y": 4}]\n', 'NOT_A_TABLE'],
    ['lines of JSON', '{"a": 1, "y": 2}\n{"a": 3, "y": 4}\n', 'NOT_A_TABLE'],
    ["Excel's line about the separator", 'sep=;\r\na;b\r\n1;2\r\n', 'SEPARATOR_LINE'],
  ];
  it.each(cases)('refuses %s', async (_name, content, code) => {
    await expect(inspect(content)).rejects.toMatchObject({ name: 'InvalidDatasetError', code });
    await expect(inspect(content, { chunkSize: 4093 })).rejects.toMatchObject({ code });
  });

  it('names the line at fault', async () => {
    await expect(inspect('a,b\n"1\n1",2\n1,2,3\n')).rejects.toMatchObject({
      message: 'Line 4 has 3 fields, the header has 2.',
      details: { line: 4 },
    });
    await expect(inspect('a,b\n1,2\n3,"4\n')).rejects.toMatchObject({ details: { line: 3 } });
  });

  it('stops a gzip bomb at the cap on what it unpacks to', async () => {
    const bomb = gzipSync(`a,b\n${'1,2\n'.repeat(5_000_000)}`);
    expect(bomb.length).toBeLessThan(100_000);
    await expect(inspect(bomb, { limits: { MAX_DECOMPRESSED_BYTES: 1_500_000 } })).rejects.toMatchObject({
      code: 'DECOMPRESSED_TOO_LARGE',
    });
  });
});

it('answers any bytes at all with facts or a coded error, never with a crash', async () => {
  const junk = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc
      .string({ unit: fc.constantFrom('a', ',', ';', '"', '\n', '\r', '\t', 'é', '\ufeff'), maxLength: 80 })
      .map((text) => Buffer.from(text)),
  );
  await fc.assert(
    fc.asyncProperty(
      junk,
      fc.boolean(),
      fc.integer({ min: 1, max: 50 }),
      async (bytes, compress, chunkSize) => {
        const content = compress ? gzipSync(bytes) : Buffer.from(bytes);
        try {
          const facts = await inspect(content, { chunkSize });
          expect(facts.rows).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toMatchObject({ name: 'InvalidDatasetError' });
        }
      },
    ),
    { numRuns: 500 },
  );
});
