import { execFile } from 'node:child_process';
import { readFileSync, statfsSync } from 'node:fs';
import { totalmem } from 'node:os';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { messageOf, SproutError } from '../domain/errors.ts';
import { detectContainment, findProgram } from './containment.ts';
import { environmentDirectory, inspectEnvironment } from './python-environment.ts';
import { findPython, type PythonEnvironment } from './python-interpreter.ts';

/** One line of `doctor`. A warning works with less; a failure does not work. `hint` says what to do, '' when nothing. */
export interface Check {
  name: string;
  ok: 'ok' | 'warning' | 'failure';
  detail: string;
  hint: string;
}

export interface DiagnoseOptions {
  dataDir: string;
  /** SANDBOX, PYTHON, TOOLKIT_ENV_DIR and SANDBOX_MEMORY_BYTES as configured. */
  mode: 'auto' | 'contained' | 'process';
  python?: string | undefined;
  environmentDirectory?: string | undefined;
  memoryBytes: number;
}

const GIBIBYTE = 1024 ** 3;
const run = promisify(execFile);

/** Looks at everything the sandbox stands on, changing nothing. Never rejects: what goes wrong is a check that failed. */
export async function diagnose(options: DiagnoseOptions): Promise<Check[]> {
  const state = await inspectEnvironment({ directory: options.environmentDirectory }).catch(
    (error: unknown) => ({ state: 'stale' as const, reason: messageOf(error) }),
  );
  const environment = state.state === 'ready' ? state.environment : null;
  return [
    ...(await pythonChecks(options, environment)),
    environmentCheck(options, state),
    await bubblewrapCheck(),
    namespacesCheck(),
    await containmentCheck(options, environment),
    memoryCheck(options.memoryBytes),
    diskCheck(options.dataDir),
  ];
}

async function pythonChecks(
  options: DiagnoseOptions,
  environment: PythonEnvironment | null,
): Promise<Check[]> {
  // With the environment made, what it was made from is needed no more.
  const missing = environment === null ? 'failure' : 'warning';
  let python: PythonEnvironment;
  try {
    python = await findPython(options.python);
  } catch (error) {
    return [check('python', missing, messageOf(error), hintOf(error))];
  }
  const found = check('python', 'ok', `Python ${python.version} at ${python.python}`);
  const uv = await run('uv', ['--version']).then(
    ({ stdout }) => stdout.trim(),
    () => null, // Absent, or a shim that leads nowhere: pip does as well.
  );
  if (uv !== null) return [found, check('installer', 'ok', uv)];
  const canMake = await run(python.python, ['-I', '-c', 'import venv, ensurepip']).then(
    () => true,
    () => false,
  );
  if (canMake) return [found, check('installer', 'ok', 'venv and pip (uv would be faster)')];
  const [major, minor] = python.version.split('.');
  const hint = `On Debian and Ubuntu: apt install python${major}.${minor}-venv. Or install uv.`;
  return [found, check('installer', missing, 'neither uv nor the venv module is there', hint)];
}

function environmentCheck(options: DiagnoseOptions, state: { state: string; reason?: string }): Check {
  const directory = environmentDirectory({ directory: options.environmentDirectory });
  if (state.state === 'ready') return check('environment', 'ok', `ready in ${directory}`);
  const hint = 'It is made on first need; `npm run setup` makes it now.';
  return check('environment', 'warning', `${directory} is ${state.state}: ${state.reason ?? ''}`, hint);
}

async function bubblewrapCheck(): Promise<Check> {
  if (process.platform !== 'linux') return check('bubblewrap', 'warning', 'exists on Linux only');
  const bwrap = findProgram('bwrap');
  if (bwrap === null) {
    return check(
      'bubblewrap',
      'warning',
      'not installed',
      'apt install bubblewrap, or your system’s way of it.',
    );
  }
  const version = await run(bwrap, ['--version']).then(({ stdout }) => stdout.trim(), messageOf);
  return check('bubblewrap', 'ok', `${version} at ${bwrap}`);
}

function namespacesCheck(): Check {
  const name = 'user namespaces';
  if (process.platform !== 'linux') return check(name, 'warning', 'exist on Linux only');
  if (process.getuid?.() === 0) return check(name, 'ok', 'not needed: the server is root');
  const forbidden = [
    { path: '/proc/sys/user/max_user_namespaces', blocks: '0', fix: 'user.max_user_namespaces=10000' },
    {
      path: '/proc/sys/kernel/unprivileged_userns_clone',
      blocks: '0',
      fix: 'kernel.unprivileged_userns_clone=1',
    },
    {
      path: '/proc/sys/kernel/apparmor_restrict_unprivileged_userns',
      blocks: '1',
      fix: 'kernel.apparmor_restrict_unprivileged_userns=0',
    },
  ].find(({ path, blocks }) => readSetting(path) === blocks);
  if (forbidden === undefined) return check(name, 'ok', 'allowed by the kernel');
  return check(name, 'warning', `blocked by ${forbidden.path}`, `As root: sysctl ${forbidden.fix}`);
}

async function containmentCheck(
  options: DiagnoseOptions,
  environment: PythonEnvironment | null,
): Promise<Check> {
  try {
    const detected = await detectContainment({ mode: options.mode, environment });
    return detected.containment === 'contained'
      ? check('sandbox', 'ok', detected.reason)
      : check(
          'sandbox',
          'warning',
          `Plain limited processes; agent-written code is refused. ${detected.reason}`,
          detected.hint,
        );
  } catch (error) {
    return check('sandbox', 'failure', messageOf(error), hintOf(error));
  }
}

function memoryCheck(limit: number): Check {
  // Zero or absurdly large where no cgroup sets one.
  const constrained = process.constrainedMemory();
  const memory = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  const detail = `${gibibytes(memory)} GiB here, ${gibibytes(limit)} GiB per job allowed`;
  return memory > limit
    ? check('memory', 'ok', detail)
    : check(
        'memory',
        'warning',
        detail,
        'Set SANDBOX_MEMORY_BYTES to less than the machine has: jobs could starve it.',
      );
}

/** Room for what comes to lie under DATA_DIR. */
export function diskCheck(dataDir: string): Check {
  const volume = nearestVolume(dataDir);
  if (volume === null)
    return check('disk', 'failure', `${dataDir} can't be read`, 'Choose another DATA_DIR.');
  const free = volume.bavail * volume.bsize;
  const detail = `${gibibytes(free)} GiB free under ${dataDir}`;
  if (free > 2 * GIBIBYTE) return check('disk', 'ok', detail);
  return check(
    'disk',
    free > GIBIBYTE / 2 ? 'warning' : 'failure',
    detail,
    'Free some space, or set DATA_DIR to a larger volume.',
  );
}

/** The volume a folder is or would be on. */
function nearestVolume(path: string): { bavail: number; bsize: number } | null {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      return statfsSync(folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(folder) === folder) return null;
    }
  }
}

/** A kernel setting, or null where this kernel doesn't have it. */
function readSetting(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return null;
  }
}

function check(name: string, ok: Check['ok'], detail: string, hint = ''): Check {
  return { name, ok, detail, hint };
}

const gibibytes = (bytes: number): string => (bytes / GIBIBYTE).toFixed(1);
const hintOf = (error: unknown): string => (error instanceof SproutError ? (error.hint ?? '') : '');
