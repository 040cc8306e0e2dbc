import { SproutError } from '../../domain/errors.ts';
import type { CloudSandbox, DaytonaApi } from './api.ts';
import type { DaytonaEnvironment, Size } from './environment.ts';
import { DaytonaError, pauseFor, unlessAborted } from './errors.ts';

export interface LeaseOptions {
  /** Sizes to ask for, largest first: the next one where the quota has no room for the one before. */
  sizes: readonly Size[];
  /** How long to wait for room before asking for less, and for less still before giving up. */
  quotaMs: number;
  /** From asking for a sandbox to taking it that it will not come. */
  startMs: number;
  pollMs: number;
  /** Minutes without a sign of life from us: the sandbox stops; stopped so long, it is deleted. */
  autoStopMinutes: number;
  autoDeleteMinutes: number;
}

/** A sandbox in the cloud that is to be there, by its name. */
export interface Lease {
  name: string;
  labels: Readonly<Record<string, string>>;
  /** Mounted at `path`; null: none. */
  volume: { id: string; path: string } | null;
  /** False: no waiting for room, and no smaller one either. */
  mustHave: boolean;
}

interface Parts {
  api: DaytonaApi;
  environment: DaytonaEnvironment;
  options: LeaseOptions;
  logger: { info(message: string): void; warn(message: string): void };
}

/**
 * The sandbox of this name, up: found and adopted, started again, or made. A name is asked for until it is there, whatever
 * becomes of answers on their way, so there is never a second one. Rejects with a DaytonaError, DAYTONA_START_TIMEOUT (what
 * did not start is deleted), DAYTONA_SANDBOX_FAILED or the signal's reason.
 */
export async function obtain(parts: Parts, lease: Lease, signal?: AbortSignal): Promise<CloudSandbox> {
  const { api, options, logger } = parts;
  const until = performance.now() + options.startMs;
  const sizes = new Sizes(options, lease.mustHave);
  let failures = 0;
  let last: DaytonaError | null = null;
  while (performance.now() < until + sizes.waitedMs) {
    signal?.throwIfAborted();
    const found = await api.find(lease.name, signal);
    switch (found?.state) {
      case undefined:
      case 'destroyed': {
        const trouble = await unlessAborted(create(parts, lease, sizes, until), signal);
        last = trouble;
        if (trouble === null) continue;
        if (trouble.trouble === 'quota') await sizes.noRoom(trouble, logger, signal);
        else await pauseFor(options.pollMs, signal);
        continue;
      }
      case 'started':
        return found;
      case 'stopped':
      case 'archived':
      case 'paused':
        await unlessAborted(start(parts, found, until - performance.now()), signal);
        break;
      case 'error':
      case 'build_failed': {
        failures += 1;
        const reason = found.errorReason ?? 'no reason given';
        logger.warn(`The Daytona sandbox ${lease.name} failed and is made anew: ${reason}`);
        await api.delete(lease.name);
        if (failures > 2) throw sandboxFailed(lease.name, reason);
        break;
      }
      default:
        await pauseFor(options.pollMs, signal);
    }
  }
  const found = await api.find(lease.name, signal);
  if (found === null && last !== null) throw last;
  await api.delete(lease.name);
  throw new SproutError(
    'DAYTONA_START_TIMEOUT',
    `The Daytona sandbox ${lease.name} did not start within ${Math.round(options.startMs / 1000)} s and was deleted.`,
    { hint: 'Try again with `retryJob`; DAYTONA_TARGET chooses another region.' },
  );
}

/** Makes it; null when that worked, or the trouble, after which it may be there nonetheless. */
async function create(
  { api, environment, options }: Parts,
  lease: Lease,
  sizes: Sizes,
  until: number,
): Promise<DaytonaError | null> {
  try {
    // Building it takes minutes, which are none of the sandbox's own.
    const asked = performance.now();
    const origin = await environment.origin(sizes.current);
    sizes.waitedMs += performance.now() - asked;
    await api.create(
      {
        ...origin,
        name: lease.name,
        labels: { ...lease.labels },
        language: 'python',
        autoStopInterval: options.autoStopMinutes,
        autoDeleteInterval: options.autoDeleteMinutes,
        // All that is needed is in the snapshot or comes through the toolbox.
        networkBlockAll: true,
        public: false,
        ...(lease.volume === null
          ? {}
          : { volumes: [{ volumeId: lease.volume.id, mountPath: lease.volume.path }] }),
      },
      Math.max(1, (until + sizes.waitedMs - performance.now()) / 1000),
    );
    return null;
  } catch (error) {
    if (!(error instanceof DaytonaError)) throw error;
    if (error.trouble === 'key') throw error;
    if (error.trouble === 'refused' || error.trouble === 'missing') {
      if (!/snapshot/i.test(error.message)) throw error;
      environment.forget();
    }
    return error;
  }
}

async function start({ api, options }: Parts, sandbox: CloudSandbox, leftMs: number): Promise<void> {
  try {
    await api.start(sandbox, Math.max(1, leftMs / 1000));
  } catch (error) {
    if (!(error instanceof DaytonaError) || error.trouble === 'key') throw error;
    // Started by someone else, or changing: what came of it is looked at next.
    await pauseFor(options.pollMs);
  }
}

/** Which size is asked for, and what to do when there is no room for it: wait, ask for less, give up. */
class Sizes {
  readonly #options: LeaseOptions;
  readonly #mustHave: boolean;
  #index = 0;
  #waitingSince: number | null = null;
  waitedMs = 0;

  constructor(options: LeaseOptions, mustHave: boolean) {
    this.#options = options;
    this.#mustHave = mustHave;
  }

  get current(): Size {
    const { sizes } = this.#options;
    const size = sizes[Math.min(this.#index, sizes.length - 1)];
    if (size === undefined) throw new Error('there is no size to ask for');
    return size;
  }

  async noRoom(trouble: DaytonaError, logger: Parts['logger'], signal?: AbortSignal): Promise<void> {
    if (!this.#mustHave) throw trouble;
    const { quotaMs, pollMs, sizes } = this.#options;
    this.#waitingSince ??= performance.now();
    // More than any one sandbox may have never becomes free.
    if (!trouble.perSandbox && performance.now() - this.#waitingSince < quotaMs) {
      const pause = Math.max(pollMs, quotaMs / 12);
      this.waitedMs += pause;
      await pauseFor(pause, signal);
      return;
    }
    this.#index += 1;
    this.#waitingSince = null;
    if (this.#index >= sizes.length) throw trouble;
    const { cpu, memoryGib, diskGib } = this.current;
    logger.warn(
      `${trouble.message} Asking for less: ${cpu} CPU, ${memoryGib} GiB memory, ${diskGib} GiB disk.`,
    );
  }
}

const sandboxFailed = (name: string, reason: string): SproutError =>
  new SproutError('DAYTONA_SANDBOX_FAILED', `The Daytona sandbox ${name} failed repeatedly: ${reason}.`, {
    hint: 'Start the job again with `retryJob`; https://app.daytona.io/dashboard has the details.',
  });
