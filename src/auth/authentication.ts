import type { Logger } from 'pino';
import { UnauthenticatedError } from '../domain/errors.ts';
import { LOCAL_VIEWER, type Viewer } from '../domain/viewer.ts';
import { type ApiKeys, looksLikeApiKey } from './api-keys.ts';

/** Finds out who asks, the same over every transport, and notices when they no longer may. */
export interface Authentication {
  /** Whether anybody has to say who they are. */
  readonly required: boolean;
  /** Rejects with UnauthenticatedError, or with a coded error when it can't be found out now. */
  identify(credential: string | null): Viewer | Promise<Viewer>;
  /** Calls `onEnd` once, within a second after the viewer's token or key has expired or was revoked. Returns what stops that. */
  watch(viewer: Viewer, onEnd: (reason: string) => void): () => void;
  close(): void;
}

/** Where nobody has to say who they are. */
export const OPEN: Authentication = {
  required: false,
  identify: () => LOCAL_VIEWER,
  watch: () => () => undefined,
  close: () => undefined,
};

const LOOK_EVERY_MS = 500;

interface Watched {
  viewer: Viewer;
  onEnd: (reason: string) => void;
}

export function createAuthentication({
  keys,
  checkToken,
  logger,
  now = Date.now,
}: {
  keys: Pick<ApiKeys, 'identify' | 'isGood'>;
  /** Null: API keys are the only way in. */
  checkToken: ((token: string) => Promise<Viewer>) | null;
  logger: Logger;
  now?: () => number;
}): Authentication {
  const watched = new Set<Watched>();
  let timer: NodeJS.Timeout | null = null;

  /** One look at the clock for all, and one at the database for each key, however many hold a connection by it. */
  async function look(): Promise<void> {
    const good = new Map<string, boolean>();
    for (const entry of [...watched]) {
      const { keyId, expiresAt } = entry.viewer;
      if (keyId !== null && !good.has(keyId)) good.set(keyId, await keys.isGood(keyId));
      const hasExpired = expiresAt !== null && expiresAt.getTime() <= now();
      const isRevoked = keyId !== null && good.get(keyId) === false;
      if ((hasExpired || isRevoked) && watched.delete(entry)) {
        entry.onEnd(hasExpired ? 'The token has expired' : 'The API key was revoked');
      }
    }
  }

  return {
    required: true,

    identify(credential) {
      if (credential === null) throw new UnauthenticatedError('This server asks who you are.');
      if (looksLikeApiKey(credential)) return keys.identify(credential);
      if (checkToken === null)
        throw new UnauthenticatedError('This server takes API keys, `sprt_…`, and no other token.');
      return checkToken(credential);
    },

    watch(viewer, onEnd) {
      const entry = { viewer, onEnd };
      watched.add(entry);
      timer ??= setInterval(() => {
        look().catch((error: unknown) => logger.error({ err: error }, 'logins were not looked through'));
      }, LOOK_EVERY_MS).unref();
      return () => void watched.delete(entry);
    },

    close() {
      watched.clear();
      if (timer !== null) clearInterval(timer);
      timer = null;
    },
  };
}
