import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { leftovers } from '../../src/db/schema.ts';
import { type Api, openApi, table } from '../http/api.ts';
import { blobsOf } from '../jobs/rig.ts';

let api: Api;
beforeAll(async () => {
  api = await openApi({ env: { MAX_UPLOAD_BYTES: '3000000', MAX_TIME_BUDGET_SECONDS: '3600' } });
});
afterAll(() => api.close());

const everythingKept = async () => {
  const incoming = await readdir(join(api.rig.dataDir, 'blobs', '.incoming'));
  const noted = await api.rig.store.read.select({ key: leftovers.key }).from(leftovers);
  return [...(await blobsOf(api.rig)), ...incoming, ...noted.map(({ key }) => `noted ${key}`)].toSorted();
};

describe('a table that is refused', () => {
  const wide = Array.from({ length: 10_000 }, (_, i) => `c${i}`).join(',');
  const long = (row: string, n = 12) => `${row}\n`.repeat(n);
  const cases: [string, string | Buffer, string][] = [
    ['is empty', '', 'EMPTY_FILE'],
    ['has only a header', 'a,b,y\n', 'HEADER_ONLY'],
    ['is binary', randomBytes(50_000), 'BINARY_FILE'],
    ['is an Excel workbook', Buffer.from('PK\x03\x04 and so on'), 'BINARY_FILE'],
    ['is UTF-16', Buffer.from(`\ufeff${table()}`, 'utf16le'), 'UNSUPPORTED_ENCODING'],
    ['has ragged rows', `a,y\n${long('1,2')}1,2,3\n`, 'RAGGED_ROWS'],
    ['has a quote never closed', `a,y\n${long('1,2')}"3,4\n`, 'UNCLOSED_QUOTE'],
    ['has one row', 'a,b,y\n1,2,yes\n', 'TOO_FEW_ROWS'],
    ['has 10,000 columns', `${wide}\n${long(wide)}`, 'TOO_MANY_COLUMNS'],
    ['has a target that never varies', `a,y\n${long('1,yes')}`, 'TARGET_CONSTANT'],
    ['has a target without a value', `a,y\n${long('1,NA')}`, 'TARGET_EMPTY'],
    ['is too large', 'a,y\n1,2\n'.repeat(1_000_000), 'FILE_TOO_LARGE'],
    ['is a gzip cut short', gzipSync(table(500)).subarray(0, 600), 'CORRUPT_GZIP'],
    ['has no column names', ',,\n1,2,3\n', 'HEADER_EMPTY'],
  ];
  it.each(cases)('when it %s, leaves nothing and says what to do', async (_name, csv, code) => {
    const before = await everythingKept();
    const answer = await api.start(csv, { targetColumn: 'y' });
    expect(answer).toMatchObject({ __typename: 'InvalidDatasetError', code });
    expect(answer.message).toMatch(/\.$/);
    expect(answer.hint).toMatch(/\.$/);
    expect(await everythingKept()).toEqual(before);
  });

  it('does not hold the target that was named', async () => {
    const before = await everythingKept();
    const answer = await api.start('id,price\n1,2\n'.repeat(10), { targetColumn: 'prce' });
    expect(answer).toEqual({
      __typename: 'TargetNotFoundError',
      code: 'TARGET_NOT_FOUND',
      message: 'There is no column "prce".',
      hint: 'Did you mean "price"?',
      columns: ['id', 'price'],
      suggestion: 'price',
    });
    expect(await everythingKept()).toEqual(before);
  });

  it('names two columns like the target', async () => {
    const answer = await api.start(`a,y,y\n${'1,2,3\n'.repeat(12)}`, { targetColumn: 'y' });
    expect(answer).toMatchObject({
      __typename: 'InvalidOptionsError',
      code: 'TARGET_AMBIGUOUS',
      field: 'targetColumn',
    });
    const other = await api.start(`a,a,y\n${'1,2,3\n4,5,6\n'.repeat(6)}`, { targetColumn: 'y' });
    expect(other.job?.dataset.columns).toEqual([{ name: 'a' }, { name: 'a_2' }, { name: 'y' }]);
  });
});

