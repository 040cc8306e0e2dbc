import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { environmentDirectory } from '../../src/sandbox/python-environment.ts';
import { type ServerProcess, startServerProcess, temporaryFolder } from '../server-process.ts';
import { ApiUser, type ArtifactState, type JobUpdate } from './client.ts';
import { binaryTable, regressionTable } from './tables.ts';

const run = promisify(execFile);
const TOOLKIT = join(import.meta.dirname, '../../toolkit');

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: ServerProcess;
let user: ApiUser;

beforeAll(async () => {
  folder = await temporaryFolder('end-to-end');
  server = await startServerProcess({ dataDir: join(folder.path, 'data') });
  user = new ApiUser(server.url);
});

afterAll(async () => {
  await server?.terminate();
  await folder?.remove();
});

describe('a CSV becomes a model', () => {
  let updates: JobUpdate[];
  let artifacts: ArtifactState[];
  let jobId: string;

  beforeAll(async () => {
    const penguins = await readFile(join(import.meta.dirname, '../../examples/penguins.csv'));
    jobId = await user.startJob(penguins, { targetColumn: 'species', timeBudgetSeconds: 30 });
    updates = await user.untilEnded(jobId);
    artifacts = await user.artifacts(jobId);
  }, 120_000);

  it('ends well, with a score on sealed rows beside its interval and a baseline', () => {
    const last = updates.at(-1)?.job;
    expect(last).toMatchObject({
      status: 'SUCCEEDED',
      task: 'MULTICLASS',
      metric: 'LOG_LOSS',
      progress: 1,
      failure: null,
    });
    const result = last?.result;
    expect(result?.holdoutScore).toBeLessThan((result?.baselineScore ?? 0) / 2);
    expect(result?.holdoutInterval?.low).toBeLessThanOrEqual(result?.holdoutScore ?? Number.NaN);
    expect(result?.holdoutInterval?.high).toBeGreaterThanOrEqual(result?.holdoutScore ?? Number.NaN);
  });

  it('tells every event once, in order, from the first to the last', () => {
    const events = updates.flatMap(({ event }) => event ?? []);
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1));
    expect(events.length).toBe(updates.at(-1)?.job.lastSequence);
    expect(events.at(-1)).toMatchObject({ __typename: 'StatusChanged', to: 'SUCCEEDED' });
  });

  it('tells what became of each column, in the order of the file', async () => {
    interface Column {
      name: string;
      role: string;
      treatment: string | null;
      reason: string | null;
      warnings: { code: string }[];
    }
    const { job } = await user.query<{
      job: { columns: Column[]; dataset: { columns: { name: string }[] } };
    }>(
      `query ($id: ID!) { job(id: $id) { dataset { columns { name } }
        columns { name type role treatment reason warnings { code message } } } }`,
      { id: jobId },
    );
    expect(job.columns.map(({ name }) => name)).toEqual(job.dataset.columns.map(({ name }) => name));
    expect(job.columns.filter(({ role }) => role === 'TARGET').map(({ name }) => name)).toEqual(['species']);
    for (const { role, treatment, reason } of job.columns) {
      expect(treatment === null).toBe(role !== 'FEATURE');
      if (role === 'DROPPED' || role === 'IGNORED') expect(reason).not.toBeNull();
    }
  });

  it('never lets progress fall', () => {
    const progress = updates.map(({ job }) => job.progress);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
  });

  it('shows all six agents and all stages at work', () => {
    const events = updates.flatMap(({ event }) => event ?? []);
    expect(new Set(events.flatMap(({ agent }) => agent ?? []))).toEqual(
      new Set(['ORCHESTRATOR', 'PREPROCESSING', 'MASTER_TRAINER', 'SUB_TRAINER', 'EVALUATOR', 'TUNER']),
    );
    const stages = events.filter(({ __typename }) => __typename === 'StageStarted').map(({ stage }) => stage);
    expect([...new Set(stages)]).toEqual([
      'SETUP',
      'PREPROCESSING',
      'TRAINING',
      'EVALUATION',
      'TUNING',
      'REPORTING',
    ]);
  });

  it('has sub-trainers side by side', () => {
    const open = new Set<string>();
    let most = 0;
    for (const { event } of updates) {
      if (event?.agent !== 'SUB_TRAINER' || event.step === undefined) continue;
      if (event.__typename === 'StepStarted') open.add(event.step);
      if (event.__typename === 'StepFinished') open.delete(event.step);
      most = Math.max(most, open.size);
    }
    expect(most).toBeGreaterThanOrEqual(2);
  });

  it('leaves model, report, metrics, predictions, leaderboard, code, log and plots, whole', async () => {
    const names = artifacts.map(({ name }) => name.split('/').at(-1));
    expect(names).toEqual(
      expect.arrayContaining([
        'model.pkl',
        'report.html',
        'metrics.json',
        'predictions.csv',
        'leaderboard.csv',
        'pipeline.py',
        'training.log',
        'confusion-matrix.svg',
        'roc-curve.svg',
        'precision-recall.svg',
        'calibration.svg',
        'feature-importance.svg',
        'partial-dependence.svg',
        'score-over-time.svg',
      ]),
    );
    for (const { name, signedUrl, sha256, size } of artifacts) {
      const path = join(folder.path, name.replaceAll('/', '_'));
      await user.download(signedUrl.url, path);
      const bytes = await readFile(path);
      expect({ name, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }).toEqual({
        name,
        size,
        sha256,
      });
    }
  });

  it('leaves a model that predicts rows it has never seen', async () => {
    const model = artifacts.find(({ name }) => name === 'model.pkl');
    await user.download(model?.signedUrl.url ?? '', join(folder.path, 'model.pkl'));
    const fresh = join(folder.path, 'fresh.csv');
    await writeFile(
      fresh,
      'island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,sex,year\nTorgersen,39.1,18.7,181,3750,male,2007\nBiscoe,50.0,15.2,218,5700,male,2009\n',
    );
    const python = join(environmentDirectory({ directory: process.env.TOOLKIT_ENV_DIR }), 'bin', 'python');
    const { stdout } = await run(
      python,
      ['-m', 'sproutml_toolkit', 'predict', '--model', join(folder.path, 'model.pkl'), '--input', fresh],
      { cwd: TOOLKIT },
    );
    expect(stdout).toMatch(/Adelie/);
    expect(stdout).toMatch(/Gentoo/);
  });

  it('removes the sandbox folder once the job has ended', async () => {
    await expect(run('ls', [join(folder.path, 'data', 'sandboxes', jobId)])).rejects.toThrow();
  });
});

