import type { Readable } from 'node:stream';
import { SproutError } from '../../domain/errors.ts';
import { type Bubblewrap, containedLaunch } from '../bubblewrap.ts';
import { plainLaunch } from '../plain-process.ts';
import type { Containment, Sandbox, SandboxCommand, SandboxProcess } from '../sandbox.ts';
import { getRemote, putRemote, type Transfers } from './files.ts';
import type { Home } from './home.ts';
import { environmentOf } from './machine.ts';
import { type RemoteProcess, startRemote } from './process.ts';

export interface DaytonaSandboxParts {
  id: string;
  home: Home;
  spool: string;
  /** Most memory any one process tree may use, whatever its own limits say. */
  memoryBytes: number;
  patience: { silentMs: number; pauseMs: number };
  /** Saves the job's files where they outlive the sandbox. */
  save(): Promise<void>;
  onClose(): void;
}

const DISK_RESERVE_BYTES = 256 * 1024 ** 2;

/** A job's sandbox in the cloud. Where it was lost it is made again by the next call, with what was saved of its files. */
export class DaytonaSandbox implements Sandbox {
  readonly kind = 'DAYTONA';
  readonly id: string;
  readonly views?: true;
  readonly #parts: DaytonaSandboxParts;
  readonly #running = new Set<RemoteProcess>();
  #closed = false;

  constructor(parts: DaytonaSandboxParts) {
    this.id = parts.id;
    this.#parts = parts;
    if (parts.home.tools !== null) this.views = true;
  }

  get containment(): Containment {
    return this.#parts.home.tools === null ? 'process' : 'contained';
  }

  async start(command: SandboxCommand): Promise<SandboxProcess> {
    this.#mustBeOpen();
    command.signal?.throwIfAborted();
    const process = await this.#parts.home.live(() => this.#startOnce(command));
    this.#running.add(process);
    void process.exit.then(() => this.#running.delete(process));
    if (this.#closed) process.kill();
    return process;
  }

  async #startOnce(command: SandboxCommand): Promise<RemoteProcess> {
    const { home, patience } = this.#parts;
    if (home.tools === null && command.untrusted) {
      throw new SproutError(
        'SANDBOX_UNCONTAINED',
        "This Daytona sandbox can't contain agent-written code inside, so it is not run.",
        { hint: home.whyNot },
      );
    }
    const { wallSeconds, outputBytes } = command.limits;
    const memoryBytes = Math.min(command.limits.memoryBytes, this.#parts.memoryBytes, home.memoryBytes);
    const limits = { wallSeconds, outputBytes, memoryBytes, diskReserveBytes: DISK_RESERVE_BYTES };
    return startRemote(home, launch(home, command, memoryBytes), command, limits, patience);
  }

  async put(path: string, content: Readable): Promise<void> {
    // Before anything is awaited: what fails unheard would end the server.
    content.on('error', () => undefined);
    try {
      this.#mustBeOpen();
      await putRemote(this.#transfers(), path, content);
    } finally {
      content.destroy();
    }
  }

  async get(path: string): Promise<{ size: number; stream: Readable }> {
    this.#mustBeOpen();
    return this.#parts.home.live(() => getRemote(this.#transfers(), path));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const running = [...this.#running];
    for (const process of running) process.kill();
    await Promise.all(running.map((process) => process.exit));
    // Also those of an earlier attempt that nobody took up again.
    await this.#parts.home.persist('processes', ['kill', 'all', 'killed'], 20).catch((error: unknown) => {
      // What can't be reached can't be told; its own intervals end it.
      if (!(error instanceof SproutError)) throw error;
    });
    this.#parts.onClose();
  }

  leave(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const process of this.#running) process.leave();
    this.#parts.onClose();
  }

  #transfers(): Transfers {
    const { home, spool } = this.#parts;
    return {
      inside: home,
      download: (from, to) => home.download(from, to),
      keep: () => this.#parts.save(),
      spool,
      get uid() {
        return home.uid;
      },
    };
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new SproutError('SANDBOX_CLOSED', `The sandbox ${this.id} is closed.`);
  }
}

function launch(home: Home, command: SandboxCommand, memoryBytes: number) {
  const environment = environmentOf(home.machine);
  const folder = home.machine.job;
  const tools: Bubblewrap | null = home.tools;
  return tools === null
    ? plainLaunch(command, { folder, environment })
    : containedLaunch(tools, command, { folder, environment, uid: home.uid ?? 0, memoryBytes });
}
