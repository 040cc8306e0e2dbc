import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Artifact } from '../domain/records.ts';

export const DEFAULT_EXPIRY_SECONDS = 600;
export const MAX_EXPIRY_SECONDS = 900;

type Signed = Pick<Artifact, 'id' | 'owner' | 'name' | 'sha256' | 'contentType'>;

export interface UrlSigner {
  /** Path and query of a download link for `artifact`. */
  sign(artifact: Signed, expiresInSeconds: number): { path: string; expiresAt: Date };
  /** True when `path` is, byte for byte, a link this signer made for `artifact` and has not expired. */
  verify(artifact: Signed, path: string): boolean;
}

/**
 * Signs download links with HMAC-SHA256 over everything the answer is made of, so that no part can be swapped. The first
 * secret signs; the others are retired ones whose links still work until they expire.
 *
 * A link is checked by making it anew and comparing the whole: no second spelling of a number, an escape or a
 * signature can pass, and a parameter given twice can't either.
 */
export function createUrlSigner(
  secrets: readonly [string, ...string[]],
  now: () => number = Date.now,
): UrlSigner {
  const keys = secrets.map((secret) => ({
    id: createHash('sha256').update(`key-id:${secret}`).digest('hex').slice(0, 8),
    secret,
  }));

  return {
    sign(artifact, expiresInSeconds) {
      const expires = Math.floor(now() / 1000) + expiresInSeconds;
      const [current] = keys;
      if (current === undefined) throw new Error('a signer needs a secret');
      return { path: linkTo(artifact, expires, current), expiresAt: new Date(expires * 1000) };
    },

    verify(artifact, path) {
      const seconds = now() / 1000;
      const expires = Number(/[?&]expires=(\d{1,12})(?:&|$)/.exec(path)?.[1] ?? Number.NaN);
      if (!(expires > seconds && expires <= seconds + MAX_EXPIRY_SECONDS + 1)) return false;
      return keys.some((key) => equal(linkTo(artifact, expires, key), path));
    },
  };
}

/** `/artifacts/<id>/<file name>?expires=<unix seconds>&key=<id>&signature=<base64url>` */
function linkTo(artifact: Signed, expires: number, key: { id: string; secret: string }): string {
  const canonical = JSON.stringify([
    'sproutml-download-2',
    key.id,
    'GET',
    artifact.owner,
    artifact.id,
    artifact.sha256,
    'attachment',
    artifact.name,
    artifact.contentType,
    expires,
  ]);
  const signature = createHmac('sha256', key.secret).update(canonical).digest('base64url');
  return `/artifacts/${artifact.id}/${encodeURIComponent(artifact.name)}?expires=${expires}&key=${key.id}&signature=${signature}`;
}

/** Compares in time that tells nothing of where two strings differ, whatever their lengths. */
function equal(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
