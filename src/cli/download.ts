import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize, sep } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SproutError } from '../domain/errors.ts';
import { ServerUnreachableError } from './errors.ts';
import type { ArtifactLink } from './wire.ts';

/**
 * Streams an artifact into `folder` under its own name and returns the path. The file appears whole and with the sha256 the
 * server told, or not at all. Rejects with DOWNLOAD_REFUSED, DOWNLOAD_CORRUPT, ARTIFACT_NAME_UNSAFE or SERVER_UNREACHABLE.
 */
export async function downloadArtifact(artifact: ArtifactLink, folder: string): Promise<string> {
  const target = join(folder, safeName(artifact.name));
  const url = new URL(artifact.signedUrl.url);
  const response = await fetch(url).catch((error: unknown) => {
    throw new ServerUnreachableError(url, error);
  });
  if (!response.ok || !response.body) {
    await response.body?.cancel();
    throw new SproutError('DOWNLOAD_REFUSED', `${artifact.name}: the server answered ${response.status}.`, {
      hint: 'Signed URLs expire: ask for a fresh one with `artifacts(jobId)`.',
    });
  }

  await mkdir(dirname(target), { recursive: true });
  const partial = `${target}.part`;
  const hash = createHash('sha256');
  let size = 0;
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      size += chunk.length;
      done(null, chunk);
    },
  });
  try {
    await pipeline(response.body, measure, createWriteStream(partial));
    const sha256 = hash.digest('hex');
    if (sha256 !== artifact.sha256) {
      throw new SproutError(
        'DOWNLOAD_CORRUPT',
        `${artifact.name}: ${size} bytes with sha256 ${sha256} arrived, ${artifact.size} with ${artifact.sha256} were promised.`,
        {
          hint: 'Download it again; if it comes out the same, something between here and the server changes files.',
        },
      );
    }
    await rename(partial, target);
    return target;
  } catch (error) {
    await rm(partial, { force: true });
    // fetch reports a body cut short as a TypeError; anything else is about this machine's disk.
    throw error instanceof TypeError ? new ServerUnreachableError(url, error) : error;
  }
}

/** A name may have folders in it (`plots/roc-curve.svg`) but must stay inside the folder it is saved to. */
function safeName(name: string): string {
  const path = normalize(name);
  if (isAbsolute(path) || path.split(sep).includes('..') || path.includes('\0')) {
    throw new SproutError('ARTIFACT_NAME_UNSAFE', `The server names a file ${JSON.stringify(name)}.`, {
      hint: 'It would be written outside the folder, so it is left alone.',
    });
  }
  return path;
}
