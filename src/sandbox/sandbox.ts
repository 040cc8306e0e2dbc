import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { SproutError } from '../domain/errors.ts';
import type { SandboxKind } from '../domain/vocabulary.ts';

/**
 * The sandbox port: an isolated folder in which processes run without network, secrets or host files.
 *
 * Paths are relative to the job's folder, which is every process's working directory. It holds five folders:
 *
 *     input/     the upload; processes read it, only `put` writes it
 *     work/      what trusted and untrusted code both see; untrusted code reads it only
 *     scratch/   the one place untrusted code writes: trusted code never unpickles or imports what lies here
 *     sealed/    the whole table and the holdout; untrusted code does not see it
 *     out/       files that become artifacts; untrusted code does not see it
 *
 * The folder outlives the sandbox: opening the same id again finds what earlier processes left.
 */
export interface Sandbox {
  readonly id: string;
  readonly kind: SandboxKind;
  /** `contained`: agent-written code may run here. `process`: only our own toolkit may. */
  readonly containment: Containment;
  /** True where a process can be held to an `UntrustedView`; one that gets a view elsewhere is not started. */
  readonly views?: true;
  /** Starts a process. Rejects with SANDBOX_UNCONTAINED when `untrusted` code is asked of a sandbox that can't hold it. */
  start(command: SandboxCommand): Promise<SandboxProcess>;
  /**
   * Writes a file, creating folders on the way. Whole or not at all; `content` is read or destroyed in any case. Rejects
   * with SANDBOX_PATH_REFUSED.
   */
  put(path: string, content: Readable): Promise<void>;
  /**
   * Reads a regular file of the job's folder. Rejects with SANDBOX_FILE_NOT_FOUND, or with SANDBOX_PATH_REFUSED for
   * links, devices, pipes and paths that leave the folder. The stream ends after `size` bytes even if the file grows; read it
   * or destroy it.
   */
  get(path: string): Promise<{ size: number; stream: Readable }>;
  /** Kills everything still running in this sandbox. The folder stays. */
  close(): Promise<void>;
  /**
   * Lets go without ending what runs, for the next server to take up by its key; here such processes come to `lost`. Absent
   * where nothing outlives the server.
   */
  leave?(): void;
}

export const SANDBOX_FOLDERS = ['input', 'work', 'scratch', 'sealed', 'out'] as const;

export type Containment = 'contained' | 'process';

export interface SandboxCommand {
  /** What to run: `python` is the toolkit's interpreter, another bare name is looked up beside it, then in the system. */
  argv: readonly [string, ...string[]];
  env?: Readonly<Record<string, string>>;
  /** For code no engineer of ours wrote: true: see the folders above for what it gets; a view: less than that. */
  untrusted?: boolean | UntrustedView;
  limits: ProcessLimits;
  /**
   * Names the process for good. Where sandboxes outlive the server, one that still runs or has succeeded under this key is
   * taken up, with all its output from the start, instead of started again.
   */
  key?: string;
  signal?: AbortSignal;
  /**
   * Called for each line of output, in order. A line longer than 64 KiB arrives in pieces, `continues` being true for
   * all but its last. Must not throw.
   */
  onLine(stream: 'stdout' | 'stderr', line: string, continues: boolean): void;
}

/**
 * The only parts of the job's folder that a process sees, at the same paths as ever. What one fold of a trial learns from is what
 * another is scored on, so the processes of two folds must neither see nor leave each other anything.
 */
export interface UntrustedView {
  /** Files and folders below work/, read-only. They exist. */
  reads: readonly string[];
  /** A folder below scratch/. It exists. */
  writes: string;
}

export interface ProcessLimits {
  /** Wall clock; null for a process that lives as long as its sandbox. */
  wallSeconds: number | null;
  /** Of each process, not of their sum. */
  cpuSeconds: number | null;
  /** Of the whole process tree. */
  memoryBytes: number;
  /** Processes and threads at once; binds in `contained` only. */
  processes: number;
  /** Largest file any process may write. */
  fileBytes: number;
  /** Stdout and stderr together. */
  outputBytes: number;
}

export interface SandboxProcess {
  /**
   * Writes one line to the process's stdin; does nothing once the process has ended. `once` names it: a process that was
   * taken up again is not sent a second line of one name.
   */
  send(line: string, once?: string): void;
  /** Closes the process's stdin. */
  end(): void;
  /** SIGKILL to the whole process tree. */
  kill(): void;
  /**
   * Set when this process was found running under its key: resolves once all that it had printed before was given out. It
   * never rejects.
   */
  readonly resumed?: Promise<void> | null;
  /** Resolves when the whole tree is gone and its last line was given out. Never rejects. */
  readonly exit: Promise<ProcessExit>;
}

/** Success is `reason: 'exited'` with code 0 and nothing else. */
export interface ProcessExit {
  /**
   * `deadline`: wall clock or CPU seconds ran out. `memory`, `output`: more than the limits allow. `disk`: the volume
   * under the sandboxes was about to fill. `killed`: `kill()` or `close()` was called. `lost`: the sandbox, or what watched
   * over the process, is gone, and nobody knows how far it came; to be done again.
   */
  reason: 'exited' | 'deadline' | 'aborted' | 'memory' | 'output' | 'disk' | 'killed' | 'lost';
  code: number | null;
  signal: string | null;
}

export interface SandboxProvider {
  readonly kind: SandboxKind;
  readonly containment: Containment;
  /** One sentence for `doctor`, logs and `Job.sandbox`: how processes are contained here, or why they are not. */
  readonly description: string;
  /** Rejects with the signal's reason when that fires while the sandbox is not there yet. */
  open(id: string, options?: { signal?: AbortSignal }): Promise<Sandbox>;
  /**
   * Kills what still runs in a sandbox and removes its folder for good. Idempotent. With `keep`, a provider whose sandboxes
   * people can look into may leave it to them for a while, and removes it then.
   */
  destroy(id: string, options?: { keep?: boolean }): Promise<void>;
}

/** Rejects a name that could lead elsewhere. */
export function checkSandboxId(id: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/.test(id)) return;
  throw new SproutError('SANDBOX_PATH_REFUSED', `"${id.slice(0, 100)}" can't name a sandbox.`, {
    hint: 'Use letters, digits, "-" and "_" only.',
  });
}

/** A user of its own for a sandbox, from the range that systemd keeps for such short-lived ones; nobody's files have these numbers. */
export function userOf(id: string): number {
  return 61_184 + (createHash('sha256').update(id).digest().readUInt32LE() % 4_336);
}
