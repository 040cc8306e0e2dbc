import { accessSync, constants } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { messageOf, SproutError } from '../domain/errors.ts';
import { type Bubblewrap, containedLaunch, inheritableDescriptors, systemFoldersHere } from './bubblewrap.ts';
import { startSupervised } from './local-process.ts';
import type { PythonEnvironment } from './python-interpreter.ts';
import { SANDBOX_FOLDERS } from './sandbox.ts';
import { seccompFilter } from './seccomp.ts';

/** How processes can be held here: found out by holding one. `reason` is one sentence for people. */
export type DetectedContainment =
  | { containment: 'contained'; tools: Bubblewrap; reason: string }
  | { containment: 'process'; reason: string; hint: string };

/** Any uid that owns nothing: root's probe is dropped to it. */
const PROBE_UID = 65_534;
const PROBE_MEMORY = 512 * 1024 ** 2;
/** Stands in before there is an interpreter to try. */
const SHELL_ONLY: PythonEnvironment = {
  python: '/bin/sh',
  bin: '/usr/bin',
  version: '',
  sitePackages: '',
  readOnlyPaths: [],
};

/**
 * Decides between `contained` and `process` as SANDBOX asks. Starts one real process with every flag in place; what
 * works is believed, nothing else. Rejects with SANDBOX_UNAVAILABLE when `contained` is insisted on and does not work.
 */
export async function detectContainment(options: {
  mode: 'auto' | 'contained' | 'process';
  environment: PythonEnvironment | null;
}): Promise<DetectedContainment> {
  if (options.mode === 'process') {
    return {
      containment: 'process',
      reason: 'SANDBOX=process asks for plain processes: no isolation, so agent-written code is refused.',
      hint: 'Set SANDBOX=auto to use bubblewrap where it works.',
    };
  }
  const detected = await probe(options.environment);
  if (options.mode === 'contained' && detected.containment === 'process') {
    throw new SproutError('SANDBOX_UNAVAILABLE', `SANDBOX=contained, but ${detected.reason}`, {
      hint: detected.hint,
    });
  }
  return detected;
}

async function probe(environment: PythonEnvironment | null): Promise<DetectedContainment> {
  if (process.platform !== 'linux') {
    return plain(
      `bubblewrap exists on Linux only, and this is ${process.platform}.`,
      'Nothing to do: our own toolkit runs as a plain limited process; agent-written code needs Linux or Daytona.',
    );
  }
  const bwrap = findProgram('bwrap');
  const prlimit = findProgram('prlimit');
  const setpriv = findProgram('setpriv');
  if (bwrap === null) {
    return plain(
      'bubblewrap is not installed.',
      'Install it: apt install bubblewrap, dnf install bubblewrap, apk add bubblewrap …',
    );
  }
  if (prlimit === null || setpriv === null) {
    return plain('prlimit or setpriv is missing.', 'Install util-linux.');
  }
  const filter = seccompFilter();
  if (filter === null) {
    return plain(
      `there is no system-call filter for ${process.arch} processors yet.`,
      'Use an x64 or arm64 machine, or Daytona, for agent-written code.',
    );
  }
  const asRoot = process.getuid?.() === 0;
  const tools: Bubblewrap = {
    bwrap,
    prlimit,
    setpriv,
    asRoot,
    filter,
    inheritable: inheritableDescriptors(),
    systemFolders: systemFoldersHere(),
    cpus: cpus().length,
  };
  const complaint = await tryOut(tools, environment);
  if (complaint === null) {
    const user = asRoot ? 'the server is root, so processes drop to a user of their own' : 'ordinary user';
    return { containment: 'contained', tools, reason: `Contained by bubblewrap (${user}).` };
  }
  return plain(`bubblewrap does not work here: ${complaint}`, hintFor(complaint, asRoot));
}

function plain(reason: string, hint: string): DetectedContainment {
  return { containment: 'process', reason, hint };
}

/** Runs one process with the full set of flags. Null when it worked, else what was printed. */
async function tryOut(tools: Bubblewrap, environment: PythonEnvironment | null): Promise<string | null> {
  const folder = await mkdtemp(join(tmpdir(), 'sproutml-probe-'));
  const output: string[] = [];
  try {
    await chmod(folder, 0o755);
    for (const name of SANDBOX_FOLDERS) await mkdir(join(folder, name));
    const command = {
      argv: environment
        ? (['python', '-I', '-c', 'print("contained")'] as const)
        : (['/bin/sh', '-c', 'echo contained'] as const),
      limits: {
        wallSeconds: 20,
        cpuSeconds: 20,
        memoryBytes: PROBE_MEMORY,
        processes: 16,
        fileBytes: 1024,
        outputBytes: 64 * 1024,
      },
      onLine: (_stream: 'stdout' | 'stderr', line: string) => void output.push(line),
    };
    const launch = containedLaunch(tools, command, {
      folder,
      environment: environment ?? SHELL_ONLY,
      uid: PROBE_UID,
      memoryBytes: PROBE_MEMORY,
    });
    const started = await startSupervised(launch, command, {
      memoryBytes: PROBE_MEMORY,
      volume: folder,
      diskReserveBytes: 0,
      killTree: (child) => void child.kill('SIGKILL'),
    });
    const exit = await started.exit;
    if (exit.code === 0 && output.includes('contained')) return null;
    return output.slice(-3).join(' ').slice(0, 500) || `${exit.reason} ${exit.code ?? exit.signal}`;
  } catch (error) {
    return messageOf(error);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function hintFor(complaint: string, asRoot: boolean): string {
  if (/Unknown option/i.test(complaint)) return 'bubblewrap 0.8 or newer is needed.';
  if (/failed to execute/i.test(complaint)) {
    return 'The interpreter can be read by its owner only: chmod -R a+rX its folder, or run the server as its owner.';
  }
  if (/mount proc|\/proc/i.test(complaint)) {
    return 'This container masks /proc: run it with --security-opt systempaths=unconfined, or accept plain processes.';
  }
  if (/namespace|Operation not permitted|uid map|Permission denied/i.test(complaint)) {
    if (asRoot) {
      return 'This root may not make namespaces: run the server as an ordinary user, or the container with --privileged.';
    }
    return (
      'Unprivileged user namespaces are blocked. On Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0; ' +
      'on older Debian: sysctl kernel.unprivileged_userns_clone=1; in Docker: --security-opt seccomp=unconfined ' +
      '--security-opt apparmor=unconfined --security-opt systempaths=unconfined.'
    );
  }
  return 'Run `bwrap --ro-bind / / true` by hand and look at what it says.';
}

/** The path of an executable in PATH (the operating system's business, not a setting of ours) or the usual places, or null. */
export function findProgram(name: string): string | null {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/bin', '/usr/sbin', '/sbin'];
  for (const folder of folders) {
    if (folder === '') continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    }
  }
  return null;
}
