const PIECE_BYTES = 64 * 1024;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Cuts a byte stream into lines of text. Works on bytes, so that a character split between two chunks stays whole; a
 * line longer than 64 KiB is given out in pieces, cut between characters. Bytes that are not UTF-8 become U+FFFD.
 */
export class OutputLines {
  readonly #onLine: (line: string, continues: boolean) => void;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  constructor(onLine: (line: string, continues: boolean) => void) {
    this.#onLine = onLine;
  }

  write(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      const room = PIECE_BYTES - this.#pendingBytes;
      const newline = rest.indexOf(NEWLINE);
      if (newline !== -1 && newline <= room) {
        this.#keep(rest.subarray(0, newline));
        this.#giveLine();
        rest = rest.subarray(newline + 1);
      } else if (rest.length < room) {
        this.#keep(rest);
        return;
      } else {
        this.#keep(rest.subarray(0, room));
        rest = rest.subarray(room);
        this.#givePiece();
      }
    }
  }

  /** Gives out what came after the last newline. */
  end(): void {
    if (this.#pendingBytes > 0) this.#giveLine();
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
  }

  #take(): Buffer {
    const bytes = Buffer.concat(this.#pending, this.#pendingBytes);
    this.#pending = [];
    this.#pendingBytes = 0;
    return bytes;
  }

  #giveLine(): void {
    const bytes = this.#take();
    const end = bytes.at(-1) === CARRIAGE_RETURN ? bytes.length - 1 : bytes.length;
    this.#onLine(this.#decoder.decode(bytes.subarray(0, end)), false);
  }

  #givePiece(): void {
    const bytes = this.#take();
    const end = lastCharacterStart(bytes);
    this.#onLine(this.#decoder.decode(bytes.subarray(0, end)), true);
    this.#keep(bytes.subarray(end));
  }
}

/** Where an unfinished character at the end of `bytes` begins, or its length when the last one is whole. */
function lastCharacterStart(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return bytes.length;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return back < length ? bytes.length - back : bytes.length;
    }
  }
  return bytes.length;
}
