import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { detectContainment } from '../../src/sandbox/containment.ts';
import { createLocalSandboxes } from '../../src/sandbox/local.ts';
import { findPython } from '../../src/sandbox/python-interpreter.ts';
import { sandboxConformance } from '../conformance/sandbox.ts';

const python = await findPython(undefined);
const detected = await detectContainment({ mode: 'auto', environment: python });
const dataDir = await mkdtemp(join(tmpdir(), 'sproutml-sandboxes-'));
afterAll(() => rm(dataDir, { recursive: true, force: true }));

const open = (mode: 'contained' | 'process') => () =>
  createLocalSandboxes({ dataDir: join(dataDir, mode), mode, python, memoryBytes: 1024 ** 3 });

if (detected.containment === 'contained' || process.env.CI === 'true') {
  sandboxConformance('local, contained by bubblewrap', open('contained'));
} else {
  describe.skip(`sandboxes: local, contained by bubblewrap (${detected.reason})`, () => {
    it('is not tried here', () => undefined);
  });
}
sandboxConformance('local, plain process', open('process'));

describe('the local sandboxes', () => {
  it('stop a process before it fills the volume', async () => {
    const provider = await createLocalSandboxes({
      dataDir,
      mode: 'auto',
      python,
      memoryBytes: 1024 ** 3,
      diskReserveBytes: Number.MAX_SAFE_INTEGER,
    });
    const sandbox = await provider.open('hoarder');
    const process = await sandbox.start({
      argv: ['python', '-I', '-c', 'import time; time.sleep(60)'],
      limits: {
        wallSeconds: 30,
        cpuSeconds: null,
        memoryBytes: 1024 ** 3,
        processes: 16,
        fileBytes: 1024,
        outputBytes: 1024,
      },
      onLine: () => undefined,
    });
    expect((await process.exit).reason).toBe('disk');
    await provider.destroy('hoarder');
  });

  it('say loudly that processes are not contained, and why', async () => {
    const warnings: string[] = [];
    const logger = { info: () => undefined, warn: (message: string) => void warnings.push(message) };
    const provider = await createLocalSandboxes({
      dataDir,
      mode: 'process',
      python,
      memoryBytes: 1024 ** 3,
      logger,
    });
    expect(provider.containment).toBe('process');
    expect(provider.description).toContain('no isolation');
    expect(warnings).toEqual([expect.stringContaining('Agent-written code will be refused')]);
  });
});
