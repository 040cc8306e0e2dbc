import type { IncomingMessage, ServerResponse } from 'node:http';
import { SproutError, UnauthenticatedError } from '../domain/errors.ts';
import { sendError } from './json.ts';

/** Token or API key of an `authorization: Bearer …`; null when there is none. Rejects any other scheme. */
export function bearerIn(authorization: string | undefined): string | null {
  if (authorization === undefined || authorization === '') return null;
  const credential = /^Bearer +([\w.~+/=-]+) *$/i.exec(authorization)?.[1];
  if (credential === undefined) {
    throw new UnauthenticatedError('The authorization is not of the form `Bearer <token or API key>`.');
  }
  return credential;
}

/**
 * What a WebSocket's client sends with its handshake: `{ authorization: 'Bearer …' }`, as some clients nest it,
 * `{ headers: { authorization } }`; else the header of the upgrade, which clients that are no browser can set.
 */
export function bearerOfSocket(params: unknown, request: IncomingMessage): string | null {
  const given = authorizationIn(params) ?? authorizationIn(fieldOf(params, 'headers'));
  return bearerIn(given ?? request.headers.authorization);
}

function authorizationIn(params: unknown): string | undefined {
  const value = fieldOf(params, 'authorization') ?? fieldOf(params, 'Authorization');
  return typeof value === 'string' ? value : undefined;
}

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;

/** 401 (or 503 when it can't be found out now) in GraphQL's shape. Anything else is thrown on. */
export function sendAuthenticationFailure(response: ServerResponse, error: unknown): void {
  if (!(error instanceof SproutError)) throw error;
  const { code, message, hint } = error;
  const isTheirs = error instanceof UnauthenticatedError;
  sendError(
    response,
    { status: isTheirs ? 401 : 503, code, message, ...(hint === undefined ? {} : { hint }) },
    isTheirs ? { 'www-authenticate': 'Bearer realm="sproutml"' } : { 'retry-after': '5' },
  );
}
