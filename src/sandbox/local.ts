import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { SproutError } from '../domain/errors.ts';
import { type Bubblewrap, containedLaunch } from './bubblewrap.ts';
import { detectContainment } from './containment.ts';
import { getFile, type Owner, putFile } from './job-folder.ts';
import { startSupervised } from './local-process.ts';
import { endWithServer, killPlainTree, plainLaunch } from './plain-process.ts';
import type { PythonEnvironment } from './python-interpreter.ts';
import {
  type Containment,
  checkSandboxId,
  SANDBOX_FOLDERS,
  type Sandbox,
  type SandboxCommand,
  type SandboxProcess,
  type SandboxProvider,
  userOf,
} from './sandbox.ts';

const run = promisify(execFile);
const DISK_RESERVE_BYTES = 256 * 1024 ** 2;

export interface LocalSandboxOptions {
  /** Sandboxes live in `sandboxes/` under it. */
  dataDir: string;
  mode: 'auto' | 'contained' | 'process';
  python: PythonEnvironment;
  /** Most memory any one process tree may use, whatever its own limits say. */
  memoryBytes: number;
  /** A process is stopped when the volume has less than this free; default 256 MiB, below which the server fails too. */
  diskReserveBytes?: number;
  logger?: { info(message: string): void; warn(message: string): void };
}

/**
 * Sandboxes on this machine: bubblewrap where it works, else plain limited processes for trusted commands only.
 *
 * Rejects with SANDBOX_UNAVAILABLE when `mode` is `contained` and the machine can't contain.
 */
export async function createLocalSandboxes(options: LocalSandboxOptions): Promise<SandboxProvider> {
  const { dataDir, mode, python, logger } = options;
  const root = join(dataDir, 'sandboxes');
  await mkdir(root, { recursive: true, mode: 0o700 });
  const detected = await detectContainment({ mode, environment: python });
  if (detected.containment === 'contained') logger?.info(detected.reason);
  else logger?.warn(`Agent-written code will be refused: ${detected.reason} ${detected.hint}`);
  return new LocalSandboxes(root, options, detected.containment === 'contained' ? detected.tools : null, {
    description: detected.reason,
    hint: detected.containment === 'process' ? detected.hint : '',
  });
}

class LocalSandboxes implements SandboxProvider {
  readonly kind = 'LOCAL';
  readonly containment: Containment;
  readonly description: string;
  readonly #root: string;
  readonly #options: LocalSandboxOptions;
  readonly #tools: Bubblewrap | null;
  readonly #hint: string;
  readonly #open = new Map<string, Set<LocalSandbox>>();

  constructor(
    root: string,
    options: LocalSandboxOptions,
    tools: Bubblewrap | null,
    said: { description: string; hint: string },
  ) {
    this.containment = tools === null ? 'process' : 'contained';
    this.description = said.description;
    this.#hint = said.hint;
    this.#root = root;
    this.#options = options;
    this.#tools = tools;
  }

