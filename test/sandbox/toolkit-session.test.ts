import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createLocalSandboxes } from '../../src/sandbox/local.ts';
import { findPython } from '../../src/sandbox/python-interpreter.ts';
import type { Sandbox, SandboxProvider } from '../../src/sandbox/sandbox.ts';
import type { Toolkit, ToolkitCallOptions } from '../../src/sandbox/toolkit.ts';
import { openToolkit } from '../../src/sandbox/toolkit-session.ts';

const STAND_IN = join(import.meta.dirname, 'stand-in-toolkit.py');
const PROGRAM = ['python', '-I', 'work/stand-in.py'] as const;
const MEMORY = 300 * 1024 ** 2;

let dataDir = '';
let provider: SandboxProvider;
let sandbox: Sandbox;
let toolkit: Toolkit;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'sproutml-toolkit-'));
  const python = await findPython(undefined);
  provider = await createLocalSandboxes({ dataDir, mode: 'auto', python, memoryBytes: MEMORY });
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

beforeEach(async () => {
  sandbox = await provider.open('toolkit');
  await sandbox.put('work/stand-in.py', createReadStream(STAND_IN));
});
afterEach(async () => {
  await toolkit.close();
  await sandbox.close();
  await provider.destroy('toolkit');
});

/** Makes a call and keeps what it said on the way. */
function call(command: string, request: unknown = {}, options: Partial<ToolkitCallOptions> = {}) {
  const progress: string[] = [];
  const logs: string[] = [];
  const started = Promise.withResolvers<void>();
  const result = toolkit.call(command, request, {
    timeoutMs: 20_000,
    onProgress: (fraction, message) => {
      progress.push(`${fraction} ${message}`);
      started.resolve();
    },
    onLog: (level, message) => void logs.push(`${level} ${message}`),
    ...options,
  });
  result.catch(() => undefined);
  return { result, progress, logs, started: started.promise };
}

for (const warm of [true, false]) {
  describe(warm ? 'the toolkit, kept warm' : 'the toolkit, one process per command', () => {
    beforeEach(() => {
      toolkit = openToolkit(sandbox, { memoryBytes: MEMORY, warm, program: PROGRAM });
    });

    it('answers with the result, after its progress and log', async () => {
      const { result, progress, logs } = call('echo', { a: 'é' });
      expect(await result).toMatchObject({ echo: { a: 'é' } });
      expect(progress).toEqual(['0.5 half way']);
      expect(logs).toContain('WARNING mind the gap');
    });

    it("rejects with the command's own coded error", async () => {
      await expect(call('fail').result).rejects.toMatchObject({
        code: 'TARGET_CONSTANT',
        message: 'always 1',
        hint: 'choose another',
      });
    });

    it('puts together a result longer than a line may be', async () => {
      expect(await call('big', { length: 300_000 }).result).toEqual({ text: 'é'.repeat(300_000) });
    });

    it('shows what is not the protocol as log lines', async () => {
      const { result, logs } = call('chatter');
      expect(await result).toBe('after chatter');
      expect(logs).toEqual(
        expect.arrayContaining([
          'INFO not the protocol',
          'INFO {broken json',
          'INFO {"type": "unknown"}',
          'WARNING to stderr',
        ]),
      );
    });

    it('runs calls side by side, and a deadline ends only its own', async () => {
      const late = call('sleep', { seconds: 30 }, { timeoutMs: 600 });
      const other = call('sleep', { seconds: 1 });
      await expect(late.result).rejects.toMatchObject({ code: 'STEP_DEADLINE' });
      expect(await other.result).toBe('slept');
    });

    it('ends a call by its signal, rejecting with its reason, and goes on with others', async () => {
      const controller = new AbortController();
      const first = call('sleep', { seconds: 0.8 }, { signal: controller.signal });
      await first.started;
      controller.abort(new Error('cancelled by hand'));
      await expect(first.result).rejects.toThrow('cancelled by hand');
      expect(await call('echo').result).toBeTruthy();
      await sleep(1_000);
      await expect(sandbox.get('work/awake')).rejects.toMatchObject({ code: 'SANDBOX_FILE_NOT_FOUND' });
    });

    it('does not begin what is aborted already', async () => {
      const { result } = call('echo', {}, { signal: AbortSignal.abort(new Error('too late')) });
      await expect(result).rejects.toThrow('too late');
    });

    it('says so when a command dies or ends without a result, with its last words', async () => {
      await expect(call('abort').result).rejects.toMatchObject({
        code: 'TOOLKIT_CRASHED',
        message: expect.stringContaining('SIGABRT'),
      });
      await expect(call('silent').result).rejects.toMatchObject({ code: 'TOOLKIT_CRASHED' });
      expect(await call('echo').result).toBeTruthy();
    });

    it('says memory when it was memory, and goes on, however often', async () => {
      for (let time = 0; time < 2; time += 1) {
        await expect(call('eat').result).rejects.toMatchObject({
          code: 'SANDBOX_OUT_OF_MEMORY',
          hint: expect.stringContaining('SANDBOX_MEMORY_BYTES'),
        });
      }
      expect(await call('echo').result).toBeTruthy();
    });

    it('takes no call once it is closed, and ends those that run', async () => {
      const running = call('sleep', { seconds: 30 });
      await running.started;
      await toolkit.close();
      await expect(running.result).rejects.toMatchObject({ code: 'TOOLKIT_CLOSED' });
      await expect(call('echo').result).rejects.toMatchObject({ code: 'TOOLKIT_CLOSED' });
    });
  });
}

