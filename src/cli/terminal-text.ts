import { relative } from 'node:path';

/** Text for a terminal: measured in columns, cut to fit, free of control characters; and figures as people read them. */

const WIDE =
  /[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6]|\p{Emoji_Presentation}/u;
const NO_WIDTH = /\p{Mn}|\p{Me}|\p{Cf}/u;
const CONTROL = /\p{Cc}+/gu;

/** Column names and messages come out of strangers' files: an escape sequence in one must not reach the terminal. */
export const withoutControls = (text: string): string => text.replace(CONTROL, ' ');

/** How many columns a terminal gives the text. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const character of text) columns += columnsOfCharacter(character);
  return columns;
}

const columnsOfCharacter = (character: string): number =>
  NO_WIDTH.test(character) ? 0 : WIDE.test(character) ? 2 : 1;

/** The text in at most `columns` columns, its end replaced by an ellipsis when it is longer. */
export function cut(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  if (columns <= 0) return '';
  let kept = '';
  let used = 0;
  for (const character of text) {
    const next = used + columnsOfCharacter(character);
    if (next > columns - 1) break;
    kept += character;
    used = next;
  }
  return `${kept}…`;
}

/** The text in exactly `columns` columns: cut or padded. */
export function aligned(text: string, columns: number, align: 'left' | 'right' = 'left'): string {
  const shown = cut(text, columns);
  const space = ' '.repeat(Math.max(0, columns - columnsOf(shown)));
  return align === 'left' ? shown + space : space + shown;
}

/** 2.1s, 14s, 3m 05s, 1h 02m. */
export function duration(seconds: number): string {
  if (seconds < 9.95) return `${Math.max(0, seconds).toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h ${two(Math.floor((whole % 3600) / 60))}m`;
}

/** 0:14, 12:05, 1:02:05. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const rest = `${two(Math.floor((whole % 3600) / 60))}:${two(whole % 60)}`;
  return whole >= 3600 ? `${Math.floor(whole / 3600)}:${rest}` : rest.replace(/^0/, '');
}

/** 912 B, 14.9 kB, 3.2 MB: powers of a thousand, as disks and networks count. */
export function byteCount(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  let amount = bytes;
  while (amount >= 999.5 && unit < units.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  return `${unit === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${units[unit]}`;
}

/** A score with the digits that matter: 0.0412, 0.9931, 13.2051, 48211.3, 2.5e-5. */
export function scoreText(score: number): string {
  const size = Math.abs(score);
  if (size !== 0 && size < 0.001) return score.toExponential(1);
  return size < 1000 ? score.toFixed(4) : score.toFixed(1);
}

/** A path as one would type it here: relative inside the working directory, absolute outside. */
export function pathFromHere(path: string): string {
  const near = relative(process.cwd(), path);
  return near === '' || near.startsWith('..') ? path : `./${near}`;
}

const two = (number: number): string => String(number).padStart(2, '0');
