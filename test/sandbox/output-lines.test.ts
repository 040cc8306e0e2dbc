import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OutputLines } from '../../src/sandbox/output-lines.ts';

function linesOf(chunks: readonly Buffer[]): { text: string; continues: boolean }[] {
  const lines: { text: string; continues: boolean }[] = [];
  const splitter = new OutputLines((text, continues) => lines.push({ text, continues }));
  for (const chunk of chunks) splitter.write(chunk);
  splitter.end();
  return lines;
}

describe('lines of output', () => {
  it('are the same however the bytes were cut on their way', () => {
    const line = fc.string({ unit: 'binary', maxLength: 20 }).map((text) => text.replaceAll(/[\r\n]/g, ' '));
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat(40)), (lines, cuts) => {
        let bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
        const chunks: Buffer[] = [];
        for (const cut of cuts) {
          chunks.push(bytes.subarray(0, cut));
          bytes = bytes.subarray(cut);
        }
        const expected = lines.map((text) => ({ text: Buffer.from(text).toString(), continues: false }));
        expect(linesOf([...chunks, bytes])).toEqual(expected);
      }),
    );
  });

  it('come in pieces of at most 64 KiB that join to the whole, no character cut', () => {
    const long = `${'a'.repeat(65_535)}€${'é'.repeat(70_000)}😀`;
    const bytes = Buffer.from(`${long}\nnext\n`);
    for (const size of [1_000, 65_536, 65_537, bytes.length]) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
        bytes.subarray(index * size, (index + 1) * size),
      );
      const lines = linesOf(chunks);
      const last = lines.findIndex((line) => !line.continues);
      const pieces = lines.slice(0, last + 1).map((line) => line.text);
      expect(pieces.join('')).toBe(long);
      expect(Math.max(...pieces.map((piece) => Buffer.byteLength(piece)))).toBeLessThanOrEqual(65_536);
      expect(lines.slice(last + 1)).toEqual([{ text: 'next', continues: false }]);
    }
  });

  it('keep what follows the last newline, drop a carriage return, and survive bytes that are no text', () => {
    expect(linesOf([Buffer.from('one\r\n\ntwo')]).map((line) => line.text)).toEqual(['one', '', 'two']);
    expect(linesOf([Buffer.from([0x61, 0xff, 0xfe, 0x0a])]).map((line) => line.text)).toEqual([
      'a\ufffd\ufffd',
    ]);
  });
});