describe('options', () => {
  const cases: [Record<string, unknown>, string, string][] = [
    [{ timeBudgetSeconds: 0 }, 'OPTION_OUT_OF_RANGE', 'timeBudgetSeconds'],
    [{ timeBudgetSeconds: -5 }, 'OPTION_OUT_OF_RANGE', 'timeBudgetSeconds'],
    [{ timeBudgetSeconds: 3601 }, 'OPTION_OUT_OF_RANGE', 'timeBudgetSeconds'],
    [{ maxTrials: 0 }, 'OPTION_OUT_OF_RANGE', 'maxTrials'],
    [{ seed: -1 }, 'OPTION_OUT_OF_RANGE', 'seed'],
    [{ seed: 1_000_000_001 }, 'OPTION_OUT_OF_RANGE', 'seed'],
    [{ metric: 'RMSE', task: 'BINARY' }, 'METRIC_MISMATCH', 'metric'],
    [{ metric: 'F1', task: 'MULTICLASS' }, 'METRIC_MISMATCH', 'metric'],
    [{ metric: 'ROC_AUC', goalScore: 1.2 }, 'OPTION_OUT_OF_RANGE', 'goalScore'],
    [{ metric: 'RMSE', goalScore: -1 }, 'OPTION_OUT_OF_RANGE', 'goalScore'],
    [{ ignoreColumns: ['y'] }, 'TARGET_IGNORED', 'ignoreColumns'],
    [{ ignoreColumns: ['a', 'nope'] }, 'COLUMNS_NOT_FOUND', 'ignoreColumns'],
    [{ ignoreColumns: ['a', 'b'] }, 'NO_FEATURES', 'ignoreColumns'],
    [{ keepColumns: ['a', 'nope'] }, 'COLUMNS_NOT_FOUND', 'keepColumns'],
    [{ keepColumns: ['y'] }, 'COLUMN_NOT_KEPT', 'keepColumns'],
    [{ keepColumns: ['a'], ignoreColumns: ['a'] }, 'COLUMN_NOT_KEPT', 'keepColumns'],
    [{ keepColumns: ['a'], groupColumn: 'a' }, 'COLUMN_NOT_KEPT', 'keepColumns'],
    [{ maxCostUsd: -0.01 }, 'OPTION_OUT_OF_RANGE', 'maxCostUsd'],
    [{ holdoutFraction: -0.1 }, 'OPTION_OUT_OF_RANGE', 'holdoutFraction'],
    [{ holdoutFraction: 0.51 }, 'OPTION_OUT_OF_RANGE', 'holdoutFraction'],
    [{ metric: 'PINBALL', quantile: 0 }, 'OPTION_OUT_OF_RANGE', 'quantile'],
    [{ metric: 'PINBALL', quantile: 1 }, 'OPTION_OUT_OF_RANGE', 'quantile'],
    [{ metric: 'MAE', quantile: 0.9 }, 'QUANTILE_WITHOUT_PINBALL', 'quantile'],
    [{ quantile: 0.9 }, 'QUANTILE_WITHOUT_PINBALL', 'quantile'],
    [{ metric: 'PINBALL', task: 'BINARY' }, 'METRIC_MISMATCH', 'metric'],
    [{ groupColumn: 'nope' }, 'COLUMNS_NOT_FOUND', 'groupColumn'],
    [{ timeColumn: 'nope' }, 'COLUMNS_NOT_FOUND', 'timeColumn'],
    [{ groupColumn: 'y' }, 'COLUMN_IS_TARGET', 'groupColumn'],
    [{ timeColumn: 'y' }, 'COLUMN_IS_TARGET', 'timeColumn'],
    [{ groupColumn: 'a', timeColumn: 'b' }, 'GROUP_OR_TIME', 'timeColumn'],
    [{ groupColumn: 'a', ignoreColumns: ['b'] }, 'NO_FEATURES', 'groupColumn'],
    [{ name: 'n'.repeat(201) }, 'OPTION_TOO_LONG', 'name'],
    [{ instructions: 'i'.repeat(10_001) }, 'OPTION_TOO_LONG', 'instructions'],
    [{ idempotencyKey: '' }, 'OPTION_EMPTY', 'idempotencyKey'],
    [{ datasetId: 'both' }, 'FILE_OR_DATASET', 'file'],
  ];
  it.each(cases)('%j are refused', async (options, code, field) => {
    const before = await everythingKept();
    const answer = await api.start(table(), { targetColumn: 'y', ...options });
    expect(answer).toMatchObject({ __typename: 'InvalidOptionsError', code, field });
    expect(answer.hint).toMatch(/\.$|\?$/);
    expect(await everythingKept()).toEqual(before);
  });

  it('left out, never ask for more time than the server takes', async () => {
    const strict = await openApi({ env: { MAX_TIME_BUDGET_SECONDS: '100' } });
    try {
      const { job } = await strict.start(table(), { targetColumn: 'y' });
      const budget = 'query ($id: ID!) { job(id: $id) { timeBudgetSeconds } }';
      expect(await strict.ask(budget, { id: job?.id })).toEqual({ job: { timeBudgetSeconds: 100 } });
    } finally {
      await strict.close();
    }
  });

  it('keep the quantile that PINBALL asks for', async () => {
    const { job } = await api.start(table(), { targetColumn: 'y', metric: 'PINBALL', quantile: 0.9 });
    const asked = 'query ($id: ID!) { job(id: $id) { metric quantile } }';
    expect(await api.ask(asked, { id: job?.id })).toEqual({ job: { metric: 'PINBALL', quantile: 0.9 } });
  });

  it('reach the job as they were given', async () => {
    const answer = await api.start(table(), {
      targetColumn: ' y ',
      name: 'mine',
      task: 'BINARY',
      metric: 'LOG_LOSS',
      timeBudgetSeconds: 60,
      maxTrials: 5,
      seed: 7,
      goalScore: 0.1,
      instructions: 'be quick',
      ignoreColumns: ['a'],
      keepColumns: [' b '],
      holdoutFraction: 0.5,
      timeColumn: ' b ',
    });
    const { job } = await api.ask<{ job: unknown }>(
      `query ($id: ID!) { job(id: $id) {
        name targetColumn task metric timeBudgetSeconds maxTrials seed goalScore instructions ignoreColumns keepColumns holdoutFraction groupColumn timeColumn mind sandbox } }`,
      { id: answer.job?.id },
    );
    expect(job).toEqual({
      name: 'mine',
      targetColumn: 'y',
      task: 'BINARY',
      metric: 'LOG_LOSS',
      timeBudgetSeconds: 60,
      maxTrials: 5,
      seed: 7,
      goalScore: 0.1,
      instructions: 'be quick',
      ignoreColumns: ['a'],
      keepColumns: ['b'],
      holdoutFraction: 0.5,
      groupColumn: null,
      timeColumn: 'b',
      mind: 'PLAYBOOK',
      sandbox: 'LOCAL',
    });
  });
});

