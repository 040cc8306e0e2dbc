import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { createClient as createSseClient } from 'graphql-sse';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { claimQueued } from '../../src/jobs/claim.ts';
import { type Api, openApi, table } from './api.ts';

let api: Api;
let alice: string;
let mallory: string;
/** Of Alice's job, and of nothing. */
let theirs: Record<'job' | 'dataset' | 'artifact', string>;
const absent = { job: randomUUID(), dataset: randomUUID(), artifact: randomUUID() };

beforeAll(async () => {
  api = await openApi({ env: { AUTH_MODE: 'required' } });
  [alice, mallory] = [await api.key('alice'), await api.key('mallory')];
  const { job } = await api.start(table(), { targetColumn: 'y' }, 't.csv', alice);
  const claimed = await claimQueued(api.rig.store);
  if (!job || !claimed) throw new Error('no job');
  await api.rig.recorder({ jobId: claimed.id, attempt: claimed.attempt }).saveArtifact({
    name: 'report.html',
    kind: 'REPORT',
    contentType: 'text/html',
    content: Readable.from(['<p>']),
  });
  const { artifact } = await api.ask<{ artifact: { id: string } }>(
    'query ($id: ID!) { artifact(jobId: $id, name: "report.html") { id } }',
    { id: job.id },
    alice,
  );
  const bare = (id: string) => id.slice(id.indexOf('_') + 1);
  theirs = { job: bare(job.id), dataset: bare(job.dataset.id), artifact: bare(artifact.id) };
});
afterAll(() => api.close());

async function answer(query: string, token: string): Promise<string> {
  const response = await fetch(api.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query }),
  });
  return `${response.status} ${await response.text()}`;
}

type Ids = typeof theirs;
const OPERATIONS: [string, (ids: Ids) => string][] = [
  ['a job', ({ job }) => `{ job(id: "job_${job}") { name events { message } leaderboard { name } } }`],
  ['a job by its bare id', ({ job }) => `{ job(id: "${job}") { name } }`],
  ['a dataset', ({ dataset }) => `{ dataset(id: "dataset_${dataset}") { name columns { name } } }`],
  ['the node of a job', ({ job }) => `{ node(id: "job_${job}") { id } }`],
  ['the node of a dataset', ({ dataset }) => `{ node(id: "dataset_${dataset}") { id } }`],
  ['the node of an artifact', ({ artifact }) => `{ node(id: "artifact_${artifact}") { id } }`],
  ['an artifact by name', ({ job }) => `{ artifact(jobId: "job_${job}", name: "report.html") { sha256 } }`],
  ['the artifacts of a job', ({ job }) => `{ artifacts(jobId: "job_${job}") { nodes { name } } }`],
  ['jobs after a job', ({ job }) => `{ jobs(after: "${job}") { nodes { id } } }`],
  ['jobs before a job', ({ job }) => `{ jobs(before: "${job}") { nodes { id } } }`],
  ['datasets after a dataset', ({ dataset }) => `{ datasets(after: "${dataset}") { nodes { id } } }`],
  ['jobs on a dataset', ({ dataset }) => `{ jobs(filter: { datasetId: "${dataset}" }) { nodes { id } } }`],
  [
    'cancelling',
    ({ job }) =>
      `mutation { cancelJob(input: { jobId: "job_${job}" }) { ...E } } ${error('CancelJobResult')}`,
  ],
  [
    'trying again',
    ({ job }) => `mutation { retryJob(input: { jobId: "job_${job}" }) { ...E } } ${error('RetryJobResult')}`,
  ],
  [
    'deleting',
    ({ job }) =>
      `mutation { deleteJob(input: { jobId: "job_${job}" }) { ...E } } ${error('DeleteJobResult')}`,
  ],
  [
    'training on a dataset',
    ({ dataset }) =>
      `mutation { startTraining(input: { datasetId: "dataset_${dataset}", targetColumn: "y" }) { ...E } } ${error('StartTrainingResult')}`,
  ],
];
const error = (type: string) => `fragment E on ${type} { __typename ... on Error { code message hint } }`;