describe('a table whose rows belong together', () => {
  const penguins = () => readFile(join(import.meta.dirname, '../../examples/penguins.csv'), 'utf8');

  it('is split by group: no year is both learnt from and scored on', { timeout: 90_000 }, async () => {
    const csv = await penguins();
    const id = await user.startJob(csv, { targetColumn: 'species', groupColumn: 'year', maxTrials: 1 });
    const updates = await user.untilEnded(id);
    expect(updates.at(-1)?.job).toMatchObject({ status: 'SUCCEEDED' });
    expect(updates.map(({ event }) => event?.message)).toContainEqual(
      expect.stringContaining('1 of the 3 groups of "year" is sealed'),
    );
    const predictions = (await user.artifacts(id)).find(({ name }) => name === 'predictions.csv');
    const path = join(folder.path, 'grouped.csv');
    await user.download(predictions?.signedUrl.url ?? '', path);
    const rows = csv.trimEnd().split('\n').slice(1);
    const sides = new Map<string, Set<string>>();
    for (const line of (await readFile(path, 'utf8')).trimEnd().split('\n').slice(1)) {
      const [row = '', split = '', fold = ''] = line.split(',');
      const year = rows[Number(row)]?.trim().split(',').at(-1) ?? '';
      sides.set(year, (sides.get(year) ?? new Set()).add(`${split} ${fold}`));
    }
    expect([...sides.values()].map((each) => [...each]).sort()).toEqual([
      ['holdout '],
      ['validation 0'],
      ['validation 1'],
    ]);
  });

  it('fails with a reason where the groups are too few to part', { timeout: 60_000 }, async () => {
    const lines = (await penguins()).split('\n').filter((line) => !line.endsWith('2009'));
    const id = await user.startJob(lines.join('\n'), { targetColumn: 'species', groupColumn: 'year' });
    const job = (await user.untilEnded(id)).at(-1)?.job;
    expect(job).toMatchObject({ status: 'FAILED', failure: { code: 'TOO_FEW_GROUPS', stage: 'SETUP' } });
    expect(job?.failure?.hint).toContain('groupColumn');
  });
});

