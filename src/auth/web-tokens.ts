import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from 'jose';
import { SproutError, UnauthenticatedError } from '../domain/errors.ts';
import type { OwnerId } from '../domain/ids.ts';
import { LOCAL_OWNER, SCOPES, type Scope, type Viewer } from '../domain/viewer.ts';

/** What a JSON Web Token must be to be let in. */
export interface TokenRules {
  /** Where the issuer publishes its keys, or the secret shared with it. */
  keys: { jwksUrl: string } | { secret: string };
  issuer: string;
  audience: string;
  algorithms: readonly string[];
  /** Values of the header `typ`, letter case and a leading `application/` aside. */
  types: readonly string[];
  /** Since its `iat`, whatever its `exp`. */
  maxAgeSeconds: number;
  /** The claim that says whose things they are. */
  ownerClaim: string;
  /** The claim with the scopes: words between spaces, or a list. */
  scopeClaim: string;
  /** For a token that names none of our scopes; null: refused. */
  defaultScope: Scope | null;
}

/** The issuer's keys can't be fetched: not the caller's fault, and no reason to let them in. */
export class KeysUnavailableError extends SproutError {
  constructor(cause: unknown) {
    super('AUTH_UNAVAILABLE', "The token can't be checked: its issuer's keys can't be fetched.", {
      hint: 'Try again shortly; the server log tells why.',
      cause,
    });
  }
}

const LONGEST_OWNER = 200;
/** Signatures are checked anew this often: in between the same token is believed, because checking costs 0.1 ms. */
const BELIEVE_MS = 10_000;
const BELIEVED_AT_MOST = 1_000;

/** Checks tokens by `rules`; rejects with UnauthenticatedError or KeysUnavailableError. */
export function createTokenCheck(
  rules: TokenRules,
  now: () => number = Date.now,
): (token: string) => Promise<Viewer> {
  const verify = verifierOf(rules);
  const believed = new Map<string, { viewer: Viewer; until: number }>();

  return async (token) => {
    const known = believed.get(token);
    if (known && known.until > now()) return known.viewer;
    believed.delete(token);
    const viewer = await viewerOf(token, rules, verify, new Date(now()));
    // The oldest goes: a map keeps the order in which its entries came.
    const [oldest] = believed.size >= BELIEVED_AT_MOST ? believed.keys() : [];
    if (oldest !== undefined) believed.delete(oldest);
    const until = Math.min(now() + BELIEVE_MS, viewer.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY);
    believed.set(token, { viewer, until });
    return viewer;
  };
}

type Verify = (token: string, currentDate: Date) => ReturnType<typeof jwtVerify>;

function verifierOf({ keys, issuer, audience, algorithms, maxAgeSeconds }: TokenRules): Verify {
  const options = (currentDate: Date) => ({
    issuer,
    audience,
    algorithms: [...algorithms],
    requiredClaims: ['exp', 'iat', 'sub'],
    maxTokenAge: maxAgeSeconds,
    currentDate,
  });
  if ('secret' in keys) {
    const secret = new TextEncoder().encode(keys.secret);
    return (token, date) => jwtVerify(token, secret, options(date));
  }
  const set = createRemoteJWKSet(new URL(keys.jwksUrl), { timeoutDuration: 5_000 });
  return (token, date) => jwtVerify(token, set, options(date));
}

async function viewerOf(token: string, rules: TokenRules, verify: Verify, now: Date): Promise<Viewer> {
  try {
    const { payload, protectedHeader } = await verify(token, now);
    const type = String(protectedHeader.typ ?? '')
      .toLowerCase()
      .replace(/^application\//, '');
    if (!rules.types.some((allowed) => allowed.toLowerCase() === type)) {
      throw new UnauthenticatedError(`The token's type (\`typ\`) is none of ${rules.types.join(', ')}.`);
    }
    return {
      owner: ownerIn(payload, rules.ownerClaim),
      scope: scopeIn(payload, rules),
      expiresAt: new Date(1000 * Math.min(Number(payload.exp), Number(payload.iat) + rules.maxAgeSeconds)),
      keyId: null,
    };
  } catch (error) {
    if (error instanceof SproutError) throw error;
    throw isOurs(error) ? new KeysUnavailableError(error) : new UnauthenticatedError(reasonOf(error), error);
  }
}

function ownerIn(payload: JWTPayload, claim: string): OwnerId {
  const owner = payload[claim];
  if (typeof owner === 'string' && owner.trim() !== '' && owner.length <= LONGEST_OWNER) {
    // What was made without authentication is nobody's to log in as.
    if (owner !== LOCAL_OWNER) return owner as OwnerId;
  }
  throw new UnauthenticatedError(`The token's claim "${claim}" does not name an owner.`);
}

/** The highest of ours; with or without a prefix, as in `sproutml:train`. */
function scopeIn(payload: JWTPayload, { scopeClaim, defaultScope }: TokenRules): Scope {
  const claim = payload[scopeClaim];
  const words = Array.isArray(claim) ? claim : String(claim ?? '').split(' ');
  const named = new Set(
    words.map((word) =>
      String(word)
        .replace(/^sproutml:/, '')
        .toUpperCase(),
    ),
  );
  const scope = SCOPES.findLast((ours) => named.has(ours)) ?? defaultScope;
  if (scope === null)
    throw new UnauthenticatedError(`The token's claim "${scopeClaim}" gives it no scope here.`);
  return scope;
}

/** What goes wrong between us and the issuer; all else is wrong with the token. */
const isOurs = (error: unknown): boolean =>
  !(error instanceof errors.JOSEError) ||
  error instanceof errors.JWKSTimeout ||
  error instanceof errors.JWKSInvalid ||
  error.code === errors.JOSEError.code;

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'The token has expired.';
  if (error instanceof errors.JWTClaimValidationFailed) {
    return `The token's claim "${error.claim}" is not what this server asks for.`;
  }
  return 'The token is not one that this server can trust.';
}
