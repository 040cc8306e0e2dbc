import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { messageOf, SproutError } from '../domain/errors.ts';
import { OutputLines } from './output-lines.ts';
import { treeMemoryBytes } from './process-tree.ts';
import type { ProcessExit, SandboxCommand, SandboxProcess } from './sandbox.ts';

/** How to start a process: the same whether bubblewrap stands in front of it or not. */
export interface Launch {
  file: string;
  args: readonly string[];
  cwd?: string;
  env: Readonly<Record<string, string>>;
  /** Bytes the process reads from descriptors 3, 4 … */
  descriptors: readonly Buffer[];
  /** Descriptors that are given nothing to read instead of what this server holds at that number. */
  emptied?: readonly number[];
  /** True when exit code 128+n stands for signal n inside, as a shell and bubblewrap have it. */
  codeCarriesSignal: boolean;
}

/** Often enough that a process touching memory as fast as it can overshoots by a few hundred MB. */
const WATCH_MILLISECONDS = 100;
const DISK_EVERY = 10;
/** 24 days; a longer timer fires at once. */
export const LONGEST_TIMER = 2 ** 31 - 1;
/** How long output may stay open after the process ended before it is cut off. */
const OUTPUT_GRACE_MILLISECONDS = 2_000;

/** Names by number; of two names for one number the customary one comes first, and a Map keeps the last. */
const SIGNALS = new Map<number, string>(
  Object.entries(constants.signals)
    .reverse()
    .map(([name, number]) => [number, name]),
);

/** What the supervisor needs of the containment it works for. */
export interface Supervision {
  /** Of the whole tree; past it the tree is killed. */
  memoryBytes: number;
  /** A path on the volume that must not fill up, and what must stay free on it. */
  volume: string;
  diskReserveBytes: number;
  /** Ends the process and all its descendants; also called once it has ended, for those that outlived it. */
  killTree(child: ChildProcess): void;
  onStarted?(pid: number): void;
}

/**
 * Starts a process and watches over it until it ends: lines out, wall clock, abort, memory, disk, output cap.
 * Rejects with SANDBOX_START_FAILED, or with the signal's reason when that is aborted already.
 */
export async function startSupervised(
  launch: Launch,
  command: SandboxCommand,
  supervision: Supervision,
): Promise<SandboxProcess> {
  command.signal?.throwIfAborted();
  const child = spawnDetached(launch);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    // For good: a kill that fails is an error event too, and one that nobody hears would end the server.
    child.on('error', (error) =>
      reject(
        new SproutError('SANDBOX_START_FAILED', `Could not start ${launch.file}: ${messageOf(error)}`, {
          hint: 'Run the `doctor` command: it says what the sandbox needs and what is missing.',
          cause: error,
        }),
      ),
    );
  });
  // Nothing is awaited from here until `supervise` listens: a process that ends at once would be waited for for ever.
  if (child.pid !== undefined) supervision.onStarted?.(child.pid);
  launch.descriptors.forEach((bytes, index) => {
    const pipe = child.stdio[3 + index] as Writable;
    tolerateBreaking(pipe);
    pipe.end(bytes);
  });
  return supervise(child, launch, command, supervision);
}

function spawnDetached(launch: Launch): ChildProcess {
  const nothing = openSync('/dev/null', 'r');
  try {
    return spawn(launch.file, launch.args, {
      ...(launch.cwd === undefined ? {} : { cwd: launch.cwd }),
      env: { ...launch.env },
      // Its own session: a Ctrl-C in the server's terminal is the server's to handle.
      detached: true,
      stdio: descriptorTable(launch, nothing),
    });
  } finally {
    closeSync(nothing);
  }
}

function descriptorTable(launch: Launch, nothing: number): ('pipe' | 'ignore' | number)[] {
  const emptied = new Set(launch.emptied);
  const piped = 3 + launch.descriptors.length;
  return Array.from({ length: Math.max(piped, ...[...emptied].map((fd) => fd + 1)) }, (_, descriptor) => {
    if (descriptor < piped) return 'pipe';
    return emptied.has(descriptor) ? nothing : 'ignore';
  });
}

