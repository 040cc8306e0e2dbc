import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  ProcessExit,
  ProcessLimits,
  Sandbox,
  SandboxCommand,
  SandboxProvider,
} from '../../src/sandbox/sandbox.ts';

const LIMITS: ProcessLimits = {
  wallSeconds: 30,
  cpuSeconds: 30,
  memoryBytes: 512 * 1024 ** 2,
  processes: 64,
  fileBytes: 8 * 1024 ** 2,
  outputBytes: 4 * 1024 ** 2,
};

/** Starts a process and a grandchild in a session of its own; both write a sign of life every 20 ms. */
const STUBBORN_FAMILY = `
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0: os.setsid()
print("alive", flush=True)
name = "work/alive-%d" % os.getpid()
while True:
    open(name, "a").write("x")
    open("work/alive", "a").write("x")
    time.sleep(0.02)
`;

/** What every adapter of the sandbox port promises. `make` returns a provider whose interpreter is a plain Python. */
export function sandboxConformance(name: string, make: () => Promise<SandboxProvider>): void {
  describe(`sandboxes: ${name}`, () => {
    let provider: SandboxProvider;
    let sandbox: Sandbox;
    const id = 'conformance-1';

    beforeAll(async () => {
      provider = await make();
      sandbox = await provider.open(id);
    });
    afterAll(async () => {
      await sandbox.close();
      await provider.destroy(id);
    });

    async function python(
      code: string,
      options: Partial<Omit<SandboxCommand, 'limits'>> & { limits?: Partial<ProcessLimits> } = {},
    ): Promise<{ exit: ProcessExit; stdout: string[]; stderr: string[] }> {
      const lines = { stdout: [] as string[], stderr: [] as string[] };
      const process = await sandbox.start({
        argv: ['python', '-I', '-c', code],
        onLine: (stream, line) => void lines[stream].push(line),
        ...options,
        limits: { ...LIMITS, ...options.limits },
      });
      process.end();
      return { exit: await process.exit, ...lines };
    }

    const put = (path: string, content: string | Buffer) => sandbox.put(path, Readable.from([content]));
    const read = async (path: string) => text((await sandbox.get(path)).stream);
    const startStubborn = async (options: Partial<SandboxCommand> = {}) => {
      const alive = Promise.withResolvers<void>();
      const process = await sandbox.start({
        argv: ['python', '-I', '-c', STUBBORN_FAMILY],
        limits: LIMITS,
        onLine: () => alive.resolve(),
        ...options,
      });
      await alive.promise;
      return process;
    };
    const sizeOf = async (path: string) => {
      const { size, stream } = await sandbox.get(path);
      stream.destroy();
      return size;
    };
    /** The whole family is silent once none of it is left. */
    const expectSilence = async () => {
      const before = await sizeOf('work/alive');
      await sleep(200);
      expect(await sizeOf('work/alive')).toBe(before);
    };

    describe('a process', () => {
      it('streams its lines while it runs, in order, and its exit code', async () => {
        const seen: string[] = [];
        const first = Promise.withResolvers<void>();
        const process = await sandbox.start({
          argv: ['python', '-I', '-c', 'print("one", flush=True); print(input()); raise SystemExit(7)'],
          limits: LIMITS,
          onLine: (stream, line) => {
            seen.push(`${stream}: ${line}`);
            first.resolve();
          },
        });
        await first.promise;
        expect(seen).toEqual(['stdout: one']);
        process.send('zwei €');
        expect(await process.exit).toEqual({ reason: 'exited', code: 7, signal: null });
        expect(seen).toEqual(['stdout: one', 'stdout: zwei €']);
      });

      it('keeps its two streams apart', async () => {
        const { stdout, stderr } = await python('import sys; print("out"); print("err", file=sys.stderr)');
        expect({ stdout, stderr }).toEqual({ stdout: ['out'], stderr: ['err'] });
      });

      it('sees the end of its input', async () => {
        const { exit } = await python('import sys; raise SystemExit(len(sys.stdin.read()))');
        expect(exit).toEqual({ reason: 'exited', code: 0, signal: null });
      });

      it('says which signal ended it', async () => {
        const { exit } = await python('import os, signal; os.kill(os.getpid(), signal.SIGSEGV)');
        expect(exit).toEqual({ reason: 'exited', code: null, signal: 'SIGSEGV' });
      });

      it("gets the variables it is given and none of the server's", async () => {
        process.env.SPROUT_TEST_SECRET = 'hush';
        const { stdout } = await python('import json, os; print(json.dumps(dict(os.environ)))', {
          env: { GIVEN: 'a b=c' },
        });
        const variables = JSON.parse(stdout.join('')) as Record<string, string>;
        expect(variables).toMatchObject({ GIVEN: 'a b=c' });
        expect(Object.values(variables)).not.toContain('hush');
        expect(Object.keys(variables).filter((name) => name.startsWith('SPROUT'))).toEqual([]);
      });

      it("runs in the job's folder and has a place for temporary files", async () => {
        const { stdout } = await python(
          'import os, tempfile; tempfile.TemporaryFile(); print(sorted(set(os.listdir(".")) - {"tmp"}))',
        );
        expect(stdout).toEqual(["['input', 'out', 'scratch', 'sealed', 'work']"]);
      });

      it('gives a line longer than 64 KiB in pieces that join to the whole', async () => {
        const pieces: [string, boolean][] = [];
        await python('print("é" * 100_000); print("end")', {
          onLine: (_stream, line, continues) => void pieces.push([line, continues]),
        });
        expect(pieces.at(-1)).toEqual(['end', false]);
        expect(pieces.length).toBeGreaterThan(3);
        const long = pieces.slice(0, -1);
        expect(long.map(([line]) => line).join('')).toBe('é'.repeat(100_000));
        expect(long.map(([, continues]) => continues)).toEqual(
          long.map((_, index) => index < long.length - 1),
        );
      });

      it('can run beside others', async () => {
        const runs = await Promise.all([1, 2, 3].map((code) => python(`raise SystemExit(${code})`)));
        expect(runs.map((run) => run.exit.code)).toEqual([1, 2, 3]);
      });

      it('that can not be started is a coded error or a failed exit', async () => {
        const start = sandbox.start({ argv: ['/no/such/program'], limits: LIMITS, onLine: () => undefined });
        const outcome = await start.then(
          async (process) => (await process.exit).code,
          (error: { code: string }) => error.code,
        );
        expect(outcome === 'SANDBOX_START_FAILED' || (typeof outcome === 'number' && outcome > 0)).toBe(true);
      });
    });

    describe('is ended, with all it started,', () => {
      it('by its wall clock', async () => {
        const process = await startStubborn({ limits: { ...LIMITS, wallSeconds: 1 } });
        expect((await process.exit).reason).toBe('deadline');
        await expectSilence();
      });

      it('by its signal', async () => {
        const controller = new AbortController();
        const process = await startStubborn({ signal: controller.signal });
        controller.abort();
        expect((await process.exit).reason).toBe('aborted');
        await expectSilence();
      });

      it('by kill', async () => {
        const process = await startStubborn();
        process.kill();
        expect((await process.exit).reason).toBe('killed');
        await expectSilence();
        process.send('nobody listens');
        process.kill();
      });

      it('by printing more than it may, and what it may print arrives', async () => {
        const { exit, stdout } = await python('while True: print("x" * 999)', {
          limits: { outputBytes: 50_000 },
        });
        expect(exit.reason).toBe('output');
        expect(stdout).toHaveLength(50);
      });

      it('by its processor time', async () => {
        const { exit } = await python('while True: pass', { limits: { cpuSeconds: 1 } });
        expect(exit.reason === 'deadline' || exit.signal === 'SIGKILL').toBe(true);
      });

      it('by taking more memory than the tree may', async () => {
        const { exit } = await python(
          'import os, time\nfor _ in range(4): os.fork()\nheld = os.urandom(20 * 2**20)\ntime.sleep(30)',
          { limits: { memoryBytes: 150 * 1024 ** 2 } },
        );
        expect(exit.reason).toBe('memory');
      });

      it('not by memory that a fork shares with its parent', async () => {
        const { exit } = await python(
          'import os, time\nheld = os.urandom(60 * 2**20)\npids = []\nfor _ in range(4):\n  pid = os.fork()\n  if pid == 0: time.sleep(0.6); os._exit(0)\n  pids.append(pid)\nfor pid in pids: os.waitpid(pid, 0)',
          { limits: { memoryBytes: 200 * 1024 ** 2 } },
        );
        expect(exit).toEqual({ reason: 'exited', code: 0, signal: null });
      });

      it('by nothing before it began when the signal is aborted already', async () => {
        const start = python('print(1)', { signal: AbortSignal.abort(new Error('too late')) });
        await expect(start).rejects.toThrow('too late');
      });

      it('by the close of its sandbox, which can be opened again and finds its files', async () => {
        await put('work/kept.txt', 'kept');
        const process = await startStubborn();
        await sandbox.close();
        expect((await process.exit).reason).toBe('killed');
        await expect(python('pass')).rejects.toMatchObject({ code: 'SANDBOX_CLOSED' });
        sandbox = await provider.open(id);
        await expectSilence();
        expect(await read('work/kept.txt')).toBe('kept');
      });
    });

    it('no file grows past its limit', async () => {
      const { stdout } = await python(
        'try: open("work/big", "wb").write(bytes(2**22))\nexcept OSError as e: print(e.errno)',
        { limits: { fileBytes: 2 ** 20 } },
      );
      expect(stdout).toEqual(['27']);
    });

    describe('files', () => {
      it('go in whole and come out whole, folders being made on the way', async () => {
        const content = Buffer.alloc(3 * 1024 ** 2, 'häß\n');
        await sandbox.put('input/a/b/data.csv', Readable.from(chunks(content, 10_007)));
        const { stdout } = await python(
          'import shutil; print(len(open("input/a/b/data.csv", "rb").read())); shutil.copy("input/a/b/data.csv", "out/copy.csv")',
        );
        expect(stdout).toEqual([String(content.length)]);
        const { size, stream } = await sandbox.get('out/copy.csv');
        expect(size).toBe(content.length);
        expect(content.equals(await buffer(stream))).toBe(true);
      });

      it('may be empty', async () => {
        await put('work/empty', '');
        expect(await sizeOf('work/empty')).toBe(0);
        expect(await read('work/empty')).toBe('');
      });

      it('that fail on the way in leave the older file and nothing else', async () => {
        await put('work/torn/file', 'old');
        const failing = Readable.from(
          (async function* () {
            yield 'new';
            throw new Error('cut');
          })(),
        );
        await expect(sandbox.put('work/torn/file', failing)).rejects.toThrow('cut');
        expect(await read('work/torn/file')).toBe('old');
        const { stdout } = await python('import os; print(os.listdir("work/torn"))');
        expect(stdout).toEqual(["['file']"]);
      });

      it('put by the server can be changed by trusted code in work/', async () => {
        await put('work/made/file', 'one');
        const { exit } = await python(
          'import os; open("work/made/file", "w").write("two"); os.remove("work/made/file")',
        );
        expect(exit.code).toBe(0);
      });

      it('that are not there are a coded error', async () => {
        await expect(sandbox.get('out/nothing')).rejects.toMatchObject({ code: 'SANDBOX_FILE_NOT_FOUND' });
        await expect(sandbox.get('out/no/thing')).rejects.toMatchObject({ code: 'SANDBOX_FILE_NOT_FOUND' });
      });

      it.each([
        '/etc/passwd',
        '../secret',
        'work/../../secret',
        'work//x',
        'work/./x',
        'work/',
        'work',
        '.',
        '',
        'elsewhere/x',
        'work/a\\b',
        'work/a\0b',
        'work/a\nb',
        `work/${'x'.repeat(300)}`,
      ])('by the name %j are refused', async (path) => {
        await expect(sandbox.get(path)).rejects.toMatchObject({ code: 'SANDBOX_PATH_REFUSED' });
        const content = Readable.from(['x']);
        await expect(sandbox.put(path, content)).rejects.toMatchObject({ code: 'SANDBOX_PATH_REFUSED' });
        // A file of the server's own that nobody closes would end it at garbage collection.
        expect(content.destroyed).toBe(true);
      });

      it('that are links, pipes, sockets, folders or have two names are refused', async () => {
        const { exit, stderr } = await python(
          [
            'import os, shutil, socket',
            'shutil.rmtree("work/odd", ignore_errors=True)',
            'os.makedirs("work/odd/folder")',
            'os.symlink("/etc/hostname", "work/odd/link")',
            'os.symlink("real", "work/odd/inner")',
            'open("work/odd/real", "w").write("x")',
            'os.link("work/odd/real", "work/odd/twin")',
            'os.mkfifo("work/odd/fifo")',
            'os.chdir("work/odd")',
            'socket.socket(socket.AF_UNIX).bind("socket")',
          ].join('\n'),
        );
        expect({ exit, stderr }).toMatchObject({ exit: { code: 0 }, stderr: [] });
        for (const name of ['folder', 'link', 'inner', 'real', 'twin', 'fifo', 'socket']) {
          await expect(sandbox.get(`work/odd/${name}`), name).rejects.toMatchObject({
            code: 'SANDBOX_PATH_REFUSED',
          });
        }
      });

      it('are neither read nor written through a folder that is a link', async () => {
        await python(
          'import os\nif not os.path.lexists("work/door"): os.symlink("/tmp", "work/door")\nif not os.path.lexists("work/loop"): os.symlink("loop", "work/loop")',
        );
        for (const path of ['work/door/x', 'work/loop/x', 'work/door/deep/x']) {
          await expect(sandbox.get(path)).rejects.toMatchObject({ code: 'SANDBOX_PATH_REFUSED' });
          const content = Readable.from(['x']);
          await expect(sandbox.put(path, content)).rejects.toMatchObject({ code: 'SANDBOX_PATH_REFUSED' });
          // A file of the server's own that nobody closes would end it at garbage collection.
          expect(content.destroyed).toBe(true);
        }
      });

      it('written over a link replace the link and not what it points to', async () => {
        await put('work/target', 'untouched');
        await python(
          'import os\nif not os.path.lexists("work/pointer"): os.symlink("target", "work/pointer")',
        );
        await put('work/pointer', 'mine');
        expect(await read('work/target')).toBe('untouched');
        expect(await read('work/pointer')).toBe('mine');
      });
    });

    describe('untrusted code', () => {
      const untrusted = { untrusted: true };
      it('is contained or refused, never run bare', async () => {
        await put('work/train.csv', 'rows');
        await put('sealed/holdout.csv', 'labels');
        const attempt = python(
          [
            'import os',
            'print(sorted(os.listdir(".")), open("work/train.csv").read())',
            'open("scratch/idea.py", "w").write("1")',
            'for name in ("work/x", "work/train.csv", "input/x", "sealed/x", "out/x", "x"):',
            '  try: open(name, "a").close()',
            '  except OSError: continue',
            '  print("could write", name)',
          ].join('\n'),
          untrusted,
        );
        if (provider.containment === 'process') {
          await expect(attempt).rejects.toMatchObject({ code: 'SANDBOX_UNCONTAINED' });
          return;
        }
        const { exit, stdout } = await attempt;
        expect({ code: exit.code, stdout }).toEqual({ code: 0, stdout: ["['scratch', 'work'] rows"] });
        expect(await read('scratch/idea.py')).toBe('1');
      });

      it('or not: input is for reading only where processes are contained', async () => {
        await put('input/data.csv', 'a,b');
        const { stdout } = await python(
          'try: open("input/data.csv", "a").write("x")\nexcept OSError as e: print(e.errno)',
        );
        expect(stdout).toEqual(provider.containment === 'contained' ? ['30'] : []);
      });
    });

    describe('the folder of a sandbox', () => {
      it.each(['', '.', '..', '../x', 'a/b', '-rf', 'a b', 'x'.repeat(200)])(
        'is never named %j',
        async (bad) => {
          await expect(provider.open(bad)).rejects.toMatchObject({ code: 'SANDBOX_PATH_REFUSED' });
          await expect(provider.destroy(bad)).rejects.toMatchObject({ code: 'SANDBOX_PATH_REFUSED' });
        },
      );

      it('is not shared', async () => {
        const other = await provider.open('conformance-2');
        await put('work/mine', 'x');
        await expect(other.get('work/mine')).rejects.toMatchObject({ code: 'SANDBOX_FILE_NOT_FOUND' });
        await other.close();
        await provider.destroy('conformance-2');
      });

      it('is destroyed with whatever lies and runs in it, and that twice', async () => {
        const doomed = await provider.open('conformance-3');
        const made = Promise.withResolvers<void>();
        const process = await doomed.start({
          argv: [
            'python',
            '-I',
            '-c',
            [
              'import os, time',
              'os.chdir("work")',
              'for _ in range(3000):',
              '  os.mkdir("d" * 200); os.chdir("d" * 200)',
              'open("f", "w").close()',
              'os.chmod(".", 0)',
              'print("made", flush=True)',
              'time.sleep(60)',
            ].join('\n'),
          ],
          limits: LIMITS,
          onLine: () => made.resolve(),
        });
        await made.promise;
        await provider.destroy('conformance-3');
        expect((await process.exit).reason).toBe('killed');
        await provider.destroy('conformance-3');
        const again = await provider.open('conformance-3');
        await expect(again.get('work/f')).rejects.toMatchObject({ code: 'SANDBOX_FILE_NOT_FOUND' });
        await again.close();
        await provider.destroy('conformance-3');
      });
    });
  });
}

function* chunks(content: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}
