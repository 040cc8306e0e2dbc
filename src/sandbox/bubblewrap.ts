import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { SproutError } from '../domain/errors.ts';
import type { Launch } from './local-process.ts';
import type { PythonEnvironment } from './python-interpreter.ts';
import type { SandboxCommand, UntrustedView } from './sandbox.ts';

/** The programs a contained process is started with, as found on the machine it runs on: this one, or a cloud sandbox. */
export interface Bubblewrap {
  bwrap: string;
  prlimit: string;
  setpriv: string;
  /** True when this server is root: then there is no user namespace, and `setpriv` gives up root inside. */
  asRoot: boolean;
  /** The system-call filter for this processor. */
  filter: Buffer;
  /** Descriptors this server was born with that would be open inside: see `inheritableDescriptors`. */
  inheritable: readonly number[];
  /** /bin and its like, as they are there. */
  systemFolders: readonly SystemFolder[];
  cpus: number;
}

/** A folder of programs or libraries outside /usr: on merged systems a link into it. */
export interface SystemFolder {
  path: string;
  /** What the link says; null: a folder of its own. */
  link: string | null;
}

/** Where the job's folder is inside. */
const JOB = '/job';
/** Both are memory, and beyond what the watchdog counts. */
const TMP_BYTES = 256 * 1024 ** 2;
const SHM_BYTES = 64 * 1024 ** 2;
/** Address space that is reserved but never used: thread stacks, allocator arenas, mapped libraries. */
const unusedAddressSpace = (cpus: number): number => 4 * 1024 ** 3 + cpus * 192 * 1024 ** 2;

/** Files of /etc that programs need to start and tell time; nothing that names a user, host or secret. */
const ETC = ['ld.so.cache', 'ld.so.conf', 'ld.so.conf.d', 'alternatives', 'localtime'];

/**
 * The command line that runs `command` contained. What each flag is for is in test/sandbox/escape.test.ts: every one
 * stops at least one attack there.
 */
export function containedLaunch(
  tools: Bubblewrap,
  command: Pick<SandboxCommand, 'argv' | 'env' | 'untrusted' | 'limits'>,
  options: { folder: string; environment: PythonEnvironment; uid: number; memoryBytes: number },
): Launch {
  const { environment } = options;
  const inheritable = tools.inheritable.filter((descriptor) => descriptor > 4);
  return {
    file: tools.bwrap,
    // Options go in by descriptor: a command line, with every host path in it, could be read from inside.
    args: [
      '--args',
      '3',
      '--seccomp',
      '4',
      // bubblewrap closes what it has read arguments from; here it finds none.
      ...inheritable.flatMap((descriptor) => ['--args', String(descriptor)]),
      '--',
      ...(tools.asRoot ? dropRoot(tools.setpriv, options.uid) : []),
      ...resourceLimits(tools, command.limits, options.memoryBytes),
      ...program(command.argv, environment),
    ],
    // Even with --clearenv, the outer process's variables can be read at /proc/1/environ.
    env: {},
    descriptors: [
      nulSeparated([
        ...namespaces(tools.asRoot),
        ...variables(command.env ?? {}, environment),
        ...systemFiles(tools.systemFolders, environment),
        ...jobFolder(options.folder, command.untrusted ?? false),
        '--chdir',
        JOB,
        '--remount-ro',
        '/',
      ]),
      tools.filter,
    ],
    emptied: inheritable,
    codeCarriesSignal: true,
  };
}

/**
 * Descriptors above 2 that a child would inherit. Node opens its own close-on-exec, but whoever started the server may
 * have left some open, and a descriptor reaches through every namespace. They do not change, so this is asked once.
 */
