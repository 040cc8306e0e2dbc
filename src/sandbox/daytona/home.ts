import { SproutError } from '../../domain/errors.ts';
import { type Bubblewrap, containedLaunch } from '../bubblewrap.ts';
import type { CloudSandbox, DaytonaApi } from './api.ts';
import type { DaytonaEnvironment } from './environment.ts';
import { DaytonaError, type Patience, persistently } from './errors.ts';
import { type Lease, type LeaseOptions, obtain } from './lease.ts';
import { bubblewrapOf, environmentOf, type Machine, machine } from './machine.ts';
import { type Inside, startRemote } from './process.ts';

/** What all sandboxes of one provider share. */
export interface Fleet {
  api: DaytonaApi;
  environment: DaytonaEnvironment;
  options: LeaseOptions;
  patience: Patience;
  /** A process nobody hears of for so long is lost; how soon to ask again when an answer failed. */
  processPatience: { silentMs: number; pauseMs: number };
  bundle: Buffer;
  logger: { info(message: string): void; warn(message: string): void };
  /** Whether bubblewrap works inside, by what the sandbox was made from; null: it does, else what it said. */
  verdicts: Map<string, string | null>;
}

/** The sandbox is gone or not running: what ran there is lost, what was asked of it was not done or nobody knows. */
export class SandboxLostError extends SproutError {
  constructor(name: string, cause?: unknown) {
    super('SANDBOX_LOST', `The Daytona sandbox ${name} went away.`, {
      hint: 'Start the job again with `retryJob`.',
      cause,
    });
  }
}

const MEMORY_SHARE = 0.9;
const SETUP_SECONDS = 60;
const PROBE_MEMORY = 512 * 1024 ** 2;
const BUNDLE = 'sproutml-bundle.tar.gz';

/** The cloud sandbox that one of ours lives in: made, moved into, and made again when it was lost. */
export class Home implements Inside {
  readonly #fleet: Fleet;
  readonly #lease: () => Promise<Lease>;
  readonly #uid: number;
  /** Called in a sandbox where nothing was: brings back what was saved of an earlier one. */
  readonly #restore: (home: Home) => Promise<void>;
  #name = '';
  #cloud: CloudSandbox | null = null;
  #machine: Machine | null = null;
  #tools: Bubblewrap | null = null;
  #settled: Promise<void> | null = null;
  whyNot = '';

  constructor(
    fleet: Fleet,
    parts: { lease: () => Promise<Lease>; uid: number; restore?: (home: Home) => Promise<void> },
  ) {
    this.#fleet = fleet;
    this.#lease = parts.lease;
    this.#uid = parts.uid;
    this.#restore = parts.restore ?? (async () => undefined);
  }

  get machine(): Machine {
    if (this.#machine === null) throw new Error('nobody has moved in yet');
    return this.#machine;
  }

  /** What contained processes are started with; null: they can't be here, and `whyNot` says why. */
  get tools(): Bubblewrap | null {
    return this.#tools;
  }

  get uid(): number | null {
    return this.machine.uid;
  }

  /** Most that may be used by what runs here: the daemon and the system need some, too. */
  get memoryBytes(): number {
    return (this.#cloud?.memory ?? 1) * MEMORY_SHARE * 1024 ** 3;
  }

  /** The sandbox as the API last told of it; null: not there. */
  get cloud(): CloudSandbox | null {
    return this.#cloud;
  }

  /** Resolves once the sandbox is up and moved into; at once when it is as far as we know. */
  settle(signal?: AbortSignal): Promise<void> {
    this.#settled ??= this.#moveIn(signal).catch((error: unknown) => {
      this.#settled = null;
      throw error;
    });
    return this.#settled;
  }

