import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { archived, brokenArchive, damage } from './damage.ts';
import { type WrittenTable, writtenTable } from './written-tables.ts';

/** One file as someone might send it. */
export interface FuzzUpload {
  /** How it was made, for the table of outcomes. */
  kind: string;
  filename: string;
  bytes: Buffer;
  chunkSize: number;
  /** What must be found in it, where that is known: then it must not be refused. */
  truth: (Omit<WrittenTable, 'bytes'> & { compression: 'gzip' | null }) | null;
}

type Content = Pick<FuzzUpload, 'kind' | 'bytes' | 'truth'>;

const unknown = (kind: string, content: fc.Arbitrary<Buffer>): fc.Arbitrary<Content> =>
  content.map((bytes) => ({ kind, bytes, truth: null }));

const intact: fc.Arbitrary<Content> = fc
  .tuple(writtenTable, fc.option(archived, { freq: 3 }))
  .map(([{ bytes, ...found }, pack]) => ({
    kind: pack === null ? 'as written' : 'as written, gzipped',
    bytes: pack === null ? bytes : pack(bytes),
    truth: { ...found, compression: pack === null ? null : 'gzip' },
  }));

const damaged = unknown(
  'damaged',
  fc
    .tuple(writtenTable, fc.array(damage, { minLength: 1, maxLength: 3 }), fc.option(archived, { freq: 1 }))
    .map(([{ bytes }, harms, pack]) => {
      const broken = harms.reduce((content, harm) => harm(content), bytes);
      return pack === null ? broken : pack(broken);
    }),
);

const broken = unknown(
  'broken archive',
  fc.tuple(writtenTable, brokenArchive).map(([{ bytes }, harm]) => harm(bytes)),
);

const randomBytes = unknown(
  'random bytes',
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
);

/** Bytes that all mean something: more ways into a parser in thirty of them than in a megabyte of noise. */
const randomMarks = unknown(
  'random marks',
  fc
    .array(
      fc.constantFrom(
        'a',
        '1',
        ',',
        ';',
        '"',
        '""',
        '\n',
        '\r',
        '\r\n',
        '\t',
        ' ',
        '|',
        'é',
        '\ufeff',
        'x,y\n',
      ),
      { maxLength: 60 },
    )
    // Behind a header and above rows, or nearly all of it would be told too short.
    .chain((marks) =>
      fc
        .tuple(
          fc.constantFrom('', 'a,b\n', 'y\n', '"a";"b"\r\n'),
          fc.constantFrom('', '\n1,2', '\n1', '\r\n1;2'),
        )
        .map(([head, row]) => Buffer.from(head + marks.join('') + row.repeat(11))),
    ),
);

const UNITS = [
  'x',
  'x',
  'x_2',
  '',
  ' ',
  'X',
  'column_3',
  '\u00a0x',
  '"x"',
  "'",
  '__proto__',
  'constructor',
  '<b>',
];
const ODD = [
  '=cmd|1',
  '\x1c',
  'x\x85',
  '\u2028',
  '🦀',
  '\u202ex',
  '\ufeffx',
  '"x"y',
  'x"',
  ' "x"',
  '"a""b"',
  '\x7f',
];

const oddHeader = unknown(
  'odd header',
  fc
    .tuple(
      fc.array(fc.constantFrom(...UNITS, ...ODD), { minLength: 1, maxLength: 8 }),
      fc.constantFrom('\n', '\r\n', '\r'),
    )
    .map(([names, newline]) =>
      Buffer.from([names.join(','), ...rowsOf(names.length, 12)].join(newline) + newline),
    ),
);

/** What is long: few of them, for each costs as much as a hundred others. */
const long = fc.integer({ min: 1, max: 1_300_000 }).chain((size) =>
  unknown(
    'long',
    fc
      .constantFrom<((n: number) => string)[]>(
        (n) => `a,b\n${'1,2\n'.repeat(12)}1,"${'x'.repeat(n)}"\n`,
        (n) => `a,b\n${'1,2\n'.repeat(n / 8)}3,"`,
        (n) => `a,b\n${'1,2\n'.repeat(n / 4)}1,2,3\n`,
        (n) => `${'h'.repeat(n)},b\n${'1,2\n'.repeat(12)}`,
        (n) => '"'.repeat(n),
        (n) => ','.repeat(n / 60) + `\n${','.repeat(n / 60)}`.repeat(11),
        (n) => '\n'.repeat(n),
        (n) => `a,b\n${'1,2\n'.repeat(n / 4)}`,
      )
      .chain((make) => fc.boolean().map((pack) => packedIf(pack, Buffer.from(make(size))))),
  ),
);

const wide = unknown(
  'wide',
  fc
    .tuple(
      fc.integer({ min: 1000, max: 10_000 }),
      fc.constantFrom<((at: number) => string)[]>(
        (at) => `c${at}`,
        () => 'same',
        () => '',
        (at) => `x_${at % 50}`,
      ),
      fc.boolean(),
    )
    .map(([columns, name, pack]) =>
      packedIf(
        pack,
        Buffer.from(
          [Array.from({ length: columns }, (_, at) => name(at)).join(), ...rowsOf(columns, 11)].join('\n'),
        ),
      ),
    ),
);

const bomb = unknown(
  'gzip bomb',
  fc
    .tuple(fc.constantFrom('\0', ' ', 'x', ',', '\n', '1,2\n', '"'), fc.integer({ min: 1, max: 12_000_000 }))
    .map(([unit, size]) =>
      gzipSync(Buffer.concat([Buffer.from('a,b\n'), Buffer.alloc(size, unit)]), { level: 1 }),
    ),
);

const content: fc.Arbitrary<Content> = fc.oneof(
  { weight: 50, arbitrary: intact },
  { weight: 80, arbitrary: damaged },
  { weight: 30, arbitrary: broken },
  { weight: 10, arbitrary: randomBytes },
  { weight: 40, arbitrary: randomMarks },
  { weight: 20, arbitrary: oddHeader },
  { weight: 2, arbitrary: long },
  { weight: 2, arbitrary: wide },
  { weight: 1, arbitrary: bomb },
);

const filename = fc.constantFrom(
  ...['table.csv', 'table.csv.gz', '', '../../etc/passwd', 'C:\\a\\b.csv', `${'n'.repeat(198)}🦀🦀.csv`],
  ...[
    'a\0b.csv',
    'x\r\nset-cookie: a=b.csv',
    '"; filename="b.csv',
    '\u202ecsv.exe',
    '...',
    'é%00%2e%2e%2f.csv',
  ],
);

/** All of it: every file, under every name, cut into chunks of every size. */
export const fuzzUpload: fc.Arbitrary<FuzzUpload> = fc
  .tuple(content, filename, fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constant(65_536)))
  .map(([made, name, chunkSize]) => ({
    ...made,
    filename: name,
    // A long file in chunks of a byte would measure nothing but streams.
    chunkSize: made.bytes.length > 20_000 ? 65_521 : chunkSize,
  }));

function rowsOf(width: number, rows: number): string[] {
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: width }, (_, at) => (row + at) % 10).join(),
  );
}

const packedIf = (pack: boolean, bytes: Buffer): Buffer => (pack ? gzipSync(bytes, { level: 1 }) : bytes);
