import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { JobSnapshot, JobUpdate } from '../../src/cli/wire.ts';
import { JOB_ID, RECORDED } from './recorded-job.ts';
import { jobOnTheWire, type Script, type StandIn, startStandIn } from './stand-in-server.ts';

const MAIN = join(import.meta.dirname, '../../src/main.ts');
const LAST = RECORDED.at(-1) as JobUpdate;

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs the real command in a process of its own, as a person would; `env` replaces theirs. */
function start(
  args: readonly string[],
  env: Record<string, string> = {},
  nodeOptions: readonly string[] = [],
) {
  const options = { cwd: folder, env: { PATH: process.env.PATH, NO_COLOR: '1', ...env } };
  const child = spawn(process.execPath, [...nodeOptions, MAIN, ...args], options);
  child.stdin.end();
  const ended = Promise.all([
    new Promise<number | null>((resolve) => child.once('close', resolve)),
    text(child.stdout),
    text(child.stderr),
  ]).then(([code, stdout, stderr]): Ended => ({ code, stdout, stderr }));
  return { child, ended };
}
const run = (args: readonly string[], env?: Record<string, string>): Promise<Ended> => start(args, env).ended;

let folder: string;
let csv: string;
let server: StandIn | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sproutml-main-'));
  csv = join(folder, 'penguins.csv');
  await writeFile(csv, 'species,mass\nAdelie,3750\n');
});
afterEach(async () => {
  await server?.close();
  server = undefined;
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** A server whose one job takes the recorded way and ends in `status`. */
async function serving(status: JobSnapshot['status'], script: Script = {}): Promise<string> {
  const ended = { ...LAST.job, status };
  server = await startStandIn({
    startTraining: () => ({ __typename: 'StartTrainingSuccess', job: jobOnTheWire(ended) }),
    job: () => ({ ...jobOnTheWire(ended), result: null, failure: null }),
    async *updates(after) {
      for (const update of RECORDED.slice(after)) yield { ...update, job: ended };
    },
    ...script,
  });
  return server.url;
}

describe('help', () => {
  it('is there for every command, with examples, and lists the exit codes at the top', async () => {
    const top = await run(['--help']);
    expect(top.code).toBe(0);
    for (const code of ['0', '1', '2', '3', '130'])
      expect(top.stdout).toMatch(new RegExp(`^ +${code}  `, 'm'));
    const commands = [
      ...top.stdout.matchAll(/^ {2}(serve|train|watch|demo|doctor|setup|backup|restore)\b/gm),
    ].map(([, name]) => name);
    expect(commands).toEqual(['serve', 'train', 'watch', 'demo', 'doctor', 'setup', 'backup', 'restore']);
    for (const command of commands) {
      const { code, stdout } = await run([String(command), '--help']);
      expect({ command, code }).toEqual({ command, code: 0 });
      expect(stdout).toContain(`$ sproutml ${command}`);
    }
  });

  it('of serve names every variable of the configuration', async () => {
    const { stdout } = await run(['serve', '--help']);
    for (const name of ['HOST', 'DATA_DIR', 'SANDBOX_MEMORY_BYTES', 'TOOLKIT_ENV_DIR'])
      expect(stdout).toContain(name);
  });
});

describe('wrong usage ends with 2 and says what is wrong', () => {
  it.each([
    [['train', 'a.csv'], '--target'],
    [['train', 'a.csv', '--target', 'y', '--metric', 'ACURACY'], 'ACCURACY'],
    [['train', 'a.csv', '--target', 'y', '--time-budget', 'soon'], 'Give a number'],
    [['train', 'a.csv', '--target', 'y', '--server', 'localhost:4000'], 'http://127.0.0.1:4000'],
    [['train', 'nowhere.csv', '--target', 'y'], 'FILE_UNREADABLE'],
    [['demo', '--file', 'a.csv'], 'TARGET_MISSING'],
    [['demo', '--file', 'nowhere.csv', '--target', 'y'], 'FILE_UNREADABLE'],
    [['demmo'], 'demo'],
  ])('sproutml %j', async (args, told) => {
    const { code, stderr } = await run(args);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(told) });
  });

  it('names every mistake of the environment at once', async () => {
    const { code, stderr } = await run(['serve'], { PORT: 'x', LOG_LEVEL: 'loud' });
    expect(code).toBe(2);
    expect(stderr).toMatch(/INVALID_CONFIG.*PORT.*LOG_LEVEL/s);
  });

  it('tells an old Node so before anything newer is read', async () => {
    const older = 'data:text/javascript,Object.defineProperty(process.versions,"node",{value:"22.18.0"})';
    const { code, stderr } = await start(['demo'], {}, ['--import', older]).ended;
    expect(code).toBe(2);
    expect(stderr).toContain('NODE_TOO_OLD: SproutML needs Node 26 or newer');
  });
});

