import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';

/** The pids of `root` and everything below it, parents first. Empty when it is gone. */
export async function processTree(root: number): Promise<number[]> {
  if (process.platform === 'linux') return linuxTree(root);
  const rows = await processTable();
  return rows.some((row) => row.pid === root) ? [root, ...descendants(rows, root).map((row) => row.pid)] : [];
}

/**
 * Memory the tree below and including `root` holds, in bytes, as the kernel counts it. On Linux this is anonymous and
 * shared memory: file pages can be dropped, so they are nobody's. Pages that a fork shares with its parent are counted
 * for each only as long as the sum is under `limit`; above it they are divided fairly, which costs more to read.
 */
export async function treeMemoryBytes(root: number, limit: number): Promise<number> {
  if (process.platform === 'linux') {
    const pids = linuxTree(root);
    const upper = sum(pids, (pid) => procKilobytes(`/proc/${pid}/status`, /^Rss(?:Anon|Shmem):\s+(\d+)/gm));
    if (upper <= limit) return upper;
    const fair = sum(pids, (pid) =>
      procKilobytes(`/proc/${pid}/smaps_rollup`, /^Pss_(?:Anon|Shmem):\s+(\d+)/gm),
    );
    return fair === 0 ? upper : fair; // Zero: the kernel doesn't tell us.
  }
  const rows = await processTable();
  return rows
    .filter((row) => row.pid === root)
    .concat(descendants(rows, root))
    .reduce((total, row) => total + row.rssKilobytes * 1024, 0);
}

function linuxTree(root: number): number[] {
  const pids = [root];
  for (let index = 0; index < pids.length; index += 1) {
    const pid = pids[index];
    for (const thread of readOr(() => readdirSync(`/proc/${pid}/task`), [])) {
      const children = readOr(() => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8'), '');
      for (const child of children.split(' ')) if (child !== '') pids.push(Number(child));
    }
  }
  return pids;
}

function procKilobytes(path: string, field: RegExp): number {
  const text = readOr(() => readFileSync(path, 'utf8'), '');
  let kilobytes = 0;
  for (const match of text.matchAll(field)) kilobytes += Number(match[1]);
  return kilobytes * 1024;
}

const sum = (pids: readonly number[], bytes: (pid: number) => number) =>
  pids.reduce((total, pid) => total + bytes(pid), 0);

/** A process may end between any two reads of /proc: then it holds nothing and has no children. */
function readOr<T>(read: () => T, gone: T): T {
  try {
    return read();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES') return gone;
    throw error;
  }
}

interface ProcessRow {
  pid: number;
  parent: number;
  rssKilobytes: number;
}

async function processTable(): Promise<ProcessRow[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=,rss='], {
    maxBuffer: 16 * 1024 ** 2,
  });
  return stdout
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [pid = 0, parent = 0, rssKilobytes = 0] = line.trim().split(/\s+/).map(Number);
      return { pid, parent, rssKilobytes };
    });
}

function descendants(rows: readonly ProcessRow[], root: number): ProcessRow[] {
  const found: ProcessRow[] = [];
  const parents = new Set([root]);
  for (let grew = true; grew; ) {
    grew = false;
    for (const row of rows) {
      if (!parents.has(row.parent) || parents.has(row.pid)) continue;
      parents.add(row.pid);
      found.push(row);
      grew = true;
    }
  }
  return found;
}
