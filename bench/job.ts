/**
 * `npm run bench:job [FILE TARGET BUDGET]`: from `startTraining` to the first event, the first usable model and the end, and the
 * share of the running time in which no model was being fitted. Fitting is the union over trials of the `fitSeconds` before
 * each TrialFinished, so that two trials side by side count once.
 */
import { join } from 'node:path';
import { uploadAndStart, watch } from './client.ts';
import { printTable, startServer } from './server.ts';

const [
  file = join(import.meta.dirname, '../examples/penguins.csv'),
  targetColumn = 'species',
  budget = '30',
] = process.argv.slice(2);

const server = await startServer();
try {
  const rows: string[][] = [];
  for (const run of ['cold', 'warm']) rows.push([run, ...(await measure(server.url))]);
  printTable(
    `${file.split('/').at(-1)}, budget ${budget} s`,
    [
      'run',
      'answer s',
      'first event s',
      'first model s',
      'end s',
      'trials',
      'fitting s',
      'not fitting',
      'holdout',
    ],
    rows,
  );
} finally {
  await server.stop();
}

async function measure(url: string): Promise<string[]> {
  const started = performance.now();
  const { jobId, seconds } = await uploadAndStart(url, file, {
    targetColumn,
    timeBudgetSeconds: Number(budget),
  });
  let firstEvent = Number.NaN;
  let firstModel = Number.NaN;
  let startedRunning = Number.NaN;
  let holdout = '';
  const fits: [number, number][] = [];
  const since = (moment: number) => ((moment - started) / 1000).toFixed(2);
  let arrived = started;
  for await (const update of watch(url, jobId)) {
    arrived = update.arrived;
    if (update.event === null) continue;
    if (Number.isNaN(firstEvent)) firstEvent = arrived;
    if (Number.isNaN(startedRunning) && update.job.status === 'RUNNING')
      startedRunning = Date.parse(update.event.at);
    if (Number.isNaN(firstModel) && update.job.result !== null) firstModel = arrived;
    if (update.event.__typename === 'TrialFinished') {
      const end = Date.parse(update.event.at);
      fits.push([end - (update.event.fitSeconds ?? 0) * 1000, end]);
    }
    if (update.job.failure) throw new Error(JSON.stringify(update.job.failure));
    holdout = String(update.job.result?.holdoutScore ?? '');
  }
  const fitting = union(fits) / 1000;
  const running = (arrived - firstEvent) / 1000;
  return [
    seconds.toFixed(2),
    since(firstEvent),
    since(firstModel),
    since(arrived),
    String(fits.length),
    fitting.toFixed(1),
    `${((1 - fitting / running) * 100).toFixed(0)}%`,
    Number(holdout).toFixed(4),
  ];
}

function union(intervals: [number, number][]): number {
  let total = 0;
  let covered = Number.NEGATIVE_INFINITY;
  for (const [from, to] of intervals.sort((a, b) => a[0] - b[0])) {
    total += Math.max(0, to - Math.max(from, covered));
    covered = Math.max(covered, to);
  }
  return total;
}
