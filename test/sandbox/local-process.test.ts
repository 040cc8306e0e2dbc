import { pbkdf2 } from 'node:crypto';
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { startSupervised } from '../../src/sandbox/local-process.ts';

const start = (file: string) =>
  startSupervised(
    { file, args: [], env: {}, descriptors: [], codeCarriesSignal: false },
    {
      argv: [file],
      limits: {
        wallSeconds: 30,
        cpuSeconds: null,
        memoryBytes: 1024 ** 3,
        processes: 16,
        fileBytes: 1024,
        outputBytes: 1024,
      },
      onLine: () => undefined,
    },
    {
      memoryBytes: 1024 ** 3,
      volume: tmpdir(),
      diskReserveBytes: 0,
      killTree: (child) => void child.kill('SIGKILL'),
    },
  );

it('hears of the end of a process that ends at once, however busy the server is', async () => {
  const starting = start('/bin/true');
  // All of Node's threads, so that nothing that needs one is answered before the process has ended.
  for (let job = 0; job < 4; job += 1) pbkdf2('busy', 'salt', 300_000, 64, 'sha512', () => undefined);
  const process = await starting;
  expect(await process.exit).toEqual({ reason: 'exited', code: 0, signal: null });
}, 10_000);

it('says what could not be started', async () => {
  await expect(start('/no/such/program')).rejects.toMatchObject({
    code: 'SANDBOX_START_FAILED',
    hint: expect.stringContaining('doctor'),
  });
});
