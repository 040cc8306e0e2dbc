import { Transform, type TransformCallback } from 'node:stream';
import { createGunzip, type Gunzip } from 'node:zlib';
import type { Config } from '../config.ts';
import { InvalidDatasetError, messageOf } from '../domain/errors.ts';
import type { Dialect } from '../domain/records.ts';
import { markBytes, startsWith, UTF8_BOM, Utf8Check } from './encoding.ts';
import { corruptGzip, count, empty, tooManyColumns } from './refusals.ts';
import { RowScanner } from './row-scanner.ts';
import { assertTable, sniffDelimiter } from './sniff.ts';

/** How much of the table, decompressed, is kept to find dialect and header in. */
const HEAD_BYTES = 1024 * 1024;
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);

export type TableLimits = Pick<Config, 'MAX_COLUMNS' | 'MAX_DECOMPRESSED_BYTES' | 'MAX_UPLOAD_BYTES'>;

export interface TableFacts {
  dialect: Dialect;
  /** The header row's bytes, as they stand in the file. */
  header: Buffer;
  /** Rows below the header. */
  rows: number;
  /** The whole table, decompressed and without its byte order mark, when it is small enough to have been kept. */
  whole: Buffer | null;
}

/**
 * Hands bytes through unchanged and looks at them on the way: is this a table, in which dialect, how many rows, is any
 * of them broken? Fails with an InvalidDatasetError at the first byte that settles it. Memory: 1 MiB whatever the size.
 */
