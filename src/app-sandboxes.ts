import { availableParallelism } from 'node:os';
import type { Logger } from 'pino';
import { type Config, localContainment } from './config.ts';
import type { PipelineParts } from './jobs/pipeline.ts';
import { createLocalSandboxes } from './sandbox/local.ts';
import { ensureEnvironment } from './sandbox/python-environment.ts';
import type { SandboxProvider } from './sandbox/sandbox.ts';
import { openToolkit } from './sandbox/toolkit-session.ts';

/** Where jobs run, as the composition root has chosen it. */
export interface Sandboxes {
  provider: SandboxProvider;
  /** How jobs work in them. */
  work: Pick<PipelineParts, 'openToolkit' | 'billed' | 'cpus' | 'trialsAtOnce' | 'memoryBytes'>;
  /** From now on removes what no living job owns. */
  tend(living: () => Promise<ReadonlySet<string>>): void;
  close(): Promise<void>;
}

export async function openLocal(config: Config, logger: Logger): Promise<Sandboxes> {
  const python = await ensureEnvironment({
    directory: config.TOOLKIT_ENV_DIR,
    python: config.PYTHON,
    onProgress: setupLog(logger.child({ part: 'setup' })),
  });
  const memoryBytes = config.SANDBOX_MEMORY_BYTES;
  const provider = await createLocalSandboxes({
    dataDir: config.DATA_DIR,
    mode: localContainment(config),
    python,
    memoryBytes,
    diskReserveBytes: config.DISK_RESERVE_BYTES,
    logger: logger.child({ part: 'sandbox' }),
  });
  return {
    provider,
    work: {
      openToolkit: (sandbox) => openToolkit(sandbox, { memoryBytes }),
      memoryBytes,
      cpus: config.SANDBOX_CPUS ?? coresPerJob(config),
    },
    tend: () => undefined,
    close: async () => undefined,
  };
}

/** Loaded here and only here: nobody else pays for the SDK. */
export async function openDaytona(config: Config, logger: Logger): Promise<Sandboxes> {
  const { createDaytonaSandboxes } = await import('./sandbox/daytona.ts');
  const most = config.DAYTONA_MAX_PARALLEL;
  const memoryBytes = config.DAYTONA_MEMORY_GIB * 1024 ** 3;
  const provider = await createDaytonaSandboxes({
    apiKey: config.DAYTONA_API_KEY ?? '',
    apiUrl: config.DAYTONA_API_URL,
    target: config.DAYTONA_TARGET ?? null,
    dataDir: config.DATA_DIR,
    size: { cpu: config.DAYTONA_CPU, memoryGib: config.DAYTONA_MEMORY_GIB, diskGib: config.DAYTONA_DISK_GIB },
    maxParallel: most,
    keepMinutes: config.DAYTONA_KEEP_MINUTES,
    memoryBytes,
    logger: logger.child({ part: 'daytona' }),
  });
  return {
    provider,
    work: {
      openToolkit: (sandbox) => provider.openToolkit(sandbox, { memoryBytes, warm: true }),
      billed: (id) => provider.billed(id),
      memoryBytes,
      cpus: config.DAYTONA_CPU * most,
      trialsAtOnce: most,
    },
    tend: (living) => provider.tend(living),
    close: () => provider.close(),
  };
}

/** Says first why nothing answers yet: on the first start, making the environment takes a while. */
function setupLog(logger: Logger): (line: string) => void {
  let told = false;
  return (line) => {
    if (!told) logger.info('the server will listen once the Python environment is made, in about a minute');
    told = true;
    logger.info(line);
  };
}

/** The machine's cores, shared evenly by the jobs that may run at the same time. */
const coresPerJob = ({ JOB_CONCURRENCY }: Config): number =>
  Math.max(1, Math.floor(availableParallelism() / JOB_CONCURRENCY));
