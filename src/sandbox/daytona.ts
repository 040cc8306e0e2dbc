import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DaytonaApi } from './daytona/api.ts';
import { makeBundle } from './daytona/bundle.ts';
import { Checkpoint } from './daytona/checkpoint.ts';
import { DaytonaEnvironment, type Size } from './daytona/environment.ts';
import { DaytonaError } from './daytona/errors.ts';
import { type Fleet, Home } from './daytona/home.ts';
import { installId } from './daytona/install-id.ts';
import type { Lease } from './daytona/lease.ts';
import { orphans } from './daytona/orphans.ts';
import { DaytonaSandbox } from './daytona/sandbox.ts';
import { TeamToolkit } from './daytona/team-toolkit.ts';
import { type Containment, checkSandboxId, type Sandbox, type SandboxProvider, userOf } from './sandbox.ts';
import type { Toolkit } from './toolkit.ts';
import { openToolkit, type ToolkitOptions } from './toolkit-session.ts';

export interface DaytonaOptions {
  apiKey: string;
  apiUrl: string;
  target: string | null;
  dataDir: string;
  size: Size;
  /** Sandboxes a job may train in at the same time, its own included. */
  maxParallel: number;
  /** How long a failed job's sandbox is kept for a look, in minutes. */
  keepMinutes: number;
  memoryBytes: number;
  logger: { info(message: string): void; warn(message: string): void };
  timing?: Partial<DaytonaTiming>;
}

/** Milliseconds. */
export interface DaytonaTiming {
  /** For calls that fail and may work the next time. */
  patience: number;
  pause: number;
  /** A process that nobody hears of for so long is lost. */
  silent: number;
  poll: number;
  start: number;
  /** Waiting for room in the quota. */
  quota: number;
  keepAlive: number;
  /** A sandbox that no living job owns is deleted when it is older; how often that is looked after. */
  orphan: number;
  reap: number;
}

const TIMING: DaytonaTiming = {
  patience: 120_000,
  pause: 500,
  silent: 180_000,
  poll: 1_000,
  start: 300_000,
  quota: 180_000,
  keepAlive: 300_000,
  orphan: 600_000,
  reap: 600_000,
};
const AUTO_STOP_MINUTES = 30;
const AUTO_DELETE_MINUTES = 120;
const APP = 'sproutml';
const WORKBENCH = 'workbench';

/**
 * Sandboxes in Daytona's cloud. Rejects with DAYTONA_KEY_REFUSED when the key is not accepted; a service that can't be reached
 * now is warned of, since it may be back by the first job.
 */
export async function createDaytonaSandboxes(options: DaytonaOptions): Promise<DaytonaSandboxes> {
  const timing = { ...TIMING, ...options.timing };
  const patience = { totalMs: timing.patience, pauseMs: timing.pause };
  const api = await DaytonaApi.connect({ ...options, patience, pollMs: timing.poll });
  try {
    await api.check();
  } catch (error) {
    const passes = error instanceof DaytonaError && ['unavailable', 'rate'].includes(error.trouble);
    if (!passes) {
      await api.close();
      throw error;
    }
    options.logger.warn(`${error.message} Jobs will fail until it can be reached.`);
  }
  const spool = join(options.dataDir, 'daytona-transfers');
  // What an earlier process left half-way.
  await rm(spool, { recursive: true, force: true });
  await mkdir(spool, { recursive: true, mode: 0o700 });
  const install = await installId(options.dataDir);
  const fleet: Fleet = {
    api,
    environment: new DaytonaEnvironment({ api, logger: options.logger, pollMs: timing.poll }),
    options: {
      sizes: [options.size, smaller(options.size)],
      quotaMs: timing.quota,
      startMs: timing.start,
      pollMs: timing.poll,
      autoStopMinutes: AUTO_STOP_MINUTES,
      autoDeleteMinutes: AUTO_DELETE_MINUTES,
    },
    patience,
    processPatience: { silentMs: timing.silent, pauseMs: timing.pause },
    bundle: await makeBundle(),
    logger: options.logger,
    verdicts: new Map(),
  };
  return new DaytonaSandboxes(fleet, options, timing, { install, spool });
}

/** The toolkit needs two gibibytes for anything at all. */
const smaller = ({ cpu, memoryGib, diskGib }: Size): Size => ({
  cpu: Math.max(1, Math.floor(cpu / 2)),
  memoryGib: Math.max(Math.min(2, memoryGib), Math.floor(memoryGib / 2)),
  diskGib: Math.max(Math.min(3, diskGib), Math.floor(diskGib / 2)),
});

export class DaytonaSandboxes implements SandboxProvider {
  readonly kind = 'DAYTONA';
  readonly description: string;
  readonly #fleet: Fleet;
  readonly #options: DaytonaOptions;
  readonly #timing: DaytonaTiming;
  readonly #install: string;
  readonly #spool: string;
  readonly #open = new Map<string, Set<DaytonaSandbox>>();
  readonly #workbenches = new WeakMap<Sandbox, Home>();
  readonly #volumes = new Map<string, Promise<Lease['volume']>>();
  readonly #homes = new Set<Home>();
  readonly #timers: NodeJS.Timeout[] = [];
  #reaping: Promise<number> | null = null;

