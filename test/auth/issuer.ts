import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, type JWTHeaderParameters, SignJWT } from 'jose';

/** An issuer of tokens that publishes its keys over HTTP, as an identity provider does. */
export async function startIssuer() {
  const pair = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' };
  let status = 200;
  let asked = 0;
  const server = createServer((_request, response) => {
    asked++;
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ keys: [jwk] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;

  return {
    url,
    /** What a server that trusts this issuer is configured with. */
    environment: { AUTH_JWKS_URL: url, AUTH_ISSUER: ISSUER, AUTH_AUDIENCE: AUDIENCE },
    pair,
    publicPem: () => exportSPKI(pair.publicKey),
    asked: () => asked,
    fail(): void {
      status = 500;
    },

    /** A good token, unless `claims` or `header` make it a bad one; a claim of undefined is left out. */
    token(
      owner: string,
      {
        claims = {},
        header = {},
        key = pair.privateKey,
      }: {
        claims?: Record<string, unknown>;
        header?: Record<string, unknown>;
        key?: CryptoKey | Uint8Array;
      } = {},
    ): Promise<string> {
      const now = Math.floor(Date.now() / 1000);
      const all = { iss: ISSUER, aud: AUDIENCE, sub: owner, iat: now, exp: now + 600, ...claims };
      const head: JWTHeaderParameters = { alg: 'RS256', kid: 'one', typ: 'JWT', ...header };
      const crit = Object.fromEntries((head.crit ?? []).map((name) => [name, true]));
      return new SignJWT(all).setProtectedHeader(head).sign(key, { crit });
    },

    close: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}

export type Issuer = Awaited<ReturnType<typeof startIssuer>>;

export const ISSUER = 'https://issuer.example/';
export const AUDIENCE = 'sproutml';

/** A token put together by hand, for what no library will sign. */
export function handmade(
  header: Record<string, unknown>,
  claims: Record<string, unknown>,
  signature = '',
): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part(header)}.${part(claims)}.${signature}`;
}
