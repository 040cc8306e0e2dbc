import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Authentication } from '../auth/authentication.ts';
import type { Config } from '../config.ts';
import type { Viewer } from '../domain/viewer.ts';
import { bearerIn, sendAuthenticationFailure } from './credentials.ts';
import { sendError } from './json.ts';
import { NO_PLACE_LEFT, Places, RATE_LIMITED, RateLimit } from './rate-limit.ts';

/** Operations a minute of one owner where owners are told apart, unless configured. */
const PER_MINUTE_WITH_OWNERS = 600;
/** Requests, streams and sockets that one owner may have open at once where owners are told apart. */
const PLACES_OF_ONE_OWNER = 200;

/** The door that requests and sockets come in by. */
export interface Admission {
  readonly auth: Authentication;
  /** Null: no limit. */
  readonly rates: RateLimit | null;
  readonly places: Places | null;
  /** Who asks, when they may; else null, and they have been told. Reads nothing of the body. */
  admit(request: IncomingMessage, response: ServerResponse): Promise<Viewer | null>;
}

export function createAdmission(
  { RATE_LIMIT_PER_MINUTE }: Pick<Config, 'RATE_LIMIT_PER_MINUTE'>,
  auth: Authentication,
): Admission {
  const perMinute = RATE_LIMIT_PER_MINUTE ?? (auth.required ? PER_MINUTE_WITH_OWNERS : null);
  const rates = perMinute === null ? null : new RateLimit(perMinute);
  const places = auth.required ? new Places(PLACES_OF_ONE_OWNER) : null;
  return {
    auth,
    rates,
    places,

    async admit(request, response) {
      let viewer: Viewer;
      try {
        viewer = await auth.identify(bearerIn(request.headers.authorization));
      } catch (error) {
        sendAuthenticationFailure(response, error);
        return null;
      }
      // Hung up meanwhile: nobody would give the place back.
      if (response.closed) return null;
      if (rates !== null) {
        const rate = rates.take(viewer.owner);
        rates.tell(response, rate);
        if (!rate.allowed) {
          sendError(response, { status: 429, ...RATE_LIMITED });
          return null;
        }
      }
      if (places !== null) {
        const leave = places.take(viewer.owner);
        if (leave === null) {
          sendError(response, { status: 429, ...NO_PLACE_LEFT }, { 'retry-after': '5' });
          return null;
        }
        response.once('close', leave);
      }
      return viewer;
    },
  };
}
