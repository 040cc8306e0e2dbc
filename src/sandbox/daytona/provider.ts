import { type Containment, checkSandboxId, type Sandbox, type SandboxProvider, userOf } from '../sandbox.ts';
import type { Toolkit } from '../toolkit.ts';
import { openToolkit, type ToolkitOptions } from '../toolkit-session.ts';
import { Checkpoint } from './checkpoint.ts';
import { DaytonaError } from './errors.ts';
import { type Fleet, Home } from './home.ts';
import type { Lease } from './lease.ts';
import { type Naming, trainer as trainerRole, WORKBENCH } from './naming.ts';
import { reap } from './reaper.ts';
import { DaytonaSandbox } from './sandbox.ts';
import type { DaytonaOptions, DaytonaTiming } from './settings.ts';
import { TeamToolkit } from './team-toolkit.ts';

/** Sandboxes in Daytona's cloud, as `createDaytonaSandboxes` makes them. */
export class DaytonaSandboxes implements SandboxProvider {
  readonly kind = 'DAYTONA';
  readonly description: string;
  readonly #fleet: Fleet;
  readonly #options: DaytonaOptions;
  readonly #timing: DaytonaTiming;
  readonly #naming: Naming;
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
    parts: { naming: Naming; spool: string },
  ) {
    this.#fleet = fleet;
    this.#options = options;
    this.#timing = timing;
    this.#naming = parts.naming;
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
      resumed: (await this.#fleet.api.find(this.#naming.sandbox(sandbox.id, trainerRole(1)))) !== null,
      logger: this.#fleet.logger,
      openTrainer: async (nth) => {
        const own = this.#home(sandbox.id, trainerRole(nth));
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
    const found = await this.#fleet.api.list(this.#naming.labelsOf(id)).catch((error: unknown) => {
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

  /** Deletes what no living job owns. See reaper.ts. */
  reap(living: () => Promise<ReadonlySet<string>>): Promise<number> {
    const { api, logger } = this.#fleet;
    return reap({ api, naming: this.#naming, graceMs: this.#timing.orphan, logger }, living);
  }

  async destroy(id: string, { keep = false }: { keep?: boolean } = {}): Promise<void> {
    checkSandboxId(id);
    await Promise.all([...(this.#open.get(id) ?? [])].map((sandbox) => sandbox.close()));
    const { api } = this.#fleet;
    const workbench = this.#naming.sandbox(id, WORKBENCH);
    // By label and by name: a list may be a moment behind.
    const listed = await api.list(this.#naming.labelsOf(id));
    const trainers = Array.from({ length: this.#options.maxParallel - 1 }, (_, index) =>
      this.#naming.sandbox(id, trainerRole(index + 1)),
    );
    const names = new Set([workbench, ...trainers, ...listed.map(({ name }) => name)]);
    if (keep && (await this.#keep(workbench))) names.delete(workbench);
    await Promise.all([...names].map((name) => api.delete(name)));
    this.#volumes.delete(id);
    if (names.has(workbench)) await api.deleteVolume(this.#naming.volume(id));
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
        name: this.#naming.sandbox(id, role),
        labels: { ...this.#naming.labelsOf(id), role },
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
    const name = this.#naming.volume(id);
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

  async #touchAll(): Promise<void> {
    for (const { cloud } of this.#homes) {
      if (cloud === null) continue;
      // Calls to the toolbox count as activity too, so one that fails matters to nobody but a job that is silent for long.
      await this.#fleet.api.keepAlive(cloud).catch((error: Error) => this.#fleet.logger.warn(error.message));
    }
  }
}
