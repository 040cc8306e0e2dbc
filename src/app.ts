import { access, constants, mkdir, readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { checkLanguageModel } from './agents/mind/check.ts';
import { languageModelSeats, openModelAccess } from './agents/mind/language-model-seats.ts';
import type { LanguageModelOptions } from './agents/mind/options.ts';
import { openDaytona, openLocal } from './app-sandboxes.ts';
import { openDiskBlobStore } from './artifacts/disk-blob-store.ts';
import { createUrlSigner } from './artifacts/signed-url.ts';
import { loadSigningSecret } from './artifacts/signing-secret.ts';
import { ApiKeys } from './auth/api-keys.ts';
import { authenticationIn } from './auth/configured.ts';
import { createMemoryBus } from './bus/memory.ts';
import { type Config, usesDaytona } from './config.ts';
import { takesTokens } from './config-access.ts';
import { languageModelOptions } from './config-language-model.ts';
import { openDatabase } from './db/client.ts';
import { encodeGlobalId } from './graphql/global-id.ts';
import { createHttpServer } from './http/server.ts';
import { livingJobs } from './jobs/claim.ts';
import { Jobs } from './jobs/jobs.ts';
import { LeftoverRemover } from './jobs/leftovers.ts';
import { countByStatus, countedJobs, tracedRun } from './jobs/observed-run.ts';
import { createPipeline } from './jobs/pipeline.ts';
import { quotasIn } from './jobs/quotas.ts';
import { Retention } from './jobs/retention.ts';
import { Runner } from './jobs/runner.ts';
import { JobStore } from './jobs/store.ts';
import { observeAgentCode } from './sandbox/observed-code.ts';
import { observedToolkit } from './sandbox/observed-toolkit.ts';
import { Metrics } from './telemetry/metrics.ts';
import { putTracer } from './telemetry/spans.ts';
import { Courier } from './webhooks/courier.ts';

/** A running SproutML. */
export interface App {
  /** Where this machine reaches it, without a path. */
  readonly url: string;
  /** Stops taking requests and jobs, leaves running jobs to the next start, closes everything in order. Idempotent. */
  close(): Promise<void>;
}

/**
 * The composition root: the only place that chooses adapters. Resolves once requests are answered; rejects, with all
 * that was opened closed again, when something the configuration asks for can't be had.
 */
export async function startApp({ config, logger }: { config: Config; logger: Logger }): Promise<App> {
  const closers: (() => Promise<void>)[] = [];
  const closeAll = async (): Promise<void> => {
    for (let close = closers.pop(); close; close = closers.pop()) await close();
  };
  try {
    closers.push(await trace(config, logger));
    await mkdir(config.DATA_DIR, { recursive: true, mode: 0o700 });
    const database = openDatabase(config.DATA_DIR);
    closers.push(() => database.close());
    const bus = createMemoryBus();
    closers.push(() => bus.close());
    const metrics = new Metrics();
    metrics.collectNodeDefaults();
    const blobs = await openDiskBlobStore(join(config.DATA_DIR, 'blobs'), {
      reserveBytes: config.DISK_RESERVE_BYTES,
    });
    const sandboxes = await (usesDaytona(config) ? openDaytona(config, logger) : openLocal(config, logger));
    closers.push(sandboxes.close);

    const store = new JobStore({ database, bus });
    const leftovers = new LeftoverRemover({
      store,
      blobs,
      destroySandbox: (id, options) => sandboxes.provider.destroy(id, options),
      logger,
    });
    const model = languageModelOptions(config);
    const mind = model === null ? 'PLAYBOOK' : 'LANGUAGE_MODEL';
    const jobs = new Jobs({
      store,
      leftovers,
      terms: {
        mind,
        sandbox: sandboxes.provider.kind,
        maxQueuedJobs: config.MAX_QUEUED_JOBS,
        quotas: quotasIn(config),
      },
    });
    const runner = new Runner({
      store,
      blobs,
      leftovers,
      concurrency: config.JOB_CONCURRENCY,
      quotas: quotasIn(config),
      logger: logger.child({ part: 'jobs' }),
      observer: countedJobs(metrics),
      runJob: tracedRun(
        store,
        createPipeline({
          blobs,
          sandboxes: observeAgentCode(sandboxes.provider, metrics),
          ...sandboxes.work,
          openToolkit: async (sandbox) => observedToolkit(await sandboxes.work.openToolkit(sandbox), metrics),
          languageModelSeats: languageModelSeats(model && openModelAccess(model)),
          shareSamples: config.LLM_SHARE_SAMPLES,
        }),
      ),
    });
    const courier = new Courier({
      store,
      logger: logger.child({ part: 'webhooks' }),
      privateHosts: config.WEBHOOK_PRIVATE_HOSTS,
      publicId: (job) => encodeGlobalId('Job', job.id),
      attempted: (outcome) => metrics.webhookAttempts.inc({ outcome }),
    });
    const retention = new Retention({
      store,
      leftovers,
      rules: {
        jobDays: config.RETENTION_DAYS,
        artifactDays: config.ARTIFACT_RETENTION_DAYS,
        datasetDays: config.DATASET_RETENTION_DAYS,
      },
      logger: logger.child({ part: 'retention' }),
    });
    watchGauges(metrics, { store, jobs, dataDir: config.DATA_DIR });
    const keys = new ApiKeys({ database, logger: logger.child({ part: 'auth' }) });
    const auth = authenticationIn(config, { keys, logger: logger.child({ part: 'auth' }) });
    const http = createHttpServer({
      config,
      jobs,
      keys,
      auth,
      blobs,
      signer: createUrlSigner([
        config.SIGNING_SECRET ?? (await loadSigningSecret(config.DATA_DIR)),
        ...(config.PREVIOUS_SIGNING_SECRET === undefined ? [] : [config.PREVIOUS_SIGNING_SECRET]),
      ]),
      logger,
      metrics,
      about: {
        version: await version(),
        mind,
        sandboxKind: sandboxes.provider.kind,
        containment: sandboxes.provider.containment,
        sandboxDescription: sandboxes.provider.description,
      },
      readiness: {
        database: async () => void (await jobs.list({}, { limit: 1 })),
        disk: () => access(config.DATA_DIR, constants.W_OK),
      },
    });

    await leftovers.removeAll();
    // At the same time, so that nothing new is taken while running jobs are left to the next start.
    closers.push(
      async () => void (await Promise.all([http.close(), runner.stop(), courier.stop(), retention.stop()])),
    );
    const { url } = await http.listen();
    await runner.start();
    courier.start();
    retention.start();
    sandboxes.tend(() => livingJobs(store));
    logger.info(
      { url, dataDir: config.DATA_DIR, sandbox: sandboxes.provider.containment, mind },
      'SproutML is ready',
    );
    if (model) {
      const closing = new AbortController();
      closers.push(async () => closing.abort());
      void reportLanguageModel(model, logger.child({ part: 'language model' }), closing.signal);
    }
    if (auth.required && !takesTokens(config) && (await keys.list()).length === 0) {
      logger.warn(
        'nobody can log in yet: make an API key with `sproutml keys create --name … --owner … --scope admin`',
      );
    }
    return { url, close: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** Puts a tracer in place where a collector is configured; what traces cost is loaded only then. Returns what ends it. */
async function trace(config: Config, logger: Logger): Promise<() => Promise<void>> {
  if (config.OTEL_EXPORTER_OTLP_ENDPOINT === undefined) return async () => undefined;
  const { startTracing } = await import('./telemetry/open-telemetry.ts');
  const tracing = startTracing({
    endpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT,
    headers: config.OTEL_EXPORTER_OTLP_HEADERS,
    serviceName: config.OTEL_SERVICE_NAME,
    version: await version(),
    logger: logger.child({ part: 'traces' }),
  });
  const remove = putTracer(tracing.tracer);
  return async () => {
    remove();
    await tracing.close();
  };
}

/** What is looked up when somebody asks for metrics. */
function watchGauges(
  metrics: Metrics,
  { store, jobs, dataDir }: { store: JobStore; jobs: Jobs; dataDir: string },
): void {
  metrics.gauges('sproutml_jobs', 'Jobs in each state.', 'state', () => countByStatus(store));
  metrics.gauge(
    'sproutml_job_queue_depth',
    'Jobs that wait for their turn.',
    async () => (await countByStatus(store)).queued ?? 0,
  );
  metrics.gauge('sproutml_subscriptions', 'Clients that follow a job.', () => jobs.followers);
  metrics.gauge('sproutml_disk_free_bytes', 'Free space under DATA_DIR.', async () => {
    const { bavail, bsize } = await statfs(dataDir);
    return bavail * bsize;
  });
}

/** Says at boot, once, whether key, address and names are right; jobs run either way. */
async function reportLanguageModel(
  model: LanguageModelOptions,
  logger: Logger,
  closing: AbortSignal,
): Promise<void> {
  try {
    const { ok, detail, hint } = await checkLanguageModel(model, closing);
    if (closing.aborted) return;
    if (ok === 'ok') logger.info(detail);
    else logger.warn({ hint }, detail);
  } catch (error) {
    logger.error({ err: error }, 'the language model could not be checked');
  }
}

async function version(): Promise<string> {
  const text = await readFile(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
