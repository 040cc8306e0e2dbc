import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Config } from '../config.ts';

type OriginConfig = Pick<Config, 'HOST' | 'PUBLIC_URL' | 'CORS_ORIGINS'>;

export interface Refusal {
  status: number;
  code: string;
  message: string;
  hint: string;
}

/**
 * Which web pages may talk to this server. A browser names the page's origin on every POST and WebSocket, so a foreign
 * page is refused whatever content type it found that needs no preflight; clients that are no browser send none. The
 * Host is checked on loopback, where a name that someone else's DNS points at this machine would pass as same-origin.
 */
export function createOriginPolicy(config: OriginConfig) {
  const publicUrl = config.PUBLIC_URL === undefined ? null : new URL(config.PUBLIC_URL);
  const listed = new Set(config.CORS_ORIGINS);
  const loopback = isLoopback(config.HOST);

  const isKnownHost = (host: string): boolean =>
    !loopback || isLoopback(hostnameOf(host)) || hostnameOf(host) === publicUrl?.hostname;

  const isOwn = (origin: string, host: string): boolean =>
    origin === `http://${host}` || origin === `https://${host}` || origin === publicUrl?.origin;

  const isListed = (origin: string): boolean => listed.has(origin) || listed.has('*');

  return {
    /** Why this request may not be served, or null. */
    refusal(request: IncomingMessage): Refusal | null {
      const { host = '', origin } = request.headers;
      if (!isKnownHost(host)) {
        return {
          status: 421,
          code: 'HOST_UNKNOWN',
          message: `This server is not known as "${hostnameOf(host)}".`,
          hint: 'Set PUBLIC_URL to the address that clients use.',
        };
      }
      const foreign =
        origin === undefined
          ? request.headers['sec-fetch-site'] === 'cross-site' &&
            request.headers['sec-fetch-mode'] !== 'navigate'
          : !isOwn(origin, host) && !isListed(origin);
      if (!foreign) return null;
      return {
        status: 403,
        code: 'ORIGIN_NOT_ALLOWED',
        message: `Pages of ${origin ?? 'another site'} may not call this server.`,
        hint: 'Add the origin to CORS_ORIGINS.',
      };
    },

    /** Sets what lets a listed page read the answer. */
    allow(request: IncomingMessage, response: ServerResponse): void {
      const { origin } = request.headers;
      response.setHeader('vary', 'origin, accept');
      if (origin === undefined || !isListed(origin)) return;
      response.setHeader('access-control-allow-origin', origin);
      response.setHeader(
        'access-control-expose-headers',
        'content-disposition, content-range, etag, ratelimit, ratelimit-policy, retry-after, x-request-id',
      );
      if (request.method !== 'OPTIONS') return;
      response.setHeader('access-control-allow-methods', 'GET, HEAD, POST');
      response.setHeader(
        'access-control-allow-headers',
        request.headers['access-control-request-headers'] ?? 'content-type',
      );
      response.setHeader('access-control-max-age', '600');
    },

    /** Where the client sees this server, without a trailing slash. */
    originOf(request: IncomingMessage): string {
      if (config.PUBLIC_URL !== undefined) return config.PUBLIC_URL.replace(/\/+$/, '');
      return `http://${request.headers.host ?? `${config.HOST}`}`;
    },
  };
}

export type OriginPolicy = ReturnType<typeof createOriginPolicy>;

const hostnameOf = (host: string): string => host.replace(/:\d*$/, '').toLowerCase();

const isLoopback = (hostname: string): boolean =>
  /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/i.test(hostname);
