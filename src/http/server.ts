import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Authentication } from '../auth/authentication.ts';
import type { ApiDependencies } from '../graphql/context.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { createAdmission } from './admission.ts';
import { serveDownload } from './downloads.ts';
import { createGraphiQLPage, wantsPage } from './graphiql-page.ts';
import { sendError, sendJson } from './json.ts';
import { METRICS_PATH, routeOf, serveMetrics } from './metrics-page.ts';
import { createOriginPolicy } from './origin.ts';
import { type ReadinessChecks, serveReadiness } from './readiness.ts';
import {
  discardUnreadBody,
  guardAgainstStalling,
  isMultipart,
  MAX_JSON_BYTES,
  readBody,
} from './request-body.ts';
import { attachWebSocket } from './websocket.ts';
import { createGraphQL, GRAPHQL_PATH } from './yoga.ts';

export interface HttpDependencies extends ApiDependencies {
  /** Who may come in; never left out by mistake: `OPEN` lets everybody. */
  auth: Authentication;
  readiness: ReadinessChecks;
  /** Where requests are counted, and what /metrics tells; without it there is none. */
  metrics?: Metrics;
  timeouts?: Partial<HttpTimeouts>;
}

export interface HttpTimeouts {
  /** A body must move by at least a kilobyte in each of these. */
  stallMs: number;
  /** How long a body that nobody wants any more is read on. */
  discardMs: number;
  /** How long a request's head may take. */
  headersMs: number;
  /** How long a WebSocket may be open before its handshake. */
  initMs: number;
  /** How long `close` waits for answers under way. */
  drainMs: number;
}

export interface HttpServer {
  /** Resolves once connections are taken; `url` is where this machine reaches the server. */
  listen(): Promise<{ url: string; port: number }>;
  /** Turns away what is new, ends subscriptions, waits for answers under way, cuts the rest. Idempotent. */
  close(): Promise<void>;
}

