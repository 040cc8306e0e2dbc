import { expect, it } from 'vitest';
import { ConfigError, readConfig } from '../src/config.ts';
import { allowedAlgorithms, requiresAuthentication } from '../src/config-access.ts';

const TOKENS = { AUTH_ISSUER: 'https://issuer.example/', AUTH_AUDIENCE: 'sproutml' };
const JWKS = { ...TOKENS, AUTH_JWKS_URL: 'https://issuer.example/jwks.json' };
const SECRET = { ...TOKENS, AUTH_JWT_SECRET: 'a secret shared with the issuer of tokens' };

const problemOf = (variables: Record<string, string>): string => {
  try {
    readConfig(variables);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'none';
};

it.each(['0.0.0.0', '::', '192.168.1.7', 'ml.example', '127.0.0.1.evil.example'])(
  'refuses to listen on %s without authentication, and says what to set',
  (HOST) => {
    for (const given of [{ HOST }, { HOST, AUTH_MODE: 'none' }, { HOST, AUTH_MODE: 'none', ...JWKS }]) {
      const problem = problemOf(given);
      expect(problem).toContain('HOST');
      for (const way of ['AUTH_MODE=required', 'sproutml keys create', 'AUTH_JWKS_URL']) {
        expect(problem).toContain(way);
      }
    }
    for (const given of [
      { HOST, AUTH_MODE: 'required' },
      { HOST, ...JWKS },
      { HOST, ...SECRET },
    ]) {
      expect(requiresAuthentication(readConfig(given))).toBe(true);
    }
  },
);

it('asks nobody who they are on loopback, unless told to', () => {
  for (const HOST of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) {
    expect(requiresAuthentication(readConfig({ HOST }))).toBe(false);
    expect(requiresAuthentication(readConfig({ HOST, AUTH_MODE: 'required' }))).toBe(true);
    expect(requiresAuthentication(readConfig({ HOST, ...JWKS }))).toBe(true);
    expect(requiresAuthentication(readConfig({ HOST, ...JWKS, AUTH_MODE: 'none' }))).toBe(false);
  }
});

it.each([
  ['no issuer', { ...JWKS, AUTH_ISSUER: '' }, 'AUTH_ISSUER'],
  ['no audience', { ...SECRET, AUTH_AUDIENCE: '' }, 'AUTH_AUDIENCE'],
  ['a secret and published keys', { ...JWKS, ...SECRET }, 'AUTH_JWT_SECRET'],
  ['a short secret', { ...TOKENS, AUTH_JWT_SECRET: 'too short' }, 'AUTH_JWT_SECRET'],
  ['public keys taken for secrets', { ...JWKS, AUTH_ALGORITHMS: 'RS256,HS256' }, 'HS256'],
  ['no signature', { ...JWKS, AUTH_ALGORITHMS: 'none' }, 'none'],
  ['a secret taken for a public key', { ...SECRET, AUTH_ALGORITHMS: 'RS256' }, 'RS256'],
])('refuses tokens with %s', (_name, variables, named) => {
  expect(problemOf(variables)).toContain(named);
});

it('allows algorithms by the kind of key unless they are named', () => {
  expect(allowedAlgorithms(readConfig(JWKS))).toEqual(['RS256', 'PS256', 'ES256', 'EdDSA']);
  expect(allowedAlgorithms(readConfig(SECRET))).toEqual(['HS256']);
  expect(allowedAlgorithms(readConfig({ ...JWKS, AUTH_ALGORITHMS: ' ES384 , ES256' }))).toEqual([
    'ES384',
    'ES256',
  ]);
});
