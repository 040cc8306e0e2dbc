import assert from 'node:assert/strict';
import { exportJWK, generateKeyPair } from 'jose';
import { AUDIENCE, handmade, ISSUER } from '../../auth/issuer.ts';
import { table } from '../api.ts';
import { type Attack, post, type Target } from './target.ts';

const ME = { query: '{ viewer { owner } }' };

async function isRefused(target: Target, token: string | null): Promise<void> {
  const { status, code, body } = await post(target, ME, token);
  assert.deepEqual([status, code], [401, 'UNAUTHENTICATED']);
  assert(!body.includes('"data"'));
}

const claims = () => {
  const now = Math.floor(Date.now() / 1000);
  return { iss: ISSUER, aud: AUDIENCE, sub: 'alice', iat: now, exp: now + 600 };
};

/** Attacks on who is who. */
export const IDENTITY: Attack[] = [
  { number: 1, name: 'no token', run: (target) => isRefused(target, null) },
  {
    number: 2,
    name: 'algorithm none',
    async run(target) {
      for (const alg of ['none', 'NONE', '']) {
        await isRefused(target, handmade({ alg, typ: 'JWT' }, claims()));
      }
    },
  },
  {
    number: 3,
    name: 'HS256 signed with the public key',
    async run(target) {
      const key = new TextEncoder().encode(await target.issuer.publicPem());
      await isRefused(target, await target.issuer.token('alice', { key, header: { alg: 'HS256' } }));
    },
  },
  ...(
    [
      [4, 'wrong audience', { aud: 'another service' }],
      [5, 'wrong issuer', { iss: 'https://evil.example/' }],
      [6, 'no expiry', { exp: undefined }],
    ] as const
  ).map(([number, name, wrong]) => ({
    number,
    name,
    run: async (target: Target) => isRefused(target, await target.issuer.token('alice', { claims: wrong })),
  })),
  {
    number: 7,
    name: 'a key of its own in the header',
    async run(target) {
      const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
      const jwk = await exportJWK(publicKey);
      for (const kid of ['one', 'mine', undefined]) {
        const header = { jwk, ...(kid === undefined ? {} : { kid }), jku: 'https://evil.example/keys' };
        await isRefused(target, await target.issuer.token('alice', { key: privateKey, header }));
      }
    },
  },
  {
    number: 8,
    name: 'an unknown critical header',
    async run(target) {
      await isRefused(
        target,
        await target.issuer.token('alice', { header: { crit: ['policy'], policy: 'none' } }),
      );
    },
  },
  {
    number: 9,
    name: 'a revoked key',
    async run(target) {
      const key = await target.api.key('alice');
      assert.equal((await post(target, ME, key)).status, 200);
      await target.api.keys.revoke(key.split('_')[1] ?? '');
      await isRefused(target, key);
    },
  },
  {
    number: 10,
    name: 'a mutation with a key that may only read',
    async run(target) {
      const key = await target.api.key('alice', 'READ');
      const input = `input: { jobId: "job_${target.hers.job}" }`;
      for (const mutation of ['cancelJob', 'retryJob', 'deleteJob']) {
        const { code } = await post(
          target,
          { query: `mutation { ${mutation}(${input}) { __typename } }` },
          key,
        );
        assert.equal(code, 'FORBIDDEN');
      }
      await assert.rejects(target.api.start(table(), { targetColumn: 'y' }, 't.csv', key), /scope TRAIN/);
      const job = await target.api.rig.jobs.list({}, { limit: 10 });
      assert.equal(job.rows.length, 1);
    },
  },
];
