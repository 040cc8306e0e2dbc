import { isUtf8 } from 'node:buffer';

/** Whether a stream of bytes is UTF-8, sequences cut by chunk borders included. */
export class Utf8Check {
  #valid = true;
  #carry: Buffer = Buffer.alloc(0);

  write(chunk: Buffer): void {
    if (!this.#valid) return;
    const bytes = this.#carry.length === 0 ? chunk : Buffer.concat([this.#carry, chunk]);
    const whole = bytes.length - unfinished(bytes);
    this.#valid = isUtf8(bytes.subarray(0, whole));
    this.#carry = Buffer.from(bytes.subarray(whole));
  }

  /** The verdict on all bytes written: a sequence that never ended is not UTF-8. */
  get valid(): boolean {
    return this.#valid && this.#carry.length === 0;
  }
}

/** How many bytes at the end begin a sequence that goes on in the next chunk. */
function unfinished(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] as number;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) {
      const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return needed > back ? back : 0;
    }
  }
  return 0;
}

export const UTF8_BOM = Buffer.from([0xef, 0xbb, 0xbf]);
export const startsWith = (bytes: Buffer, prefix: Buffer): boolean =>
  bytes.length >= prefix.length && bytes.subarray(0, prefix.length).equals(prefix);

/** Bytes of the byte order marks in front: one, or the two of a file marked twice, both of which pandas passes over. */
export function markBytes(bytes: Buffer): number {
  if (!startsWith(bytes, UTF8_BOM)) return 0;
  return startsWith(bytes.subarray(UTF8_BOM.length), UTF8_BOM) ? 2 * UTF8_BOM.length : UTF8_BOM.length;
}
