import assert from 'node:assert/strict';
import { createClient as createSseClient } from 'graphql-sse';
import { type Answer, type Attack, post, type Target } from './target.ts';

type Ids = Target['hers'];

/** What Mallory is told of Alice's things must be, byte for byte, what she is told of nothing. */
async function isNothing(target: Target, operation: (ids: Ids) => string): Promise<void> {
  const { hers, absent, mallory } = target;
  const told = ({ status, body }: Answer) => `${status} ${body}`;
  let ofNothing = told(await post(target, { query: operation(absent) }, mallory));
  for (const kind of ['job', 'dataset', 'artifact'] as const) {
    ofNothing = ofNothing.replaceAll(absent[kind], hers[kind]);
  }
  assert.equal(told(await post(target, { query: operation(hers) }, mallory)), ofNothing);
}

const explained = (type: string) => `... on ${type} { __typename } ... on Error { code message hint }`;

/** Attacks on what is somebody else's. */
export const TENANCY: Attack[] = [
  {
    number: 11,
    name: "another's job",
    async run(target) {
      const fields = 'name result { summary } events { message } leaderboard { name }';
      await isNothing(target, ({ job }) => `{ job(id: "job_${job}") { ${fields} } }`);
      await isNothing(target, ({ job }) => `{ job(id: "${job}") { ${fields} } }`);
    },
  },
  {
    number: 12,
    name: "another's artifact",
    async run(target) {
      await isNothing(
        target,
        ({ job }) => `{ artifact(jobId: "${job}", name: "report.html") { signedUrl { url } } }`,
      );
      await isNothing(
        target,
        ({ job }) => `{ artifacts(jobId: "job_${job}") { nodes { signedUrl { url } } } }`,
      );
    },
  },
  {
    number: 13,
    name: "another's dataset to train on",
    async run(target) {
      const type = explained('StartTrainingSuccess');
      await isNothing(
        target,
        ({ dataset }) =>
          `mutation { startTraining(input: { datasetId: "dataset_${dataset}", targetColumn: "y" }) { ${type} } }`,
      );
      await isNothing(target, ({ dataset }) => `{ dataset(id: "${dataset}") { columns { name } } }`);
    },
  },
  {
    number: 14,
    name: 'forged node ids and cursors',
    async run(target) {
      for (const kind of ['job', 'dataset', 'artifact'] as const) {
        await isNothing(target, (ids) => `{ node(id: "${kind}_${ids[kind]}") { id } }`);
      }
      for (const direction of ['after', 'before']) {
        await isNothing(target, ({ job }) => `{ jobs(${direction}: "${job}") { nodes { id } } }`);
        await isNothing(target, ({ dataset }) => `{ datasets(${direction}: "${dataset}") { nodes { id } } }`);
      }
      await isNothing(
        target,
        ({ dataset }) => `{ jobs(filter: { datasetId: "${dataset}" }) { nodes { id } } }`,
      );
    },
  },
  {
    number: 15,
    name: "a subscription to another's job",
    async run(target) {
      const authorization = `Bearer ${target.mallory}`;
      const client = target.api.webSocket({ connectionParams: { authorization } });
      const stream = createSseClient({ url: target.api.url, headers: { authorization }, retryAttempts: 0 });
      const query =
        'subscription ($id: ID!) { jobUpdated(id: $id, after: 0) { job { name } event { message } } }';
      for (const wire of [client, stream]) {
        const told = async (id: string) => {
          const messages: unknown[] = [];
          for await (const message of wire.iterate({ query, variables: { id } })) messages.push(message);
          return JSON.stringify(messages).replaceAll(id, 'ID');
        };
        assert.equal(await told(target.hers.job), await told(target.absent.job));
      }
      await client.dispose();
      stream.dispose();
    },
  },
  {
    number: 16,
    name: "cancelling, repeating or deleting another's job",
    async run(target) {
      for (const verb of ['cancel', 'retry', 'delete']) {
        const type = explained(`${verb[0]?.toUpperCase()}${verb.slice(1)}JobSuccess`);
        await isNothing(
          target,
          ({ job }) => `mutation { ${verb}Job(input: { jobId: "job_${job}" }) { ${type} } }`,
        );
      }
      const { body } = await post(
        target,
        { query: `{ job(id: "${target.hers.job}") { status } }` },
        target.alice,
      );
      assert.match(body, /"RUNNING"/);
    },
  },
];
