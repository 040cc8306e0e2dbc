import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { z } from 'zod';
import { messageOf, SproutError } from '../domain/errors.ts';
import { findProgram } from './containment.ts';
import { describePython, findPython, type PythonEnvironment } from './python-interpreter.ts';

export interface EnvironmentOptions {
  /** TOOLKIT_ENV_DIR; default: `.venv` in the project. */
  directory?: string | undefined;
  /** PYTHON: the interpreter to build from; default: the newest found. */
  python?: string | undefined;
  /** Also what the toolkit's own tests need. */
  dev?: boolean;
  /** Lines for people while the environment is built: a minute of silence looks like a hang. */
  onProgress?(line: string): void;
}

const PROJECT = resolve(import.meta.dirname, '../..');
const TOOLKIT = join(PROJECT, 'toolkit');
const PACKAGE = join(TOOLKIT, 'sproutml_toolkit');
const STAMP = 'sproutml-environment.json';
/** uv brings certificates of its own: behind a company's proxy only the system's will do. The second is its older name. */
const UV_TRUST = { UV_SYSTEM_CERTS: '1', UV_NATIVE_TLS: '1' };
/** Raise when what is built from the same lock file changes. */
const RECIPE = 1;

const stampShape = z.object({
  recipe: z.literal(RECIPE),
  python: z.string(),
  lock: z.string(),
  devLock: z.string().nullable(),
  /** PYTHON as it was when this was built. */
  requested: z.string().nullable().default(null),
});
type Stamp = z.output<typeof stampShape>;

/**
 * The toolkit's environment, made when it is missing or when the lock file has changed; instant when it is ready.
 *
 * The stamp is written last, so an environment whose building was cut short is built again. Two processes at once build
 * once. The toolkit itself is not installed: a `.pth` file points to its folder, so that the code run is the code here
 * even with `python -I`, which ignores PYTHONPATH.
 *
 * Rejects with PYTHON_MISSING, VENV_MISSING, ENVIRONMENT_FAILED (with the end of the installer's output) or
 * ENVIRONMENT_DIRECTORY_TAKEN.
 */
export async function ensureEnvironment(options: EnvironmentOptions = {}): Promise<PythonEnvironment> {
  const directory = environmentDirectory(options);
  const dev = options.dev ?? false;
  const ready = await inspectEnvironment(options);
  if (ready.state === 'ready') return ready.environment;
  return alone(directory, options, async () => {
    // Another process may have built it while we waited.
    const now = await inspectEnvironment(options);
    if (now.state === 'ready') return now.environment;
    const started = performance.now();
    const wanted = await wantedLocks();
    if (now.state === 'incomplete') {
      await install(directory, 'requirements-dev.lock', options);
      await writeStamp(directory, { ...now.stamp, devLock: wanted.devLock });
    } else {
      options.onProgress?.(`Making the Python environment in ${directory}: ${now.reason}`);
      await build(directory, options);
      const { version } = await describePython(interpreterOf(directory));
      const devLock = dev ? wanted.devLock : null;
      const requested = options.python ?? null;
      await writeStamp(directory, { recipe: RECIPE, python: version, lock: wanted.lock, devLock, requested });
    }
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    options.onProgress?.(`The Python environment is ready (${seconds} s).`);
    const built = await inspectEnvironment(options);
    if (built.state === 'ready') return built.environment;
    throw new SproutError(
      'ENVIRONMENT_FAILED',
      `The environment in ${directory} is not usable: ${built.reason}`,
    );
  });
}

export type EnvironmentState =
  | { state: 'ready'; environment: PythonEnvironment }
  /** All is there but what the toolkit's own tests need. */
  | { state: 'incomplete'; stamp: Stamp; reason: string }
  | { state: 'missing' | 'stale'; reason: string };

/** Looks whether the environment is there and up to date, without building anything. */
export async function inspectEnvironment(options: EnvironmentOptions = {}): Promise<EnvironmentState> {
  const directory = environmentDirectory(options);
  const stamp = await readStamp(directory);
  if (stamp === null) return { state: 'missing', reason: 'there is no finished environment yet.' };
  const wanted = await wantedLocks();
  if (stamp.lock !== wanted.lock) return { state: 'stale', reason: 'the lock file has changed.' };
  if (options.python !== undefined && stamp.requested !== options.python) {
    return { state: 'stale', reason: `PYTHON is ${options.python} now.` };
  }
  let environment: PythonEnvironment;
  try {
    environment = await describePython(interpreterOf(directory), [PACKAGE]);
  } catch (error) {
    return { state: 'stale', reason: `its interpreter does not run: ${messageOf(error)}` };
  }
  if (environment.version !== stamp.python) {
    return { state: 'stale', reason: `Python went from ${stamp.python} to ${environment.version}.` };
  }
  if (options.dev && stamp.devLock !== wanted.devLock) {
    return { state: 'incomplete', stamp, reason: 'what the tests need is missing or old.' };
  }
  await pointToToolkit(environment);
  return { state: 'ready', environment };
}

/** Where the environment is or will be. */
export function environmentDirectory(options: Pick<EnvironmentOptions, 'directory'>): string {
  return resolve(options.directory ?? join(PROJECT, '.venv'));
}

function interpreterOf(directory: string): string {
  return join(directory, 'bin', 'python');
}

