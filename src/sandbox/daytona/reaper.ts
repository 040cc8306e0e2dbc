import type { DaytonaApi } from './api.ts';
import type { Naming } from './naming.ts';

/** What is looked at of a sandbox to tell whether anybody needs it. */
interface Listed {
  name: string;
  labels: Readonly<Record<string, string>>;
  createdAt?: string | undefined;
}

interface Parts {
  api: DaytonaApi;
  naming: Naming;
  /** Younger ones are left alone: their job may be about to be noted. */
  graceMs: number;
  logger: { warn(message: string): void };
}

/**
 * Deletes sandboxes and volumes of this installation that no living job owns: what a crash, or a deletion that failed, left.
 * `living` names the jobs that may still need theirs, and is asked after the cloud has been. Answers with how many sandboxes.
 */
export async function reap(parts: Parts, living: () => Promise<ReadonlySet<string>>): Promise<number> {
  const { api, naming, graceMs, logger } = parts;
  const found = await api.list(naming.labels);
  const volumes = (await api.volumeNames()).filter((name) => name.startsWith(naming.prefix));
  const alive = await living();
  const gone = orphans(found, alive, graceMs);
  for (const { name } of gone) {
    logger.warn(`Deleting the Daytona sandbox ${name}: no living job owns it.`);
    await api.delete(name);
  }
  // A volume lives as long as a sandbox of its job.
  const left = found.filter((sandbox) => !gone.includes(sandbox)).map(({ labels }) => labels.job ?? '');
  const needed = new Set([...alive, ...left].map((job) => naming.volume(job)));
  for (const name of volumes.filter((volume) => !needed.has(volume))) await api.deleteVolume(name);
  return gone.length;
}

/** Those that no living job owns, that are older than the grace period, and that nobody is to look at. */
function orphans<T extends Listed>(found: readonly T[], living: ReadonlySet<string>, graceMs: number): T[] {
  const now = Date.now();
  return found.filter(({ labels, createdAt }) => {
    if (living.has(labels.job ?? '')) return false;
    if (labels.keptUntil !== undefined && now < Date.parse(labels.keptUntil)) return false;
    return createdAt !== undefined && now - Date.parse(createdAt) >= graceMs;
  });
}