function supervise(
  child: ChildProcess,
  launch: Launch,
  command: SandboxCommand,
  supervision: Supervision,
): SandboxProcess {
  // Piped in `startSupervised`; the types can't tell.
  const [stdin, stdout, stderr] = child.stdio as unknown as [Writable, Readable, Readable];
  for (const stream of [stdin, stdout, stderr]) tolerateBreaking(stream);

  let stopped: ProcessExit['reason'] | null = null;
  let ended = false;
  const stop = (reason: ProcessExit['reason']) => {
    if (stopped !== null || ended) return;
    stopped = reason;
    supervision.killTree(child);
  };

  let outputBytes = 0;
  const lines = (['stdout', 'stderr'] as const).map((name) => {
    const splitter = new OutputLines((line, continues) => command.onLine(name, line, continues));
    (name === 'stdout' ? stdout : stderr).on('data', (chunk: Buffer) => {
      const room = command.limits.outputBytes - outputBytes;
      outputBytes += chunk.length;
      if (room > 0) splitter.write(chunk.subarray(0, room));
      if (outputBytes > command.limits.outputBytes) stop('output');
    });
    return splitter;
  });

  const onAbort = () => stop('aborted');
  command.signal?.addEventListener('abort', onAbort, { once: true });
  const deadline =
    command.limits.wallSeconds === null
      ? null
      : setTimeout(() => stop('deadline'), Math.min(command.limits.wallSeconds * 1000, LONGEST_TIMER));
  const watch = new AbortController();
  // A process that can't be watched must not go on.
  watchResources(child.pid ?? 0, supervision, watch.signal, stop).catch(() => stop('killed'));

  const exit = new Promise<ProcessExit>((resolve) => {
    let grace: NodeJS.Timeout | null = null;
    child.once('exit', () => {
      ended = true;
      watch.abort();
      if (deadline !== null) clearTimeout(deadline);
      command.signal?.removeEventListener('abort', onAbort);
      // Descendants that outlived the process, and would hold its output open.
      supervision.killTree(child);
      grace = setTimeout(() => {
        stdout.destroy();
        stderr.destroy();
      }, OUTPUT_GRACE_MILLISECONDS);
    });
    child.once('close', (code, signal) => {
      if (grace !== null) clearTimeout(grace);
      for (const splitter of lines) splitter.end();
      resolve(exitOf(stopped, code, signal, launch.codeCarriesSignal));
    });
  });

  return {
    send: (line) => {
      if (!ended && stdin.writable) stdin.write(`${line}\n`);
    },
    end: () => stdin.end(),
    kill: () => stop('killed'),
    exit,
  };
}

function exitOf(
  stopped: ProcessExit['reason'] | null,
  code: number | null,
  signal: string | null,
  codeCarriesSignal: boolean,
): ProcessExit {
  const inner = codeCarriesSignal && code !== null && code > 128 ? SIGNALS.get(code - 128) : undefined;
  const by = signal ?? inner ?? null;
  const reason = stopped ?? (by === 'SIGXCPU' ? 'deadline' : 'exited');
  return { reason, code: by === null ? code : null, signal: by };
}

async function watchResources(
  pid: number,
  limits: Pick<Supervision, 'memoryBytes' | 'volume' | 'diskReserveBytes'>,
  signal: AbortSignal,
  stop: (reason: 'memory' | 'disk') => void,
): Promise<void> {
  for (let tick = 1; ; tick += 1) {
    await new Promise((resolve) => setTimeout(resolve, WATCH_MILLISECONDS));
    if (signal.aborted) return;
    if ((await treeMemoryBytes(pid, limits.memoryBytes)) > limits.memoryBytes) stop('memory');
    if (tick % DISK_EVERY === 0) {
      const volume = await statfs(limits.volume);
      if (volume.bavail * volume.bsize < limits.diskReserveBytes) stop('disk');
    }
  }
}

/** A pipe breaks when the process at its other end is gone; that, and how, is said by its exit. */
function tolerateBreaking(stream: Readable | Writable): void {
  stream.on('error', () => undefined);
}
