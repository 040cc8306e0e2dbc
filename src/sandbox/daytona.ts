import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DaytonaApi } from './daytona/api.ts';
import { makeBundle } from './daytona/bundle.ts';
import { DaytonaEnvironment, type Size } from './daytona/environment.ts';
import { DaytonaError } from './daytona/errors.ts';
import type { Fleet } from './daytona/home.ts';
import { installId } from './daytona/install-id.ts';
import { Naming } from './daytona/naming.ts';
import { DaytonaSandboxes } from './daytona/provider.ts';
import type { DaytonaOptions, DaytonaTiming } from './daytona/settings.ts';

export type { DaytonaSandboxes } from './daytona/provider.ts';
export type { DaytonaOptions, DaytonaTiming } from './daytona/settings.ts';

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
  return new DaytonaSandboxes(fleet, options, timing, { naming: new Naming(install), spool });
}

/** The toolkit needs two gibibytes for anything at all. */
const smaller = ({ cpu, memoryGib, diskGib }: Size): Size => ({
  cpu: Math.max(1, Math.floor(cpu / 2)),
  memoryGib: Math.max(Math.min(2, memoryGib), Math.floor(memoryGib / 2)),
  diskGib: Math.max(Math.min(3, diskGib), Math.floor(diskGib / 2)),
});