  constructor(
    fleet: Fleet,
    options: DaytonaOptions,
    timing: DaytonaTiming,
    parts: { install: string; spool: string },
  ) {
    this.#fleet = fleet;
    this.#options = options;
    this.#timing = timing;
    this.#install = parts.install;
    this.#spool = parts.spool;
    const { cpu, memoryGib, diskGib } = options.size;
    this.description =
      `Daytona sandboxes at ${new URL(options.apiUrl).host} (${cpu} CPU, ${memoryGib} GiB memory, ${diskGib} GiB disk), without network; ` +
      'agent-written code runs in bubblewrap inside.';
    this.#timers.push(setInterval(() => void this.#touchAll(), timing.keepAlive).unref());
  }

  /** What is known of them: until one was seen that can't, they are taken to contain. */
  get containment(): Containment {
    const verdicts = [...this.#fleet.verdicts.values()];
    return verdicts.length > 0 && verdicts.every((verdict) => verdict !== null) ? 'process' : 'contained';
  }

  async open(id: string, { signal }: { signal?: AbortSignal } = {}): Promise<Sandbox> {
    checkSandboxId(id);
    const home = this.#home(id, WORKBENCH);
    await home.settle(signal);
    const volume = await this.#volume(id);
    const sandbox = this.#sandbox(id, home, async () => {
      if (volume !== null) await new Checkpoint(volume.path).save(home).catch(this.#unlessLost);
    });
    this.#workbenches.set(sandbox, home);
    return sandbox;
  }

  /** The toolkit of a job's sandbox, which trains in sandboxes of its own beside that where there may be more than one. */
  async openToolkit(sandbox: Sandbox, options: ToolkitOptions): Promise<Toolkit> {
    const home = this.#workbenches.get(sandbox);
    if (home === undefined) throw new Error('the sandbox is none of ours');
    const toolkit = openToolkit(sandbox, options);
    const volume = await this.#volume(sandbox.id);
    if (volume === null) return toolkit;
    return new TeamToolkit({
      workbench: { home, toolkit, close: async () => undefined, leave: () => toolkit.leave?.() },
      checkpoint: new Checkpoint(volume.path),
      most: this.#options.maxParallel,
      logger: this.#fleet.logger,
      openTrainer: async (nth) => {
        const own = this.#home(sandbox.id, `trainer-${nth}`);
        await own.settle();
        const trainer = this.#sandbox(sandbox.id, own);
        const toolkit = openToolkit(trainer, options);
        return {
          home: own,
          toolkit,
          close: async () => {
            await toolkit.close();
            await trainer.close();
          },
          leave: () => {
            toolkit.leave?.();
            trainer.leave();
          },
        };
      },
    });
  }

