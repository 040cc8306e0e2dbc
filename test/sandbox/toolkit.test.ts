import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLocalSandboxes } from '../../src/sandbox/local.ts';
import { ensureEnvironment } from '../../src/sandbox/python-environment.ts';
import type { Sandbox, SandboxProvider } from '../../src/sandbox/sandbox.ts';
import type { Toolkit } from '../../src/sandbox/toolkit.ts';
import { openToolkit } from '../../src/sandbox/toolkit-session.ts';

const PENGUINS = join(import.meta.dirname, '../../examples/penguins.csv');
const MEMORY = 2 * 1024 ** 3;

for (const mode of ['auto', 'process'] as const) {
  describe(`our own toolkit in its own environment, SANDBOX=${mode}`, () => {
    let dataDir = '';
    let provider: SandboxProvider;
    let sandbox: Sandbox;
    let toolkit: Toolkit;

    // The first run of all builds the environment.
    beforeAll(async () => {
      const python = await ensureEnvironment();
      dataDir = await mkdtemp(join(tmpdir(), 'sproutml-toolkit-'));
      provider = await createLocalSandboxes({ dataDir, mode, python, memoryBytes: MEMORY });
      sandbox = await provider.open('penguins');
      toolkit = openToolkit(sandbox, { memoryBytes: MEMORY });
    }, 600_000);
    afterAll(async () => {
      await toolkit.close();
      await sandbox.close();
      await provider.destroy('penguins');
      await rm(dataDir, { recursive: true, force: true });
    });

    const profile = (target: string, onProgress?: (fraction: number) => void) =>
      toolkit.call(
        'profile',
        {
          input: { path: 'input/data.csv', delimiter: ',', encoding: 'utf-8', compression: null },
          target,
          ignoreColumns: [],
          task: null,
          metric: null,
          seed: 1,
        },
        { timeoutMs: 60_000, ...(onProgress === undefined ? {} : { onProgress }) },
      );

    it('profiles a table that was put in, and what it wrote can be got', async () => {
      await sandbox.put('input/data.csv', createReadStream(PENGUINS));
      const progress: number[] = [];
      const result = await profile('species', (fraction) => progress.push(fraction));
      expect(result).toMatchObject({ rows: 344, task: 'MULTICLASS' });
      expect(progress.at(-1)).toBe(1);
      const { stream } = await sandbox.get('work/profile.json');
      expect(JSON.parse(await text(stream))).toBeTypeOf('object');
    });

    it('answers in its own coded errors', async () => {
      await expect(profile('no such column')).rejects.toMatchObject({ code: 'TARGET_NOT_FOUND' });
    });
  });
}
