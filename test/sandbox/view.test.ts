import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { detectContainment } from '../../src/sandbox/containment.ts';
import { createLocalSandboxes } from '../../src/sandbox/local.ts';
import { findPython } from '../../src/sandbox/python-interpreter.ts';
import type { Sandbox, SandboxProvider, UntrustedView } from '../../src/sandbox/sandbox.ts';
import { openUntrustedPython } from '../../src/sandbox/untrusted-python.ts';

const detected = await detectContainment({ mode: 'auto', environment: null });
const contained = detected.containment === 'contained';
const MEMORY = 1024 ** 3;

describe.skipIf(!contained)(
  `a process that is held to a view${contained ? '' : ` (${detected.reason})`}`,
  () => {
    let dataDir = '';
    let provider: SandboxProvider;
    let sandbox: Sandbox;
    const view: UntrustedView = {
      reads: ['work/code/one/fold-0', 'work/code/table.txt'],
      writes: 'scratch/one/fold-0',
    };

    beforeAll(async () => {
      dataDir = await mkdtemp(join(tmpdir(), 'sproutml-view-'));
      const python = await findPython(undefined);
      provider = await createLocalSandboxes({ dataDir, mode: 'contained', python, memoryBytes: MEMORY });
      sandbox = await provider.open('viewed');
      const files = {
        'work/train.pkl': 'targets of all rows',
        'work/folds.npy': 'folds',
        'work/code/table.txt': 'features',
        'work/code/one/fold-0/target.npy': 'targets of this fold',
        'work/code/one/fold-1/target.npy': 'targets of another fold',
        'scratch/one/fold-0/keep': '',
        'scratch/one/fold-1/left': 'left by another fold',
        'sealed/holdout.pkl': 'sealed rows',
        'input/data.csv': 'the upload',
        'out/model.pkl': 'a model',
      };
      for (const [path, content] of Object.entries(files)) await sandbox.put(path, Readable.from([content]));
    });
    afterAll(async () => {
      await sandbox.close();
      await provider.destroy('viewed');
      await rm(dataDir, { recursive: true, force: true });
    });

    async function python(code: string, untrusted: UntrustedView | true = view) {
      const lines: string[] = [];
      const process = await sandbox.start({
        argv: ['python', '-I', '-c', code],
        untrusted,
        limits: {
          wallSeconds: 20,
          cpuSeconds: 20,
          memoryBytes: MEMORY,
          processes: 32,
          fileBytes: 1024 ** 2,
          outputBytes: 1024 ** 2,
        },
        onLine: (_stream, line) => void lines.push(line),
      });
      process.end();
      const exit = await process.exit;
      return { exit, said: lines.join('\n') };
    }
    const FOUND = `
import os
found = sorted(os.path.join(folder, name) for folder, _, names in os.walk('/job') for name in names)
print(*found, sep='\\n')`;

    it('sees what the view names, at the same paths, and nothing else', async () => {
      const { said, exit } = await python(FOUND);
      expect(exit.code, said).toBe(0);
      expect(said.split('\n')).toEqual([
        '/job/scratch/one/fold-0/keep',
        '/job/work/code/one/fold-0/target.npy',
        '/job/work/code/table.txt',
      ]);
      // The same walk finds more where nothing holds it.
      expect((await python(FOUND, true)).said).toContain('/job/work/train.pkl');
    });

    it.each([
      ['write where it reads', "open('work/code/one/fold-0/target.npy', 'w')"],
      ['write beside it', "open('work/code/one/fold-1', 'w')"],
      ['leave a note for another fold', "open('scratch/one/note', 'w')"],
      ['make a folder of the job', "import os; os.mkdir('/job/sealed')"],
      [
        'swap what it is shown',
        "import os; os.rename('/job/work/code/one/fold-0', '/job/work/code/one/fold-1')",
      ],
      ['climb out of its folder', "open('scratch/one/fold-0/../fold-1/left')"],
      [
        'follow a link of its own',
        "import os; os.symlink('../../../sealed/holdout.pkl', 'scratch/one/fold-0/link'); open('scratch/one/fold-0/link')",
      ],
      ['look at the host by /proc', "open('/proc/1/root/job/work/train.pkl')"],
      ['reach the network', "import socket; socket.create_connection(('127.0.0.1', 80), 1)"],
    ])('can not %s', async (_what, code) => {
      const { exit, said } = await python(code);
      expect(exit.code, said).toBe(1);
      expect(said).toMatch(/Error/);
    });

    it('leaves nothing that another one sees', async () => {
      expect(
        (await python("open('/tmp/note', 'w').write('y'); open('/dev/shm/note', 'w').write('y')")).exit.code,
      ).toBe(0);
      const other = { reads: ['work/code/one/fold-1'], writes: 'scratch/one/fold-1' };
      const { said } = await python(
        "import os; print(os.listdir('/tmp'), os.listdir('/dev/shm'), os.listdir('scratch/one'))",
        other,
      );
      expect(said).toBe("[] [] ['fold-1']");
    });

    it.each([
      { reads: ['sealed/holdout.pkl'], writes: 'scratch/one' },
      { reads: ['work/../sealed'], writes: 'scratch/one' },
      { reads: ['work'], writes: 'scratch/one' },
      { reads: [], writes: 'scratch' },
      { reads: [], writes: 'work/code' },
      { reads: ['work/code\n--bind'], writes: 'scratch/one' },
    ])('is not started with a view of more: %j', async (wrong) => {
      await expect(python('print(1)', wrong)).rejects.toMatchObject({ code: 'SANDBOX_PATH_REFUSED' });
    });
  },
);

describe('agent-written code', () => {
  it('is refused with the reason where a process can not be held to a view', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'sproutml-view-'));
    const python = await findPython(undefined);
    const provider = await createLocalSandboxes({ dataDir, mode: 'process', python, memoryBytes: MEMORY });
    const sandbox = await provider.open('plain');
    const untrusted = openUntrustedPython(sandbox, { memoryBytes: MEMORY });
    expect(untrusted.refusal?.message).toContain('not run');
    const order = { do: 'task', folder: 'work/x', answers: 'scratch/x' } as const;
    const limits = { wallSeconds: 5, threads: 1 };
    await expect(untrusted.run(order, { reads: [], writes: 'scratch/x' }, limits)).rejects.toMatchObject({
      code: 'SANDBOX_UNCONTAINED',
    });
    await sandbox.close();
    await provider.destroy('plain');
    await rm(dataDir, { recursive: true, force: true });
  });
});
