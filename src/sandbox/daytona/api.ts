import type {
  Sandbox as CloudSandbox,
  CreateSandboxFromImageParams,
  CreateSandboxFromSnapshotParams,
  Daytona,
  Snapshot,
} from '@daytonaio/sdk';
import { DaytonaError, type Patience, pauseFor, persistently, sorted } from './errors.ts';

export type { CloudSandbox };

type CreateParameters = CreateSandboxFromImageParams | CreateSandboxFromSnapshotParams;
export type SnapshotParameters = Parameters<Daytona['snapshot']['create']>[0];

export interface ApiOptions {
  apiKey: string;
  apiUrl: string;
  /** Region; null: the organization's own. */
  target: string | null;
  patience: Patience;
  /** How often a state that has to change is asked for. */
  pollMs: number;
}

/** The SDK asks for a day's patience by default; what takes longer than this here is said so at each call. */
const REQUEST_MS = 60_000;
/** A gibibyte at a megabyte a second. */
const TRANSFER_SECONDS = 20 * 60;
/** Words that mean the same to a shell and to whoever splits at spaces. */
const PLAIN_WORD = /^[A-Za-z0-9_.,:=@%+/-]+$/;

/**
 * The part of Daytona we use, through its SDK. What may be done twice is tried until `patience` ends; every rejection is a
 * DaytonaError. The SDK is loaded by the first call of `connect`: 50 MB and a fifth of a second that no one else pays.
 */
export class DaytonaApi {
  readonly sdk: typeof import('@daytonaio/sdk');
  readonly #daytona: Daytona;
  readonly #options: ApiOptions;