export function inheritableDescriptors(): number[] {
  const CLOSE_ON_EXEC = 0o2000000;
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((descriptor) => descriptor > 2)
    .filter((descriptor) => {
      const path = `/proc/self/fdinfo/${descriptor}`;
      if (!existsSync(path)) return false; // The one that listed the folder.
      const flags = /^flags:\s+([0-7]+)/m.exec(readFileSync(path, 'utf8'))?.[1] ?? '0';
      return (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0;
    });
}

/** The system folders of this machine. */
export function systemFoldersHere(): SystemFolder[] {
  return ['/bin', '/sbin', '/lib', '/lib32', '/lib64']
    .filter((path) => existsSync(path))
    .map((path) => ({ path, link: lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null }));
}

function namespaces(asRoot: boolean): string[] {
  const shared = ['--hostname', 'sandbox', '--die-with-parent', '--new-session'];
  return asRoot
    ? ['--unshare-ipc', '--unshare-pid', '--unshare-net', '--unshare-uts', '--unshare-cgroup-try', ...shared]
    : [
        '--unshare-all',
        '--unshare-user',
        '--disable-userns',
        '--uid',
        '1000',
        '--gid',
        '1000',
        '--cap-drop',
        'ALL',
        ...shared,
      ];
}

function variables(env: Readonly<Record<string, string>>, environment: PythonEnvironment): string[] {
  const all = {
    PATH: `${environment.bin}:/usr/bin`,
    HOME: '/tmp',
    TMPDIR: '/tmp',
    USER: 'sandbox',
    LANG: 'C.UTF-8',
    ...env,
  };
  return ['--clearenv', ...Object.entries(all).flatMap(([name, value]) => ['--setenv', name, value])];
}

function systemFiles(folders: readonly SystemFolder[], environment: PythonEnvironment): string[] {
  return [
    '--ro-bind',
    '/usr',
    '/usr',
    ...folders.flatMap(({ path, link }) =>
      link === null ? ['--ro-bind', path, path] : ['--symlink', link, path],
    ),
    // Distributions that keep every program outside /usr.
    ...['/nix/store', '/gnu/store'].flatMap((path) => ['--ro-bind-try', path, path]),
    '--perms',
    '0755',
    '--dir',
    '/etc',
    ...ETC.flatMap((name) => ['--ro-bind-try', `/etc/${name}`, `/etc/${name}`]),
    '--proc',
    '/proc',
    // As host root, /proc/sys/kernel/core_pattern would be writable.
    '--remount-ro',
    '/proc',
    '--dev',
    '/dev',
    ...writableMemory('/dev/shm', SHM_BYTES),
    '--remount-ro',
    '/dev',
    ...writableMemory('/tmp', TMP_BYTES),
    // At their own paths: a virtual environment names its base interpreter by absolute path.
    ...[...environment.readOnlyPaths].sort().flatMap(readOnly),
  ];
}

/** Parents that bubblewrap makes on its own are closed to all but its own user. */
function readOnly(path: string): string[] {
  const parents = path
    .split('/')
    .slice(1, -1)
    .map((_, index, names) => `/${names.slice(0, index + 1).join('/')}`);
  return [...parents.flatMap((parent) => ['--perms', '0755', '--dir', parent]), '--ro-bind', path, path];
}

function writableMemory(path: string, bytes: number): string[] {
  return ['--perms', '1777', '--size', String(bytes), '--tmpfs', path];
}

function jobFolder(folder: string, untrusted: boolean | UntrustedView): string[] {
  if (typeof untrusted === 'object') return view(folder, untrusted);
  const bind = (how: '--bind' | '--ro-bind', name: string) => [how, join(folder, name), `${JOB}/${name}`];
  return [
    '--perms',
    '0755',
    '--dir',
    JOB,
    ...bind(untrusted ? '--ro-bind' : '--bind', 'work'),
    ...bind('--bind', 'scratch'),
    ...(untrusted
      ? []
      : [...bind('--ro-bind', 'input'), ...bind('--bind', 'sealed'), ...bind('--bind', 'out')]),
  ];
}

/** Nothing but the view, below folders that are empty otherwise. Readers of scratch/ follow no links: see `job-folder.ts`. */
function view(folder: string, { reads, writes }: UntrustedView): string[] {
  const binds: [how: string, path: string][] = [
    ...reads.map((path): [string, string] => ['--ro-bind', inside(path, 'work')]),
    ['--bind', inside(writes, 'scratch')],
  ];
  const parents = new Set(binds.flatMap(([, path]) => parentsOf(path)));
  return [
    ...['', ...[...parents].sort()].flatMap((path) => ['--perms', '0755', '--dir', join(JOB, path)]),
    ...binds.flatMap(([how, path]) => [how, join(folder, path), `${JOB}/${path}`]),
  ];
}

/** The path itself, where it stays below `top` by plain names. */
function inside(path: string, top: string): string {
  if (/^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/.test(path) && path.startsWith(`${top}/`))
    return path;
  throw new SproutError('SANDBOX_PATH_REFUSED', `"${path}" can't be shown to untrusted code.`, {
    hint: `Name a path below ${top}/.`,
  });
}

/** `a` and `a/b` of `a/b/c`. */
const parentsOf = (path: string): string[] =>
  path
    .split('/')
    .slice(0, -1)
    .map((_, index, names) => names.slice(0, index + 1).join('/'));

function dropRoot(setpriv: string, uid: number): string[] {
  return [
    setpriv,
    `--reuid=${uid}`,
    `--regid=${uid}`,
    '--clear-groups',
    '--no-new-privs',
    '--bounding-set=-all',
    '--inh-caps=-all',
  ];
}

function resourceLimits(
  { prlimit, cpus }: Bubblewrap,
  limits: SandboxCommand['limits'],
  memoryBytes: number,
): string[] {
  const cpu = limits.cpuSeconds === null ? [] : [cpuLimit(limits.cpuSeconds)];
  return [
    prlimit,
    `--as=${memoryBytes + unusedAddressSpace(cpus)}`,
    `--nproc=${limits.processes}`,
    `--fsize=${limits.fileBytes}`,
    '--nofile=256',
    '--core=0',
    '--memlock=0',
    '--msgqueue=0',
    ...cpu,
  ];
}

/** SIGXCPU at the limit, SIGKILL one second later for whoever ignores it. */
function cpuLimit(seconds: number): string {
  const whole = Math.max(1, Math.ceil(seconds));
  return `--cpu=${whole}:${whole + 1}`;
}

function program(argv: readonly [string, ...string[]], environment: PythonEnvironment): string[] {
  const [name, ...rest] = argv;
  return [name === 'python' ? environment.python : name, ...rest];
}

function nulSeparated(args: readonly string[]): Buffer {
  return Buffer.from(args.map((arg) => `${arg}\0`).join(''));
}