it('trains on a dataset uploaded before, as often as wanted', async () => {
  const csv = gzipSync(table(30, ';'));
  const { uploadDataset } = await api.ask<{ uploadDataset: { dataset: { id: string } } }>(
    `mutation ($file: Upload!) { uploadDataset(input: { file: $file, name: "shared" }) {
      ... on UploadDatasetSuccess { dataset { id name rowCount sha256 dialect { delimiter compression } } } } }`,
    { file: new File([csv], '../../etc/passwd.csv.gz') },
  );
  expect(uploadDataset.dataset).toMatchObject({
    name: 'shared',
    rowCount: 30,
    sha256: createHash('sha256').update(csv).digest('hex'),
    dialect: { delimiter: ';', compression: 'gzip' },
  });
  const datasetId = uploadDataset.dataset.id;
  const start = (input: Record<string, unknown>) =>
    api.ask<{ startTraining: { __typename: string; code?: string; job?: { id: string } } }>(
      `mutation ($input: StartTrainingInput!) { startTraining(input: $input) {
        __typename ... on Error { code } ... on StartTrainingSuccess { job { id dataset { id } } } } }`,
      { input },
    );
  for (let n = 0; n < 2; n++) {
    expect((await start({ datasetId, targetColumn: 'y' })).startTraining).toMatchObject({
      job: { dataset: { id: datasetId } },
    });
  }
  expect((await start({ datasetId, targetColumn: 'nope' })).startTraining.code).toBe('TARGET_NOT_FOUND');
  expect((await start({ targetColumn: 'y' })).startTraining.code).toBe('FILE_OR_DATASET');
  const missing = 'dataset_00000000-0000-4000-8000-000000000000';
  for (const id of [missing, 'nonsense', datasetId.replace('dataset_', 'job_')]) {
    expect((await start({ datasetId: id, targetColumn: 'y' })).startTraining).toMatchObject({
      __typename: 'DatasetNotFoundError',
      code: 'DATASET_NOT_FOUND',
    });
  }
});

