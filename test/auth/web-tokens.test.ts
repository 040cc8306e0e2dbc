import { generateKeyPair } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTokenCheck, type TokenRules } from '../../src/auth/web-tokens.ts';
import { AUDIENCE, handmade, ISSUER, type Issuer, startIssuer } from './issuer.ts';

let issuer: Issuer;
let rules: TokenRules;
beforeAll(async () => {
  issuer = await startIssuer();
  rules = {
    keys: { jwksUrl: issuer.url },
    issuer: ISSUER,
    audience: AUDIENCE,
    algorithms: ['RS256'],
    types: ['JWT', 'at+jwt'],
    maxAgeSeconds: 3600,
    ownerClaim: 'sub',
    scopeClaim: 'scope',
    defaultScope: 'TRAIN',
  };
});
afterAll(() => issuer.close());

const now = () => Math.floor(Date.now() / 1000);

it('takes a good token, and knows owner, scope and end by it', async () => {
  const exp = now() + 300;
  const token = await issuer.token('alice', { claims: { exp, scope: 'openid sproutml:admin read' } });
  expect(await createTokenCheck(rules)(token)).toEqual({
    owner: 'alice',
    scope: 'ADMIN',
    expiresAt: new Date(exp * 1000),
    keyId: null,
  });
});

it.each([
  ['another audience', { claims: { aud: 'other' } }],
  ['another issuer', { claims: { iss: 'https://evil.example/' } }],
  ['no end', { claims: { exp: undefined } }],
  ['no subject', { claims: { sub: undefined } }],
  ['no time of issue', { claims: { iat: undefined } }],
  ['an end in the past', { claims: { exp: now() - 1 } }],
  ['a start in the future', { claims: { nbf: now() + 60 } }],
  ['a time of issue too long ago', { claims: { iat: now() - 3601 } }],
  ['a time of issue in the future', { claims: { iat: now() + 60 } }],
  ['a type that is not allowed', { header: { typ: 'dpop+jwt' } }],
  ['no type', { header: { typ: undefined } }],
  ['a key that is not published', { header: { kid: 'two' } }],
  ['the owner of what was made without authentication', { claims: { sub: 'local' } }],
  ['an owner that is no text', { claims: { sub: 7 } }],
])('refuses a token with %s', async (_name, wrong) => {
  // SignJWT leaves out what is undefined, in claims and header alike.
  const token = await issuer.token('alice', wrong);
  await expect(createTokenCheck(rules)(token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
});

it('refuses what somebody else has signed, or nobody', async () => {
  const check = createTokenCheck(rules);
  const good = await issuer.token('alice');
  const [head = '', body = ''] = good.split('.');
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString());
  const stranger = await generateKeyPair('RS256');
  const pem = new TextEncoder().encode(await issuer.publicPem());
  const forged = [
    await issuer.token('alice', { key: stranger.privateKey }),
    await issuer.token('alice', { key: pem, header: { alg: 'HS256' } }),
    handmade({ alg: 'none', typ: 'JWT' }, claims),
    handmade({ alg: 'None', typ: 'JWT' }, claims),
    `${head}.${body}.`,
    `${head}.${body}`,
    'x.y.z',
    'nonsense',
  ];
  for (const token of forged) await expect(check(token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
});

it('with a shared secret takes what is signed with it, and no other algorithm', async () => {
  const secret = 'a secret shared with the issuer of tokens';
  const check = createTokenCheck({ ...rules, keys: { secret }, algorithms: ['HS256'] });
  const key = new TextEncoder().encode(secret);
  expect(await check(await issuer.token('alice', { key, header: { alg: 'HS256' } }))).toMatchObject({
    owner: 'alice',
  });
  for (const token of [
    await issuer.token('alice', { key, header: { alg: 'HS512' } }),
    await issuer.token('alice', { key: new TextEncoder().encode(`${secret}!`), header: { alg: 'HS256' } }),
    await issuer.token('alice'),
  ]) {
    await expect(check(token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  }
});

it.each([
  [{ scope: 'read' }, 'READ'],
  [{ scope: 'openid profile' }, 'TRAIN'],
  [{}, 'TRAIN'],
  [{ scope: ['read', 'train'] }, 'TRAIN'],
  [{ scope: 'administrator' }, 'TRAIN'],
])('reads the scope of %j as %s', async (claims, scope) => {
  expect(await createTokenCheck(rules)(await issuer.token('alice', { claims }))).toMatchObject({ scope });
});

it('refuses a token without a scope where none is the default', async () => {
  const check = createTokenCheck({ ...rules, defaultScope: null });
  await expect(check(await issuer.token('alice'))).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
});

it('takes the owner from the claim it is told', async () => {
  const check = createTokenCheck({ ...rules, ownerClaim: 'https://example/team' });
  const token = await issuer.token('alice', { claims: { 'https://example/team': 'blue' } });
  expect(await check(token)).toMatchObject({ owner: 'blue' });
  await expect(check(await issuer.token('alice'))).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
});

it('believes a token for seconds without checking it again, and never past its end', async () => {
  let time = Date.now();
  const check = createTokenCheck(rules, () => time);
  const token = await issuer.token('alice', { claims: { exp: Math.floor(time / 1000) + 5 } });
  await check(token);
  time += 4000;
  await check(token);
  time += 2000;
  await expect(check(token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
});

it("says that it is not the caller's fault when the issuer's keys can't be had", async () => {
  const broken = await startIssuer();
  broken.fail();
  const check = createTokenCheck({ ...rules, keys: { jwksUrl: broken.url } });
  await expect(check(await broken.token('alice'))).rejects.toMatchObject({ code: 'AUTH_UNAVAILABLE' });
  await broken.close();
  const gone = createTokenCheck({ ...rules, keys: { jwksUrl: broken.url } });
  await expect(gone(await broken.token('alice'))).rejects.toMatchObject({ code: 'AUTH_UNAVAILABLE' });
});
