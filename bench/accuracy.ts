/**
 * `npm run bench:accuracy -- FOLDER [--budget 120] [NAME ...]`: trains on tables of FOLDER through the public API and prints
 * the sealed-holdout score beside a reference. FOLDER holds CSVs and a catalogue.json:
 * `{datasets: [{name, file, target, metric: auc|logloss|rmse, leak_columns: [], hist_gradient_boosting_5fold: {mean, std}}]}`.
 * The reference is a 5-fold mean on all rows; ours is one holdout, so its own interval stands beside it.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { uploadAndStart, watch } from './client.ts';
import { printTable, startServer } from './server.ts';

const catalogue = z.object({
  datasets: z.array(
    z.object({
      name: z.string(),
      file: z.string(),
      target: z.string(),
      metric: z.enum(['auc', 'logloss', 'rmse']),
      leak_columns: z.array(z.string()).default([]),
      hist_gradient_boosting_5fold: z.object({ mean: z.number(), std: z.number() }).optional(),
    }),
  ),
});
const METRIC = { auc: 'ROC_AUC', logloss: 'LOG_LOSS', rmse: 'RMSE' } as const;

const { values, positionals } = parseArgs({
  options: { budget: { type: 'string', default: '120' } },
  allowPositionals: true,
});
const [folder, ...names] = positionals;
if (folder === undefined)
  throw new Error('usage: npm run bench:accuracy -- FOLDER [--budget 120] [NAME ...]');
const { datasets } = catalogue.parse(JSON.parse(await readFile(join(folder, 'catalogue.json'), 'utf8')));

const server = await startServer();
const rows: string[][] = [];
try {
  for (const dataset of datasets.filter(({ name }) => names.length === 0 || names.includes(name))) {
    const metric = METRIC[dataset.metric];
    const started = performance.now();
    const { jobId } = await uploadAndStart(server.url, join(folder, dataset.file), {
      targetColumn: dataset.target,
      metric,
      timeBudgetSeconds: Number(values.budget),
      ignoreColumns: dataset.leak_columns,
    });
    const last = await endOf(server.url, jobId);
    const reference = dataset.hist_gradient_boosting_5fold;
    const holdout = last.result?.holdoutScore ?? Number.NaN;
    const better = reference && (metric === 'ROC_AUC' ? holdout > reference.mean : holdout < reference.mean);
    rows.push([
      dataset.name,
      metric,
      last.result?.validationScore.toFixed(4) ?? '-',
      holdout.toFixed(4),
      last.result?.holdoutInterval
        ? `${last.result.holdoutInterval.low.toFixed(4)}..${last.result.holdoutInterval.high.toFixed(4)}`
        : '-',
      reference ? `${reference.mean.toFixed(4)} +-${reference.std.toFixed(4)}` : '-',
      better === undefined ? '-' : better ? 'yes' : 'no',
      String(last.trials),
      ((performance.now() - started) / 1000).toFixed(0),
      last.failure?.code ?? last.status,
    ]);
    console.log(rows.at(-1)?.join('  '));
  }
} finally {
  await server.stop();
}
printTable(
  `budget ${values.budget} s`,
  [
    'table',
    'metric',
    'validation',
    'holdout',
    '95% interval',
    'hist GB 5-fold',
    'better',
    'trials',
    'seconds',
    'end',
  ],
  rows,
);

async function endOf(url: string, jobId: string) {
  let trials = 0;
  for await (const update of watch(url, jobId)) if (update.event?.__typename === 'TrialFinished') trials++;
  return { ...(await read(url, jobId)), trials };
}

async function read(url: string, jobId: string) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({
      query: `query ($id: ID!) { job(id: $id) { status failure { code message }
        result { validationScore holdoutScore baselineScore holdoutInterval { low high } } } }`,
      variables: { id: jobId },
    }),
  });
  const answer = (await response.json()) as {
    data: {
      job: {
        status: string;
        failure: { code: string; message: string } | null;
        result: {
          validationScore: number;
          holdoutScore: number | null;
          holdoutInterval: { low: number; high: number } | null;
        } | null;
      };
    };
  };
  return answer.data.job;
}
