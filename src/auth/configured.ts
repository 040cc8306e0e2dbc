import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { allowedAlgorithms, requiresAuthentication, takesTokens } from '../config-access.ts';
import type { Scope } from '../domain/viewer.ts';
import type { ApiKeys } from './api-keys.ts';
import { type Authentication, createAuthentication, OPEN } from './authentication.ts';
import { createTokenCheck, type TokenRules } from './web-tokens.ts';

/** Authentication as the configuration asks for it. */
export function authenticationIn(
  config: Config,
  { keys, logger }: { keys: ApiKeys; logger: Logger },
): Authentication {
  if (!requiresAuthentication(config)) return OPEN;
  const checkToken = takesTokens(config) ? createTokenCheck(tokenRules(config)) : null;
  return createAuthentication({ keys, checkToken, logger });
}

function tokenRules(config: Config): TokenRules {
  const { AUTH_JWKS_URL, AUTH_JWT_SECRET = '', AUTH_DEFAULT_SCOPE } = config;
  return {
    keys: AUTH_JWKS_URL === undefined ? { secret: AUTH_JWT_SECRET } : { jwksUrl: AUTH_JWKS_URL },
    // Without these the configuration would not have been taken.
    issuer: config.AUTH_ISSUER ?? '',
    audience: config.AUTH_AUDIENCE ?? '',
    algorithms: allowedAlgorithms(config),
    types: config.AUTH_TOKEN_TYPES,
    maxAgeSeconds: config.AUTH_MAX_TOKEN_AGE_SECONDS,
    ownerClaim: config.AUTH_OWNER_CLAIM,
    scopeClaim: config.AUTH_SCOPE_CLAIM,
    defaultScope: AUTH_DEFAULT_SCOPE === 'none' ? null : (AUTH_DEFAULT_SCOPE.toUpperCase() as Scope),
  };
}
