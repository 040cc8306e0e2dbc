import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

const REQUEST_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60];
const JOB_SECONDS = [1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400];

/** Everything that is counted, under the names that dashboards rely on. One registry for each server. */
export class Metrics {
  readonly #registry = new Registry();

  readonly httpRequest = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'From the request to the end of its answer; uploads, downloads and event streams as long as they last.',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: REQUEST_SECONDS,
    registers: [this.#registry],
  });
  readonly operation = new Histogram({
    name: 'graphql_operation_duration_seconds',
    help: 'Execution of queries and mutations, by the field they ask for.',
    labelNames: ['type', 'name', 'outcome'] as const,
    buckets: REQUEST_SECONDS,
    registers: [this.#registry],
  });
  readonly queueWait = new Histogram({
    name: 'sproutml_queue_wait_seconds',
    help: 'From the request for a job to its first start.',
    buckets: JOB_SECONDS,
    registers: [this.#registry],
  });
  readonly jobDuration = new Histogram({
    name: 'sproutml_job_duration_seconds',
    help: 'Running time of jobs that have ended, over all attempts.',
    labelNames: ['outcome'] as const,
    buckets: JOB_SECONDS,
    registers: [this.#registry],
  });
  readonly sandboxKills = new Counter({
    name: 'sproutml_sandbox_kills_total',
    help: 'Commands in sandboxes that were stopped, by the limit they reached.',
    labelNames: ['reason'] as const,
    registers: [this.#registry],
  });
  readonly llmTokens = new Counter({
    name: 'sproutml_llm_tokens_total',
    help: 'Tokens to and from language models, of jobs that have ended.',
    labelNames: ['direction'] as const,
    registers: [this.#registry],
  });
  readonly llmCost = new Counter({
    name: 'sproutml_llm_cost_usd_total',
    help: 'What those tokens cost by list price.',
    registers: [this.#registry],
  });
  readonly webhookAttempts = new Counter({
    name: 'sproutml_webhook_attempts_total',
    help: 'Deliveries of webhooks that were tried.',
    labelNames: ['outcome'] as const,
    registers: [this.#registry],
  });

  constructor() {
    for (const reason of ['deadline', 'memory', 'disk', 'output']) this.sandboxKills.inc({ reason }, 0);
    for (const direction of ['input', 'output']) this.llmTokens.inc({ direction }, 0);
    for (const outcome of ['delivered', 'failed']) this.webhookAttempts.inc({ outcome }, 0);
  }

  /** Node's own figures: memory, event loop, garbage collection. Observed until the process ends, so: once a process. */
  collectNodeDefaults(): void {
    collectDefaultMetrics({ register: this.#registry });
  }

  /** A value that is looked up at each scrape. */
  gauge(name: string, help: string, read: () => number | Promise<number>): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      async collect() {
        this.set(await read());
      },
    });
  }

  /** Values by label that are looked up at each scrape. */
  gauges(
    name: string,
    help: string,
    label: string,
    read: () => Promise<Readonly<Record<string, number>>>,
  ): void {
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [this.#registry],
      async collect() {
        for (const [value, number] of Object.entries(await read())) this.set({ [label]: value }, number);
      },
    });
  }

  /** The Prometheus text format, and its content type. */
  async exposition(): Promise<{ contentType: string; text: string }> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }
}
