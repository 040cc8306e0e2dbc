import { randomUUID } from 'node:crypto';
import { mkdir, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  CreateSandbox,
  CreateSnapshot,
  Sandbox,
  SandboxState,
  SnapshotDto,
  VolumeDto,
} from '@daytona/api-client';
import type { PythonEnvironment } from '../../src/sandbox/python-interpreter.ts';
import { Machine } from './machines.ts';

/** An error as Daytona's API answers it. */
export class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface Held {
  dto: Sandbox;
  machine: Machine;
  lastActivity: number;
  stoppedAt: number | null;
}

export interface Quota {
  cpu: number;
  memory: number;
  disk: number;
  cpuPerSandbox: number;
  snapshots: number;
}

const ORGANIZATION = '0d9f7a2e-0000-4000-8000-000000000001';

/** What the stand-in's organization has: sandboxes, snapshots, volumes, a quota, and a clock that tests may turn. */
export class Cloud {
  readonly sandboxes = new Map<string, Held>();
  readonly snapshots = new Map<string, SnapshotDto>();
  readonly volumes = new Map<string, VolumeDto>();
  readonly builds: string[] = [];
  quota: Quota = { cpu: 1000, memory: 1000, disk: 10_000, cpuPerSandbox: 64, snapshots: 10 };
  /** From creation or start to `started`; null: never. */
  startMs: number | null = 0;
  volumeMs = 0;
  /** Sandboxes ever made. */
  made = 0;
  readonly #root: string;
  readonly #python: PythonEnvironment;
  readonly #toolboxUrl: () => string;
  readonly #onState: (sandbox: Sandbox, old: SandboxState) => void;
  readonly #mounts = new Set<string>();
  #turned = 0;

  constructor(parts: {
    root: string;
    python: PythonEnvironment;
    toolboxUrl: () => string;
    onState: (sandbox: Sandbox, old: SandboxState) => void;
  }) {
    this.#root = parts.root;
    this.#python = parts.python;
    this.#toolboxUrl = parts.toolboxUrl;
    this.#onState = parts.onState;
  }

  now(): number {
    return Date.now() + this.#turned;
  }

  /** Turns the clock on: sandboxes nobody asked anything of are stopped, stopped ones deleted, by their own intervals. */
  async passMinutes(minutes: number): Promise<void> {
    for (let passed = 0; passed < minutes; passed += 1) {
      this.#turned += 60_000;
      for (const held of [...this.sandboxes.values()]) await this.#applyIntervals(held);
    }
  }

