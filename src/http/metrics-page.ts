import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Metrics } from '../telemetry/metrics.ts';
import { sendError } from './json.ts';
import { isLoopbackAddress } from './loopback.ts';

export const METRICS_PATH = '/metrics';

/**
 * Answers Prometheus: to whoever has the token, or, without one, to direct requests from this machine. What a proxy
 * forwards comes from elsewhere, whatever its socket says.
 */
export async function serveMetrics(
  request: IncomingMessage,
  response: ServerResponse,
  metrics: Metrics,
  token: string | undefined,
): Promise<void> {
  const allowed = token === undefined ? isDirectFromHere(request) : holdsToken(request, token);
  if (!allowed) {
    sendError(
      response,
      {
        status: token === undefined ? 403 : 401,
        code: token === undefined ? 'FORBIDDEN' : 'UNAUTHENTICATED',
        message: 'Metrics are not for everybody.',
        hint: 'Set METRICS_TOKEN, and send it: `authorization: Bearer …`.',
      },
      token === undefined ? {} : { 'www-authenticate': 'Bearer' },
    );
    return;
  }
  const { contentType, text } = await metrics.exposition();
  response.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-store' }).end(text);
}

const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'];

const isDirectFromHere = ({ socket, headers }: IncomingMessage): boolean =>
  isLoopbackAddress(socket.remoteAddress ?? '') && FORWARDED.every((name) => headers[name] === undefined);

function holdsToken({ headers }: IncomingMessage, token: string): boolean {
  const given = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

/** A route's name in the metrics: paths of clients are theirs to make up, these are ours. */
export function routeOf(path: string): string {
  if (path.startsWith('/artifacts/')) return '/artifacts';
  return ['/', '/graphql', '/livez', '/readyz', METRICS_PATH].includes(path) ? path : 'other';
}