async function build(directory: string, options: EnvironmentOptions): Promise<void> {
  const python = await findPython(options.python);
  options.onProgress?.(`Building from Python ${python.version} (${python.python})`);
  await clear(directory);
  const uv = findProgram('uv');
  if (uv !== null && (await works(uv))) {
    await runStep(uv, ['venv', '--quiet', '--python', python.python, directory], options);
  } else {
    await runStep(python.python, ['-I', '-m', 'venv', directory], options).catch((error: unknown) => {
      if (!(error instanceof SproutError) || !/ensurepip|venv/.test(error.message)) throw error;
      throw new SproutError('VENV_MISSING', `Python ${python.version} can't make virtual environments.`, {
        hint: `On Debian and Ubuntu: apt install python${python.version.split('.').slice(0, 2).join('.')}-venv. Or install uv.`,
        cause: error,
      });
    });
  }
  await install(directory, options.dev ? 'requirements-dev.lock' : 'requirements.lock', options);
  // Contained processes see all this read-only: what isn't compiled now is compiled at every start.
  await runStep(interpreterOf(directory), ['-I', '-m', 'compileall', '-q', PACKAGE], options);
}

async function install(directory: string, lock: string, options: EnvironmentOptions): Promise<void> {
  const path = join(TOOLKIT, lock);
  const python = interpreterOf(directory);
  const uv = findProgram('uv');
  // Wheels only: building from source would run code that no hash of ours covers, and take minutes.
  if (uv !== null && (await works(uv))) {
    const flags = ['--require-hashes', '--no-build', '--compile-bytecode'];
    await runStep(uv, ['pip', 'install', '--python', python, ...flags, '-r', path], options);
  } else {
    const flags = [
      '--require-hashes',
      '--only-binary=:all:',
      '--no-input',
      '--disable-pip-version-check',
      '--progress-bar=off',
    ];
    await runStep(python, ['-I', '-m', 'pip', 'install', ...flags, '-r', path], options);
  }
}

/** Something by this name may be a shim that leads nowhere. */
async function works(uv: string): Promise<boolean> {
  return runStep(uv, ['--version'], {}).then(
    () => true,
    () => false,
  );
}

/** Removes an older environment; refuses to touch a folder that is not one. */
async function clear(directory: string): Promise<void> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [] as string[];
    throw error;
  });
  if (names.length > 0 && !names.includes('pyvenv.cfg')) {
    throw new SproutError(
      'ENVIRONMENT_DIRECTORY_TAKEN',
      `${directory} holds something that is not a Python environment.`,
      { hint: 'Set TOOLKIT_ENV_DIR to a folder of its own.' },
    );
  }
  await rm(directory, { recursive: true, force: true });
}

/** Runs one program to its end, its lines going to `onProgress`. Rejects with ENVIRONMENT_FAILED. */
async function runStep(
  file: string,
  args: readonly string[],
  options: Pick<EnvironmentOptions, 'onProgress'>,
): Promise<void> {
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...UV_TRUST, ...process.env },
  });
  const tail: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      if (line.trim() === '') return;
      options.onProgress?.(line);
      tail.push(line);
      if (tail.length > 15) tail.shift();
    });
  }
  const ended = await new Promise<number | string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  if (ended === 0) return;
  throw new SproutError(
    'ENVIRONMENT_FAILED',
    `Making the Python environment failed at \`${[file, ...args].join(' ')}\` (${ended}):\n${tail.join('\n')}`,
    {
      hint: 'Is the package index reachable, is there disk space, and does every locked package have a wheel for this Python? PYTHON chooses another one.',
    },
  );
}

async function pointToToolkit(environment: PythonEnvironment): Promise<void> {
  const path = join(environment.sitePackages, 'sproutml_toolkit.pth');
  const content = `${TOOLKIT}\n`;
  const present = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (present === content) return;
  await writeFile(`${path}.part`, content);
  await rename(`${path}.part`, path);
}

async function wantedLocks(): Promise<{ lock: string; devLock: string }> {
  const hash = async (name: string) =>
    createHash('sha256')
      .update(await readFile(join(TOOLKIT, name)))
      .digest('hex');
  return { lock: await hash('requirements.lock'), devLock: await hash('requirements-dev.lock') };
}

async function readStamp(directory: string): Promise<Stamp | null> {
  try {
    await access(interpreterOf(directory));
    return stampShape.parse(JSON.parse(await readFile(join(directory, STAMP), 'utf8')));
  } catch (error) {
    if (error instanceof z.ZodError || error instanceof SyntaxError) return null;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function writeStamp(directory: string, stamp: Stamp): Promise<void> {
  const path = join(directory, STAMP);
  await writeFile(`${path}.part`, `${JSON.stringify(stamp, null, 2)}\n`);
  await rename(`${path}.part`, path);
}

/**
 * Holds a lock beside the environment while `work` runs. SQLite's own file lock is used because the operating system
 * drops it when its holder dies, in whatever way: no stale locks, no guessing from process ids.
 */
async function alone<T>(directory: string, options: EnvironmentOptions, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(directory), { recursive: true });
  const lock = new Database(`${directory}.lock`, { timeout: 0 });
  try {
    for (let waited = false; ; waited = true) {
      try {
        lock.exec('BEGIN EXCLUSIVE');
        break;
      } catch (error) {
        if ((error as { code?: string }).code !== 'SQLITE_BUSY') throw error;
        if (!waited)
          options.onProgress?.('Another process is making the Python environment; waiting for it.');
        await sleep(500);
      }
    }
    return await work();
  } finally {
    lock.close();
  }
}