  async open(id: string): Promise<Sandbox> {
    const folder = this.#folderOf(id);
    const owner = process.getuid?.() === 0 ? this.#ownerOf(id) : null;
    for (const path of ['', ...SANDBOX_FOLDERS, ...(this.#tools === null ? ['tmp'] : [])]) {
      await mkdir(join(folder, path), { recursive: true, mode: 0o700 });
    }
    await this.#setOwner(folder, owner);
    const sandboxes = this.#open.get(id) ?? new Set();
    this.#open.set(id, sandboxes);
    const sandbox: LocalSandbox = new LocalSandbox({
      id,
      folder,
      owner,
      tools: this.#tools,
      hint: this.#hint,
      ...this.#options,
      onClose: () => {
        sandboxes.delete(sandbox);
        if (sandboxes.size === 0 && this.#open.get(id) === sandboxes) this.#open.delete(id);
      },
    });
    sandboxes.add(sandbox);
    return sandbox;
  }

  async destroy(id: string): Promise<void> {
    const folder = this.#folderOf(id);
    await Promise.all([...(this.#open.get(id) ?? [])].map((sandbox) => sandbox.close()));
    // Not Node's own removal: a tree nested deep enough overflows it. `rm` follows no links.
    await run('rm', ['-rf', '--', folder]).catch(async () => {
      // Folders that a process made unreadable for its own user.
      await run('chmod', ['-R', 'u+rwX', '--', folder]);
      await run('rm', ['-rf', '--', folder]);
    });
  }

  #folderOf(id: string): string {
    checkSandboxId(id);
    return join(this.#root, id);
  }

  /**
   * When the server is root, the user a contained sandbox's processes become: each its own, so that their process counts
   * don't add up.
   */
  #ownerOf(id: string): Owner {
    if (this.#tools === null) return { uid: 0, gid: 0 };
    const uid = userOf(id);
    return { uid, gid: uid };
  }

  /** The folders belong to the user that processes inside are; after a change of containment, all in them too. */
  async #setOwner(folder: string, owner: Owner | null): Promise<void> {
    if (owner === null) return;
    for (const name of SANDBOX_FOLDERS) {
      const path = join(folder, name);
      const held = await stat(path);
      if (held.uid === owner.uid) continue;
      // -P: links inside are changed themselves, never what they point to.
      await run('chown', ['-R', '-P', '-h', `${owner.uid}:${owner.gid}`, '--', path]);
    }
    await chown(folder, owner.uid, owner.gid);
    await chmod(folder, 0o700);
  }
}

interface LocalSandboxParts extends LocalSandboxOptions {
  id: string;
  folder: string;
  owner: Owner | null;
  tools: Bubblewrap | null;
  hint: string;
  onClose(): void;
}

class LocalSandbox implements Sandbox {
  readonly kind = 'LOCAL';
  readonly id: string;
  readonly containment: Containment;
  readonly views?: true;
  readonly #parts: LocalSandboxParts;
  readonly #running = new Set<SandboxProcess>();
  #closed = false;

  constructor(parts: LocalSandboxParts) {
    this.id = parts.id;
    this.containment = parts.tools === null ? 'process' : 'contained';
    if (this.containment === 'contained') this.views = true;
    this.#parts = parts;
  }

  async start(command: SandboxCommand): Promise<SandboxProcess> {
    if (this.#closed) throw new SproutError('SANDBOX_CLOSED', `The sandbox ${this.id} is closed.`);
    const process = await (this.#parts.tools === null
      ? this.#startPlain(command)
      : this.#startContained(this.#parts.tools, command));
    this.#running.add(process);
    void process.exit.then(() => this.#running.delete(process));
    if (this.#closed) process.kill();
    return process;
  }

  #startContained(tools: Bubblewrap, command: SandboxCommand): Promise<SandboxProcess> {
    const { folder, python, owner } = this.#parts;
    const memoryBytes = this.#memory(command);
    const launch = containedLaunch(tools, command, {
      folder,
      environment: python,
      uid: owner?.uid ?? 0,
      memoryBytes,
    });
    return startSupervised(launch, command, {
      memoryBytes,
      volume: folder,
      diskReserveBytes: this.#parts.diskReserveBytes ?? DISK_RESERVE_BYTES,
      // Its death takes the process namespace, and with it everything inside.
      killTree: (child) => void child.kill('SIGKILL'),
    });
  }

  async #startPlain(command: SandboxCommand): Promise<SandboxProcess> {
    const { folder, python, hint } = this.#parts;
    if (command.untrusted) {
      throw new SproutError(
        'SANDBOX_UNCONTAINED',
        "This machine can't contain agent-written code, so it is not run.",
        { hint },
      );
    }
    let release: (() => void) | null = null;
    const process = await startSupervised(plainLaunch(command, { folder, environment: python }), command, {
      memoryBytes: this.#memory(command),
      volume: folder,
      diskReserveBytes: this.#parts.diskReserveBytes ?? DISK_RESERVE_BYTES,
      killTree: killPlainTree,
      onStarted: (pid) => {
        release = endWithServer(pid);
      },
    });
    void process.exit.then(() => release?.());
    return process;
  }

  #memory(command: SandboxCommand): number {
    return Math.min(command.limits.memoryBytes, this.#parts.memoryBytes);
  }

  put(path: string, content: Readable): Promise<void> {
    return putFile(this.#parts.folder, path, content, this.#parts.owner);
  }

  get(path: string): Promise<{ size: number; stream: Readable }> {
    return getFile(this.#parts.folder, path);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const running = [...this.#running];
    for (const process of running) process.kill();
    await Promise.all(running.map((process) => process.exit));
    this.#parts.onClose();
  }
}
