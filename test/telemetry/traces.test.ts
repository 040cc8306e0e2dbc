import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ApiUser } from '../end-to-end/client.ts';
import { binaryTable } from '../end-to-end/tables.ts';
import { type ServerProcess, startServerProcess, temporaryFolder } from '../server-process.ts';

const attribute = z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) });
const exported = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: z.array(attribute) }),
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              traceId: z.string().regex(/^[0-9a-f]{32}$/),
              spanId: z.string().regex(/^[0-9a-f]{16}$/),
              parentSpanId: z.string().optional(),
              name: z.string(),
              kind: z.number(),
              startTimeUnixNano: z.string(),
              endTimeUnixNano: z.string(),
              attributes: z.array(attribute),
              status: z.object({ code: z.number().optional(), message: z.string().optional() }),
            }),
          ),
        }),
      ),
    }),
  ),
});
type Received = z.output<typeof exported>['resourceSpans'][number]['scopeSpans'][number]['spans'][number];

/** A collector: takes OTLP over HTTP as JSON, and remembers every span. */
class Collector {
  readonly spans: Received[] = [];
  readonly services = new Set<unknown>();
  readonly headers: unknown[] = [];
  readonly #server: Server = createServer(async (request, response) => {
    const body = exported.parse(await json(request));
    this.headers.push(request.headers['x-tenant']);
    for (const { resource, scopeSpans } of body.resourceSpans) {
      this.services.add(valueIn(resource.attributes, 'service.name'));
      for (const { spans } of scopeSpans) this.spans.push(...spans);
    }
    response.writeHead(request.url === '/v1/traces' ? 200 : 404, { 'content-type': 'application/json' });
    response.end('{}');
  });

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  parentOf(span: Received): Received | undefined {
    return this.spans.find(({ spanId }) => spanId === span.parentSpanId);
  }

  /** Names from a span up to the root of its trace. */
  lineage(span: Received): string[] {
    const parent = this.parentOf(span);
    return [span.name, ...(parent === undefined ? [] : this.lineage(parent))];
  }
}

const valueIn = (attributes: Received['attributes'], key: string): unknown =>
  Object.values(attributes.find((one) => one.key === key)?.value ?? {})[0];

/** Says on stderr which modules are loaded. */
const TELL = `import { registerHooks } from 'node:module';
registerHooks({ load(url, context, next) { process.stderr.write('LOADED ' + url + '\\n'); return next(url, context); } });`;

describe('traces', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let collector: Collector;
  let endpoint: string;
  const servers: ServerProcess[] = [];
  const startServer = async (options: Parameters<typeof startServerProcess>[0]): Promise<ServerProcess> => {
    const server = await startServerProcess(options);
    servers.push(server);
    return server;
  };
  beforeEach(async () => {
    folder = await temporaryFolder('traces');
    collector = new Collector();
    endpoint = await collector.open();
  });
  afterEach(async () => {
    // A test that failed in the middle leaves none behind.
    for (const server of servers.splice(0)) await server.kill();
    await collector.close();
    await folder.remove();
  });

  it('lead from the operation to the job, its agents, their tools and the commands in the sandbox', {
    timeout: 180_000,
  }, async () => {
    const server = await startServer({
      dataDir: folder.path,
      environment: {
        OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
        OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=a%20team',
        OTEL_SERVICE_NAME: 'sprout-test',
      },
    });
    try {
      const user = new ApiUser(server.url);
      const input = { targetColumn: 'label', timeBudgetSeconds: 60, maxTrials: 2 };
      const id = await user.startJob(binaryTable(200), input);
      expect((await user.untilEnded(id)).at(-1)?.job.status).toBe('SUCCEEDED');
    } finally {
      // The last spans are sent off on the way out.
      await server.terminate();
    }
    const { spans } = collector;
    expect([...collector.services]).toEqual(['sprout-test']);
    expect(new Set(collector.headers)).toEqual(new Set(['a team']));

    const training = spans.find(({ name }) => name === 'sandbox train');
    if (!training) throw new Error(`no training among ${spans.map(({ name }) => name).join(', ')}`);
    const lineage = collector.lineage(training);
    expect(lineage[0]).toBe('sandbox train');
    expect(lineage[1]).toMatch(/^execute_tool /);
    expect(lineage.at(-1)).toBe('mutation');
    expect(lineage.at(-2)).toBe('run_job');
    const agents = lineage.filter((name) => name.startsWith('invoke_agent '));
    expect(agents.length).toBeGreaterThanOrEqual(3);

    const tool = collector.parentOf(training);
    expect(valueIn(tool?.attributes ?? [], 'gen_ai.operation.name')).toBe('execute_tool');
    expect(valueIn(tool?.attributes ?? [], 'gen_ai.tool.type')).toBe('function');
    const lead = spans.find(({ name }) => name === lineage.at(-3));
    expect(valueIn(lead?.attributes ?? [], 'gen_ai.operation.name')).toBe('invoke_agent');
    expect(valueIn(lead?.attributes ?? [], 'gen_ai.agent.id')).toBe('orchestrator');
    expect(new Set(spans.filter(({ name }) => name !== 'query').map(({ traceId }) => traceId)).size).toBe(1);
    for (const span of spans) {
      expect(BigInt(span.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(span.startTimeUnixNano));
    }
    // What a table holds and its columns are called is its owner's.
    expect(JSON.stringify(spans)).not.toMatch(/label/);
  });

  it('continue the trace that a client began, and say which code an operation failed with', async () => {
    const server = await startServer({
      dataDir: folder.path,
      environment: { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint },
    });
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    await fetch(server.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', traceparent: `00-${traceId}-b7ad6b7169203331-01` },
      body: JSON.stringify({ query: '{ artifacts(jobId: "job_nope") { nodes { id } } }' }),
    });
    await server.terminate();
    const [span] = collector.spans;
    expect(span).toMatchObject({ traceId, parentSpanId: 'b7ad6b7169203331', name: 'query', kind: 2 });
    expect(valueIn(span?.attributes ?? [], 'error.type')).toBe('JOB_NOT_FOUND');
    expect(span?.status.code).toBe(2);
  });

  it('cost nothing where they are not wanted: what makes them is not even loaded', async () => {
    const loaded = async (environment: Record<string, string>) => {
      const server = await startServer({
        dataDir: folder.path,
        environment: {
          ...environment,
          NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(TELL)}`,
        },
      });
      await server.terminate();
      return /LOADED \S*sdk-trace/.test(server.log());
    };
    expect(await loaded({})).toBe(false);
    expect(await loaded({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint })).toBe(true);
  });

  it('are no reason to fail: a collector that is not there is only logged of', async () => {
    await collector.close();
    const server = await startServer({
      dataDir: folder.path,
      environment: { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint },
    });
    const user = new ApiUser(server.url);
    expect(await user.query('{ health { version } }')).toMatchObject({ health: {} });
    await expect.poll(() => server.log(), { timeout: 15_000 }).toContain('spans are lost');
    expect(await server.terminate()).toBe(0);
  });
});