  /** Does `work` in the sandbox; where that is found lost, in the one that takes its place. */
  async live<T>(work: () => Promise<T>): Promise<T> {
    for (let left = 2; ; left -= 1) {
      await this.settle();
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof SandboxLostError) || left === 0) throw error;
        this.#fleet.logger.warn(`${error.message} It is made again.`);
      }
    }
  }

  run(program: 'processes' | 'files' | 'saved', words: readonly string[], seconds: number): Promise<unknown> {
    const path = `sproutml/inside/${program}.py`;
    return this.#fleet.api.run(this.#there(), ['python3', '-I', '-B', path, ...words], seconds);
  }

  persist(
    program: 'processes' | 'files' | 'saved',
    words: readonly string[],
    seconds: number,
  ): Promise<unknown> {
    return this.#asLongAsUp(`running ${program} in a sandbox`, () => this.run(program, words, seconds));
  }

  upload(content: string | Buffer, path: string): Promise<void> {
    return this.#asLongAsUp('uploading a file', () => this.#fleet.api.upload(this.#there(), content, path));
  }

  download(from: string, to: string): Promise<void> {
    return this.#asLongAsUp('downloading a file', () => this.#fleet.api.download(this.#there(), from, to));
  }

  /** False once it is certain that the sandbox does not run. The next `settle` makes it again. */
  async isUp(): Promise<boolean | null> {
    const { api, patience } = this.#fleet;
    const ours = this.#cloud;
    if (ours === null) return false;
    try {
      const found = await persistently('looking for a sandbox', { ...patience, totalMs: 0 }, () =>
        api.findOnce(ours.id),
      );
      if (found?.state === 'started') return true;
    } catch (error) {
      if (error instanceof DaytonaError && error.trouble !== 'key') return null;
      throw error;
    }
    this.leave(ours);
    return false;
  }

  /** Forgets the sandbox. */
  leave(cloud: CloudSandbox | null = this.#cloud): void {
    if (cloud === null || this.#cloud !== cloud) return;
    this.#cloud = null;
    this.#settled = null;
  }

  #there(): CloudSandbox {
    if (this.#cloud === null) throw new SandboxLostError(this.#name);
    return this.#cloud;
  }

  /** Tries again while the trouble may pass and the sandbox runs; rejects with SandboxLostError once it does not. */
  #asLongAsUp<T>(doing: string, call: () => Promise<T>): Promise<T> {
    return persistently(doing, this.#fleet.patience, async () => {
      try {
        return await call();
      } catch (error) {
        if (!(error instanceof DaytonaError) || error.trouble === 'key' || error.trouble === 'refused')
          throw error;
        if ((await this.isUp()) === false) throw new SandboxLostError(this.#name, error);
        throw error;
      }
    });
  }

  async #moveIn(signal: AbortSignal | undefined): Promise<void> {
    const { bundle, logger } = this.#fleet;
    const lease = await this.#lease();
    this.#name = lease.name;
    for (let left = 2; ; left -= 1) {
      this.#cloud = await obtain(this.#fleet, lease, signal);
      try {
        await this.upload(bundle, BUNDLE);
        await this.#asLongAsUp('unpacking', () =>
          this.#fleet.api.runPlain(
            this.#there(),
            ['python3', '-I', '-m', 'tarfile', '-e', BUNDLE, 'sproutml'],
            SETUP_SECONDS,
          ),
        );
        this.#machine = machine.parse(
          await this.persist('files', ['setup', String(this.#uid)], SETUP_SECONDS),
        );
        await this.#chooseTools();
        if (this.#machine.fresh) {
          await this.#restore(this);
          // Not before: should this be cut short, whoever comes next brings the files.
          await this.persist('files', ['ready'], SETUP_SECONDS);
        }
        return;
      } catch (error) {
        if (!(error instanceof SandboxLostError) || left === 0) throw error;
        logger.warn(`${error.message} It is made again.`);
      }
    }
  }

  /** Holds one process to see whether bubblewrap works inside; once for all sandboxes that are made alike. */
  async #chooseTools(): Promise<void> {
    const tools = bubblewrapOf(this.machine);
    const kind = `${this.#cloud?.snapshot ?? 'image'} ${JSON.stringify(this.machine.programs)}`;
    const { verdicts } = this.#fleet;
    if (!verdicts.has(kind)) {
      verdicts.set(kind, tools === null ? 'bubblewrap or util-linux is missing' : await this.#tryOut(tools));
    }
    const complaint = verdicts.get(kind) ?? null;
    this.#tools = complaint === null ? tools : null;
    this.whyNot = complaint === null ? '' : `Inside, bubblewrap does not work: ${complaint}`;
  }

  async #tryOut(tools: Bubblewrap): Promise<string | null> {
    const said: string[] = [];
    const limits = {
      wallSeconds: 20,
      cpuSeconds: 20,
      memoryBytes: PROBE_MEMORY,
      processes: 16,
      fileBytes: 1024,
      outputBytes: 64 * 1024,
    };
    const command = {
      argv: ['python', '-I', '-c', 'print("contained")'] as const,
      limits,
      onLine: (_stream: 'stdout' | 'stderr', line: string) => void said.push(line),
    };
    const launch = containedLaunch(tools, command, {
      folder: this.machine.job,
      environment: environmentOf(this.machine),
      uid: this.machine.uid ?? 0,
      memoryBytes: PROBE_MEMORY,
    });
    const process = await startRemote(
      this,
      launch,
      command,
      { ...limits, diskReserveBytes: 0 },
      this.#fleet.processPatience,
    );
    const exit = await process.exit;
    if (exit.reason === 'lost') throw new SandboxLostError(this.#name);
    if (exit.code === 0 && said.includes('contained')) return null;
    return said.slice(-3).join(' ').slice(0, 500) || `${exit.reason} ${exit.code ?? exit.signal}`;
  }
}
