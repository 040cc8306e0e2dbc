import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { claimQueued } from '../../src/jobs/claim.ts';
import { type Api, openApi, table } from './api.ts';

let api: Api;
let alice: string;
let mallory: string;
/** Bare ids of Alice's. */
let theirs: Record<'job' | 'dataset' | 'artifact', string>;

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

/** That nobody else is told any of it, the attack suite tries. */
it('shows an owner all of their own', async () => {
  const { job, dataset, artifact } = theirs;
  const operations = [
    `{ job(id: "${job}") { name events { message } leaderboard { name } dataset { name } } }`,
    `{ dataset(id: "${dataset}") { name columns { name } } }`,
    `{ node(id: "artifact_${artifact}") { id } }`,
    `{ artifact(jobId: "${job}", name: "report.html") { sha256 signedUrl { url } } }`,
    `{ artifacts(jobId: "${job}") { nodes { job { name } } } }`,
    `{ jobs(after: "${job}", filter: { owner: "alice", datasetId: "${dataset}" }) { nodes { id } } }`,
  ];
  for (const operation of operations) {
    const told = await answer(operation, alice);
    expect(told).toMatch(/^200 \{"data":/);
    expect(told).not.toMatch(/null|errors/);
  }
});

it("puts another owner's in no list, no count and no filter", async () => {
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
