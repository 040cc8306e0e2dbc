import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createDaytonaSandboxes,
  type DaytonaOptions,
  type DaytonaSandboxes,
} from '../../src/sandbox/daytona.ts';
import { findPython, type PythonEnvironment } from '../../src/sandbox/python-interpreter.ts';
import type { ProcessLimits, Sandbox, SandboxCommand } from '../../src/sandbox/sandbox.ts';
import { KEY, StandIn } from './stand-in.ts';

/** Patience for tests: everything that is waited for in the cloud comes at once here. */
export const HASTY = { patience: 8_000, pause: 10, silent: 8_000, poll: 10, start: 20_000, quota: 1_000 };

/** A stand-in and the real adapter before it, over the real SDK. */
export async function openDaytonaRig(options: { python?: PythonEnvironment; random?: () => number } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'sproutml-daytona-'));
  const standIn = await new StandIn({
    root: join(folder, 'cloud'),
    python: options.python ?? (await findPython(undefined)),
    ...(options.random === undefined ? {} : { random: options.random }),
  }).listen();
  const said: string[] = [];
  const opened: DaytonaSandboxes[] = [];
  const settings: DaytonaOptions = {
    apiKey: KEY,
    apiUrl: standIn.url,
    target: null,
    dataDir: join(folder, 'data'),
    size: { cpu: 2, memoryGib: 4, diskGib: 8 },
    maxParallel: 1,
    keepMinutes: 0,
    memoryBytes: 1024 ** 3,
    logger: { info: (message) => void said.push(message), warn: (message) => void said.push(message) },
    timing: HASTY,
  };
  return {
    folder,
    dataDir: settings.dataDir,
    standIn,
    cloud: standIn.cloud,
    /** The first sandbox there is; throws where there is none. */
    soleSandbox() {
      const [held] = [...standIn.cloud.sandboxes.values()];
      if (held === undefined) throw new Error('there is no sandbox');
      return held;
    },
    faults: standIn.faults,
    /** What was logged. */
    said,
    /** Another server's adapter on the same data folder. */
    async connect(changes: Partial<DaytonaOptions> = {}): Promise<DaytonaSandboxes> {
      const timing = { ...HASTY, ...changes.timing };
      const sandboxes = await createDaytonaSandboxes({ ...settings, ...changes, timing });
      opened.push(sandboxes);
      return sandboxes;
    },
    async remove() {
      for (const sandboxes of opened) await sandboxes.close();
      await standIn.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
export type DaytonaRig = Awaited<ReturnType<typeof openDaytonaRig>>;

export const LIMITS: ProcessLimits = {
  wallSeconds: 60,
  cpuSeconds: 60,
  memoryBytes: 512 * 1024 ** 2,
  processes: 64,
  fileBytes: 8 * 1024 ** 2,
  outputBytes: 4 * 1024 ** 2,
};

/** Starts Python code and keeps its lines; `line(n)` resolves once there are n of them. */
export async function startPython(sandbox: Sandbox, code: string, options: Partial<SandboxCommand> = {}) {
  const lines: string[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  const process = await sandbox.start({
    argv: ['python', '-I', '-u', '-c', code],
    limits: LIMITS,
    onLine: (_stream, line) => {
      lines.push(line);
      for (const { count, resolve } of waiting) if (lines.length >= count) resolve();
    },
    ...options,
  });
  return {
    process,
    lines,
    line: (count: number) =>
      new Promise<void>((resolve) => {
        if (lines.length >= count) resolve();
        else waiting.push({ count, resolve });
      }),
  };
}

/** Prints 1 to `count`, one every `seconds`. */
export const counting = (count: number, seconds: number): string =>
  `import time\nfor n in range(1, ${count + 1}):\n  print(n, flush=True)\n  time.sleep(${seconds})`;
export const oneTo = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => String(index + 1));
