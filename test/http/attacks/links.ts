import assert from 'node:assert/strict';
import { createUrlSigner } from '../../../src/artifacts/signed-url.ts';
import type { OwnerId } from '../../../src/domain/ids.ts';
import { type Attack, raw, SECRETS, type Target } from './target.ts';

const good = ({ signer, artifact }: Target): string => signer.sign(artifact, 60).path;

async function opensNothing(target: Target, path: string, method = 'GET'): Promise<void> {
  assert.equal(await raw(target, path, { method }), 404, path);
}

/** Attacks on download links. */
export const LINKS: Attack[] = [
  {
    number: 17,
    name: 'a link with a byte flipped',
    async run(target) {
      const path = good(target);
      assert.equal(await raw(target, path), 200);
      for (let at = '/artifacts/'.length; at < path.length; at++) {
        const flipped = path[at] === 'a' ? 'b' : 'a';
        await opensNothing(target, path.slice(0, at) + flipped + path.slice(at + 1));
      }
    },
  },
  {
    number: 18,
    name: 'a link past its time, or made to last',
    async run(target) {
      const at = (shiftMs: number) => createUrlSigner([SECRETS.current], () => Date.now() + shiftMs);
      await opensNothing(target, at(-61_000).sign(target.artifact, 60).path);
      await opensNothing(target, at(0).sign(target.artifact, 100_000).path);
      await opensNothing(target, good(target).replace(/expires=\d+/, 'expires=99999999999'));
    },
  },
  {
    number: 19,
    name: 'another file name or disposition',
    async run(target) {
      const path = good(target);
      await opensNothing(target, path.replace('report.html', 'report.exe'));
      await opensNothing(target, `${path}&disposition=inline`);
      await opensNothing(target, `${path}&response-content-disposition=inline`);
      const response = await fetch(target.api.origin + path);
      assert.match(response.headers.get('content-disposition') ?? '', /^attachment/);
    },
  },
  {
    number: 20,
    name: "a link to another's file",
    async run(target) {
      const mallory = 'mallory' as OwnerId;
      await opensNothing(target, target.signer.sign({ ...target.artifact, owner: mallory }, 60).path);
      await opensNothing(target, good(target).replace(target.artifact.id, target.absent.artifact));
    },
  },
  {
    number: 21,
    name: 'a parameter given twice',
    async run(target) {
      const path = good(target);
      for (const parameter of path.split('?')[1]?.split('&') ?? []) {
        await opensNothing(target, `${path}&${parameter}`);
        await opensNothing(target, path.replace('?', `?${parameter}&`));
      }
    },
  },
  {
    number: 22,
    name: 'GET turned PUT',
    async run(target) {
      for (const method of ['PUT', 'POST', 'DELETE', 'PATCH'])
        await opensNothing(target, good(target), method);
    },
  },
  {
    number: 23,
    name: 'a link of a retired key, while those of the one before still work',
    async run(target) {
      const by = (secret: string) => createUrlSigner([secret]).sign(target.artifact, 60).path;
      await opensNothing(target, by('a secret retired long ago'));
      assert.equal(await raw(target, by(SECRETS.previous)), 200);
    },
  },
];
