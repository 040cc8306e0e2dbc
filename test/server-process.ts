import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A server of ours in a process of its own, started by its own command line: what is tested or measured from outside. */
export interface ServerProcess {
  /** Where GraphQL is. */
  readonly url: string;
  readonly pid: number;
  readonly dataDir: string;
  /** What it has logged so far, as JSON lines. */
  log(): string;
  /** SIGTERM; resolves with the exit code. */
  terminate(): Promise<number | null>;
  /** SIGKILL: nothing gets to tidy up. */
  kill(): Promise<void>;
}

export async function startServerProcess(options: {
  dataDir: string;
  environment?: Record<string, string>;
}): Promise<ServerProcess> {
  const port = await freePort();
  const child = spawn(process.execPath, ['src/main.ts', 'serve'], {
    cwd: join(import.meta.dirname, '..'),
    env: {
      ...process.env,
      PORT: String(port),
      DATA_DIR: options.dataDir,
      LOG_FORMAT: 'json',
      // Whatever this machine is set up for: a test that wants a model names its own.
      OPENAI_API_KEY: '',
      OPENAI_BASE_URL: '',
      ...options.environment,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (text: string) => {
    log = (log + text).slice(-1_000_000);
  });
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const origin = `http://127.0.0.1:${port}`;
  try {
    await untilReady(`${origin}/readyz`, child);
  } catch (error) {
    child.kill('SIGKILL');
    throw new Error(`${String(error)}\n${log}`, { cause: error });
  }
  return {
    url: `${origin}/graphql`,
    pid: child.pid ?? 0,
    dataDir: options.dataDir,
    log: () => log,
    async terminate() {
      child.kill('SIGTERM');
      return await ended;
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** An empty folder that is removed, with all that came into it, by the function returned. */
export async function temporaryFolder(name: string): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), `sproutml-${name}-`));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

async function untilReady(url: string, child: ChildProcess): Promise<void> {
  for (const deadline = Date.now() + 300_000; Date.now() < deadline; await sleep(50)) {
    if (child.exitCode !== null) throw new Error(`the server ended with code ${child.exitCode}`);
    const ready = await fetch(url).then(
      (response) => response.ok,
      () => false,
    );
    if (ready) return;
  }
  throw new Error('the server was not ready within 5 minutes');
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
