import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ApiKeys } from '../../src/auth/api-keys.ts';
import { openDatabaseBesideServer } from '../../src/db/client.ts';
import { apiKeys } from '../../src/db/schema.ts';
import { openRig, type Rig } from '../jobs/rig.ts';

const START = Date.UTC(2026, 0, 31, 12);
let rig: Rig;
let keys: ApiKeys;
let now: number;
beforeEach(async () => {
  rig = await openRig();
  now = START;
  keys = new ApiKeys({ database: rig.database, now: () => new Date(now) });
});
afterEach(() => rig.remove());

const WANTED = { name: 'ci', owner: 'alice', scope: 'TRAIN', expiresAt: null } as const;
const refused = { code: 'UNAUTHENTICATED' };

it('tells a key once and knows its holder by it', async () => {
  const { key, token } = await keys.create(WANTED);
  expect(token).toMatch(/^sprt_[0-9a-f]{16}_[0-9a-f]{64}$/);
  expect(await keys.identify(token)).toEqual({
    owner: 'alice',
    scope: 'TRAIN',
    expiresAt: null,
    keyId: key.id,
  });
});

it('keeps no secret anywhere, only its hash', async () => {
  const { token } = await keys.create(WANTED);
  const secret = token.split('_')[2] ?? '';
  const [row] = await rig.database.read.select().from(apiKeys);
  expect(row?.secretHash).toBe(createHash('sha256').update(secret).digest('hex'));
  expect(JSON.stringify(await keys.list())).not.toMatch(/secret|hash/i);
  for (const file of ['sproutml.db', 'sproutml.db-wal']) {
    expect((await readFile(join(rig.dataDir, file))).includes(secret)).toBe(false);
  }
});

it('refuses every other token: of another key, cut, longer, in capitals, none', async () => {
  const { token } = await keys.create(WANTED);
  const other = (await keys.create({ ...WANTED, owner: 'mallory' })).token;
  const [, id, secret] = token.split('_');
  const forged = [
    `sprt_${id}_${other.split('_')[2]}`,
    `sprt_${other.split('_')[1]}_${secret}`,
    token.slice(0, -1),
    `${token}0`,
    token.toUpperCase(),
    `sprt_${id}_`,
    'sprt_',
    '',
    `sprt_${'0'.repeat(16)}_${createHash('sha256').update('').digest('hex')}`,
  ];
  for (const each of forged) await expect(keys.identify(each)).rejects.toMatchObject(refused);
});

it('ends a key at its time, and not before', async () => {
  const { token, key } = await keys.create({ ...WANTED, expiresAt: new Date(START + 1000) });
  now = START + 999;
  await keys.identify(token);
  expect(await keys.isGood(key.id)).toBe(true);
  now = START + 1000;
  await expect(keys.identify(token)).rejects.toMatchObject(refused);
  expect(await keys.isGood(key.id)).toBe(false);
});

it('revokes at once, also from beside the server, and remembers the first time it was asked to', async () => {
  const { token, key } = await keys.create(WANTED);
  const beside = openDatabaseBesideServer(rig.dataDir);
  await new ApiKeys({ database: beside, now: () => new Date(now) }).revoke(key.id);
  await beside.close();
  await expect(keys.identify(token)).rejects.toMatchObject(refused);
  now += 5000;
  expect(await keys.revoke(key.id)).toMatchObject({ revokedAt: new Date(START) });
  await expect(keys.revoke('0'.repeat(16))).rejects.toMatchObject({ code: 'API_KEY_NOT_FOUND' });
});

it('remembers when a key was last used, to the minute', async () => {
  const { token } = await keys.create(WANTED);
  const lastUsed = async () => (await keys.list())[0]?.lastUsedAt?.getTime();
  await keys.identify(token);
  await expect.poll(lastUsed).toBe(START);
  now = START + 59_999;
  await keys.identify(token);
  now = START + 60_001;
  await keys.identify(token);
  await expect.poll(lastUsed).toBe(START + 60_001);
});

it.each([
  ['an empty name', { name: ' ' }, 'TEXT_OUT_OF_RANGE'],
  ['an endless owner', { owner: 'x'.repeat(201) }, 'TEXT_OUT_OF_RANGE'],
  ['an owner with a line break', { owner: 'a\nb' }, 'TEXT_OUT_OF_RANGE'],
  ['an end in the past', { expiresAt: new Date(START) }, 'EXPIRY_IN_THE_PAST'],
])('makes no key of %s', async (_name, wrong, code) => {
  await expect(keys.create({ ...WANTED, ...wrong })).rejects.toMatchObject({ code });
  expect(await keys.list()).toEqual([]);
});
