import { cpus } from 'node:os';
import { SproutError } from '../domain/errors.ts';
import type { ProcessLimits, Sandbox } from './sandbox.ts';
import type { Toolkit, ToolkitCallOptions } from './toolkit.ts';
import { callOnce } from './toolkit-once.ts';
import { crashed, stepDeadline } from './toolkit-wire.ts';
import { Zygote, ZygoteGone } from './toolkit-zygote.ts';

export interface ToolkitOptions {
  /** Memory of everything one job runs at a time, in bytes. */
  memoryBytes: number;
  /** Keep a warm process that forks one child per command. Default: on Linux; elsewhere forking is not safe. */
  warm?: boolean;
  /** Program and arguments in front of the command's name; default: the toolkit of the sandbox's environment. */
  program?: readonly [string, ...string[]];
}

const PROGRAM = ['python', '-I', '-m', 'sproutml_toolkit'] as const;
/** A warm process that died for no reason we know is started again once; then every command gets its own process. */
const RESTARTS = 1;
const MEBIBYTE = 1024 ** 2;

/**
 * The toolkit in a sandbox. With `warm`, its libraries are being imported from this moment on. Calls may overlap.
 *
 * A call rejects with the command's own coded error, STEP_DEADLINE, the reason its signal was aborted with,
 * SANDBOX_OUT_OF_MEMORY, SANDBOX_DISK_FULL, TOOLKIT_CRASHED or TOOLKIT_CLOSED.
 */
export function openToolkit(sandbox: Sandbox, options: ToolkitOptions): Toolkit {
  return new ToolkitSession(sandbox, options);
}

class ToolkitSession implements Toolkit {
  readonly #sandbox: Sandbox;
  readonly #program: readonly [string, ...string[]];
  readonly #limits: ProcessLimits;
  #zygote: Zygote | null = null;
  #warm: boolean;
  #restartsLeft = RESTARTS;
  /** Aborted by `close`, with the error that calls then reject with. */
  readonly #closing = new AbortController();

  constructor(sandbox: Sandbox, options: ToolkitOptions) {
    this.#sandbox = sandbox;
    this.#program = options.program ?? PROGRAM;
    this.#limits = {
      wallSeconds: null,
      cpuSeconds: null,
      memoryBytes: options.memoryBytes,
      processes: Math.max(256, cpus().length * 32),
      fileBytes: 16 * 1024 * MEBIBYTE,
      outputBytes: 512 * MEBIBYTE,
    };
    this.#warm = options.warm ?? process.platform === 'linux';
    if (this.#warm) this.#zygote = this.#startZygote();
  }

  async call(command: string, request: unknown, options: ToolkitCallOptions): Promise<unknown> {
    const { signal: closing } = this.#closing;
    const signal = AbortSignal.any([closing, ...(options.signal === undefined ? [] : [options.signal])]);
    signal.throwIfAborted();
    const startedAt = performance.now();
    while (this.#warm) {
      const zygote = this.#living(options);
      if (zygote === null) break;
      try {
        return await zygote.call(command, request, remaining());
      } catch (error) {
        closing.throwIfAborted();
        // It died before this command began: nothing was done yet, so the next one may do it.
        if (!(error instanceof ZygoteGone)) throw error;
        // No room to begin in: started again and again it would only use up the job's time.
        if (zygote.ended?.reason === 'disk') throw crashed(command, zygote.ended, []);
        options.onLog?.('WARNING', `The warm toolkit process could not take "${command}": ${error.message}`);
      }
    }
    return callOnce(this.#sandbox, this.#program, this.#limits, command, request, remaining());

    function remaining(): ToolkitCallOptions {
      const timeoutMs = options.timeoutMs - (performance.now() - startedAt);
      if (timeoutMs <= 0) throw stepDeadline(command);
      return { ...options, timeoutMs, signal };
    }
  }

  async ready(): Promise<void> {
    await this.#zygote?.settled;
  }

  async close(): Promise<void> {
    this.#closing.abort(
      new SproutError('TOOLKIT_CLOSED', 'The toolkit was closed; the command did not finish.'),
    );
    await this.#zygote?.close();
  }

  async knows(command: string, key: string): Promise<boolean> {
    return (await this.#zygote?.knows(command, key)) ?? false;
  }

  leave(): void {
    this.#zygote?.leave();
    this.#closing.abort(
      new SproutError('TOOLKIT_CLOSED', 'The toolkit was left; the command goes on without us.'),
    );
  }

  /** The warm process, started anew where it died; null once that is given up. */
  #living(options: ToolkitCallOptions): Zygote | null {
    const ended = this.#zygote?.ended ?? null;
    if (this.#zygote !== null && ended === null) return this.#zygote;
    // Memory and disk are about one command's appetite, and a sandbox may be lost at any time: none says that the process can't
    // be kept alive.
    const understood = ended !== null && ['memory', 'disk', 'lost'].includes(ended.reason);
    if (!understood && this.#restartsLeft === 0) {
      this.#warm = false;
      options.onLog?.(
        'WARNING',
        'The warm toolkit process died again: from here on each command starts a process.',
      );
      return null;
    }
    if (!understood) this.#restartsLeft -= 1;
    options.onLog?.('WARNING', `The warm toolkit process died (${describe(ended)}) and is started again.`);
    this.#zygote = this.#startZygote();
    return this.#zygote;
  }

  #startZygote(): Zygote {
    return new Zygote((onLine) =>
      this.#sandbox.start({
        argv: [...this.#program, 'zygote'],
        limits: this.#limits,
        key: 'zygote',
        onLine,
      }),
    );
  }
}

function describe(ended: Zygote['ended']): string {
  if (ended === null) return 'unknown reason';
  return ended.reason === 'exited' ? (ended.signal ?? `exit code ${ended.code}`) : ended.reason;
}
