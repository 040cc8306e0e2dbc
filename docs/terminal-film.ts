/** Pictures of a terminal (text with SGR colours, as `tmux capture-pane -e` prints it) as one moving, self-contained SVG. */
export function filmOf(
  pictures: readonly string[],
  {
    title,
    columns,
    rows,
    secondsEach,
  }: { title: string; columns: number; rows: number; secondsEach: number },
): string {
  const width = columns * CELL.width + 2 * MARGIN;
  const height = rows * CELL.height + 2 * MARGIN;
  // Most lines stay as they are from one picture to the next: each is stored once and used many times.
  const lines = new Map<string, number>();
  const frames = pictures.map((picture, index) => {
    const uses = drawnLines(picture)
      .slice(0, rows)
      .map((drawn, row) => {
        if (drawn === '') return '';
        const id = lines.get(drawn) ?? lines.size;
        lines.set(drawn, id);
        return `<use href="#l${id}" y="${MARGIN + row * CELL.height}"/>`;
      });
    return `<g transform="translate(0 ${index * height})">${uses.join('')}</g>`;
  });
  const stored = [...lines].map(([drawn, id]) => `<g id="l${id}">${drawn}</g>`);

  const total = pictures.length * secondsEach + LAST_SECONDS;
  const steps = pictures.map((_, index) => {
    return `${((index * secondsEach * 100) / total).toFixed(2)}%{transform:translateY(${-index * height}px)}`;
  });
  const last = `transform:translateY(${-(pictures.length - 1) * height}px)`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title">
<title id="title">${escaped(title)}</title>
<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:${INK};white-space:pre}
.b{font-weight:bold}.d{opacity:.55}
#film{${last};animation:film ${total}s step-end infinite}
@keyframes film{${steps.join('')}100%{${last}}}
@media(prefers-reduced-motion:reduce){#film{animation:none}}</style>
<defs>${stored.join('\n')}</defs>
<rect width="100%" height="100%" rx="8" fill="${PAPER}"/>
<g id="film">${frames.join('\n')}</g>
</svg>
`;
}

const CELL = { width: 8.4, height: 18 };
const MARGIN = 16;
const LAST_SECONDS = 8;
const PAPER = '#11161d';
const INK = '#d5dbe3';
const COLOURS: Readonly<Record<number, string>> = {
  31: '#f47067',
  32: '#6bc46d',
  33: '#daaa3f',
  34: '#6cb6ff',
  35: '#dcbdfb',
  36: '#56d4dd',
};

interface Pen {
  bold: boolean;
  dim: boolean;
  colour: string | null;
}
const PLAIN: Pen = { bold: false, dim: false, colour: null };

/** Each line of the picture as text elements. tmux tells a colour once and lets it last over the ends of lines. */
function drawnLines(picture: string): string[] {
  let pen = PLAIN;
  return picture.split('\n').map((line) => {
    let column = 0;
    let drawn = '';
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is read here
    for (const [, codes, text] of line.matchAll(/\u001b\[([\d;]*)m|([^\u001b]+)/g)) {
      if (text === undefined) {
        for (const code of (codes ?? '').split(';')) pen = penAfter(pen, Number(code));
        continue;
      }
      const cells = [...text].length;
      if (text.trim() !== '') drawn += drawnText(text, column, cells, pen);
      column += cells;
    }
    return drawn;
  });
}

function penAfter(pen: Pen, code: number): Pen {
  if (code === 0) return PLAIN;
  if (code === 1) return { ...pen, bold: true };
  if (code === 2) return { ...pen, dim: true };
  if (code === 22) return { ...pen, bold: false, dim: false };
  if (code === 39) return { ...pen, colour: null };
  return COLOURS[code] ? { ...pen, colour: COLOURS[code] } : pen;
}

function drawnText(text: string, column: number, cells: number, { bold, dim, colour }: Pen): string {
  const names = [bold ? 'b' : '', dim ? 'd' : ''].join(' ').trim();
  const looks = `${names ? ` class="${names}"` : ''}${colour ? ` style="fill:${colour}"` : ''}`;
  const x = (MARGIN + column * CELL.width).toFixed(1);
  // The length is told, so that fonts without these glyphs, or of another width, keep the columns.
  const length = (cells * CELL.width).toFixed(1);
  return `<text x="${x}" y="14" textLength="${length}" lengthAdjust="spacingAndGlyphs"${looks}>${escaped(text)}</text>`;
}

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
