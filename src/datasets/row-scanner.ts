const QUOTE = 0x22;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;

/**
 * Told of each row that is not blank: how many fields it has, the line it starts on (from 1), and the offsets of its first
 * byte and of the byte after its last.
 */
export type OnRow = (fields: number, line: number, start: number, end: number) => void;

/** Where the next byte stands. */
const FIELD_START = 0;
const UNQUOTED = 1;
const QUOTED = 2;
/** After a quote inside a quoted field: another quote is a quote, anything else ends the quoting. */
const QUOTE_IN_QUOTED = 3;

/**
 * Finds the rows of a delimited table in a stream of bytes without building them: about as fast as bytes arrive, and in
 * no memory. Reads as pandas and Python's csv do: a quote opens only at the start of a field, `""` is a quote, rows end with
 * LF, CRLF or CR, lines of nothing but blanks are skipped. Delimiter, quote and line ends are ASCII, so it is right for any
 * encoding that keeps ASCII bytes to themselves.
 */
export class RowScanner {
  readonly #delimiter: number;
  readonly #onRow: OnRow;
  #state = FIELD_START;
  #offset = 0;
  #line = 1;
  #fields = 1;
  #rowStart = 0;
  #rowLine = 1;
  #quoteLine = 1;
  #blank = true;
  #afterCR = false;

  constructor(delimiter: number, onRow: OnRow) {
    this.#delimiter = delimiter;
    this.#onRow = onRow;
  }

  /** The line on which a quoted field was opened that is still open, or null. */
  get openQuoteLine(): number | null {
    return this.#state === QUOTED ? this.#quoteLine : null;
  }

  /** Fields of the row under way. */
  get fieldsSoFar(): number {
    return this.#fields;
  }

  write(chunk: Uint8Array): void {
    const delimiter = this.#delimiter;
    const length = chunk.length;
    let state = this.#state;
    let fields = this.#fields;
    let blank = this.#blank;
    let afterCR = this.#afterCR;
    let line = this.#line;

    for (let i = 0; i < length; i++) {
      const byte = chunk[i] as number;

      if (state === QUOTED) {
        if (byte === QUOTE) state = QUOTE_IN_QUOTED;
        else if (byte === LF) {
          if (!afterCR) line++;
        } else if (byte === CR) line++;
        afterCR = byte === CR;
        continue;
      }
      if (byte === delimiter) {
        fields++;
        blank = false;
        afterCR = false;
        state = FIELD_START;
        continue;
      }
      if (byte === LF || byte === CR) {
        if (byte === LF && afterCR) {
          // The second half of CRLF: the row ended with its first.
          afterCR = false;
          this.#rowStart = this.#offset + i + 1;
          continue;
        }
        afterCR = byte === CR;
        if (!blank) this.#onRow(fields, this.#rowLine, this.#rowStart, this.#offset + i);
        line++;
        this.#rowLine = line;
        this.#rowStart = this.#offset + i + 1;
        fields = 1;
        blank = true;
        state = FIELD_START;
        continue;
      }
      afterCR = false;
      if (byte === QUOTE && (state === FIELD_START || state === QUOTE_IN_QUOTED)) {
        if (state === FIELD_START) this.#quoteLine = line;
        blank = false;
        state = QUOTED;
        continue;
      }
      if (byte !== SPACE && byte !== TAB) blank = false;
      state = UNQUOTED;
      // Most bytes are inside a field and mean nothing.
      for (; i + 1 < length; i++) {
        const next = chunk[i + 1] as number;
        if (next === delimiter || next === LF || next === CR) break;
        if (blank && next !== SPACE && next !== TAB) blank = false;
      }
    }

    this.#state = state;
    this.#fields = fields;
    this.#blank = blank;
    this.#afterCR = afterCR;
    this.#line = line;
    this.#offset += length;
  }

  /** Ends the last row when no line end did. */
  end(): void {
    if (!this.#blank && this.#state !== QUOTED) {
      this.#onRow(this.#fields, this.#rowLine, this.#rowStart, this.#offset);
      this.#blank = true;
    }
  }
}