it('shows a name from an upload as a name, wherever it points', async () => {
  const names = ['../../etc/passwd.csv', 'C:\\data\\mine.csv', 'a\r\nset-cookie: x.csv', '\u202ecsv.exe', ''];
  const shown = [];
  for (const name of names)
    shown.push((await api.start(table(), { targetColumn: 'y' }, name)).job?.dataset.name);
  expect(shown).toEqual([
    'passwd.csv',
    'mine.csv',
    expect.not.stringMatching(/[\r\n]/),
    'csv.exe',
    expect.any(String),
  ]);
});

it('returns the same job for the same key and input, and keeps one copy of the table', async () => {
  const input = { targetColumn: 'y', idempotencyKey: 'once' };
  const first = await api.start(table(40), input);
  const before = await everythingKept();
  const second = await api.start(table(40), input);
  expect(second.job?.id).toBe(first.job?.id);
  expect(await everythingKept()).toEqual(before);
  expect(await api.start(table(41), input)).toMatchObject({
    __typename: 'InvalidOptionsError',
    code: 'IDEMPOTENCY_KEY_REUSED',
  });
  expect(await everythingKept()).toEqual(before);
});

it('refuses a job more than may wait, and keeps nothing of it', async () => {
  const full = await openApi({ maxQueuedJobs: 1 });
  await full.start(table(), { targetColumn: 'y' });
  const before = await blobsOf(full.rig);
  expect(await full.start(table(), { targetColumn: 'y' })).toMatchObject({
    __typename: 'QuotaExceededError',
    code: expect.stringMatching(/^[A-Z_]+$/),
  });
  expect(await blobsOf(full.rig)).toEqual(before);
  await full.close();
});

it('cancels, retries and deletes, each with its errors as values', async () => {
  const { job } = await api.start(table(), { targetColumn: 'y' });
  const run = async (name: string, id = job?.id) => {
    const answer = await api.ask<Record<string, { __typename: string; code?: string }>>(
      `mutation ($id: ID!) { ${name}(input: { jobId: $id }) { __typename ... on Error { code message hint } } }`,
      { id },
    );
    return answer[name];
  };
  expect(await run('deleteJob')).toMatchObject({ __typename: 'JobStateError' });
  expect(await run('retryJob')).toMatchObject({ __typename: 'JobStateError' });
  expect(await run('cancelJob')).toEqual({ __typename: 'CancelJobSuccess' });
  expect(await run('cancelJob')).toMatchObject({ __typename: 'JobStateError' });
  expect(await run('retryJob')).toEqual({ __typename: 'RetryJobSuccess' });
  expect(await run('deleteJob')).toEqual({ __typename: 'DeleteJobSuccess' });
  for (const name of ['cancelJob', 'retryJob', 'deleteJob']) {
    for (const id of [job?.id, 'nonsense', 'dataset_00000000-0000-4000-8000-000000000000']) {
      expect(await run(name, id)).toMatchObject({ __typename: 'JobNotFoundError', code: 'JOB_NOT_FOUND' });
    }
  }
});
