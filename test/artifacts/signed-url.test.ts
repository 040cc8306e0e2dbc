import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createUrlSigner, MAX_EXPIRY_SECONDS } from '../../src/artifacts/signed-url.ts';
import { newArtifactId, type OwnerId } from '../../src/domain/ids.ts';

const artifact = {
  id: newArtifactId(),
  owner: 'alice' as OwnerId,
  name: 'report of José (1).html',
  sha256: 'b'.repeat(64),
  contentType: 'text/html',
};
const secret = 'a secret for tests alone';

it('takes its own links until they expire, and not a second longer', () => {
  let now = 1_700_000_000_000;
  const signer = createUrlSigner([secret], () => now);
  const { path, expiresAt } = signer.sign(artifact, 60);
  expect(expiresAt.getTime()).toBe(now + 60_000);
  expect(signer.verify(artifact, path)).toBe(true);
  now += 59_999;
  expect(signer.verify(artifact, path)).toBe(true);
  now += 1;
  expect(signer.verify(artifact, path)).toBe(false);
});

it('refuses a link with any one character changed, added or left out', () => {
  const signer = createUrlSigner([secret]);
  const { path } = signer.sign(artifact, 600);
  const change = fc.tuple(
    fc.nat(path.length - 1),
    fc.constantFrom('change', 'insert', 'remove'),
    fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
  );
  fc.assert(
    fc.property(change, ([at, kind, character]) => {
      const tampered =
        path.slice(0, at) +
        (kind === 'remove' ? '' : character) +
        path.slice(kind === 'insert' ? at : at + 1);
      return tampered === path || !signer.verify(artifact, tampered);
    }),
    { numRuns: 3_000 },
  );
});

it('refuses a link with any one bit flipped', () => {
  const signer = createUrlSigner([secret]);
  const bytes = Buffer.from(signer.sign(artifact, 600).path);
  for (let at = 0; at < bytes.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const tampered = Buffer.from(bytes);
      tampered[at] = (tampered[at] ?? 0) ^ (1 << bit);
      expect(signer.verify(artifact, tampered.toString('latin1'))).toBe(false);
    }
  }
});

it('binds all that the answer is made of', () => {
  const signer = createUrlSigner([secret]);
  const { path } = signer.sign(artifact, 600);
  for (const other of [
    { id: newArtifactId() },
    { owner: 'mallory' as OwnerId },
    { name: 'other.html' },
    { sha256: 'c'.repeat(64) },
    { contentType: 'text/plain' },
  ]) {
    expect(signer.verify({ ...artifact, ...other }, path)).toBe(false);
  }
});

it('refuses parameters given twice, reordered or added', () => {
  const signer = createUrlSigner([secret]);
  const { path } = signer.sign(artifact, 600);
  const [head = '', query = ''] = path.split('?');
  const [expires, key, signature] = query.split('&');
  for (const forged of [
    `${path}&${expires}`,
    `${path}&${signature}`,
    `${path}&x=1`,
    `${head}?${key}&${expires}&${signature}`,
    `${path}#`,
  ]) {
    expect(signer.verify(artifact, forged)).toBe(false);
  }
});

it('knows the links of retired secrets, and of no others', () => {
  const old = createUrlSigner([secret]).sign(artifact, 600).path;
  expect(createUrlSigner(['the secret that came after', secret]).verify(artifact, old)).toBe(true);
  expect(createUrlSigner(['the secret that came after']).verify(artifact, old)).toBe(false);
});

it('refuses a link, however well signed, that would live longer than it may', () => {
  const signer = createUrlSigner([secret]);
  const { path } = signer.sign(artifact, MAX_EXPIRY_SECONDS + 60);
  expect(signer.verify(artifact, path)).toBe(false);
});
