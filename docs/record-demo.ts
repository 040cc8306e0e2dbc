// Makes docs/demo.svg: runs the demo for real in a terminal (tmux), takes its picture now and then, and writes the pictures
// as one moving SVG. Usage: node docs/record-demo.ts
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { filmOf } from './terminal-film.ts';

const COLUMNS = 100;
const ROWS = 46;
const EVERY_MS = 1_500;
const LONGEST_MS = 180_000;

const tmux = (...args: string[]): string =>
  execFileSync('tmux', ['-L', 'sproutml-film', ...args], { encoding: 'utf8' });

const main = resolve(import.meta.dirname, '../src/main.ts');
const folder = mkdtempSync(join(tmpdir(), 'sproutml-film-'));
const pictures: string[] = [];
try {
  const size = ['-x', String(COLUMNS), '-y', String(ROWS)];
  const command = `exec '${process.execPath}' '${main}' demo`;
  tmux('new-session', '-d', ...size, '-c', folder, command, ';', 'set', 'remain-on-exit', 'on');
  for (const started = Date.now(); Date.now() - started < LONGEST_MS; ) {
    await sleep(EVERY_MS);
    const ended = tmux('display-message', '-p', '#{pane_dead}').trim() === '1';
    pictures.push(tmux('capture-pane', '-p', '-e'));
    if (ended) break;
  }
} finally {
  tmux('kill-server');
  rmSync(folder, { recursive: true, force: true });
}
const output = join(import.meta.dirname, 'demo.svg');
const shown = pictures
  // What tmux says about the ended process is no part of the demo.
  .map((picture) => picture.replace(/\n.*Pane is dead.*/, ''))
  .filter((picture) => picture.trim() !== '');
const title = 'sproutml demo: the agents at work, the leaderboard, the result and its files';
writeFileSync(output, filmOf(shown, { title, columns: COLUMNS, rows: ROWS, secondsEach: EVERY_MS / 1000 }));
console.log(`${output}: ${shown.length} pictures`);