describe("another owner's", () => {
  it.each(OPERATIONS)('is answered byte for byte as what does not exist: %s', async (_name, operation) => {
    const forTheirs = await answer(operation(theirs), mallory);
    let forNothing = await answer(operation(absent), mallory);
    // Where an answer repeats the id that was asked for, that id is all that may differ.
    for (const kind of ['job', 'dataset', 'artifact'] as const) {
      forNothing = forNothing.replaceAll(absent[kind], theirs[kind]);
    }
    expect(forTheirs).toBe(forNothing);
    expect(forTheirs).not.toContain('INTERNAL_ERROR');
  });

  it.each(OPERATIONS.slice(0, 12))('and the owner sees it: %s', async (_name, operation) => {
    expect(await answer(operation(theirs), alice)).not.toBe(await answer(operation(theirs), mallory));
  });

  it('is in no list', async () => {
    const lists = '{ jobs { nodes { id } } datasets { nodes { id } } health { queuedJobs runningJobs } }';
    expect(JSON.parse((await answer(lists, mallory)).slice(4)).data).toEqual({
      jobs: { nodes: [] },
      datasets: { nodes: [] },
      health: { queuedJobs: 0, runningJobs: 0 },
    });
    const named = '{ jobs(filter: { owner: "alice" }) { nodes { id } } }';
    expect(JSON.parse((await answer(named, mallory)).slice(4)).data.jobs.nodes).toEqual([]);
    expect(JSON.parse((await answer(named, alice)).slice(4)).data.jobs.nodes).toHaveLength(1);
  });

  it('can be followed over neither wire', async () => {
    const authorization = `Bearer ${mallory}`;
    const client = api.webSocket({ connectionParams: { authorization } });
    const events = createSseClient({ url: api.url, headers: { authorization }, retryAttempts: 0 });
    for (const wire of [client, events]) {
      const told = async (id: string) => {
        const messages = [];
        const query = 'subscription ($id: ID!) { jobUpdated(id: $id, after: 0) { job { name } } }';
        for await (const message of wire.iterate({ query, variables: { id } })) messages.push(message);
        return JSON.stringify(messages).replaceAll(id, 'ID');
      };
      const forTheirs = await told(`job_${theirs.job}`);
      expect(forTheirs).toContain('JOB_NOT_FOUND');
      expect(forTheirs).toBe(await told(`job_${absent.job}`));
    }
    await client.dispose();
    events.dispose();
  });
});

it('lets each owner use the same idempotency key for a job of their own', async () => {
  const start = async (token: string) =>
    (await api.start(table(), { targetColumn: 'y', idempotencyKey: 'nightly' }, 't.csv', token)).job?.id;
  const first = await start(alice);
  expect(await start(alice)).toBe(first);
  expect(await start(mallory)).not.toBe(first);
});

it('shares what an update costs among those who may see the same, and never across owners', async () => {
  const { job } = await api.start(table(), { targetColumn: 'y' }, 't.csv', alice);
  const admin = await api.key('root', 'ADMIN');
  const watch = async (token: string) => {
    const client = api.webSocket({ connectionParams: { authorization: `Bearer ${token}` } });
    const query =
      'subscription ($id: ID!) { jobUpdated(id: $id) { job { owner status } event { message } } }';
    const updates = client.iterate({ query, variables: { id: job?.id } });
    await updates.next();
    return { client, next: updates.next() };
  };
  const watchers = [await watch(alice), await watch(admin)];
  await api.ask(
    'mutation ($id: ID!) { cancelJob(input: { jobId: $id }) { __typename } }',
    { id: job?.id },
    alice,
  );
  for (const { client, next } of watchers) {
    expect((await next).value?.data).toMatchObject({
      jobUpdated: { job: { owner: 'alice', status: 'CANCELLED' } },
    });
    await client.dispose();
  }
});
