import { constants, deflateRawSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';

/** Something that happens to a file between the program that wrote it and us. */
export type Damage = (bytes: Buffer) => Buffer;

/** Where in a file, as a share of its length: a damage drawn before its file is known still hits every part of it. */
const place = fc.double({ min: 0, max: 1, noNaN: true });
const at = (bytes: Buffer, share: number) => Math.floor(share * bytes.length);

/** Bytes that mean something to one of the parsers on the way. */
const NASTY = [
  ...['"', '""', '"""', ',', ';', '\t', '|', '\n', '\r', '\r\n', '\n\r', ' ', ' "', '"x', ' \x01', '\x0b'],
  ...['\x1a', '\x1c', '\x85', '\ufeff', '\u2028', '\ufffd', '\ud83e', '\0', '\\"', "'", '#', '\x1b[31m'],
].map((text) => Buffer.from(text));
const NO_UTF8 = [[0xff], [0xc3], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf8, 0x88], [0x80], [0xfe, 0xff]].map(
  (values) => Buffer.from(values),
);

const splice = (bytes: Buffer, start: number, end: number, middle: Buffer = Buffer.alloc(0)) =>
  Buffer.concat([bytes.subarray(0, start), middle, bytes.subarray(end)]);

const replaceAll = (bytes: Buffer, from: RegExp, to: (index: number) => string) => {
  let index = 0;
  return Buffer.from(
    bytes.toString('latin1').replace(from, () => to(index++)),
    'latin1',
  );
};

const truncated = place.map(
  (share): Damage =>
    (bytes) =>
      bytes.subarray(0, at(bytes, share)),
);

const flipped = fc
  .array(fc.tuple(place, fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 3 })
  .map(
    (flips): Damage =>
      (bytes) => {
        const copy = Buffer.from(bytes);
        for (const [share, mask] of flips) {
          const index = Math.min(at(copy, share), copy.length - 1);
          if (index >= 0) copy[index] = (copy[index] ?? 0) ^ mask;
        }
        return copy;
      },
  );

const inserted = fc.tuple(place, fc.constantFrom(...NASTY, ...NO_UTF8)).map(
  ([share, what]): Damage =>
    (bytes) =>
      splice(bytes, at(bytes, share), at(bytes, share), what),
);

/** Where a line starts is where parsers differ most. */
const insertedAtLine = fc.tuple(fc.nat(12), fc.constantFrom(...NASTY, ...NO_UTF8)).map(
  ([line, what]): Damage =>
    (bytes) => {
      let start = 0;
      for (let n = 0; n < line && start !== -1; n++) start = bytes.indexOf('\n', start) + 1 || -1;
      return splice(bytes, Math.max(start, 0), Math.max(start, 0), what);
    },
);

const cut = fc.tuple(place, fc.integer({ min: 1, max: 40 })).map(
  ([share, length]): Damage =>
    (bytes) =>
      splice(bytes, at(bytes, share), Math.min(at(bytes, share) + length, bytes.length)),
);

const repeated = fc.tuple(place, place).map(
  ([from, to]): Damage =>
    (bytes) => {
      const slice = bytes.subarray(at(bytes, Math.min(from, to)), at(bytes, Math.max(from, to)));
      return splice(bytes, at(bytes, to), at(bytes, to), slice);
    },
);

const reencoded: fc.Arbitrary<Damage> = fc.constantFrom<Damage[]>(
  (bytes) => Buffer.from(bytes.toString(), 'utf16le'),
  (bytes) => Buffer.from(`\ufeff${bytes}`, 'utf16le'),
  (bytes) => Buffer.from(`\ufeff${bytes}`, 'utf16le').swap16(),
  (bytes) => Buffer.from(bytes.toString('latin1')),
  (bytes) => Buffer.from(bytes.toString(), 'latin1'),
  (bytes) => Buffer.concat([Buffer.from('\ufeff\ufeff'), bytes]),
  (bytes) => Buffer.concat([Buffer.from('sep=;\r\n'), bytes]),
);

const rewritten: fc.Arbitrary<Damage> = fc.oneof(
  fc.constantFrom(':', '^', ' ', '\x1f', '||', ', ', '\u00b7').map(
    (odd): Damage =>
      (bytes) =>
        replaceAll(bytes, /[,;|\t]/g, () => odd),
  ),
  fc
    .array(fc.constantFrom('\n', '\r\n', '\r', '\n\n', '\n\r', '\r\r\n', '\u2028'), {
      minLength: 2,
      maxLength: 5,
    })
    .map(
      (ends): Damage =>
        (bytes) =>
          replaceAll(bytes, /\r\n|\r|\n/g, (n) => ends[n % ends.length] ?? '\n'),
    ),
  fc.constantFrom('', '""', "'", '" ').map(
    (quote): Damage =>
      (bytes) =>
        replaceAll(bytes, /"/g, () => quote),
  ),
);

export const damage: fc.Arbitrary<Damage> = fc.oneof(
  truncated,
  flipped,
  { weight: 3, arbitrary: inserted },
  { weight: 3, arbitrary: insertedAtLine },
  cut,
  repeated,
  reencoded,
  { weight: 2, arbitrary: rewritten },
);

const gzipHeader = (flags: number, ...extra: number[]) =>
  Buffer.from([0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 255, ...extra]);

/** Archives that are right, each written in another way: what they hold must be read. */
export const archived: fc.Arbitrary<Damage> = fc.constantFrom<Damage[]>(
  (bytes) => gzipSync(bytes),
  (bytes) => gzipSync(bytes, { level: 0 }),
  (bytes) => gzipSync(bytes, { strategy: constants.Z_HUFFMAN_ONLY }),
  (bytes) => Buffer.concat([gzipSync(bytes.subarray(0, 20)), gzipSync(bytes.subarray(20))]),
  (bytes) => Buffer.concat([gzipSync(''), gzipSync(bytes), gzipSync('')]),
  (bytes) => Buffer.concat([gzipSync(bytes), Buffer.alloc(700)]),
  (bytes) => Buffer.concat([gzipHeader(8, 0x2e, 0x2e, 0x2f, 0), gzipSync(bytes).subarray(10)]),
);

/** Archives with something wrong in them. */
export const brokenArchive: fc.Arbitrary<Damage> = fc.oneof(
  fc.tuple(archived, fc.oneof(truncated, flipped, inserted, cut, repeated)).map(
    ([pack, harm]): Damage =>
      (bytes) =>
        harm(pack(bytes)),
  ),
  fc.constantFrom<Damage[]>(
    (bytes) => gzipSync(gzipSync(bytes)),
    (bytes) => Buffer.concat([gzipSync(bytes), Buffer.from('trailing words')]),
    (bytes) => Buffer.concat([gzipSync(bytes), Buffer.from([0x1f, 0x8b])]),
    (bytes) => Buffer.concat([gzipSync(bytes), bytes]),
    (bytes) => Buffer.concat([gzipSync(bytes), gzipSync(bytes)]),
    (bytes) => Buffer.concat([gzipSync(bytes), Buffer.alloc(9), gzipSync(bytes)]),
    (bytes) => Buffer.concat([gzipHeader(0), deflateRawSync(bytes)]),
    (bytes) => Buffer.concat([gzipHeader(0xff), deflateRawSync(bytes)]),
    (bytes) => Buffer.concat([gzipHeader(0), bytes]),
  ),
);
