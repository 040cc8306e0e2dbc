import { type InspectColor, styleText } from 'node:util';
import { columnsOf, cut, withoutControls } from './terminal-text.ts';

/** A line before it is painted: what it says and in which tone, so that it can be measured, cut and tested as text. */
export type Line = readonly Span[];
export interface Span {
  readonly text: string;
  readonly style: InspectColor | null;
}

export const span = (text: string, style: InspectColor | null = null): Span => ({
  text: withoutControls(text),
  style,
});

export const widthOf = (line: Line): number => line.reduce((sum, { text }) => sum + columnsOf(text), 0);

/** `left` cut to leave room for `right`, which stands at the right edge. */
export function row(left: Line, right: Line, width: number): Line {
  const rightWidth = widthOf(right);
  const shown = cutLine(left, Math.max(0, width - rightWidth - (rightWidth > 0 ? 1 : 0)));
  if (rightWidth === 0) return shown;
  return [...shown, span(' '.repeat(Math.max(1, width - rightWidth - widthOf(shown)))), ...right];
}

/** The line in at most `width` columns. */
export function cutLine(line: Line, width: number): Line {
  const kept: Span[] = [];
  let room = width;
  for (const part of line) {
    const columns = columnsOf(part.text);
    if (columns > room) {
      if (room > 0) kept.push({ ...part, text: cut(part.text, room) });
      return kept;
    }
    kept.push(part);
    room -= columns;
  }
  return kept;
}

export const plainText = (line: Line): string => line.map(({ text }) => text).join('');

/** The line as the stream can show it: colours only on a terminal, and NO_COLOR and FORCE_COLOR obeyed. */
export const painted = (line: Line, stream: NodeJS.WritableStream): string =>
  line.map(({ text, style }) => (style && text !== '' ? styleText(style, text, { stream }) : text)).join('');

/** Prints lines, painted as the stream can show them. */
export function printLines(lines: readonly Line[], stream: NodeJS.WritableStream): void {
  stream.write(`${lines.map((line) => painted(line, stream)).join('\n')}\n`);
}

/** The lines in a frame no wider than `width`; what does not fit is wrapped, not cut: an address must stay whole. */
export function boxed(lines: readonly Line[], width: number): Line[] {
  const inner = Math.min(Math.max(...lines.map(widthOf)), Math.max(20, width - 4));
  const edge = (left: string, right: string): Line => [
    span(`${left}${'─'.repeat(inner + 2)}${right}`, 'dim'),
  ];
  const body = lines
    .flatMap((line) => wrapped(line, inner))
    .map((line): Line => {
      return [span('│ ', 'dim'), ...line, span(' '.repeat(inner - widthOf(line))), span(' │', 'dim')];
    });
  return [edge('╭', '╮'), ...body, edge('╰', '╯')];
}

/** The line's last span broken at spaces, its further lines set under its beginning. */
function wrapped(line: Line, width: number): Line[] {
  const last = line.at(-1);
  if (!last || widthOf(line) <= width) return [line];
  const head = line.slice(0, -1);
  const indent = span(' '.repeat(widthOf(head)));
  const room = width - widthOf(head);
  const rows: string[] = [];
  for (const word of last.text.split(' ')) {
    const current = rows.at(-1);
    if (current !== undefined && columnsOf(`${current} ${word}`) <= room)
      rows[rows.length - 1] = `${current} ${word}`;
    else rows.push(cut(word, room));
  }
  return rows.map((text, index) => [...(index === 0 ? head : [indent]), { ...last, text }]);
}
