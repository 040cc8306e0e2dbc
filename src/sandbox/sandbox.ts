import type { Readable } from 'node:stream';
import type { SandboxKind } from '../domain/vocabulary.ts';

/**
 * The sandbox port: an isolated folder in which processes run without network, secrets or host files.
 *
 * Paths are relative to the job's folder (`input/`, `work/`, `sealed/`, `out/`), which is every process's working
 * directory. The folder outlives the sandbox: opening the same id again finds what earlier processes left.
 */
export interface Sandbox {
  readonly id: string;
  readonly kind: SandboxKind;
  /** `contained`: agent-written code may run here. `process`: only our own toolkit may. */
  readonly containment: Containment;
  /** Starts a process. Rejects with SANDBOX_UNCONTAINED when `untrusted` code is asked of a sandbox that can't hold it. */
  start(command: SandboxCommand): Promise<SandboxProcess>;
  /** Writes a file, creating folders on the way. Whole or not at all. */
  put(path: string, content: Readable): Promise<void>;
  /** Reads a regular file of the job's folder; refuses links, devices and paths that leave it. */
  get(path: string): Promise<{ size: number; stream: Readable }>;
  /** Kills everything still running in this sandbox. The folder stays. */
  close(): Promise<void>;
}

export type Containment = 'contained' | 'process';

export interface SandboxCommand {
  /** What to run; the first element is a program of the toolkit's environment or an absolute path inside the sandbox. */
  argv: readonly [string, ...string[]];
  env?: Readonly<Record<string, string>>;
  /** True for code no engineer of ours wrote: it gets neither `input/` nor `sealed/`. */
  untrusted?: boolean;
  limits: ProcessLimits;
  signal?: AbortSignal;
  /** Called for each line of output, in order; a line longer than 64 KiB arrives in pieces. */
  onLine(stream: 'stdout' | 'stderr', line: string): void;
}

export interface ProcessLimits {
  /** Wall clock; null for a process that lives as long as its sandbox. */
  wallSeconds: number | null;
  cpuSeconds: number | null;
  memoryBytes: number;
  processes: number;
  fileBytes: number;
  outputBytes: number;
}

export interface SandboxProcess {
  /** Writes one line to the process's stdin. */
  send(line: string): void;
  /** SIGKILL to the whole process tree. */
  kill(): void;
  readonly exit: Promise<ProcessExit>;
}

/** Success is `reason: 'exited'` with code 0 and nothing else. */
export interface ProcessExit {
  reason: 'exited' | 'deadline' | 'aborted' | 'memory' | 'output' | 'killed';
  code: number | null;
  signal: string | null;
}

export interface SandboxProvider {
  readonly kind: SandboxKind;
  readonly containment: Containment;
  /** One sentence for `doctor`, logs and `Job.sandbox`: how processes are contained here, or why they are not. */
  readonly description: string;
  open(id: string): Promise<Sandbox>;
  /** Removes a sandbox's folder for good. Idempotent. */
  destroy(id: string): Promise<void>;
}
