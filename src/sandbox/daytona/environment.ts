import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Image } from '@daytonaio/sdk';
import { SproutError } from '../../domain/errors.ts';
import type { DaytonaApi } from './api.ts';
import { DaytonaError, pauseFor } from './errors.ts';

/** What one sandbox is given. */
export interface Size {
  cpu: number;
  memoryGib: number;
  diskGib: number;
}

/** What a sandbox is made from: a snapshot, or where there is no room for another one, the image it would be built from. */
export type Origin =
  | { snapshot: string }
  | { image: Image; resources: { cpu: number; memory: number; disk: number } };

interface Logger {
  info(message: string): void;
  warn(message: string): void;
}

const TOOLKIT = resolve(import.meta.dirname, '../../../toolkit');
/** The lock file's wheels are all there for it. */
const PYTHON = '3.12';
/** Raise when what is built from the same lock file changes. */
const RECIPE = 1;
const BUILD_MS = 30 * 60_000;
/** So that no line of the build file is longer than builders read. */
const PIECE = 20_000;

/**
 * The toolkit's libraries as Daytona snapshots, one per size: built once, then used by every job. Named by what goes in, so
 * that another release, or a server beside this one, finds them again. The toolkit itself is not in them: it comes with each
 * sandbox, and changes more often.
 */
export class DaytonaEnvironment {
  readonly #api: DaytonaApi;
  readonly #logger: Logger;
  readonly #pollMs: number;
  readonly #ready = new Map<string, Promise<Origin>>();

  constructor(parts: { api: DaytonaApi; logger: Logger; pollMs: number }) {
    this.#api = parts.api;
    this.#logger = parts.logger;
    this.#pollMs = parts.pollMs;
  }

  /** What a sandbox of this size is made from; builds it where it is not there. Rejects with a DaytonaError or DAYTONA_SNAPSHOT_FAILED. */
  async origin(size: Size): Promise<Origin> {
    const lock = await readLock();
    const name = snapshotName(lock, size);
    const known = this.#ready.get(name) ?? this.#ensure(name, lock, size);
    this.#ready.set(name, known);
    known.catch(() => this.#ready.delete(name));
    return known;
  }

  /** Looks again next time: unused snapshots are put to sleep, and people delete them. */
  forget(): void {
    this.#ready.clear();
  }

  async #ensure(name: string, lock: string, size: Size): Promise<Origin> {
    const until = performance.now() + BUILD_MS;
    let rebuilt = false;
    while (performance.now() < until) {
      const found = await this.#api.snapshot(name);
      switch (found?.state) {
        case undefined: {
          this.#logger.info(`Daytona builds the snapshot ${name}: the first time takes some minutes.`);
          const image = imageOf(this.#api, lock);
          const resources = { cpu: size.cpu, memory: size.memoryGib, disk: size.diskGib };
          try {
            await this.#api.createSnapshot({ name, image, resources }, BUILD_MS / 1000);
          } catch (error) {
            if (!(error instanceof DaytonaError)) throw error;
            if (error.trouble === 'quota' && /snapshot/i.test(error.message)) {
              this.#logger.warn(
                `No room for another snapshot, so each sandbox is built anew: ${error.message}`,
              );
              return { image, resources };
            }
            // Made by someone else meanwhile, or by us with the answer lost.
            if (error.trouble !== 'conflict' && error.trouble !== 'unavailable') throw error;
          }
          break;
        }
        case 'active':
          return { snapshot: name };
        case 'inactive':
          await this.#api.activateSnapshot(found);
          break;
        case 'error':
        case 'build_failed':
          if (rebuilt) throw failed(name, found.errorReason);
          rebuilt = true;
          await this.#api.deleteSnapshot(found);
          break;
        default:
      }
      await pauseFor(this.#pollMs);
    }
    throw failed(name, 'it was not ready in time');
  }
}

export function snapshotName(lock: string, { cpu, memoryGib, diskGib }: Size): string {
  const hash = createHash('sha256').update(`${RECIPE}\n${PYTHON}\n${lock}`).digest('hex').slice(0, 16);
  return `sproutml-${hash}-${cpu}c-${memoryGib}m-${diskGib}d`;
}

export const readLock = (): Promise<string> => readFile(join(TOOLKIT, 'requirements.lock'), 'utf8');

function imageOf({ sdk }: DaytonaApi, lock: string): Image {
  const packed = gzipSync(lock).toString('base64');
  const pieces = packed.match(new RegExp(`.{1,${PIECE}}`, 'g')) ?? [];
  return (
    sdk.Image.base(`python:${PYTHON}-slim-bookworm`)
      // libgomp: boosting libraries need it. bubblewrap: agent-written code is held by it inside, too.
      .runCommands(
        'apt-get update && apt-get install -y --no-install-recommends bubblewrap libgomp1 && rm -rf /var/lib/apt/lists/*',
        ...pieces.map((piece) => `echo ${piece} >> /tmp/lock`),
        'tr -d "\\n" < /tmp/lock | base64 -d | gunzip > /tmp/requirements.lock' +
          ' && python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary=:all: -r /tmp/requirements.lock' +
          ' && rm /tmp/lock /tmp/requirements.lock',
      )
      .workdir('/home/sproutml')
  );
}

const failed = (name: string, reason: string | null | undefined): SproutError =>
  new SproutError(
    'DAYTONA_SNAPSHOT_FAILED',
    `Daytona could not build the snapshot ${name}: ${reason ?? 'no reason given'}.`,
    {
      hint: 'Its build log is at https://app.daytona.io/dashboard/snapshots. Delete it there to have it built again.',
    },
  );
