/**
 * `npm run bench:lift -- FOLDER [--budget 60]`: what a scripted "good" language model is worth on a real table. FOLDER holds
 * moneyball.csv. The model writes one column that whoever knows the game would: runs created, on-base times slugging (Bill James,
 * The Baseball Abstract, 1979), and tries it with two families; the playbook trains its own portfolio beside it. Prints the
 * validation score, the playbook's alone, the lift, and the score on the sealed rows.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Beat, KEY, type Seen, startScriptedServer } from '../test/openai/scripted-server.ts';
import { uploadAndStart, watch } from './client.ts';
import { printTable, startServer } from './server.ts';

const { values, positionals } = parseArgs({
  options: { budget: { type: 'string', default: '60' } },
  allowPositionals: true,
});
const [folder] = positionals;
if (folder === undefined) throw new Error('usage: npm run bench:lift -- FOLDER [--budget 60]');

const FAMILIES = ['LINEAR', 'KERNEL'];

function model(seen: Seen): Beat {
  const called = (name: string) =>
    seen.items.filter((item) => item.kind === 'call' && item.name === name).length;
  const call = (name: string, input: Record<string, unknown>): Beat => ({
    calls: [{ name, input: { why: null, ...input } }],
  });
  if (seen.run === 'orchestrator') {
    return called('delegate_preprocessing') === 0
      ? call('delegate_preprocessing', {})
      : call('finish', { outcome: 'Runs created is tried.' });
  }
  if (called('read_columns') === 0) return call('read_columns', {});
  const family = FAMILIES[called('write_features')];
  if (family === undefined) return call('finish', { outcome: 'Runs created is tried.' });
  const onBase = idOf(seen, 'OBP');
  const slugging = idOf(seen, 'SLG');
  return call('write_features', {
    name: `Runs created (${family})`,
    plan: 'Runs come of getting on base times advancing: a product, which a sum cannot say.',
    code: `def features(frame):\n    return frame[[]].assign(runs_created=frame["${onBase}"] * frame["${slugging}"])\n`,
    repairs: null,
    drop: [],
    family,
    parameters: [],
  });
}

/** The id under which the model was told of a column. */
function idOf(seen: Seen, label: string): string {
  const told = seen.items.find((item) => item.kind === 'answer' && item.text.includes('"c0"'));
  const text = told?.kind === 'answer' ? told.text : '';
  const id = new RegExp(`"label":"${label}","id":"(c\\d+)"`).exec(text)?.[1];
  if (id === undefined) throw new Error(`read_columns did not tell of ${label}: ${text.slice(0, 400)}`);
  return id;
}

const scripted = await startScriptedServer(model);
const server = await startServer({
  OPENAI_API_KEY: KEY,
  OPENAI_BASE_URL: scripted.url,
  OPENAI_MODEL: 'scripted-model',
});
try {
  const { jobId } = await uploadAndStart(server.url, join(folder, 'moneyball.csv'), {
    targetColumn: 'RS',
    metric: 'RMSE',
    timeBudgetSeconds: Number(values.budget),
  });
  for await (const { job } of watch(server.url, jobId)) {
    if (job.status === 'FAILED') throw new Error(JSON.stringify(job.failure));
  }
  const response = await fetch(server.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      query:
        'query ($id: ID!) { job(id: $id) { leaderboard { name score origin } result { validationScore playbookScore lift holdoutScore } } }',
      variables: { id: jobId },
    }),
  });
  const { data } = (await response.json()) as { data: { job: Answer } };
  const { result, leaderboard } = data.job;
  printTable(
    'moneyball (RMSE), with a column of a scripted model',
    ['validation', 'playbook alone', 'lift', 'sealed rows'],
    [
      [result.validationScore, result.playbookScore, result.lift, result.holdoutScore].map((score) =>
        String(score),
      ),
    ],
  );
  printTable(
    'the leaderboard',
    ['name', 'RMSE', 'of'],
    leaderboard.slice(0, 8).map(({ name, score, origin }) => [name, score.toFixed(3), origin]),
  );
} finally {
  await server.stop();
  await scripted.close();
}

interface Answer {
  leaderboard: { name: string; score: number; origin: string }[];
  result: {
    validationScore: number;
    playbookScore: number | null;
    lift: number | null;
    holdoutScore: number | null;
  };
}
