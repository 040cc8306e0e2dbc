import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadSigningSecret } from '../../src/artifacts/signing-secret.ts';

it('makes a secret once, for its owner alone, and keeps to it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sproutml-secret-'));
  const secret = await loadSigningSecret(directory);
  expect(secret.length).toBeGreaterThanOrEqual(43);
  expect(await loadSigningSecret(directory)).toBe(secret);
  expect((await stat(join(directory, 'signing-secret'))).mode & 0o777).toBe(0o600);
  await rm(directory, { recursive: true });
});

it('does not sign with a secret that was cut short', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sproutml-secret-'));
  await writeFile(join(directory, 'signing-secret'), 'short\n');
  await expect(loadSigningSecret(directory)).rejects.toThrow('no usable secret');
  await rm(directory, { recursive: true });
});