describe('train', () => {
  it('ends with 3 when no server answers, in JSON when asked for JSON', async () => {
    const port = await freePort();
    const { code, stdout } = await run([
      'train',
      csv,
      '--target',
      'species',
      '--json',
      '--server',
      `http://127.0.0.1:${port}`,
    ]);
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ type: 'error', code: 'SERVER_UNREACHABLE', exitCode: 3 });
  });

  it('without --wait prints the id and how to watch it, and leaves', async () => {
    const url = await serving('QUEUED');
    const { code, stdout } = await run(['train', csv, '--target', 'species', '--server', url]);
    expect(code).toBe(0);
    expect(stdout).toContain(JOB_ID);
    expect(stdout).toContain(`sproutml watch ${JOB_ID} --server ${url}`);
  });

  it.each([
    ['SUCCEEDED', 0],
    ['FAILED', 1],
    ['CANCELLED', 130],
  ] as const)(
    'waits, prints a JSON line per update and the result last: %s ends with %i',
    async (status, expected) => {
      const url = await serving(status);
      const { code, stdout } = await run([
        'train',
        csv,
        '--target',
        'species',
        '--wait',
        '--json',
        '--server',
        url,
      ]);
      const lines = stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(code).toBe(expected);
      expect(lines.map(({ type }) => type)).toEqual([...RECORDED.map(() => 'update'), 'result']);
      expect(lines.at(-1)).toMatchObject({ job: { id: JOB_ID, status }, exitCode: expected });
    },
  );

  it('passes on how rows are to be split and what is to be kept', async () => {
    const inputs: unknown[] = [];
    const url = await serving('QUEUED', {
      startTraining: (input) => {
        inputs.push({ ...input, file: null });
        return { __typename: 'StartTrainingSuccess', job: jobOnTheWire(LAST.job) };
      },
    });
    const start = ['train', csv, '--target', 'species', '--server', url];
    await run([...start, '--holdout-fraction', '0', '--group-column', 'year']);
    await run([...start, '--time-column', 'year', '--keep', 'id', 'code', '--seed', '7']);
    expect(inputs).toEqual([
      { file: null, targetColumn: 'species', holdoutFraction: 0, groupColumn: 'year' },
      { file: null, targetColumn: 'species', keepColumns: ['id', 'code'], timeColumn: 'year', seed: 7 },
    ]);
  });

  it('passes on the quantile that is asked for', async () => {
    const inputs: unknown[] = [];
    const url = await serving('QUEUED', {
      startTraining: (input) => {
        inputs.push({ ...input, file: null });
        return { __typename: 'StartTrainingSuccess', job: jobOnTheWire(LAST.job) };
      },
    });
    const start = ['train', csv, '--target', 'species', '--server', url];
    await run([...start, '--metric', 'PINBALL', '--quantile', '0.9']);
    expect(inputs).toEqual([{ file: null, targetColumn: 'species', metric: 'PINBALL', quantile: 0.9 }]);
  });

  it('passes on what the server says about the table, and ends with 2', async () => {
    const url = await serving('QUEUED', {
      startTraining: () => ({
        __typename: 'TargetNotFoundError',
        code: 'TARGET_NOT_FOUND',
        message: 'There is no column "specis".',
        hint: 'Did you mean "species"?',
      }),
    });
    const { code, stderr } = await run(['train', csv, '--target', 'specis', '--server', url]);
    expect(code).toBe(2);
    expect(stderr).toBe('TARGET_NOT_FOUND: There is no column "specis".\n  -> Did you mean "species"?\n');
  });

  it('ends with 1 when a file arrives other than promised, and leaves nothing of it', async () => {
    const artifact = {
      name: 'model.pkl',
      kind: 'MODEL',
      contentType: 'x',
      size: 1,
      sha256: '0',
      content: 'x',
    } as const;
    const url = await serving('SUCCEEDED', { artifacts: [artifact] });
    const { code, stderr } = await run([
      'train',
      csv,
      '--target',
      'species',
      '--out',
      'model',
      '--server',
      url,
    ]);
    expect(code).toBe(1);
    expect(stderr).toContain('DOWNLOAD_CORRUPT');
    expect(await readdir(join(folder, 'model'))).toEqual([]);
  });
});

describe('Ctrl-C', () => {
  const patiently = (told: (jobId: string) => void, afterCancel: 'ends' | 'goes on'): Script => {
    const cancelled = Promise.withResolvers<void>();
    return {
      cancelJob: ({ jobId }) => {
        told(jobId);
        cancelled.resolve();
        return { __typename: 'CancelJobSuccess', job: jobOnTheWire(LAST.job) };
      },
      async *updates() {
        yield* RECORDED.slice(0, 10);
        await cancelled.promise;
        if (afterCancel === 'goes on') await new Promise(() => undefined);
        yield* RECORDED.slice(10);
      },
    };
  };
  const waiting = async (url: string) => {
    const { child, ended } = start(['watch', JOB_ID, '--server', url]);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    return { child, ended };
  };

  it('once asks the server to end the job and stays for what it kept', async () => {
    const asked: string[] = [];
    const url = await serving(
      'CANCELLED',
      patiently((jobId) => asked.push(jobId), 'ends'),
    );
    const { child, ended } = await waiting(url);
    child.kill('SIGINT');
    const { code, stdout } = await ended;
    expect(asked).toEqual([JOB_ID]);
    expect(stdout).toMatch(/\nCANCELLED in /);
    expect(code).toBe(130);
  });

  it('twice leaves at once', async () => {
    const asked: string[] = [];
    const url = await serving(
      'RUNNING',
      patiently((jobId) => asked.push(jobId), 'goes on'),
    );
    const { child, ended } = await waiting(url);
    child.kill('SIGINT');
    // Two signals at once would reach the process as one.
    await vi.waitFor(() => expect(asked).toEqual([JOB_ID]), 10_000);
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    expect(asked).toEqual([JOB_ID]);
    expect(stderr).toContain(`Left job ${JOB_ID}`);
    expect(code).toBe(130);
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