describe('a job that is stopped', () => {
  it('keeps the best model so far when it is cancelled', { timeout: 90_000 }, async () => {
    const id = await user.startJob(binaryTable(3000), { targetColumn: 'label', timeBudgetSeconds: 600 });
    for await (const { job } of user.watch(id)) if (job.result) break;
    expect(await user.cancel(id)).toMatchObject({ __typename: 'CancelJobSuccess' });
    const last = (await user.untilEnded(id)).at(-1)?.job;
    expect(last).toMatchObject({ status: 'CANCELLED', failure: null });
    expect(last?.result?.holdoutScore).toEqual(expect.any(Number));
    expect((await user.artifacts(id)).map(({ name }) => name)).toContain('model.pkl');
  });

  it('succeeds with the best so far at its deadline', { timeout: 120_000 }, async () => {
    const id = await user.startJob(regressionTable(20_000), { targetColumn: 'y', timeBudgetSeconds: 12 });
    const updates = await user.untilEnded(id);
    expect(updates.at(-1)?.job).toMatchObject({ status: 'SUCCEEDED', task: 'REGRESSION', metric: 'RMSE' });
    expect((await user.artifacts(id)).map(({ name }) => name)).toEqual(
      expect.arrayContaining(['model.pkl', 'residuals.svg', 'predicted-vs-actual.svg']),
    );
  });

  it('is cancelled at once while it waits', { timeout: 90_000 }, async () => {
    const table = binaryTable(3000);
    const running = await user.startJob(table, { targetColumn: 'label', timeBudgetSeconds: 600 });
    const waiting = await user.startJob(table, { targetColumn: 'label', timeBudgetSeconds: 600 });
    await user.cancel(waiting);
    expect(await user.job(waiting)).toMatchObject({ status: 'CANCELLED', result: null });
    await user.cancel(running);
    expect((await user.untilEnded(running)).at(-1)?.job.status).toBe('CANCELLED');
  });
});

describe('a server that is told to go', () => {
  it('ends cleanly in the middle of a job, which goes on at the next start', {
    timeout: 180_000,
  }, async () => {
    const dataDir = join(folder.path, 'shutdown');
    const first = await startServerProcess({ dataDir });
    const before = new ApiUser(first.url);
    const id = await before.startJob(binaryTable(1500), {
      targetColumn: 'label',
      timeBudgetSeconds: 40,
      maxTrials: 5,
    });
    for await (const { event } of before.watch(id)) if (event?.__typename === 'TrialFinished') break;
    expect(await first.terminate()).toBe(0);

    const second = await startServerProcess({ dataDir });
    try {
      const updates = await new ApiUser(second.url).untilEnded(id);
      expect(updates.at(-1)?.job.status).toBe('SUCCEEDED');
      const sequences = updates.flatMap(({ event }) => event?.sequence ?? []);
      expect(sequences).toEqual(sequences.map((_, index) => index + 1));
    } finally {
      await second.terminate();
      await sleep(0);
    }
  });
});
