import { readFile } from 'node:fs/promises';
import { startServerProcess, temporaryFolder } from '../test/server-process.ts';

export { freePort } from '../test/server-process.ts';

/** A server on a free port with an empty data folder, which goes with it. */
export interface ServerUnderTest {
  url: string;
  pid: number;
  /** What it has logged so far. */
  log(): string;
  stop(): Promise<void>;
}

export async function startServer(environment: Record<string, string> = {}): Promise<ServerUnderTest> {
  const folder = await temporaryFolder('bench');
  const server = await startServerProcess({
    dataDir: folder.path,
    environment: { LOG_LEVEL: 'warn', ...environment },
  });
  return {
    url: server.url,
    pid: server.pid,
    log: server.log,
    async stop() {
      await server.terminate();
      await folder.remove();
    },
  };
}

/** Resident memory now and at its peak, in bytes, from the kernel's own books (Linux). */
export async function memoryOf(pid: number): Promise<{ now: number; peak: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kilobytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
  return { now: kilobytes('VmRSS') * 1024, peak: kilobytes('VmHWM') * 1024 };
}

/** CPU seconds a process has used, user and system (Linux; clock tick 100 Hz). */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Prints rows as a table with a title; numbers right-aligned. */
export function printTable(
  title: string,
  header: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const widths = header.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ');
  console.log(`\n${title}\n${line(header)}\n${widths.map((width) => '-'.repeat(width)).join('  ')}`);
  for (const row of rows) console.log(line(row));
}

export const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);
