import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { diagnose } from '../../src/sandbox/diagnose.ts';
import { ensureEnvironment, inspectEnvironment } from '../../src/sandbox/python-environment.ts';
import { describePython, findPython } from '../../src/sandbox/python-interpreter.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sproutml-python-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function script(name: string, body: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o755);
  return path;
}

/** Answers as an interpreter of that version; `then` is what it does when asked anything but who it is. */
async function fakePython(version: string, then = 'exit 1'): Promise<string> {
  const path = join(folder, 'bin/python');
  const portrait = JSON.stringify({
    executable: path,
    prefix: folder,
    basePrefix: folder,
    version,
    sitePackages: folder,
  });
  return script('bin/python', `case "$3" in *sysconfig*) echo '${portrait}';; *) ${then};; esac`);
}

describe('the interpreter', () => {
  it('is found new enough, with the folders it needs to run', async () => {
    const python = await findPython(undefined);
    expect(Number(python.version.split('.')[1])).toBeGreaterThanOrEqual(11);
    expect(await describePython(python.python)).toEqual(python);
  });

  it('named by PYTHON that is too old is refused by its version', async () => {
    const error = findPython(await fakePython('3.8.2'));
    await expect(error).rejects.toMatchObject({
      code: 'PYTHON_MISSING',
      message: expect.stringContaining('3.8.2'),
      hint: expect.stringContaining('PYTHON'),
    });
  });

  it('named by PYTHON that is not there is refused by its name', async () => {
    await expect(findPython('/no/such/python')).rejects.toMatchObject({
      code: 'PYTHON_MISSING',
      message: expect.stringContaining('/no/such/python'),
    });
  });
});

describe('the toolkit environment', () => {
  it('never takes over a folder that holds something else', async () => {
    const directory = join(folder, 'documents');
    await mkdir(directory);
    await writeFile(join(directory, 'thesis.tex'), 'years of work');
    await expect(ensureEnvironment({ directory })).rejects.toMatchObject({
      code: 'ENVIRONMENT_DIRECTORY_TAKEN',
      hint: expect.stringContaining('TOOLKIT_ENV_DIR'),
    });
    expect(await readFile(join(directory, 'thesis.tex'), 'utf8')).toBe('years of work');
  });

  it('that can not be built says so with the end of what was printed, and is missing afterwards', async () => {
    const python = await fakePython('3.12.1', 'echo "disk on fire" >&2; exit 9');
    const directory = join(folder, 'environment');
    const lines: string[] = [];
    const build = ensureEnvironment({ directory, python, onProgress: (line) => void lines.push(line) });
    await expect(build).rejects.toMatchObject({
      code: expect.stringMatching(/ENVIRONMENT_FAILED|VENV_MISSING/),
    });
    expect(lines.join('\n')).toContain(directory);
    expect(await inspectEnvironment({ directory })).toMatchObject({ state: 'missing' });
  });

  it('whose lock file has changed, or whose building was cut short, is not taken for ready', async () => {
    const directory = join(folder, 'environment');
    await mkdir(join(directory, 'bin'), { recursive: true });
    await writeFile(join(directory, 'bin/python'), '');
    expect(await inspectEnvironment({ directory })).toMatchObject({ state: 'missing' });
    const stamp = { recipe: 1, python: '3.12.1', lock: 'of another day', devLock: null };
    await writeFile(join(directory, 'sproutml-environment.json'), JSON.stringify(stamp));
    expect(await inspectEnvironment({ directory })).toMatchObject({
      state: 'stale',
      reason: expect.stringContaining('lock file'),
    });
    await writeFile(join(directory, 'sproutml-environment.json'), '{"recipe":');
    expect(await inspectEnvironment({ directory })).toMatchObject({ state: 'missing' });
  });
});

it('an environment built from another PYTHON than is asked for now is not taken for ready', async () => {
  const lock = await readFile(join(import.meta.dirname, '../../toolkit/requirements.lock'));
  const stamp = {
    recipe: 1,
    python: '3.12.1',
    lock: createHash('sha256').update(lock).digest('hex'),
    devLock: null,
    requested: '/one/python',
  };
  await fakePython('3.12.1');
  await writeFile(join(folder, 'sproutml-environment.json'), JSON.stringify(stamp));
  expect(await inspectEnvironment({ directory: folder, python: '/one/python' })).toMatchObject({
    state: 'ready',
  });
  expect(await inspectEnvironment({ directory: folder, python: '/other/python' })).toMatchObject({
    state: 'stale',
    reason: expect.stringContaining('/other/python'),
  });
});

describe('doctor', () => {
  it('looks at everything the sandbox stands on, and every complaint says what to do', async () => {
    const checks = await diagnose({
      dataDir: join(folder, 'not/yet/made'),
      mode: 'auto',
      python: await fakePython('3.7.0'),
      environmentDirectory: join(folder, 'environment'),
      memoryBytes: 1024 ** 5,
    });
    const states = Object.fromEntries(checks.map((check) => [check.name, check.ok]));
    expect(Object.keys(states)).toEqual([
      'python',
      'environment',
      'bubblewrap',
      'user namespaces',
      'sandbox',
      'memory',
      'disk',
    ]);
    expect(states).toMatchObject({ python: 'failure', environment: 'warning', memory: 'warning' });
    for (const check of checks.filter(({ ok }) => ok !== 'ok')) expect(check.hint, check.name).not.toBe('');
  });

  it('warns where processes are not contained', async () => {
    const options = { dataDir: folder, environmentDirectory: folder, memoryBytes: 1 };
    const checks = await diagnose({ ...options, mode: 'process' });
    expect(checks.find(({ name }) => name === 'sandbox')).toMatchObject({
      ok: 'warning',
      detail: expect.stringContaining('refused'),
    });
  });
});