  async #applyIntervals(held: Held): Promise<void> {
    const { autoStopInterval = 15, autoDeleteInterval = -1 } = held.dto;
    const idle = (this.now() - held.lastActivity) / 60_000;
    if (held.dto.state === 'started' && autoStopInterval > 0 && idle >= autoStopInterval)
      await this.stop(held);
    const stopped = held.stoppedAt === null ? 0 : (this.now() - held.stoppedAt) / 60_000;
    if (held.dto.state === 'stopped' && autoDeleteInterval >= 0 && stopped >= autoDeleteInterval) {
      await this.delete(held);
    }
  }

  find(idOrName: string): Held {
    const held =
      this.sandboxes.get(idOrName) ?? [...this.sandboxes.values()].find(({ dto }) => dto.name === idOrName);
    if (held === undefined) throw new Refusal(404, `Sandbox with ID or name ${idOrName} not found`);
    return held;
  }

  async create(request: CreateSandbox): Promise<Sandbox> {
    const id = randomUUID();
    const name = request.name ?? id;
    if ([...this.sandboxes.values()].some(({ dto }) => dto.name === name)) {
      throw new Refusal(409, `Sandbox with name ${name} already exists`);
    }
    const { cpu, memory, disk } = this.#resources(request);
    this.#mustHaveRoom(cpu, memory, disk);
    const mounts = (request.volumes ?? []).map(({ volumeId, mountPath }) => {
      const volume = this.volumes.get(volumeId);
      if (volume === undefined) throw new Refusal(404, `Volume ${volumeId} not found`);
      if (volume.state !== 'ready') throw new Refusal(400, `Volume '${volume.name}' is not in a ready state`);
      return { path: mountPath, folder: this.volumeFolder(volumeId) };
    });
    const machine = new Machine(this.#root, id, this.#python);
    const at = new Date(this.now()).toISOString();
    const held: Held = {
      machine,
      lastActivity: this.now(),
      stoppedAt: null,
      dto: {
        id,
        organizationId: ORGANIZATION,
        name,
        ...(request.snapshot === undefined ? {} : { snapshot: request.snapshot }),
        user: request.user ?? 'root',
        env: request.env ?? {},
        labels: request.labels ?? {},
        public: request.public ?? false,
        networkBlockAll: request.networkBlockAll ?? false,
        target: request.target ?? 'us',
        cpu,
        gpu: 0,
        memory,
        disk,
        state: 'creating',
        autoStopInterval: request.autoStopInterval ?? 15,
        autoDeleteInterval: request.autoDeleteInterval ?? -1,
        volumes: request.volumes ?? [],
        createdAt: at,
        updatedAt: at,
        lastActivityAt: at,
        toolboxProxyUrl: this.#toolboxUrl(),
      },
    };
    this.sandboxes.set(id, held);
    this.made += 1;
    for (const { path } of mounts) this.#mounts.add(path);
    await machine.build(mounts);
    this.#comesUp(held);
    return held.dto;
  }

  #resources(request: CreateSandbox): { cpu: number; memory: number; disk: number } {
    if (request.buildInfo !== undefined) {
      const { cpu = 1, memory = 1, disk = 3 } = request;
      return { cpu, memory, disk };
    }
    const snapshot = [...this.snapshots.values()].find(
      ({ id, name }) => id === request.snapshot || name === request.snapshot,
    );
    if (snapshot === undefined) throw new Refusal(400, `Snapshot ${request.snapshot} not found`);
    if (snapshot.state !== 'active') throw new Refusal(400, `Snapshot ${snapshot.name} is ${snapshot.state}`);
    if (request.cpu !== undefined)
      throw new Refusal(400, 'Cannot specify Sandbox resources when using a snapshot');
    return { cpu: snapshot.cpu, memory: snapshot.mem, disk: snapshot.disk };
  }

  #mustHaveRoom(cpu: number, memory: number, disk: number): void {
    const { quota } = this;
    if (cpu > quota.cpuPerSandbox) {
      throw new Refusal(
        400,
        `CPU request ${cpu} exceeds maximum allowed per sandbox (${quota.cpuPerSandbox}).`,
      );
    }
    const all = [...this.sandboxes.values()].map(({ dto }) => dto);
    const running = all.filter(({ state }) => state !== 'stopped');
    const sum = (of: readonly Sandbox[], what: 'cpu' | 'memory' | 'disk') =>
      of.reduce((total, dto) => total + dto[what], 0);
    if (sum(running, 'cpu') + cpu > quota.cpu) {
      throw new Refusal(400, `Total CPU limit exceeded. Maximum allowed: ${quota.cpu}.`);
    }
    if (sum(running, 'memory') + memory > quota.memory) {
      throw new Refusal(400, `Total memory limit exceeded. Maximum allowed: ${quota.memory}GiB.`);
    }
    if (sum(all, 'disk') + disk > quota.disk) {
      throw new Refusal(400, `Total disk limit exceeded. Maximum allowed: ${quota.disk}GiB.`);
    }
  }

  #comesUp(held: Held): void {
    if (this.startMs === null) return;
    const up = () => {
      if (held.dto.state === 'creating' || held.dto.state === 'starting') this.#to(held, 'started');
    };
    if (this.startMs === 0) up();
    else setTimeout(up, this.startMs).unref();
  }

  start(held: Held): void {
    if (held.dto.state !== 'stopped') throw new Refusal(400, 'Sandbox is not stopped');
    held.stoppedAt = null;
    held.lastActivity = this.now();
    this.#to(held, 'starting');
    this.#comesUp(held);
  }

  async stop(held: Held): Promise<void> {
    held.stoppedAt = this.now();
    this.#to(held, 'stopped');
    await held.machine.stop();
  }

  async delete(held: Held): Promise<void> {
    this.#to(held, 'destroying');
    await held.machine.remove();
    this.sandboxes.delete(held.dto.id);
  }

  async fail(held: Held, reason: string): Promise<void> {
    held.dto.errorReason = reason;
    this.#to(held, 'error');
    await held.machine.stop();
  }

  #to(held: Held, state: SandboxState): void {
    const old = held.dto.state ?? state;
    held.dto.state = state;
    held.dto.updatedAt = new Date(this.now()).toISOString();
    this.#onState(held.dto, old);
  }

  createSnapshot(request: CreateSnapshot): SnapshotDto {
    if ([...this.snapshots.values()].some(({ name }) => name === request.name)) {
      throw new Refusal(409, `Snapshot with name "${request.name}" already exists`);
    }
    if (this.snapshots.size >= this.quota.snapshots) {
      throw new Refusal(400, `Snapshot quota exceeded. Maximum allowed: ${this.quota.snapshots}`);
    }
    if (request.buildInfo === undefined) throw new Refusal(400, 'buildInfo is required here');
    this.builds.push(request.buildInfo.dockerfileContent);
    const at = new Date(this.now());
    const snapshot: SnapshotDto = {
      id: randomUUID(),
      general: false,
      name: request.name,
      state: 'active',
      size: 1,
      entrypoint: null,
      cpu: request.cpu ?? 1,
      gpu: 0,
      mem: request.memory ?? 1,
      disk: request.disk ?? 3,
      errorReason: null,
      createdAt: at,
      updatedAt: at,
      lastUsedAt: null,
      sourceSandboxId: null,
    };
    this.snapshots.set(snapshot.id, snapshot);
    return snapshot;
  }

  createVolume(name: string): VolumeDto {
    if ([...this.volumes.values()].some((volume) => volume.name === name)) {
      throw new Refusal(409, `Volume with name ${name} already exists`);
    }
    const at = new Date(this.now()).toISOString();
    const volume: VolumeDto = {
      id: randomUUID(),
      name,
      organizationId: ORGANIZATION,
      state: 'pending_create',
      createdAt: at,
      updatedAt: at,
      errorReason: null,
    };
    this.volumes.set(volume.id, volume);
    setTimeout(() => {
      volume.state = 'ready';
    }, this.volumeMs).unref();
    return volume;
  }

  async deleteVolume(id: string): Promise<void> {
    const used = [...this.sandboxes.values()].some(({ dto }) =>
      dto.volumes?.some(({ volumeId }) => volumeId === id),
    );
    if (used)
      throw new Refusal(409, 'Volume cannot be deleted because it is in use by one or more sandboxes');
    this.volumes.delete(id);
    await rm(this.volumeFolder(id), { recursive: true, force: true });
  }

  volumeFolder(id: string): string {
    return join(this.#root, 'volumes', id);
  }

  async close(): Promise<void> {
    await mkdir(this.#root, { recursive: true });
    for (const held of this.sandboxes.values()) await held.machine.remove();
    for (const path of this.#mounts) {
      await unlink(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
    }
    await rm(this.#root, { recursive: true, force: true });
  }
}
