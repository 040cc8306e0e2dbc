/**
 * The tables of `bench:scale`: made up, the same on every machine, each with a signal that some of its columns carry.
 * A made-up table tells nothing of accuracy on real ones; here it is size that counts.
 */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';

export interface ScaleTable {
  name: string;
  rows: number;
  columns: number;
  what: string;
  /** Seconds of time budget it is run with unless others are asked for. */
  budgets: readonly number[];
  cells: CellWriter;
}

/** Fills one row's cells (target last) and draws all chance from `random`. */
type CellWriter = (row: number, cells: string[], random: () => number) => void;

const WORDS = Array.from({ length: 4_000 }, (_, index) => word(index));
const DAY_ZERO = Date.UTC(2015, 0, 1);

export const SCALE_TABLES: readonly ScaleTable[] = [
  {
    name: 'tall',
    rows: 500_000,
    columns: 40,
    what: 'mixed, two classes',
    budgets: [60, 120, 300],
    cells: mixed(39, 'binary'),
  },
  {
    name: 'wide',
    rows: 2_000,
    columns: 5_001,
    what: 'numbers, regression',
    budgets: [60, 120],
    cells: numbers(5_000),
  },
  {
    name: 'wide-mixed',
    rows: 2_000,
    columns: 3_301,
    what: 'mixed, three classes',
    budgets: [60, 120],
    cells: mixed(3_300, 'three'),
  },
  {
    name: 'long',
    rows: 5_000_000,
    columns: 10,
    what: 'mixed, two classes',
    budgets: [120, 300],
    cells: mixed(9, 'binary'),
  },
  {
    name: 'texts',
    rows: 50_000,
    columns: 8,
    what: 'three long texts, two classes',
    budgets: [60, 120],
    cells: texts(),
  },
];

/** Writes the table as CSV; returns its bytes. `rows` cuts it short. */
export async function writeTable(table: ScaleTable, file: string, rows = table.rows): Promise<number> {
  const random = randomStream(table.columns * 7_919 + 17);
  const out = createWriteStream(file, { highWaterMark: 4 << 20 });
  const cells: string[] = Array.from({ length: table.columns }, (_, i) =>
    i === table.columns - 1 ? 'target' : `c${i}`,
  );
  let block = [cells.join(',')];
  let size = 0;
  for (let row = 0; row < rows; row += 1) {
    table.cells(row, cells, random);
    const line = cells.join(',');
    size += line.length;
    block.push(line);
    if (size > 2e6 || row === rows - 1) {
      if (!out.write(`${block.join('\n')}\n`)) await once(out, 'drain');
      block = [];
      size = 0;
    }
  }
  out.end();
  await finished(out);
  return out.bytesWritten;
}

/** Of ten columns six are numbers (one in twenty cells empty, some in whole numbers), two categories, a date and a flag. */
function mixed(features: number, target: 'binary' | 'three'): CellWriter {
  return (_row, cells, random) => {
    let signal = 0;
    for (let column = 0; column < features; column += 1) {
      const kind = column % 10;
      const counts = column < 40;
      if (kind < 6) {
        const value = normal(random);
        const isMissing = kind > 2 && random() < 0.05;
        cells[column] = isMissing ? '' : kind === 1 ? String(Math.round(value * 20)) : value.toFixed(4);
        if (counts && !isMissing) signal += column % 3 === 0 ? 0.5 * value : 0.4 * (Math.abs(value) - 0.8);
      } else if (kind === 6) {
        const value = Math.floor(random() ** 2 * 12);
        cells[column] = `kind ${String.fromCharCode(97 + value)}`;
        if (counts) signal += ((value * 7) % 5) * 0.2 - 0.4;
      } else if (kind === 7) {
        const value = Math.floor(random() ** 3 * 5_000);
        cells[column] = random() < 0.03 ? 'NA' : `S${10_000 + value}`;
        if (counts) signal += ((value * 13) % 11) * 0.08 - 0.4;
      } else if (kind === 8) {
        const day = Math.floor(random() * 3_000);
        cells[column] = new Date(DAY_ZERO + day * 86_400_000).toISOString().slice(0, 10);
        if (counts) signal += day / 3_000 - 0.5;
      } else {
        const value = random() < 0.3;
        cells[column] = value ? 'yes' : 'no';
        if (counts && value) signal += 0.5;
      }
    }
    const noisy = signal + 1.5 * normal(random);
    cells[features] =
      target === 'binary' ? (noisy > 0.8 ? 'yes' : 'no') : noisy < -1 ? 'low' : noisy < 2 ? 'middle' : 'high';
  };
}

/** Standard normal numbers, of which the first thirty make up the target. */
function numbers(features: number): CellWriter {
  return (_row, cells, random) => {
    let signal = 0;
    for (let column = 0; column < features; column += 1) {
      const value = normal(random);
      cells[column] = value.toFixed(4);
      if (column < 30) signal += column % 2 ? value : Math.abs(value) - 0.8;
    }
    cells[features] = (signal + normal(random)).toFixed(4);
  };
}

/** Three texts of 40 to 160 words, in which some words are more frequent in one class; two numbers, a category, a flag. */
function texts(): CellWriter {
  return (_row, cells, random) => {
    const positive = random() < 0.4;
    for (let column = 0; column < 3; column += 1) {
      const length = 40 + Math.floor(random() * 120);
      const words: string[] = [];
      for (let place = 0; place < length; place += 1) {
        const isTelling = random() < 0.012;
        const index = isTelling
          ? (positive ? 20 : 70) + Math.floor(random() * 50)
          : Math.floor(random() ** 2 * WORDS.length);
        words.push(WORDS[index] ?? '');
      }
      cells[column] = words.join(' ');
    }
    cells[3] = normal(random).toFixed(3);
    cells[4] = (normal(random) + (positive ? 0.3 : 0)).toFixed(3);
    cells[5] = `kind ${Math.floor(random() * 8)}`;
    cells[6] = random() < 0.5 ? 'yes' : 'no';
    cells[7] = positive ? 'spam' : 'ham';
  };
}

function word(index: number): string {
  const syllables = ['ka', 'lo', 'mi', 'ter', 'su', 'ran', 'pe', 'dol', 'vi', 'an'];
  return [index % 10, Math.floor(index / 10) % 10, Math.floor(index / 100) % 10, Math.floor(index / 1_000)]
    .map((place) => syllables[place] ?? '')
    .join('');
}

const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** mulberry32. */
function randomStream(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
