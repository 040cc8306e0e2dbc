import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Launch } from './local-process.ts';
import { processTree } from './process-tree.ts';
import type { PythonEnvironment } from './python-interpreter.ts';
import type { SandboxCommand } from './sandbox.ts';

/**
 * Where nothing can contain a process, our own toolkit runs as a plain one: without the server's variables, with
 * `ulimit`s, in a session of its own, and ended with the server. It could still read files and use the network.
 */

/** Arguments: CPU seconds or `unlimited`, 512-byte blocks, then the command. A limit already tighter stays as it is. */
const LIMITED = `
ulimit -c 0
ulimit -t "$1" 2>/dev/null || true
ulimit -f "$2" 2>/dev/null || true
shift 2
exec "$@"
`;

/**
 * Argument: a pid. Waits for its own stdin to close, which happens when the server dies in whatever way, and then ends
 * that process, everything below it and its group. Portable, unlike a parent-death signal, and reaches grandchildren.
 */
const ENDS_WITH_SERVER = `
read -r _
tree() {
  echo "$1"
  if [ -d /proc/self/task ]; then children=$(cat /proc/"$1"/task/*/children 2>/dev/null)
  else children=$(ps -A -o pid=,ppid= | awk -v parent="$1" '$2 == parent { print $1 }'); fi
  for child in $children; do ( tree "$child" ); done
}
kill -KILL $(tree "$1") 2>/dev/null
kill -KILL -- "-$1" 2>/dev/null
`;

/** The launch of a trusted command as a plain process in the job's folder. */
export function plainLaunch(
  command: Pick<SandboxCommand, 'argv' | 'env' | 'limits'>,
  options: { folder: string; environment: PythonEnvironment },
): Launch {
  const [name, ...rest] = command.argv;
  const { cpuSeconds, fileBytes } = command.limits;
  const temporary = join(options.folder, 'tmp');
  return {
    file: '/bin/sh',
    args: [
      '-c',
      LIMITED,
      'sh',
      cpuSeconds === null ? 'unlimited' : String(Math.max(1, Math.ceil(cpuSeconds))),
      String(Math.floor(fileBytes / 512)),
      name === 'python' ? options.environment.python : name,
      ...rest,
    ],
    cwd: options.folder,
    env: {
      PATH: `${options.environment.bin}:/usr/bin:/bin`,
      HOME: temporary,
      TMPDIR: temporary,
      LANG: 'C.UTF-8',
      ...command.env,
    },
    descriptors: [],
    codeCarriesSignal: false,
  };
}

/** Starts the process that ends `pid` and its descendants should this server die. Call the result once `pid` ended. */
export function endWithServer(pid: number): () => void {
  const watcher = spawn('/bin/sh', ['-c', ENDS_WITH_SERVER, 'sh', String(pid)], {
    env: { PATH: '/usr/bin:/bin' },
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Nothing would end it with the server then, so it may not go on.
  watcher.once('error', () => killQuietly(-pid));
  watcher.unref();
  return () => void watcher.kill('SIGKILL');
}

/** Ends a plain process, everything below it and what is left of its group. */
export function killPlainTree(child: ChildProcess): void {
  const root = child.pid;
  if (root === undefined) return;
  const running = child.exitCode === null && child.signalCode === null;
  if (!running) {
    killQuietly(-root);
    return;
  }
  void processTree(root)
    // Without a list there is still the process and its group.
    .catch(() => [root])
    .then((pids) => {
      for (const pid of pids) killQuietly(pid);
      killQuietly(-root);
    });
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // Already gone is what was wanted. EPERM: macOS answers so for a group of zombies.
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}
