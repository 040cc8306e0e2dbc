import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { type Config, ConfigError, localContainment, readConfig, usesDaytona } from '../../config.ts';
import { languageModelOptions } from '../../config-language-model.ts';
import { lockDataDir } from '../../db/lock.ts';
import { messageOf, SproutError } from '../../domain/errors.ts';
import { diagnoseDaytona } from '../../sandbox/daytona/diagnose.ts';
import { type Check, diagnose, diskCheck } from '../../sandbox/diagnose.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { type Line, printLines, span } from '../lines.ts';
import { aligned } from '../terminal-text.ts';

/** Checks everything a server stands on, changing nothing; fails when something must be mended first. */
export async function doctor(options: { json?: boolean }): Promise<ExitCode> {
  const checks = await allChecks();
  const exitCode = checks.some(({ ok }) => ok === 'failure') ? EXIT.failed : EXIT.ok;
  if (options.json) console.log(JSON.stringify({ checks, exitCode }, null, 2));
  else printLines([...checks.flatMap(checkLines), [], verdict(checks)], process.stdout);
  return exitCode;
}

async function allChecks(): Promise<Check[]> {
  const node: Check = {
    name: 'node',
    ok: 'ok',
    detail: `${process.version} at ${process.execPath}`,
    hint: '',
  };
  const config = readConfigOrProblem();
  if (config instanceof ConfigError) {
    const hint =
      'Mend these and run doctor again: the other checks need them. `sproutml serve --help` lists all.';
    return [node, { name: 'configuration', ok: 'failure', detail: config.message, hint }];
  }
  return [
    node,
    { name: 'configuration', ok: 'ok', detail: 'every variable is understood', hint: '' },
    await dataDirCheck(config.DATA_DIR),
    await portCheck(config),
    await languageModelCheck(config),
    ...(await (usesDaytona(config) ? cloudChecks(config) : localChecks(config))),
  ];
}

const localChecks = (config: Config): Promise<Check[]> =>
  diagnose({
    dataDir: config.DATA_DIR,
    mode: localContainment(config),
    python: config.PYTHON,
    environmentDirectory: config.TOOLKIT_ENV_DIR,
    memoryBytes: config.SANDBOX_MEMORY_BYTES,
  });

const cloudChecks = async (config: Config): Promise<Check[]> => [
  ...(await diagnoseDaytona({
    apiKey: config.DAYTONA_API_KEY ?? '',
    apiUrl: config.DAYTONA_API_URL,
    size: { cpu: config.DAYTONA_CPU, memoryGib: config.DAYTONA_MEMORY_GIB, diskGib: config.DAYTONA_DISK_GIB },
    maxParallel: config.DAYTONA_MAX_PARALLEL,
  })),
  diskCheck(config.DATA_DIR),
];

function readConfigOrProblem(): Config | ConfigError {
  try {
    return readConfig(process.env);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

/** Writable, and held by no other server; a folder that is not there yet is judged by where it would be made. */
async function dataDirCheck(dataDir: string): Promise<Check> {
  const name = 'data folder';
  const folder = await nearestThere(dataDir);
  try {
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    return {
      name,
      ok: 'failure',
      detail: messageOf(error),
      hint: 'Set DATA_DIR to a folder this user may write to.',
    };
  }
  if (folder !== dataDir) return { name, ok: 'ok', detail: `${dataDir}, made on first start`, hint: '' };
  try {
    lockDataDir(dataDir)();
    return { name, ok: 'ok', detail: `${dataDir}, writable and free`, hint: '' };
  } catch (error) {
    const hint = error instanceof SproutError ? (error.hint ?? '') : '';
    return { name, ok: 'failure', detail: messageOf(error), hint };
  }
}

async function nearestThere(path: string): Promise<string> {
  const there = await access(path).then(
    () => true,
    () => false, // Missing or hidden from us: either way its parent tells more.
  );
  return there || dirname(path) === path ? path : nearestThere(dirname(path));
}

async function portCheck({ HOST, PORT }: Config): Promise<Check> {
  const name = 'port';
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: HOST, port: PORT, exclusive: true }, resolve);
    });
    return {
      name,
      ok: 'ok',
      detail: PORT === 0 ? 'a free one is taken' : `${HOST}:${PORT} is free`,
      hint: '',
    };
  } catch (error) {
    return {
      name,
      ok: 'failure',
      detail: messageOf(error),
      hint: 'Stop what listens there, or set HOST and PORT.',
    };
  } finally {
    server.close();
  }
}

/** Nothing of the model is loaded where none is configured: that takes a while. */
async function languageModelCheck(config: Config): Promise<Check> {
  const name = 'language model';
  const options = languageModelOptions(config);
  if (options === null) {
    const hint =
      'Set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own, to put a language model there.';
    return { name, ok: 'ok', detail: "none: the playbook sits in the agents' seats", hint };
  }
  const { checkLanguageModel } = await import('../../agents/mind/check.ts');
  return { name, ...(await checkLanguageModel(options)) };
}

const MARKS = {
  ok: span('✓', 'green'),
  warning: span('!', 'yellow'),
  failure: span('✗', 'red'),
} as const;

function checkLines({ name, ok, detail, hint }: Check): Line[] {
  const [first = '', ...more] = detail.split('\n');
  return [
    [MARKS[ok], span(` ${aligned(name, 16)} `, 'bold'), span(first)],
    ...more.map((line): Line => [span(`${' '.repeat(19)}${line}`)]),
    ...(hint === '' ? [] : [[span(`${' '.repeat(19)}-> ${hint}`, ok === 'ok' ? 'dim' : 'cyan')]]),
  ];
}

function verdict(checks: readonly Check[]): Line {
  const count = (ok: Check['ok']) => checks.filter((check) => check.ok === ok).length;
  if (count('failure') > 0) return [span(`${count('failure')} to mend before a server can run here.`, 'red')];
  if (count('warning') > 0) return [span(`It runs here; ${count('warning')} could be better.`, 'yellow')];
  return [span('All is well.', 'green')];
}
