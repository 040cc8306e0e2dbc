import { execFile, spawn } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, realpath, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { ExecuteRequest, ExecuteResponse } from '@daytona/toolbox-api-client';
import type { PythonEnvironment } from '../../src/sandbox/python-interpreter.ts';

const run = promisify(execFile);

/** The machine a stand-in sandbox is: a folder, and processes of this one that bear its mark. */
export class Machine {
  readonly id: string;
  /** Its working directory. */
  readonly home: string;
  readonly #root: string;
  readonly #python: PythonEnvironment;

  constructor(root: string, id: string, python: PythonEnvironment) {
    this.id = id;
    this.#root = join(root, id);
    this.home = join(this.#root, 'home');
    this.#python = python;
  }

  async build(mounts: readonly { path: string; folder: string }[]): Promise<void> {
    await mkdir(this.home, { recursive: true });
    await this.#buildPython();
    for (const { path, folder } of mounts) {
      await mkdir(folder, { recursive: true });
      await symlink(folder, path).catch((error: NodeJS.ErrnoException) => {
        // Mounted for another sandbox of the job already.
        if (error.code !== 'EEXIST') throw error;
      });
    }
  }

  /** An interpreter of its own that lends the libraries of the one given: what is installed here stays here. */
  async #buildPython(): Promise<void> {
    const venv = join(this.#root, 'venv');
    const [major, minor] = this.#python.version.split('.');
    const site = join(venv, 'lib', `python${major}.${minor}`, 'site-packages');
    await mkdir(join(venv, 'bin'), { recursive: true });
    await mkdir(site, { recursive: true });
    const binary = await realpath(this.#python.python);
    await writeFile(
      join(venv, 'pyvenv.cfg'),
      `home = ${dirname(binary)}\ninclude-system-site-packages = false\n`,
    );
    for (const name of ['python', 'python3']) await symlink(binary, join(venv, 'bin', name));
    await writeFile(join(site, 'libraries.pth'), `${this.#python.sitePackages}\n`);
  }

  async execute({ command, cwd, envs, timeout = 10 }: ExecuteRequest): Promise<ExecuteResponse | 'timeout'> {
    const child = spawn('/bin/sh', ['-c', command], {
      cwd: cwd ?? this.home,
      env: {
        PATH: `${join(this.#root, 'venv', 'bin')}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin`,
        HOME: this.home,
        LANG: 'C.UTF-8',
        ...envs,
        STAND_IN_SANDBOX: this.id,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const output: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => output.push(chunk));
    let late = false;
    const timer =
      timeout === 0
        ? null
        : setTimeout(() => {
            late = true;
            child.kill('SIGKILL');
          }, timeout * 1000);
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      // A child that keeps the output open keeps the answer back, as the real one does.
      child.once('close', (exit) => resolve(exit ?? -1));
    });
    if (timer !== null) clearTimeout(timer);
    return late ? 'timeout' : { exitCode: code, result: Buffer.concat(output).toString('utf8') };
  }

  /** Pulls the plug: nothing that runs here gets to tidy up. */
  async stop(): Promise<void> {
    for (let round = 0; round < 50; round += 1) {
      const pids = await this.#processes();
      if (pids.length === 0) return;
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error(`processes of sandbox ${this.id} can't be ended`);
  }

  async remove(): Promise<void> {
    await this.stop();
    await run('rm', ['-rf', '--', this.#root]).catch(async () => {
      await chmod(this.#root, 0o700);
      await run('chmod', ['-R', 'u+rwX', '--', this.#root]);
      await run('rm', ['-rf', '--', this.#root]);
    });
  }

  /** Living processes with our mark, and everything below them. */
  async #processes(): Promise<number[]> {
    const parents = new Map<number, number>();
    const found = new Set<number>();
    const names = await readdir('/proc');
    for (const pid of names.filter((name) => /^\d+$/.test(name)).map(Number)) {
      const [stat, environment] = await Promise.all([
        readFile(`/proc/${pid}/stat`, 'latin1').catch(() => ''),
        readFile(`/proc/${pid}/environ`, 'latin1').catch(() => ''),
      ]);
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (state === undefined || state === 'Z' || state === '') continue;
      parents.set(pid, Number(parent));
      if (environment.split('\0').includes(`STAND_IN_SANDBOX=${this.id}`)) found.add(pid);
    }
    for (let grew = true; grew; ) {
      grew = false;
      for (const [pid, parent] of parents) {
        if (!found.has(parent) || found.has(pid)) continue;
        found.add(pid);
        grew = true;
      }
    }
    return [...found];
  }
}
