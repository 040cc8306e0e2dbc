import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ApiClient } from '../../src/cli/api-client.ts';
import { type Api, openApi, table } from '../http/api.ts';

const MAIN = join(import.meta.dirname, '../../src/main.ts');

let api: Api;
beforeEach(async () => {
  api = await openApi({ env: { AUTH_MODE: 'required' } });
});
afterEach(() => api.close());

/** The real command, beside a server that holds the same data folder. */
async function sproutml(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env.PATH, NO_COLOR: '1', DATA_DIR: api.rig.dataDir, ...env },
  });
  child.stdin.end();
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { stdout, stderr, code };
}

it('makes a key beside a running server that lets its holder in at once, until it is revoked', async () => {
  const made = await sproutml(['keys', 'create', '--name', 'ci', '--owner', 'alice', '--scope', 'train'], {
    // A server that may not start yet is no reason not to make the key it asks for.
    HOST: '0.0.0.0',
  });
  expect(made.code).toBe(0);
  const token = made.stdout.trim();
  const client = new ApiClient(api.origin, token);
  expect((await client.health()).version).toBe('0.0.0-test');

  const id = token.split('_')[1] ?? '';
  const listed = await sproutml(['keys', 'list']);
  expect(listed.stdout).toMatch(new RegExp(`^${id}  train  alice  ci  no end  (never|last) used`));
  expect(listed.stdout).not.toContain(token.split('_')[2]);

  expect((await sproutml(['keys', 'revoke', id])).code).toBe(0);
  await expect(client.health()).rejects.toMatchObject({
    code: 'UNAUTHENTICATED',
    hint: expect.stringContaining('--token'),
  });
  expect((await sproutml(['keys', 'revoke', 'nonsense'])).stderr).toContain('API_KEY_NOT_FOUND');
});

it('says which scope there is not, and makes nothing', async () => {
  const { code, stderr } = await sproutml([
    'keys',
    'create',
    '--name',
    'x',
    '--owner',
    'x',
    '--scope',
    'root',
  ]);
  expect(code).toBe(2);
  expect(stderr).toContain('read, train or admin');
  expect(await api.keys.list()).toEqual([]);
});

it('trains and watches with a token, given or in the environment', async () => {
  const token = await api.key('alice');
  const { job } = await api.start(table(), { targetColumn: 'y' }, 't.csv', token);
  const id = job?.id ?? '';
  await api.rig.jobs.cancel(id.replace('job_', '') as never);
  const watch = ['watch', id, '--server', api.origin, '--json'];
  const refused = await sproutml(watch);
  expect(refused.stdout).toContain('UNAUTHENTICATED');
  expect((await sproutml([...watch, '--token', token])).stdout).toContain('"CANCELLED"');
  expect((await sproutml(watch, { SPROUTML_TOKEN: token })).stdout).toContain('"CANCELLED"');
});
