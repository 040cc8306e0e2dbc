import type { Size } from './environment.ts';

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
