import { execFile } from 'node:child_process';
import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { messageOf, SproutError } from '../domain/errors.ts';

/** An interpreter with its libraries, and what must be visible for it to run. */
export interface PythonEnvironment {
  /** Absolute path of the interpreter. */
  python: string;
  /** Folder of the interpreter and of the programs installed beside it. */
  bin: string;
  /** "3.12.4". */
  version: string;
  /** Folder that libraries are installed in. */
  sitePackages: string;
  /** Folders a contained process needs to see, beyond /usr. */
  readOnlyPaths: readonly string[];
}

const OLDEST = [3, 11] as const;
const CANDIDATES = ['python3.14', 'python3.13', 'python3.12', 'python3.11', 'python3'];

const run = promisify(execFile);

const SELF_PORTRAIT = `
import json, sys, sysconfig
print(json.dumps({"executable": sys.executable, "prefix": sys.prefix, "basePrefix": sys.base_prefix,
  "version": "%d.%d.%d" % sys.version_info[:3], "sitePackages": sysconfig.get_path("purelib")}))
`;
const selfPortrait = z.object({
  executable: z.string().min(1),
  prefix: z.string(),
  basePrefix: z.string(),
  version: z.string(),
  sitePackages: z.string(),
});

/** Asks an interpreter, by path or name, where it lives. Rejects when it does not run. */
export async function describePython(
  python: string,
  extraPaths: readonly string[] = [],
): Promise<PythonEnvironment> {
  const { stdout } = await run(python, ['-I', '-c', SELF_PORTRAIT], { timeout: 30_000 });
  const self = selfPortrait.parse(JSON.parse(stdout));
  const binary = await realpath(self.executable);
  const paths = new Set([self.prefix, self.basePrefix, dirname(dirname(binary)), ...extraPaths]);
  return {
    python: self.executable,
    bin: dirname(self.executable),
    version: self.version,
    sitePackages: self.sitePackages,
    readOnlyPaths: [...paths].filter((path) => path !== '/' && path !== '/usr'),
  };
}

/**
 * Finds an interpreter new enough: `preferred` and nothing else when it is given, else the newest that is known by
 * name, else one that uv keeps. Rejects with PYTHON_MISSING, saying what was found instead.
 */
export async function findPython(preferred: string | undefined): Promise<PythonEnvironment> {
  const found: string[] = [];
  for (const name of preferred === undefined ? CANDIDATES : [preferred]) {
    const python = await tryDescribe(name);
    if (typeof python === 'string') {
      if (preferred !== undefined) found.push(`${name} does not run: ${python}`);
    } else if (isNewEnough(python.version)) return python;
    else found.push(`${name} is ${python.version}`);
  }
  if (preferred === undefined) {
    const kept = await run('uv', ['python', 'find', '--no-python-downloads', `>=${OLDEST.join('.')}`]).then(
      ({ stdout }) => stdout.trim(),
      () => null, // No uv, or none kept: the error below says what to do.
    );
    if (kept !== null) return describePython(kept);
  }
  throw new SproutError(
    'PYTHON_MISSING',
    `Python ${OLDEST.join('.')} or newer is needed${found.length > 0 ? `, but ${found.join('; ')}` : ' and none was found'}.`,
    {
      hint:
        preferred === undefined
          ? 'Install it (apt install python3 python3-venv, brew install python, uv python install 3.12), or set PYTHON to its path.'
          : 'PYTHON names this interpreter: set it to one that is new enough, or leave it out.',
    },
  );
}

async function tryDescribe(name: string): Promise<PythonEnvironment | string> {
  try {
    return await describePython(name);
  } catch (error) {
    return messageOf(error).split('\n')[0] ?? 'unknown reason';
  }
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}
