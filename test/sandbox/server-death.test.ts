import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, vi } from 'vitest';
import { detectContainment } from '../../src/sandbox/containment.ts';

const detected = await detectContainment({ mode: 'auto', environment: null });
const SERVER = join(import.meta.dirname, 'doomed-server.ts');

describe.skipIf(process.platform !== 'linux')('after `kill -9` of the server', () => {
  it.runIf(detected.containment === 'contained')('no contained process is left', () =>
    expectNoSurvivors('contained'),
  );
  it('no plain process is left', () => expectNoSurvivors('process'));
});

async function expectNoSurvivors(mode: 'contained' | 'process'): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sproutml-doomed-'));
  const mark = `mark-${randomUUID()}`;
  const server = spawn(process.execPath, [SERVER, folder, mode, mark], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    let alive = 0;
    for await (const line of createInterface({ input: server.stdout })) {
      if (line === 'alive') alive += 1;
      if (alive === 2) break;
    }
    expect(marked(mark, server.pid).length).toBeGreaterThanOrEqual(2);
    server.kill('SIGKILL');
    await vi.waitFor(() => expect(marked(mark, server.pid)).toEqual([]), { timeout: 10_000, interval: 50 });
  } finally {
    server.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
}

/** Pids whose command line holds the mark, apart from the server's own. */
function marked(mark: string, server: number | undefined): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== server)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(mark);
      } catch (error) {
        // It ended between the two looks.
        if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
        throw error;
      }
    })
    .map(Number);
}
