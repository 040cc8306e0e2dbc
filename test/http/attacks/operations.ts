import assert from 'node:assert/strict';
import { type Answer, type Attack, post, raw, type Target } from './target.ts';

/** How long the server took to say no, by case: reported, not judged. */
export const REFUSED_IN_MS = new Map<number, number>();

const times = (count: number, part: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => part(i)).join(' ');

async function isRefusedAtOnce(target: Target, number: number, body: unknown): Promise<void> {
  // The first of its kind compiles what refuses it.
  await post(target, body, target.alice);
  const started = performance.now();
  const { body: answer } = await post(target, body, target.alice);
  REFUSED_IN_MS.set(number, performance.now() - started);
  assert.match(answer, /^\{"errors":/);
}

const noPermission = ({ status, headers }: Answer): void => {
  assert(status >= 400 && status < 500, String(status));
  assert.equal(headers.get('access-control-allow-origin'), null);
};

/** Attacks by what is asked. */
export const OPERATIONS: Attack[] = [
  {
    number: 24,
    name: '10,000 aliases',
    run: (target) =>
      isRefusedAtOnce(target, 24, { query: `{ ${times(10_000, (i) => `a${i}: __typename`)} }` }),
  },
  {
    number: 25,
    name: 'depth 500',
    run: (target) => isRefusedAtOnce(target, 25, { query: `${'{ a '.repeat(500)}${'}'.repeat(500)}` }),
  },
  {
    number: 26,
    name: '5,000 directives',
    run: (target) =>
      isRefusedAtOnce(target, 26, { query: `{ __typename ${times(5_000, () => '@include(if: true)')} }` }),
  },
  {
    number: 27,
    name: 'a batch of 100',
    run: (target) =>
      isRefusedAtOnce(
        target,
        27,
        Array.from({ length: 100 }, () => ({ query: '{ __typename }' })),
      ),
  },
  {
    number: 28,
    name: 'a body of 20 MB',
    async run(target) {
      const { status } = await post(
        target,
        { query: `{ __typename } #${'x'.repeat(20_000_000)}` },
        target.alice,
      );
      assert.equal(status, 413);
    },
  },
  {
    number: 29,
    name: 'a mutation by GET',
    async run(target) {
      const query = encodeURIComponent(
        `mutation { deleteJob(input: { jobId: "${target.hers.job}" }) { __typename } }`,
      );
      const headers = { authorization: `Bearer ${target.alice}` };
      assert.equal(await raw(target, `/graphql?query=${query}`, { headers }), 405);
    },
  },
  {
    number: 30,
    name: "a form of another site's page",
    async run(target) {
      const operations = JSON.stringify({
        query: 'mutation { cancelJob(input: { jobId: "x" }) { __typename } }',
      });
      const forms = [
        [
          'multipart/form-data; boundary=b',
          `--b\r\ncontent-disposition: form-data; name="operations"\r\n\r\n${operations}\r\n--b--\r\n`,
        ],
        ['application/x-www-form-urlencoded', `query=${encodeURIComponent('mutation { __typename }')}`],
        ['text/plain', operations],
        ['application/graphql', 'mutation { __typename }'],
        ['application/json', operations],
      ] as const;
      for (const [type, body] of forms) {
        for (const origin of ['https://evil.example', 'null', 'https://console.example.evil.example']) {
          noPermission(await post(target, body, target.alice, { 'content-type': type, origin }));
        }
      }
    },
  },
  {
    number: 31,
    name: 'an error that tells of the inside',
    async run(target) {
      const { jobs } = target.api.rig;
      const job = jobs.job.bind(jobs);
      jobs.job = async () => {
        throw new Error('SELECT * FROM secrets');
      };
      const { body } = await post(
        target,
        { query: `{ job(id: "${target.hers.job}") { id } }` },
        target.alice,
      );
      jobs.job = job;
      assert.match(body, /INTERNAL_ERROR/);
      assert.doesNotMatch(body, /secrets|node_modules|at file|\.ts:/);
      const input = { query: 'query ($f: JobFilter) { jobs(filter: $f) { nodes { id } } }' };
      const mistakes = [
        { query: '{ jobz { nodes { id } } }' },
        { query: '{ jobs(filter: { statuses: [QUEUE] }) { nodes { id } } }' },
        { ...input, variables: { f: { statuz: 'QUEUED' } } },
        { ...input, variables: { f: { statuses: ['QUEUE'] } } },
      ];
      for (const mistake of mistakes) {
        const { body: answer } = await post(target, mistake, target.alice);
        assert.match(answer, /"errors"/);
        assert.doesNotMatch(answer, /did you mean/i);
      }
    },
  },
];
