import { resolve } from 'node:path';
import { z } from 'zod';
import { accessProblems, accessVariables } from './config-access.ts';
import { languageModelVariables } from './config-language-model.ts';
import { isSecret, operationsVariables } from './config-operations.ts';
import { integer, list } from './config-values.ts';

/**
 * The environment as one validated, frozen value. Nothing else reads `process.env`; every mistake is reported at once.
 * Each variable's description is the one the README's table shows.
 */
const environment = z.object({
  HOST: z
    .string()
    .default('127.0.0.1')
    .describe('Address to listen on; any but 127.0.0.1, ::1 and localhost needs authentication.'),
  PORT: integer(0, 65_535).default(4000).describe('Port to listen on; 0 takes a free one.'),
  DATA_DIR: z
    .string()
    .default('./data')
    .describe('Where the database, datasets, artifacts and sandboxes live.'),
  PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Address clients see; signed URLs start with it.'),
  CORS_ORIGINS: list().describe(
    'Comma-separated origins that browsers may call from; empty: same origin only.',
  ),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('How much is logged.'),
  LOG_FORMAT: z
    .enum(['auto', 'json', 'pretty'])
    .default('auto')
    .describe('`auto`: pretty on a terminal, JSON lines otherwise.'),
  MAX_UPLOAD_BYTES: integer(1)
    .default(2 * 1024 ** 3)
    .describe('Largest upload, in bytes.'),
  MAX_DECOMPRESSED_BYTES: integer(1)
    .default(8 * 1024 ** 3)
    .describe('Largest table a .csv.gz may unpack to, in bytes.'),
  MAX_COLUMNS: integer(1).default(8192).describe('Most columns a table may have.'),
  JOB_CONCURRENCY: integer(1, 64).default(1).describe('Jobs that run at the same time.'),
  MAX_QUEUED_JOBS: integer(1)
    .default(100)
    .describe('Jobs that may wait; one more is refused with QUOTA_EXCEEDED.'),
  MAX_TIME_BUDGET_SECONDS: integer(10)
    .default(24 * 3600)
    .describe('Largest time budget a job may ask for.'),
  SANDBOX: z
    .enum(['auto', 'local', 'contained', 'process', 'daytona'])
    .default('auto')
    .describe(
      '`auto`: Daytona with DAYTONA_API_KEY, else `local`: bubblewrap where it works, else a plain limited process; the others insist.',
    ),
  SANDBOX_MEMORY_BYTES: integer(256 * 1024 ** 2)
    .default(4 * 1024 ** 3)
    .describe('Memory one job may use, in bytes.'),
  SANDBOX_CPUS: integer(1, 256)
    .optional()
    .describe('Cores one job may use; default: all of the machine, shared by JOB_CONCURRENCY.'),
  DAYTONA_API_KEY: z.string().min(1).optional().describe('Runs jobs in Daytona cloud sandboxes; see below.'),
  DAYTONA_API_URL: z
    .url({ protocol: /^https?$/ })
    .default('https://app.daytona.io/api')
    .describe("Daytona's API."),
  DAYTONA_TARGET: z.string().optional().describe("Region of the sandboxes; default: the organization's own."),
  DAYTONA_MAX_PARALLEL: integer(1, 6)
    .default(2)
    .describe('Sandboxes one job may train in at the same time, its own included.'),
  DAYTONA_CPU: integer(1, 64).default(2).describe('Cores of each sandbox.'),
  DAYTONA_MEMORY_GIB: integer(1, 512).default(4).describe('Memory of each sandbox, in GiB.'),
  DAYTONA_DISK_GIB: integer(1, 1024).default(8).describe('Disk of each sandbox, in GiB.'),
  DAYTONA_KEEP_MINUTES: integer(0, 7 * 24 * 60)
    .default(0)
    .describe("How long a failed job's sandbox is kept, stopped, for a look; 0: not at all."),
  LLM_SHARE_SAMPLES: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true')
    .describe('`true`: a language model may be told cells of the table, not only profiles of its columns.'),
  SIGNING_SECRET: z
    .string()
    .min(16)
    .optional()
    .describe('Signs download URLs; default: made once and kept in DATA_DIR.'),
  PYTHON: z.string().optional().describe('Python (3.11 or newer) to build the toolkit environment from.'),
  TOOLKIT_ENV_DIR: z
    .string()
    .optional()
    .describe('Where the toolkit environment is built; default: .venv in the project.'),
  ...languageModelVariables,
  ...accessVariables,
  ...operationsVariables,
});

export type Config = Readonly<z.output<typeof environment>>;

/** Whether jobs run in Daytona's cloud. */
export const usesDaytona = ({ SANDBOX, DAYTONA_API_KEY }: Config): boolean =>
  SANDBOX === 'daytona' || (SANDBOX === 'auto' && DAYTONA_API_KEY !== undefined);

/** How a sandbox on this machine is to hold processes. */
export const localContainment = ({ SANDBOX }: Config): 'auto' | 'contained' | 'process' =>
  SANDBOX === 'contained' || SANDBOX === 'process' ? SANDBOX : 'auto';

/** Thrown with every problem of the environment at once. */
export class ConfigError extends Error {
  constructor(problems: readonly string[]) {
    super(`The configuration is not usable:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/** Reads a Config from variables; an empty string counts as absent. Throws ConfigError. */
export function readConfig(variables: Readonly<Record<string, string | undefined>>): Config {
  const present = Object.fromEntries(
    Object.keys(environment.shape)
      .map((name) => [name, variables[name]] as const)
      .filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = environment
    .refine(({ SANDBOX, DAYTONA_API_KEY }) => SANDBOX !== 'daytona' || DAYTONA_API_KEY !== undefined, {
      path: ['DAYTONA_API_KEY'],
      message: 'SANDBOX=daytona needs one',
    })
    .safeParse(present);
  if (!parsed.success) {
    throw new ConfigError(
      parsed.error.issues.map(
        (issue) => `${issue.path.join('.')}: ${issue.message} (got ${shown(String(issue.path[0]), present)})`,
      ),
    );
  }
  const problems = accessProblems(parsed.data);
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze({ ...parsed.data, DATA_DIR: resolve(parsed.data.DATA_DIR) });
}

/** A secret that is mistyped is still one. */
const shown = (name: string, values: Readonly<Record<string, string | undefined>>): string =>
  isSecret(name) ? `${values[name]?.length ?? 0} characters, not shown` : JSON.stringify(values[name]);

/** Name, default and meaning of every variable, for `--help` and the README's table. */
export function describeConfig(): { name: string; default: string; description: string }[] {
  const defaults = environment.safeParse({}).data as Record<string, unknown>;
  return Object.entries(environment.shape).map(([name, schema]) => ({
    name,
    default: typeof defaults[name] === 'object' ? '' : String(defaults[name] ?? ''),
    description: schema.description ?? '',
  }));
}
