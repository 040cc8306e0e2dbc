import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readConfig, usesDaytona } from '../../config.ts';
import { ApiClient, mustBeReadable } from '../api-client.ts';
import { attendAndConclude } from '../attend-job.ts';
import { InputError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { boxed, type Line, printLines, span } from '../lines.ts';
import { createLogger } from '../logger.ts';
import { prepareEnvironment } from '../prepare-environment.ts';
import { aligned, pathFromHere } from '../terminal-text.ts';
import type { ServerHealth } from '../wire.ts';

const PENGUINS = {
  file: fileURLToPath(new URL('../../../examples/penguins.csv', import.meta.url)),
  target: 'species',
};

/** A conversation written by hand, in the place of a model's answers. */
const SCRIPTED = fileURLToPath(new URL('../../../examples/scripted-model/conversation', import.meta.url));

export interface DemoOptions {
  file?: string;
  target?: string;
  timeBudget: number;
  out?: string;
  port?: number;
  keepOpen?: boolean;
  json?: boolean;
  mind?: 'playbook' | 'scripted';
}

/**
 * Everything once, for real: starts a server of its own, trains on a table through its public API alone, and leaves the
 * model, report and plots in a folder.
 */
export async function demo(options: DemoOptions): Promise<ExitCode> {
  const { file, target } = chooseTable(options);
  await mustBeReadable(file);
  const json = options.json ?? false;
  const folder = resolve(options.out ?? `sproutml-demo-${timestamp(new Date())}`);
  const config = readConfig({
    ...process.env,
    HOST: '127.0.0.1',
    AUTH_MODE: 'none',
    PORT: String(options.port ?? 0),
    PUBLIC_URL: undefined,
    DATA_DIR: join(folder, 'data'),
    ...mindOf(options.mind),
  });
  await mkdir(folder, { recursive: true });
  if (!usesDaytona(config)) await prepareEnvironment(config, process.stderr);

  const logger = createLogger(config, join(folder, 'server.log'));
  const { startApp } = await import('../../app.ts');
  const app = await startApp({ config, logger });
  try {
    const client = new ApiClient(app.url);
    if (!json) print(introduction(client.endpoint, await client.health(), folder, options.mind));
    const job = await client.startTraining(file, {
      targetColumn: target,
      timeBudgetSeconds: options.timeBudget,
    });
    const exitCode = await attendAndConclude(client, job.id, { folder, json });
    if (!json && exitCode === EXIT.ok) print(FAREWELL);
    if (options.keepOpen) {
      if (!json) print([[], [span(`The server stays at ${client.endpoint.href}; Ctrl-C ends it.`)]]);
      await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
    }
    return exitCode;
  } finally {
    await app.close();
  }
}

function chooseTable({ file, target }: DemoOptions): { file: string; target: string } {
  if (file === undefined && target === undefined) return PENGUINS;
  if (target === undefined) {
    throw new InputError('TARGET_MISSING', 'A table of your own needs a column to predict.', {
      hint: 'Add --target <column>.',
    });
  }
  return { file: file ?? PENGUINS.file, target };
}

/** The variables that decide who sits in the agents' seats; none: as this machine is set up. */
function mindOf(mind: DemoOptions['mind']): Record<string, string | undefined> {
  if (mind === undefined) return {};
  const nobody = { OPENAI_API_KEY: undefined, OPENAI_BASE_URL: undefined, OPENAI_REPLAY: undefined };
  if (mind === 'playbook') return nobody;
  return {
    ...nobody,
    OPENAI_REPLAY: SCRIPTED,
    OPENAI_MODEL: 'scripted',
    OPENAI_API: 'responses',
    OPENAI_PRICES: '*=0/0',
  };
}

function about(mind: ServerHealth['mind'], asked: DemoOptions['mind']): string {
  if (asked === 'scripted') return ': scripted. A written conversation is played, no model is asked';
  return mind === 'PLAYBOOK' ? ': built in, no key needed' : '';
}

/** Where everything is, before anything happens. */
function introduction(
  endpoint: URL,
  health: ServerHealth,
  folder: string,
  mind: DemoOptions['mind'],
): Line[] {
  const facts = [
    ['GraphQL', endpoint.href],
    ['GraphiQL', 'the same address, in a browser'],
    ['Folder', `${pathFromHere(folder)} (database in data/, log in server.log)`],
    ['Sandbox', `${health.sandbox.kind}, ${health.sandbox.containment}: ${health.sandbox.description}`],
    ['Agents', `${health.mind}${about(health.mind, mind)}`],
  ] as const;
  const lines = facts.map(([name, text]): Line => [span(aligned(name, 10), 'dim'), span(text)]);
  const title = [
    span(`SproutML ${health.version}`, 'bold'),
    span('  a demo: the server ends with it', 'dim'),
  ];
  return [...boxed([title, ...lines], process.stdout.columns ?? 100), []];
}

/** The next thing to paste. */
const FAREWELL: readonly Line[] = [
  [],
  [span('Train your own:', 'bold')],
  [span('  npm run demo -- --file your.csv --target column')],
  [span('Keep a server:', 'bold')],
  [span('  npm start')],
  [span('  npm run sproutml -- train your.csv --target column --wait --out ./model')],
];

const print = (lines: readonly Line[]): void => printLines(lines, process.stdout);

/** 20260131-142309, in local time. */
function timestamp(date: Date): string {
  const two = (part: number) => String(part).padStart(2, '0');
  const day = `${date.getFullYear()}${two(date.getMonth() + 1)}${two(date.getDate())}`;
  return `${day}-${two(date.getHours())}${two(date.getMinutes())}${two(date.getSeconds())}`;
}