  /** What the job's sandboxes have cost so far, by their age and size; those that were lost on the way are not in it. */
  async billed(id: string): Promise<{ cpuSeconds: number; memoryGibSeconds: number }> {
    let cpuSeconds = 0;
    let memoryGibSeconds = 0;
    const found = await this.#fleet.api.list(this.#labels(id)).catch((error: unknown) => {
      if (!(error instanceof DaytonaError)) throw error;
      // A bill that can't be had is no reason for a job to fail.
      this.#fleet.logger.warn(`What job ${id} has cost is not known: ${error.message}`);
      return [];
    });
    for (const { createdAt, cpu, memory } of found) {
      const seconds = createdAt === undefined ? 0 : Math.max(0, Date.now() - Date.parse(createdAt)) / 1000;
      cpuSeconds += seconds * cpu;
      memoryGibSeconds += seconds * memory;
    }
    return { cpuSeconds, memoryGibSeconds };
  }

  /**
   * Deletes sandboxes and volumes of this installation that no living job owns: what a crash, or a deletion that failed, left.
   * `living` names the jobs that may still need theirs, and is asked after the cloud has been.
   */
  async reap(living: () => Promise<ReadonlySet<string>>): Promise<number> {
    const { api, logger } = this.#fleet;
    const { app, install } = this.#labels('');
    const found = await api.list({ app, install });
    const volumes = (await api.volumeNames()).filter((name) => name.startsWith(`${APP}-${this.#install}-`));
    const alive = await living();
    const gone = orphans(found, alive, { now: Date.now(), graceMs: this.#timing.orphan });
    for (const name of gone) {
      logger.warn(`Deleting the Daytona sandbox ${name}: no living job owns it.`);
      await api.delete(name);
    }
    // A volume lives as long as a sandbox of its job: the young ones may be waiting for theirs.
    const owners = [
      ...alive,
      ...found.filter(({ name }) => !gone.includes(name)).map(({ labels }) => labels.job ?? ''),
    ];
    const needed = new Set(owners.map((id) => this.#name(id, 'volume')));
    for (const name of volumes.filter((volume) => !needed.has(volume))) await api.deleteVolume(name);
    return gone.length;
  }

  async destroy(id: string, { keep = false }: { keep?: boolean } = {}): Promise<void> {
    checkSandboxId(id);
    await Promise.all([...(this.#open.get(id) ?? [])].map((sandbox) => sandbox.close()));
    const { api } = this.#fleet;
    const workbench = this.#name(id, WORKBENCH);
    // By label and by name: a list may be a moment behind.
    const listed = await api.list(this.#labels(id));
    const trainers = Array.from({ length: this.#options.maxParallel - 1 }, (_, index) =>
      this.#name(id, `trainer-${index + 1}`),
    );
    const names = new Set([workbench, ...trainers, ...listed.map(({ name }) => name)]);
    if (keep && (await this.#keep(workbench))) names.delete(workbench);
    await Promise.all([...names].map((name) => api.delete(name)));
    this.#volumes.delete(id);
    if (names.has(workbench)) await api.deleteVolume(this.#name(id, 'volume'));
  }

  async #keep(workbench: string): Promise<boolean> {
    const { api, logger } = this.#fleet;
    const { keepMinutes } = this.#options;
    const found = keepMinutes > 0 ? await api.find(workbench) : null;
    if (found === null) return false;
    const until = new Date(Date.now() + keepMinutes * 60_000).toISOString();
    await api.retire(found, keepMinutes, { keptUntil: until });
    logger.info(`The sandbox ${workbench} of the failed job is kept, stopped, until ${until}.`);
    return true;
  }

  /** Reaps now, and then every so often until `close`. */
  tend(living: () => Promise<ReadonlySet<string>>): void {
    const reap = () => {
      this.#reaping ??= this.reap(living)
        .catch((error: Error) => {
          this.#fleet.logger.warn(`Looking for orphaned sandboxes failed: ${error.message}`);
          return 0;
        })
        .finally(() => {
          this.#reaping = null;
        });
    };
    this.#timers.push(setInterval(reap, this.#timing.reap).unref());
    reap();
  }

  /** Stops keeping sandboxes alive and closes connections. What runs goes on. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#reaping;
    await this.#fleet.api.close();
  }

  #home(id: string, role: string): Home {
    const home = new Home(this.#fleet, {
      uid: userOf(id),
      lease: async () => ({
        name: this.#name(id, role),
        labels: { ...this.#labels(id), role },
        volume: await this.#volume(id),
        mustHave: role === WORKBENCH,
      }),
      restore: async (fresh) => {
        const volume = await this.#volume(id);
        if (volume === null || role !== WORKBENCH) return;
        const files = await new Checkpoint(volume.path).restore(fresh);
        if (files > 0)
          this.#fleet.logger.info(`${files} files of a lost sandbox were brought into the new one.`);
      },
    });
    this.#homes.add(home);
    return home;
  }

  /** The job's volume; null where there can't be one: then a lost sandbox takes its files with it, and nothing is parallel. */
  #volume(id: string): Promise<Lease['volume']> {
    const known = this.#volumes.get(id) ?? this.#makeVolume(id);
    this.#volumes.set(id, known);
    known.catch(() => this.#volumes.delete(id));
    return known;
  }

  async #makeVolume(id: string): Promise<Lease['volume']> {
    const name = this.#name(id, 'volume');
    try {
      return { id: await this.#fleet.api.volume(name), path: `/tmp/${name}` };
    } catch (error) {
      if (!(error instanceof DaytonaError) || error.trouble === 'unavailable') throw error;
      this.#fleet.logger.warn(`This job does without a volume: ${error.message}`);
      return null;
    }
  }

  #sandbox(id: string, home: Home, save = async (): Promise<void> => undefined): DaytonaSandbox {
    const sandboxes = this.#open.get(id) ?? new Set();
    this.#open.set(id, sandboxes);
    const sandbox: DaytonaSandbox = new DaytonaSandbox({
      id,
      home,
      spool: this.#spool,
      memoryBytes: this.#options.memoryBytes,
      patience: this.#fleet.processPatience,
      save,
      onClose: () => {
        this.#homes.delete(home);
        sandboxes.delete(sandbox);
        if (sandboxes.size === 0 && this.#open.get(id) === sandboxes) this.#open.delete(id);
      },
    });
    sandboxes.add(sandbox);
    return sandbox;
  }

  /** Work goes on where files can't be saved: only a lost sandbox would miss them. */
  readonly #unlessLost = (error: unknown): void => {
    if (!(error instanceof DaytonaError)) throw error;
    this.#fleet.logger.warn(`Files could not be saved to the job's volume: ${error.message}`);
  };

  /** The same for the same job whoever asks: that is how one is found again. */
  #name(id: string, role: string): string {
    const hash = createHash('sha256').update(`${this.#install}\n${id}\n${role}`).digest('hex').slice(0, 16);
    return `${APP}-${this.#install}-${hash}`;
  }

  #labels(id: string): { app: string; install: string; job: string } {
    return { app: APP, install: this.#install, job: id };
  }

  async #touchAll(): Promise<void> {
    for (const { cloud } of this.#homes) {
      if (cloud === null) continue;
      // Calls to the toolbox count as activity too, so one that fails matters to nobody but a job that is silent for long.
      await this.#fleet.api.keepAlive(cloud).catch((error: Error) => this.#fleet.logger.warn(error.message));
    }
  }
}
