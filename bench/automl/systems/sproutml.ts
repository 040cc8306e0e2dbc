/**
 * Our half of training, `node sproutml.ts fit FOLDER`: a server of its own, one job through the public API, the model by its
 * signed URL. Timed from the upload to the end of the job, its report included; the server, which stays in real life, is up.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ApiClient } from '../../../src/cli/api-client.ts';
import { downloadArtifact } from '../../../src/cli/download.ts';
import { messageOf } from '../../../src/domain/errors.ts';
import { uploadAndStart, watch } from '../../client.ts';
import { startServer } from '../../server.ts';

const METRIC = { auc: 'ROC_AUC', logloss: 'LOG_LOSS', rmse: 'RMSE' } as const;
const TASK = { binary: 'BINARY', multiclass: 'MULTICLASS', regression: 'REGRESSION' } as const;

const requestShape = z.object({
  target: z.string(),
  task: z.enum(['binary', 'multiclass', 'regression']),
  metric: z.enum(['auc', 'logloss', 'rmse']),
  budget_seconds: z.number(),
});

const folder = process.argv[3];
if (process.argv[2] !== 'fit' || folder === undefined) throw new Error('usage: sproutml.ts fit FOLDER');
const request = requestShape.parse(JSON.parse(await readFile(join(folder, 'request.json'), 'utf8')));

const server = await startServer();
try {
  const started = performance.now();
  const { jobId } = await uploadAndStart(server.url, join(folder, 'train.csv'), {
    targetColumn: request.target,
    task: TASK[request.task],
    metric: METRIC[request.metric],
    timeBudgetSeconds: request.budget_seconds,
    // The harness holds the rows that score us: sealing more of them would only be rows not learnt from.
    holdoutFraction: 0,
  });
  let trials = 0;
  for await (const update of watch(server.url, jobId))
    if (update.event?.__typename === 'TrialFinished') trials++;
  const trainSeconds = (performance.now() - started) / 1000;
  const client = new ApiClient(server.url);
  const { status, failure, result } = await client.job(jobId);
  if (status !== 'SUCCEEDED') throw new Error(`${status}: ${failure?.code} ${failure?.message}`);
  const model = (await client.artifacts(jobId)).find(({ name }) => name === 'model.pkl');
  if (!model) throw new Error('the job left no model.pkl');
  await downloadArtifact(model, join(folder, 'model'));
  const notes = {
    trials,
    best: result?.bestTrial.name,
    validation: result?.validationScore,
  };
  await writeFile(join(folder, 'fit.json'), JSON.stringify({ train_seconds: trainSeconds, notes }));
} catch (error) {
  // The last line of the log becomes the record's error.
  console.error(messageOf(error));
  process.exitCode = 1;
} finally {
  await server.stop();
}