/** The server clients see: GraphQL over HTTP, WebSocket and server-sent events, signed downloads, GraphiQL, health. */
export function createHttpServer(dependencies: HttpDependencies): HttpServer {
  const { config, readiness, auth, metrics } = dependencies;
  const timeouts: HttpTimeouts = {
    stallMs: 30_000,
    discardMs: 5_000,
    headersMs: 15_000,
    initMs: 10_000,
    drainMs: 5_000,
    ...dependencies.timeouts,
  };
  const logger = dependencies.logger.child({ part: 'http' });
  const origins = createOriginPolicy(config);
  const graphql = createGraphQL(dependencies, origins, auth, metrics);
  const admission = createAdmission(config, auth);
  const servePage = createGraphiQLPage({ subscriptions: auth.required ? 'SSE' : 'WS' });
  const open = new Set<ServerResponse>();
  let closing: Promise<void> | null = null;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?')[0] ?? '';
    if (path === '/livez') return sendJson(response, 200, { status: 'alive' });
    if (path === '/readyz') {
      if (closing !== null)
        return sendJson(response, 503, { status: 'not ready', checks: { shutdown: 'under way' } });
      return serveReadiness(response, readiness, { reasons: !auth.required });
    }
    if (path === METRICS_PATH && metrics) {
      return serveMetrics(request, response, metrics, config.METRICS_TOKEN);
    }
    if (path === '/') {
      response.writeHead(302, { location: GRAPHQL_PATH, 'content-length': '0' }).end();
      return;
    }
    if (path === GRAPHQL_PATH) return handleGraphQL(request, response);
    if (path.startsWith('/artifacts/')) {
      origins.allow(request, response);
      if (request.method === 'OPTIONS') return void response.writeHead(204).end();
      return serveDownload(request, response, { ...dependencies, logger });
    }
    sendError(response, {
      status: 404,
      code: 'NOT_FOUND',
      message: `There is nothing at ${path}.`,
      hint: `The API is at ${GRAPHQL_PATH}; open it in a browser.`,
    });
  }

  async function handleGraphQL(request: IncomingMessage, response: ServerResponse): Promise<void> {
    origins.allow(request, response);
    const refusal = origins.refusal(request);
    if (refusal !== null) return sendError(response, refusal);
    if (request.method === 'OPTIONS') return void response.writeHead(204).end();
    if (wantsPage(request)) return servePage(request, response);
    if (request.method === 'POST') {
      guardAgainstStalling(request, { windowMs: timeouts.stallMs, minBytes: 1024 });
      response.once('finish', () => discardUnreadBody(request, timeouts.discardMs));
    }
    const viewer = await admission.admit(request, response);
    if (viewer === null) return;
    if (request.method === 'POST' && !isMultipart(request) && !(await bodyFits(request))) {
      return sendError(
        response,
        { status: 413, code: 'REQUEST_TOO_LARGE', message: `A request may have ${MAX_JSON_BYTES} bytes.` },
        { connection: 'close' },
      );
    }
    await graphql(request, response, { viewer });
  }

  const server: Server = createServer(
    {
      // A request may take as long as its upload does; what is limited is standing still.
      requestTimeout: 0,
      headersTimeout: timeouts.headersMs,
      connectionsCheckingInterval: timeouts.headersMs / 3,
      keepAliveTimeout: 10_000,
    },
    (request, response) => {
      const id = requestId(request);
      const started = performance.now();
      response.setHeader('x-request-id', id);
      open.add(response);
      response.once('close', () => {
        open.delete(response);
        const ms = Math.round(performance.now() - started);
        // Without its query: a signed link in a log would be a way in.
        const path = (request.url ?? '').split('?')[0] ?? '';
        const { method = '' } = request;
        metrics?.httpRequest.observe(
          { method, route: routeOf(path), status: String(response.statusCode) },
          (performance.now() - started) / 1000,
        );
        logger.debug({ requestId: id, method, path, status: response.statusCode, ms }, 'request');
      });
      handle(request, response).catch((error: unknown) => {
        // Whoever hangs up in the middle of a request is no failure of ours, and could fill the log with them.
        if (request.destroyed && !request.complete) {
          logger.debug({ err: error, requestId: id }, 'a request was cut off');
          return;
        }
        logger.error({ err: error, requestId: id }, 'a request failed unexpectedly');
        if (response.headersSent) response.destroy();
        else
          sendError(response, {
            status: 500,
            code: 'INTERNAL_ERROR',
            message: `Something went wrong (${id}).`,
          });
      });
    },
  );
  let webSockets = 0;
  server.on('upgrade', (_request, socket) => {
    webSockets += 1;
    socket.once('close', () => {
      webSockets -= 1;
    });
  });
  metrics?.gauge('sproutml_ws_connections', 'WebSockets that are open.', () => webSockets);
  const closeSockets = attachWebSocket(server, {
    graphql,
    admission,
    origins,
    logger,
    initMs: timeouts.initMs,
  });

  async function shutDown(): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    const socketsClosed = closeSockets(timeouts.drainMs);
    // A stream of events would be waited for until its job has ended.
    for (const response of open) {
      if (String(response.getHeader('content-type')).startsWith('text/event-stream')) response.destroy();
    }
    const timer = setTimeout(() => server.closeAllConnections(), timeouts.drainMs);
    await Promise.all([closed, socketsClosed]);
    clearTimeout(timer);
    auth.close();
    await graphql.dispose();
  }

  return {
    listen: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(config.PORT, config.HOST, () => {
          server.off('error', reject);
          const { port } = server.address() as AddressInfo;
          resolve({ url: `http://${reachableHost(config.HOST)}:${port}`, port });
        });
      }),
    close() {
      closing ??= shutDown();
      return closing;
    },
  };
}

/** Whether a body without files is small enough; one of unstated length is read here, and its bytes left for Yoga. */
async function bodyFits(request: IncomingMessage & { body?: Buffer }): Promise<boolean> {
  const stated = request.headers['content-length'];
  if (stated !== undefined) return Number(stated) <= MAX_JSON_BYTES;
  const body = await readBody(request, MAX_JSON_BYTES);
  if (body === null) return false;
  if (body.length > 0) request.body = body;
  return true;
}

function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
}

const reachableHost = (host: string): string => {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
};