describe('the warm process', () => {
  it('serves every call with a child of its own', async () => {
    toolkit = openToolkit(sandbox, { memoryBytes: MEMORY, warm: true, program: PROGRAM });
    const pids = await Promise.all([call('echo').result, call('echo').result]);
    expect(new Set(pids.map((result) => (result as { pid: number }).pid)).size).toBe(2);
  });

  it('says when it is ready, so that its start takes nothing of the time a call is given', async () => {
    const slow = 'import runpy, time; time.sleep(2); runpy.run_path("work/stand-in.py")';
    await sandbox.put('work/slow.py', Readable.from([slow]));
    const program = ['python', '-I', 'work/slow.py'] as const;
    toolkit = openToolkit(sandbox, { memoryBytes: MEMORY, warm: true, program });
    const hasty = call('echo', {}, { timeoutMs: 1_500 });
    await expect(hasty.result).rejects.toMatchObject({ code: 'STEP_DEADLINE' });
    await toolkit.ready();
    expect(await call('echo', {}, { timeoutMs: 1_500 }).result).toBeTruthy();
  });

  it('can be closed while it starts: who waits for it is told, and nothing of it is left', async () => {
    toolkit = openToolkit(sandbox, { memoryBytes: MEMORY, warm: true, program: PROGRAM });
    const waiting = call('sleep', { seconds: 30 });
    const ready = toolkit.ready();
    await toolkit.close();
    await expect(waiting.result).rejects.toMatchObject({ code: 'TOOLKIT_CLOSED' });
    await ready;
    await sandbox.close();
  });

  it('is started again once when it dies; after that each command starts a process', async () => {
    toolkit = openToolkit(sandbox, { memoryBytes: MEMORY, warm: true, program: PROGRAM });
    const bystander = call('sleep', { seconds: 30 });
    await bystander.started;
    await expect(call('kill-parent').result).rejects.toMatchObject({ code: 'TOOLKIT_CRASHED' });
    await expect(bystander.result).rejects.toMatchObject({ code: 'TOOLKIT_CRASHED' });

    const second = call('echo');
    expect(await second.result).toBeTruthy();
    expect(second.logs.join('\n')).toContain('started again');
    await expect(call('kill-parent').result).rejects.toMatchObject({ code: 'TOOLKIT_CRASHED' });

    const third = call('echo');
    expect(await third.result).toBeTruthy();
    expect(third.logs.join('\n')).toContain('each command starts a process');
  });

  it('that can not start costs a warning, not the job', async () => {
    const program = ['python', '-I', 'work/missing.py'] as const;
    toolkit = openToolkit(sandbox, { memoryBytes: MEMORY, warm: true, program });
    const { result, logs } = call('echo');
    await expect(result).rejects.toMatchObject({ code: 'TOOLKIT_CRASHED' });
    expect(logs.join('\n')).toContain('missing.py');
  });
});
