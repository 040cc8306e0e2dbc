import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { detectContainment } from '../../src/sandbox/containment.ts';
import { ATTACKS } from './attacks.ts';

const PROGRAM = join(import.meta.dirname, 'run-attacks.ts');
/** Owns nothing; any number would do. */
const ORDINARY_USER = 54_321;
const isRoot = process.getuid?.() === 0;
const detected = await detectContainment({ mode: 'auto', environment: null });
const contained = detected.containment === 'contained';
const canBeOrdinary = !isRoot || (await runsAs(ORDINARY_USER));

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sproutml-escape-'));
  await chmod(folder, 0o777);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it.runIf(process.env.CI === 'true')('CI has what it takes to contain', () => {
  expect(detected, detected.reason).toMatchObject({ containment: 'contained' });
});

describe.skipIf(!contained)('untrusted code in a contained sandbox', () => {
  it.runIf(isRoot)('gets nowhere when the server is root', { timeout: 120_000 }, async () => {
    await expectAllBlocked(join(folder, 'root'), undefined);
  });

  it.runIf(canBeOrdinary)(
    'gets nowhere when the server is an ordinary user',
    { timeout: 120_000 },
    async () => {
      await expectAllBlocked(join(folder, 'user'), isRoot ? ORDINARY_USER : undefined);
    },
  );

  it('gets nowhere in a cloud sandbox in which bubblewrap works', { timeout: 240_000 }, async () => {
    const results = await attack(join(folder, 'cloud'), undefined, 'daytona');
    expect(results.filter((result) => !result.blocked)).toEqual([]);
    expect(results).toHaveLength(ATTACKS.length);
  });

  it('is what is tested: the same attacks succeed where nothing contains them', async () => {
    const results = await attack(join(folder, 'bare'), undefined, 'bare');
    expect(results.filter((result) => result.blocked)).toEqual([]);
    expect(results.length).toBeGreaterThan(5);
  });
});

async function expectAllBlocked(path: string, uid: number | undefined): Promise<void> {
  const results = await attack(path, uid);
  const blocked = results.filter((result) => result.blocked);
  process.stdout.write(
    `attacks blocked ${uid === undefined && isRoot ? 'as root' : 'as an ordinary user'}: ${blocked.length}/${ATTACKS.length}\n`,
  );
  expect(results.filter((result) => !result.blocked)).toEqual([]);
  expect(results.map((result) => result.name).sort()).toEqual(ATTACKS.map((known) => known.name).sort());
}

interface Result {
  name: string;
  blocked: boolean;
  said: string;
}

async function attack(path: string, uid: number | undefined, ...args: string[]): Promise<Result[]> {
  const child = spawn(process.execPath, [PROGRAM, path, ...args], {
    ...(uid === undefined ? {} : { uid, gid: uid }),
    cwd: folder,
    env: { PATH: uid === undefined ? process.env.PATH : '/usr/bin:/bin', SPROUT_TEST_SECRET: 'hush-4711' },
    // The last is a descriptor that the server does not know of.
    stdio: ['ignore', 'pipe', 'inherit', 'ignore', 'ignore', 'ignore', 'ignore', 'pipe'],
  });
  const results: Result[] = [];
  if (child.stdout === null) throw new Error('stdout is piped above');
  for await (const line of createInterface({ input: child.stdout })) results.push(JSON.parse(line));
  return results;
}

/** Whether that user may run this very Node and read this very folder. */
async function runsAs(uid: number): Promise<boolean> {
  const check = `require('node:fs').accessSync(${JSON.stringify(PROGRAM)})`;
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['-e', check], { uid, gid: uid, cwd: '/', stdio: 'ignore' });
    child.once('error', () => resolve(false));
    child.once('exit', (code) => resolve(code === 0));
  });
}