  private constructor(sdk: typeof import('@daytonaio/sdk'), options: ApiOptions) {
    this.sdk = sdk;
    this.#options = options;
    this.#daytona = new sdk.Daytona({
      apiKey: options.apiKey,
      apiUrl: options.apiUrl,
      requestTimeoutMs: REQUEST_MS,
      ...(options.target === null ? {} : { target: options.target }),
    });
  }

  static async connect(options: ApiOptions): Promise<DaytonaApi> {
    return new DaytonaApi(await import('@daytonaio/sdk'), options);
  }

  async close(): Promise<void> {
    await this.#daytona[Symbol.asyncDispose]();
  }

  /** Rejects where the key is not accepted or nobody answers. */
  async check(): Promise<void> {
    await this.#again('asking for sandboxes', async () => {
      for await (const _ of this.#daytona.list({ limit: 1 })) return;
    });
  }

  /** The sandbox of this name or id; null when there is none. */
  async find(name: string, signal?: AbortSignal): Promise<CloudSandbox | null> {
    return this.#again('looking for a sandbox', () => this.findOnce(name), signal);
  }

  async findOnce(name: string): Promise<CloudSandbox | null> {
    return this.#daytona.get(name).catch(nullWhenMissing('looking for a sandbox'));
  }

  /** Tried once: whoever calls must look for `parameters.name` when this fails, for it may have been made all the same. */
  async create(parameters: CreateParameters, seconds: number): Promise<CloudSandbox> {
    try {
      // The SDK writes a label of its own into what it is given.
      const own = { ...parameters, labels: { ...parameters.labels } };
      const options = { timeout: seconds };
      return await ('image' in own ? this.#daytona.create(own, options) : this.#daytona.create(own, options));
    } catch (error) {
      throw sorted('making a sandbox', error);
    }
  }

  async start(sandbox: CloudSandbox, seconds: number): Promise<void> {
    try {
      await sandbox.start(seconds);
    } catch (error) {
      throw sorted('starting a sandbox', error);
    }
  }

  /** Every sandbox with these labels, and no other. */
  async list(labels: Readonly<Record<string, string>>): Promise<CloudSandbox[]> {
    return this.#again('listing sandboxes', async () => {
      const found: CloudSandbox[] = [];
      for await (const sandbox of this.#daytona.list({ labels: { ...labels }, limit: 100 })) {
        const exact = Object.entries(labels).every(([name, value]) => sandbox.labels[name] === value);
        if (exact && sandbox.state !== 'destroyed') found.push(sandbox);
      }
      return found;
    });
  }

  /** Deletes; resolves once it is gone. One that is gone already is deleted. */
  async delete(name: string): Promise<void> {
    await this.#again('deleting a sandbox', async () => {
      const sandbox = await this.#daytona.get(name).catch(nullWhenMissing('deleting a sandbox'));
      if (sandbox === null || sandbox.state === 'destroyed') return;
      if (sandbox.state !== 'destroying') {
        await sandbox.delete(60).catch((error: unknown) => {
          const { trouble } = sorted('deleting a sandbox', error);
          // A conflict: it is just becoming something else.
          if (trouble !== 'missing' && trouble !== 'conflict') throw error;
        });
      }
      throw new DaytonaError('unavailable', 'deleting a sandbox', new Error('it is still there'));
    });
  }

  /** Stops it and leaves its removal to Daytona, so many minutes later; labels say so to our own reaper. */
  async retire(
    sandbox: CloudSandbox,
    minutes: number,
    labels: Readonly<Record<string, string>>,
  ): Promise<void> {
    await this.#again('labelling a sandbox', () => sandbox.setLabels({ ...sandbox.labels, ...labels }));
    await this.#again('keeping a sandbox for a look', () => sandbox.setAutoDeleteInterval(minutes));
    await this.#again('stopping a sandbox', async () => {
      await sandbox.refreshData();
      if (sandbox.state === 'started') await sandbox.stop(60);
    });
  }

  async keepAlive(sandbox: CloudSandbox): Promise<void> {
    await sandbox.refreshActivity().catch((error: unknown) => {
      throw sorted('keeping a sandbox alive', error);
    });
  }

  /**
   * Runs a program inside and answers with the JSON line it prints last. Tried once; rejects with `unavailable` when no answer
   * came, though it may have run.
   */
  async run(sandbox: CloudSandbox, words: readonly string[], seconds: number): Promise<unknown> {
    const output = await this.runPlain(sandbox, words, seconds);
    const line = output.trimEnd().split('\n').at(-1) ?? '';
    try {
      return JSON.parse(line);
    } catch (error) {
      // Cut on its way.
      throw new DaytonaError('unavailable', doing(words), error);
    }
  }

  /** Runs a program inside and answers with all it printed. Tried once. */
  async runPlain(sandbox: CloudSandbox, words: readonly string[], seconds: number): Promise<string> {
    for (const word of words) {
      if (!PLAIN_WORD.test(word)) throw new Error(`${JSON.stringify(word)} is no plain word`);
    }
    let answer: Awaited<ReturnType<CloudSandbox['process']['executeCommand']>>;
    try {
      answer = await sandbox.process.executeCommand(words.join(' '), undefined, undefined, seconds);
    } catch (error) {
      throw sorted(doing(words), error);
    }
    if (answer.exitCode === 0) return answer.result;
    const said = answer.result.trimEnd().split('\n').slice(-3).join(' ');
    // By a signal, as when memory ran out: not a fault of what was asked.
    const trouble = answer.exitCode > 128 || answer.exitCode < 0 ? 'unavailable' : 'refused';
    throw new DaytonaError(trouble, doing(words), new Error(`exit code ${answer.exitCode}: ${said}`));
  }

  /** Uploads a file of this machine, or bytes. Tried once. */
  async upload(sandbox: CloudSandbox, from: string | Buffer, path: string): Promise<void> {
    try {
      await sandbox.fs.uploadFiles([{ source: from, destination: path }], TRANSFER_SECONDS);
    } catch (error) {
      throw sorted('uploading a file', error);
    }
  }

  /** Downloads into a file of this machine. Tried once; what comes may be cut short without a word. */
  async download(sandbox: CloudSandbox, path: string, to: string): Promise<void> {
    try {
      await sandbox.fs.downloadFile(path, to, TRANSFER_SECONDS);
    } catch (error) {
      throw sorted('downloading a file', error);
    }
  }

  async snapshot(name: string, signal?: AbortSignal): Promise<Snapshot | null> {
    return this.#again(
      'looking for a snapshot',
      () => this.#daytona.snapshot.get(name).catch(nullWhenMissing('looking for a snapshot')),
      signal,
    );
  }

  /** Builds a snapshot and waits for it; tried once, and to be looked for when it fails. */
  async createSnapshot(parameters: SnapshotParameters, seconds: number): Promise<void> {
    try {
      await this.#daytona.snapshot.create(parameters, { timeout: seconds });
    } catch (error) {
      throw sorted('building a snapshot', error);
    }
  }

  async activateSnapshot(snapshot: Snapshot): Promise<void> {
    await this.#again('activating a snapshot', () => this.#daytona.snapshot.activate(snapshot));
  }

  async deleteSnapshot(snapshot: Snapshot): Promise<void> {
    await this.#again('deleting a snapshot', () =>
      this.#daytona.snapshot.delete(snapshot).catch(nullWhenMissing('deleting a snapshot')),
    );
  }

  /** The id of the volume of this name, made when it is missing, once it can be mounted. */
  async volume(name: string, signal?: AbortSignal): Promise<string> {
    const doing = 'making a volume';
    return this.#again(
      doing,
      async () => {
        for (;;) {
          const volume = await this.#daytona.volume.get(name, true).catch((error: unknown) => {
            // Made by whoever was asked before us and whose answer got lost.
            if (sorted(doing, error).trouble === 'conflict') return this.#daytona.volume.get(name);
            throw error;
          });
          if (volume.state === 'ready') return volume.id;
          if (volume.state === 'error') throw new Error(volume.errorReason ?? 'it could not be made');
          await pauseFor(this.#options.pollMs, signal);
        }
      },
      signal,
    );
  }

  async deleteVolume(name: string): Promise<void> {
    const doing = 'deleting a volume';
    await this.#again(doing, async () => {
      const volume = await this.#daytona.volume.get(name).catch(nullWhenMissing(doing));
      if (volume === null || volume.state === 'deleted' || volume.state === 'deleting') return;
      if (volume.state === 'pending_delete') return;
      await this.#daytona.volume.delete(volume).catch((error: unknown) => {
        // Sandboxes that are just being deleted still hold it.
        const trouble = sorted(doing, error);
        if (trouble.trouble === 'conflict' || /in use/i.test(trouble.message)) {
          throw new DaytonaError('unavailable', doing, error);
        }
        if (trouble.trouble !== 'missing') throw trouble;
      });
    });
  }

  async volumeNames(): Promise<string[]> {
    const volumes = await this.#again('listing volumes', () => this.#daytona.volume.list());
    return volumes
      .filter(({ state }) => !['deleted', 'deleting', 'pending_delete'].includes(state))
      .map(({ name }) => name);
  }

  #again<T>(doing: string, call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return persistently(doing, { ...this.#options.patience, signal }, call);
  }
}

const doing = (words: readonly string[]): string => `running ${words.slice(3, 5).join(' ')} in a sandbox`;

/** For `catch`: what is not there is null; anything else stays an error. */
function nullWhenMissing(doing: string): (error: unknown) => null {
  return (error) => {
    const trouble = sorted(doing, error);
    if (trouble.trouble === 'missing') return null;
    throw trouble;
  };
}
