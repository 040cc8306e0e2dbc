import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { blobsOf } from '../jobs/rig.ts';
import { type Api, openApi, table } from './api.ts';

let api: Api;
beforeAll(async () => {
  api = await openApi();
});
afterAll(() => api.close());

it('takes an upload, tells of the job, and streams its events over a WebSocket until it has ended', async () => {
  const csv = table();
  const started = await api.start(csv, { targetColumn: 'y' }, 'little.csv');
  expect(started).toMatchObject({
    __typename: 'StartTrainingSuccess',
    job: {
      name: 'little: y',
      status: 'QUEUED',
      dataset: {
        name: 'little.csv',
        rowCount: 20,
        size: csv.length,
        sha256: createHash('sha256').update(csv).digest('hex'),
        columns: [{ name: 'a' }, { name: 'b' }, { name: 'y' }],
        dialect: { delimiter: ',', encoding: 'utf-8', compression: null },
      },
    },
  });
  const id = started.job?.id;
  expect(await blobsOf(api.rig)).toHaveLength(1);

  const answer = await api.ask<{ job: { status: string; lastSequence: number } }>(
    'query ($id: ID!) { job(id: $id) { status lastSequence } }',
    { id },
  );
  expect(answer.job).toMatchObject({ status: 'QUEUED', lastSequence: 1 });

  const client = api.webSocket();
  const updates = client.iterate<{
    jobUpdated: { sequence: number; event: { __typename: string; to?: string } | null };
  }>({
    query: `subscription ($id: ID!) { jobUpdated(id: $id, after: 0) {
      sequence job { status } event { __typename message ... on StatusChanged { from to } } } }`,
    variables: { id },
  });
  const seen: string[] = [];
  for await (const { data, errors } of updates) {
    expect(errors).toBeUndefined();
    const update = data?.jobUpdated;
    seen.push(`${update?.sequence} ${update?.event?.to ?? '-'}`);
    if (update?.event?.to === 'QUEUED') {
      await api.ask('mutation ($id: ID!) { cancelJob(input: { jobId: $id }) { __typename } }', { id });
    }
  }
  await client.dispose();
  expect(seen).toEqual(['0 -', '1 QUEUED', '2 CANCELLED']);
});
