import { z } from 'zod';
import { integer, list } from './config-values.ts';

/** Who may come in, and how much of this server one owner may have: a part of the environment, see config.ts. */
export const accessVariables = {
  AUTH_MODE: z
    .enum(['auto', 'none', 'required'])
    .default('auto')
    .describe(
      '`required`: API keys and, where set up, JWTs; `none`: loopback only; `auto`: none, unless JWTs are set up.',
    ),
  AUTH_JWKS_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Takes JWTs signed by the keys published there.'),
  AUTH_JWT_SECRET: z
    .string()
    .min(32)
    .optional()
    .describe('Takes JWTs signed with this shared secret; 32 characters or more.'),
  AUTH_ISSUER: z.string().optional().describe('`iss` of the JWTs to take.'),
  AUTH_AUDIENCE: z.string().optional().describe('`aud` of the JWTs to take.'),
  AUTH_ALGORITHMS: list('').describe(
    'Comma-separated algorithms of the JWTs to take; default: HS256 with a secret, else RS256, PS256, ES256 and EdDSA.',
  ),
  AUTH_TOKEN_TYPES: list('JWT,at+jwt').describe('Comma-separated header types (`typ`) of the JWTs to take.'),
  AUTH_MAX_TOKEN_AGE_SECONDS: integer(1)
    .default(24 * 3600)
    .describe('Oldest JWT to take, by its `iat`, whatever its `exp`.'),
  AUTH_OWNER_CLAIM: z
    .string()
    .default('sub')
    .describe('Claim of a JWT that says whose datasets and jobs they are.'),
  AUTH_SCOPE_CLAIM: z
    .string()
    .default('scope')
    .describe('Claim of a JWT that may hold the scopes `read`, `train` (includes read) and `admin` (all).'),
  AUTH_DEFAULT_SCOPE: z
    .enum(['none', 'read', 'train'])
    .default('train')
    .describe('Scope of a JWT that names none of these; `none`: refused.'),
  RATE_LIMIT_PER_MINUTE: integer(1)
    .optional()
    .describe(
      'Operations one owner may send in a minute; default: 600 with authentication, else any number.',
    ),
  QUOTA_RUNNING_JOBS: integer(1)
    .optional()
    .describe('Jobs of one owner that run at the same time; default: as many as run.'),
  QUOTA_QUEUED_JOBS: integer(1)
    .optional()
    .describe('Jobs of one owner that may wait; default: with authentication a quarter of MAX_QUEUED_JOBS.'),
  QUOTA_UPLOAD_BYTES_PER_DAY: integer(1)
    .optional()
    .describe('Bytes one owner may upload in a day (UTC); default: any number.'),
  QUOTA_STORAGE_BYTES: integer(1)
    .optional()
    .describe('Bytes of one owner kept here, tables and artifacts together; default: any number.'),
  QUOTA_TIME_BUDGET_SECONDS_PER_DAY: integer(10)
    .optional()
    .describe('Sum of the time budgets of the jobs one owner may start in a day (UTC); default: any number.'),
  PREVIOUS_SIGNING_SECRET: z
    .string()
    .min(16)
    .optional()
    .describe('After a change of SIGNING_SECRET: the one before, whose links are good until they expire.'),
};

type Access = z.output<z.ZodObject<typeof accessVariables>>;

const ASYMMETRIC = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
const SYMMETRIC = ['HS256', 'HS384', 'HS512'];

export const takesTokens = (config: Pick<Access, 'AUTH_JWKS_URL' | 'AUTH_JWT_SECRET'>): boolean =>
  config.AUTH_JWKS_URL !== undefined || config.AUTH_JWT_SECRET !== undefined;

/** Whether callers have to say who they are. */
export const requiresAuthentication = (
  config: Pick<Access, 'AUTH_MODE' | 'AUTH_JWKS_URL' | 'AUTH_JWT_SECRET'>,
): boolean => config.AUTH_MODE === 'required' || (config.AUTH_MODE === 'auto' && takesTokens(config));

/** The algorithms allowed, given or by the kind of key: one that takes a public key for a secret is never among them. */
export function allowedAlgorithms(config: Pick<Access, 'AUTH_ALGORITHMS' | 'AUTH_JWT_SECRET'>): string[] {
  if (config.AUTH_ALGORITHMS.length > 0) return config.AUTH_ALGORITHMS;
  return config.AUTH_JWT_SECRET === undefined ? ['RS256', 'PS256', 'ES256', 'EdDSA'] : ['HS256'];
}

/** What is wrong between variables that are each right: a line each, with what to do. */
export function accessProblems(config: Access & { HOST: string }): string[] {
  const problems: string[] = [];
  const { HOST, AUTH_JWKS_URL, AUTH_JWT_SECRET } = config;
  if (!isLoopback(HOST) && !requiresAuthentication(config)) {
    problems.push(
      `HOST: other machines can reach ${HOST}, so callers must say who they are. Set AUTH_MODE=required and make API ` +
        'keys with `sproutml keys create`, or set AUTH_JWKS_URL (or AUTH_JWT_SECRET) with AUTH_ISSUER and AUTH_AUDIENCE',
    );
  }
  if (AUTH_JWKS_URL !== undefined && AUTH_JWT_SECRET !== undefined) {
    problems.push('AUTH_JWT_SECRET: set it or AUTH_JWKS_URL, not both');
  }
  if (takesTokens(config)) {
    for (const name of ['AUTH_ISSUER', 'AUTH_AUDIENCE'] as const) {
      if (config[name] === undefined) {
        problems.push(`${name}: needed with JWTs, or one made for another service would be let in`);
      }
    }
    const fitting = AUTH_JWT_SECRET === undefined ? ASYMMETRIC : SYMMETRIC;
    const unfit = allowedAlgorithms(config).filter((algorithm) => !fitting.includes(algorithm));
    if (unfit.length > 0) {
      problems.push(`AUTH_ALGORITHMS: ${unfit.join(', ')} is none of ${fitting.join(', ')}`);
    }
  }
  return problems;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
