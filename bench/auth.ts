/**
 * `npm run bench:auth`: CPU that finding out who asks adds to a request, by kind of credential, against the same request to
 * a server that asks nobody. The same process serves and asks, so the difference is the whole cost. The aim: under 0.1 ms.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { ApiKeys } from '../src/auth/api-keys.ts';
import { type Authentication, createAuthentication, OPEN } from '../src/auth/authentication.ts';
import { createTokenCheck } from '../src/auth/web-tokens.ts';
import { openDatabase } from '../src/db/client.ts';
import { bearerIn } from '../src/http/credentials.ts';
import { AUDIENCE, ISSUER, startIssuer } from '../test/auth/issuer.ts';
import { printTable } from './server.ts';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 20_000);

const folder = await mkdtemp(join(tmpdir(), 'sproutml-bench-auth-'));
const database = openDatabase(folder);
const issuer = await startIssuer();
try {
  const keys = new ApiKeys({ database });
  const { token: key } = await keys.create({
    name: 'bench',
    owner: 'alice',
    scope: 'TRAIN',
    expiresAt: null,
  });
  const rules = {
    issuer: ISSUER,
    audience: AUDIENCE,
    types: ['JWT'],
    maxAgeSeconds: 3600,
    ownerClaim: 'sub',
    scopeClaim: 'scope',
    defaultScope: 'TRAIN',
  } as const;
  const secret = 'a secret shared with the issuer of tokens';
  const signed = createTokenCheck({ ...rules, keys: { jwksUrl: issuer.url }, algorithms: ['RS256'] });
  const shared = createTokenCheck({ ...rules, keys: { secret }, algorithms: ['HS256'] });
  const logger = pino({ level: 'silent' });
  const authenticate = (checkToken: typeof signed): Authentication =>
    createAuthentication({ keys, checkToken, logger });

  const hs256 = { key: new TextEncoder().encode(secret), header: { alg: 'HS256' } };
  const fresh = (options: Parameters<typeof issuer.token>[1]) =>
    Promise.all(Array.from({ length: 2_000 }, (_, n) => issuer.token(`owner ${n}`, options)));
  const rows = [
    await measure('nobody is asked', OPEN, [null], ROUNDS),
    await measure('API key', authenticate(signed), [key], ROUNDS),
    await measure(
      'JWT of a published key (RS256), sent again',
      authenticate(signed),
      [await issuer.token('alice')],
      ROUNDS,
    ),
    await measure('JWT of a published key (RS256), each new', authenticate(signed), await fresh({}), 2_000),
    await measure(
      'JWT of a secret (HS256), sent again',
      authenticate(shared),
      [await issuer.token('alice', hs256)],
      ROUNDS,
    ),
    await measure('JWT of a secret (HS256), each new', authenticate(shared), await fresh(hs256), 2_000),
  ];
  printTable('finding out who asks', ['credential', 'CPU us/request', 'wall us/request'], rows);
} finally {
  await issuer.close();
  await database.close();
  await rm(folder, { recursive: true, force: true });
}

/** What `handleGraphQL` does for each request, `rounds` times over the credentials. */
async function measure(
  name: string,
  auth: Authentication,
  credentials: readonly (string | null)[],
  rounds: number,
): Promise<string[]> {
  const headers = credentials.map((credential) => (credential === null ? undefined : `Bearer ${credential}`));
  // One that is not measured compiles the code and, with published keys, fetches them.
  for (let warm = 0; warm < 50; warm++) await auth.identify(bearerIn(headers[0]));
  const cpuBefore = process.cpuUsage();
  const before = performance.now();
  for (let round = 0; round < rounds; round++) {
    await auth.identify(bearerIn(headers[round % headers.length]));
  }
  const wall = performance.now() - before;
  const { user, system } = process.cpuUsage(cpuBefore);
  auth.close();
  return [name, ((user + system) / rounds).toFixed(1), ((wall / rounds) * 1000).toFixed(1)];
}
