/**
 * `npm run bench:scale -- [--tables tall,wide] [--budgets 60,300] [--rows N] [--steps]`: jobs on large tables through the
 * public API. Prints wall seconds (from the job's first event to its last), the most memory that the server and all it started
 * held at once, and the scores. The tables are made in a temporary folder, some 700 MB for all.
 *
 * Memory is proportional (PSS): a page that several processes share is counted once. It is sampled twice a second (Linux).
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { temporaryFolder } from '../test/server-process.ts';
import { uploadAndStart, watch } from './client.ts';
import { SCALE_TABLES, writeTable } from './scale-tables.ts';
import { megabytes, printTable, startServer } from './server.ts';

const SAMPLE_MS = 500;

const { values } = parseArgs({
  options: {
    tables: { type: 'string' },
    budgets: { type: 'string' },
    rows: { type: 'string' },
    steps: { type: 'boolean', default: false },
  },
});
const names = values.tables?.split(',');
const tables = SCALE_TABLES.filter(({ name }) => names === undefined || names.includes(name));
const folder = await temporaryFolder('bench-scale');
const rows: string[][] = [];
try {
  for (const table of tables) {
    const file = join(folder.path, `${table.name}.csv`);
    const bytes = await writeTable(table, file, values.rows ? Number(values.rows) : table.rows);
    for (const budget of values.budgets?.split(',').map(Number) ?? table.budgets) {
      rows.push([
        table.name,
        `${values.rows ?? table.rows} x ${table.columns}`,
        megabytes(bytes),
        ...(await measure(file, budget)),
      ]);
      console.log(rows.at(-1)?.join('  '));
    }
  }
} finally {
  await folder.remove();
}
printTable(
  'jobs on large tables',
  [
    'table',
    'size',
    'MB',
    'budget s',
    'wall s',
    'over s',
    'peak MB',
    'trials',
    'baseline',
    'validation',
    'holdout',
    'end',
  ],
  rows,
);

async function measure(file: string, budget: number): Promise<string[]> {
  const server = await startServer();
  const memory = watchMemory(server.pid);
  try {
    const { jobId } = await uploadAndStart(server.url, file, {
      targetColumn: 'target',
      timeBudgetSeconds: budget,
    });
    let first = Number.NaN;
    let wall = 0;
    let trials = 0;
    let end = '';
    let result = null;
    for await (const { event, job } of watch(server.url, jobId)) {
      if (event === null) continue;
      const at = Date.parse(event.at);
      if (Number.isNaN(first) && job.status === 'RUNNING') first = at;
      wall = (at - first) / 1000;
      if (event.__typename === 'TrialFinished') trials += 1;
      if (values.steps && event.__typename === 'StepFinished') {
        const peak = megabytes(memory.peak());
        console.log(
          `${wall.toFixed(1).padStart(8)}  ${(event.seconds ?? 0).toFixed(1).padStart(6)} s  ${event.step}  ${peak} MB`,
        );
      }
      end = job.failure?.code ?? job.status;
      result = job.result;
    }
    return [
      String(budget),
      wall.toFixed(1),
      Math.max(0, wall - budget).toFixed(1),
      megabytes(memory.peak()),
      String(trials),
      ...[result?.baselineScore, result?.validationScore, result?.holdoutScore].map(
        (score) => score?.toFixed(4) ?? '-',
      ),
      end,
    ];
  } catch (error) {
    throw new Error(`the job's end was not heard of. The server said:\n${server.log()}`, { cause: error });
  } finally {
    memory.stop();
    await server.stop();
  }
}

/** Samples what a process and all its descendants hold, until stopped. */
function watchMemory(pid: number): { peak(): number; stop(): void } {
  let peak = 0;
  let isOver = false;
  const look = async (): Promise<void> => {
    while (!isOver) {
      const sizes = await Promise.all((await tree(pid)).map(proportionalBytes));
      peak = Math.max(
        peak,
        sizes.reduce((sum, size) => sum + size, 0),
      );
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
    }
  };
  void look();
  return {
    peak: () => peak,
    stop() {
      isOver = true;
    },
  };
}

/** A process and its descendants. */
async function tree(root: number): Promise<number[]> {
  const children = new Map<number, number[]>();
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '');
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const found = [root];
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found;
}

/** 0 when the process has ended. */
async function proportionalBytes(pid: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1024;
}