export class TableInspector extends Transform {
  readonly #limits: TableLimits;
  readonly #onBytes: (seen: number) => void;
  readonly #utf8 = new Utf8Check();
  #seen = 0;
  #gunzip: Gunzip | null = null;
  /** Bytes given to the gunzip. It takes no more once zeros follow the archive, whatever comes behind those. */
  #packed = 0;
  #decided = false;
  #undecided: Buffer = Buffer.alloc(0);
  #head: Buffer[] = [];
  #headSize = 0;
  #table: {
    scanner: RowScanner;
    delimiter: Dialect['delimiter'];
    bom: boolean;
    head: Buffer;
    headBytes: number;
  } | null = null;
  #decompressed = 0;
  #headerFields = 0;
  #header: { start: number; end: number } | null = null;
  #rows = 0;

  /** @param onBytes is told how many bytes have come so far; what it throws ends the stream. */
  constructor(limits: TableLimits, onBytes: (seen: number) => void = () => undefined) {
    super();
    this.#limits = limits;
    this.#onBytes = onBytes;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#seen += chunk.length;
    try {
      this.#onBytes(this.#seen);
      const bytes = this.#decided ? chunk : this.#decideCompression(chunk);
      if (this.#gunzip !== null) {
        const gunzip = this.#gunzip;
        this.#packed += bytes.length;
        gunzip.write(bytes, (error) => {
          // A failure of the gunzip destroys this stream by its own event.
          if (error != null) return;
          const behind = Math.min(this.#packed - gunzip.bytesWritten, bytes.length);
          if (isZeros(bytes.subarray(bytes.length - behind))) done(null, chunk);
          else done(corruptGzip('it goes on behind the zeros that end it'));
        });
        return;
      }
      this.#read(bytes);
      done(null, chunk);
    } catch (error) {
      done(toError(error));
    }
  }

  override _flush(done: TransformCallback): void {
    const finish = () => {
      try {
        if (this.#undecided.length > 0) this.#read(this.#undecided);
        this.#finish();
        done();
      } catch (error) {
        done(toError(error));
      }
    };
    // Zeros behind the archive, as padding leaves them, end it before its input does.
    if (this.#gunzip === null || this.#gunzip.readableEnded) finish();
    else this.#gunzip.once('end', finish).end();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#gunzip?.destroy();
    done(error);
  }

  /** What was found. Only after the stream has ended well. */
  facts(): TableFacts {
    const table = this.#table;
    const header = this.#header;
    if (table === null || header === null) throw new Error('the table has not been read to its end');
    const encoding = table.bom ? 'utf-8-sig' : this.#utf8.valid ? 'utf-8' : 'latin-1';
    return {
      dialect: { delimiter: table.delimiter, encoding, compression: this.#gunzip === null ? null : 'gzip' },
      header: table.head.subarray(header.start, header.end),
      rows: this.#rows,
      whole: this.#decompressed === table.headBytes ? table.head : null,
    };
  }

  /**
   * Decides by the first bytes and not by the file's name, which often lies. Returns what is to be read now: nothing while
   * a first chunk of one byte leaves it open.
   */
  #decideCompression(chunk: Buffer): Buffer {
    const start = Buffer.concat([this.#undecided, chunk]);
    this.#undecided = start;
    if (start.length < GZIP_MAGIC.length) return Buffer.alloc(0);
    this.#decided = true;
    this.#undecided = Buffer.alloc(0);
    if (startsWith(start, GZIP_MAGIC)) this.#openGzip();
    return start;
  }

  #openGzip(): void {
    this.#gunzip = createGunzip();
    this.#gunzip.on('data', (plain: Buffer) => {
      try {
        this.#read(plain);
      } catch (error) {
        this.destroy(toError(error));
      }
    });
    this.#gunzip.on('error', (error) => {
      this.destroy(corruptGzip(messageOf(error), error));
    });
  }

  #read(plain: Buffer): void {
    this.#decompressed += plain.length;
    if (this.#decompressed > this.#limits.MAX_DECOMPRESSED_BYTES) {
      throw new InvalidDatasetError(
        'DECOMPRESSED_TOO_LARGE',
        `The table unpacks to more than ${this.#limits.MAX_DECOMPRESSED_BYTES} bytes.`,
        { hint: 'Upload fewer rows or columns, or raise MAX_DECOMPRESSED_BYTES on the server.' },
      );
    }
    this.#utf8.write(plain);
    if (this.#table !== null) {
      this.#scan(plain, this.#table.scanner);
      return;
    }
    this.#head.push(plain);
    this.#headSize += plain.length;
    if (this.#headSize >= HEAD_BYTES) this.#open();
  }

  /** Reads dialect and header from what has come so far, then goes on with the rows. */
  #open(): RowScanner {
    const whole = Buffer.concat(this.#head);
    this.#head = [];
    assertTable(whole);
    const bom = startsWith(whole, UTF8_BOM);
    const head = whole.subarray(markBytes(whole));
    const delimiter = sniffDelimiter(head);
    const scanner = new RowScanner(delimiter.charCodeAt(0), (fields, line, start, end) =>
      this.#row(fields, line, start, end),
    );
    this.#table = { scanner, delimiter, bom, head, headBytes: whole.length };
    this.#scan(head, scanner);
    if (this.#header === null && whole.length >= HEAD_BYTES) {
      throw tooManyColumns(
        `The first row is longer than ${HEAD_BYTES} bytes (${scanner.fieldsSoFar} columns and counting).`,
      );
    }
    return scanner;
  }

  #scan(plain: Buffer, scanner: RowScanner): void {
    const nul = plain.indexOf(0);
    if (nul !== -1) {
      throw new InvalidDatasetError('BINARY_FILE', 'The file holds NUL bytes, which no text does.', {
        hint: 'Export the table as CSV in UTF-8 and upload that.',
      });
    }
    scanner.write(plain);
  }

  #row(fields: number, line: number, start: number, end: number): void {
    if (this.#header === null) {
      if (fields > this.#limits.MAX_COLUMNS) {
        throw tooManyColumns(
          `The table has ${fields} columns; at most ${this.#limits.MAX_COLUMNS} are taken.`,
        );
      }
      this.#header = { start, end };
      this.#headerFields = fields;
      return;
    }
    if (fields !== this.#headerFields) {
      throw new InvalidDatasetError(
        'RAGGED_ROWS',
        `Line ${line} has ${count(fields, 'field')}, the header has ${this.#headerFields}.`,
        {
          hint: 'Look there for a delimiter inside a value: such a value belongs in double quotes.',
          details: { line, fields, expected: this.#headerFields },
        },
      );
    }
    this.#rows++;
  }

  #finish(): void {
    if (this.#seen === 0) throw empty('The file is empty.');
    const scanner = this.#table?.scanner ?? this.#open();
    scanner.end();
    const openLine = scanner.openQuoteLine;
    if (openLine !== null) {
      throw new InvalidDatasetError(
        'UNCLOSED_QUOTE',
        `The double quote opened on line ${openLine} is never closed.`,
        {
          hint: 'Close it, or write a quote that belongs to the value twice: "".',
          details: { line: openLine },
        },
      );
    }
    if (this.#header === null) throw empty('The file holds nothing but blank lines.');
    if (this.#rows === 0) {
      throw new InvalidDatasetError('HEADER_ONLY', 'There is a header but no row below it.', {
        hint: 'The first row must hold the names of the columns, the rows after it the data.',
      });
    }
    if (this.#table?.bom === true && !this.#utf8.valid) {
      throw new InvalidDatasetError(
        'UNSUPPORTED_ENCODING',
        'The file says it is UTF-8 (byte order mark) but holds bytes that are not.',
        { hint: 'Save it again as UTF-8.' },
      );
    }
  }
}

const isZeros = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0);

const toError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
