import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { create as contentDisposition } from 'content-disposition';
import type { Logger } from 'pino';
import type { BlobStore } from '../artifacts/blob-store.ts';
import type { UrlSigner } from '../artifacts/signed-url.ts';
import type { SproutError } from '../domain/errors.ts';
import { type ArtifactId, isUuid } from '../domain/ids.ts';
import type { Artifact } from '../domain/records.ts';
import type { Jobs } from '../jobs/jobs.ts';
import { parseRange } from './byte-range.ts';
import { sendError } from './json.ts';

interface DownloadDependencies {
  jobs: Pick<Jobs, 'artifact'>;
  blobs: BlobStore;
  signer: UrlSigner;
  logger: Logger;
}

/** Headers that describe the file, not an error in its place. */
const OF_THE_FILE = ['etag', 'accept-ranges', 'content-range', 'content-disposition'];

/** Serves signed links: GET and HEAD, ranges, ETags. Whatever is wrong with a link, the answer is the same 404. */
export async function serveDownload(
  request: IncomingMessage,
  response: ServerResponse,
  { jobs, blobs, signer, logger }: DownloadDependencies,
): Promise<void> {
  const artifact = await findSigned(request, jobs, signer);
  if (artifact === null) {
    sendError(response, {
      status: 404,
      code: 'NOT_FOUND',
      message: 'There is nothing to download under this link, or it has expired.',
      hint: 'Ask for a new link: `artifact { signedUrl { url } }`.',
    });
    return;
  }

  const etag = `"${artifact.sha256}"`;
  response.setHeader('etag', etag);
  response.setHeader('accept-ranges', 'bytes');
  response.setHeader('cache-control', 'private, no-cache');
  response.setHeader('content-type', artifact.contentType);
  response.setHeader('content-disposition', contentDisposition(artifact.name));
  // A report is somebody's data turned into HTML: it may not run as a page of this server.
  response.setHeader('content-security-policy', "sandbox; default-src 'none'");
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('referrer-policy', 'no-referrer');

  if (matches(request.headers['if-none-match'], etag)) {
    response.writeHead(304).end();
    return;
  }
  const ifRange = request.headers['if-range'];
  const stale = ifRange !== undefined && ifRange !== etag;
  const range = stale ? null : parseRange(request.headers.range, artifact.size);
  if (range === 'unsatisfiable') {
    response.setHeader('content-range', `bytes */${artifact.size}`);
    response.setHeader('content-length', 0);
    response.writeHead(416).end();
    return;
  }
  if (range === null) {
    response.setHeader('content-length', artifact.size);
    response.statusCode = 200;
  } else {
    response.setHeader('content-length', range.end - range.start + 1);
    response.setHeader('content-range', `bytes ${range.start}-${range.end}/${artifact.size}`);
    response.statusCode = 206;
  }
  if (request.method === 'HEAD' || artifact.size === 0) {
    response.end();
    return;
  }
  let content: Readable;
  try {
    content = await blobs.get(artifact.blobKey, range ?? undefined);
  } catch (error) {
    if ((error as SproutError).code !== 'BLOB_NOT_FOUND') throw error;
    logger.error({ err: error, artifactId: artifact.id }, 'an artifact is gone from the storage');
    for (const name of OF_THE_FILE) response.removeHeader(name);
    sendError(response, {
      status: 410,
      code: 'ARTIFACT_LOST',
      message: `${artifact.name} is no longer in this server's storage.`,
      hint: 'Restore the `blobs` folder under DATA_DIR from a backup, or train again.',
    });
    return;
  }
  try {
    await pipeline(content, response);
  } catch (error) {
    // The head is out: nothing but a cut connection can still tell the client.
    logger.debug({ err: error, artifactId: artifact.id }, 'a download was cut');
  }
}

async function findSigned(
  request: IncomingMessage,
  jobs: Pick<Jobs, 'artifact'>,
  signer: UrlSigner,
): Promise<Artifact | null> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return null;
  const path = request.url ?? '';
  const id = path.split('/')[2] ?? '';
  if (!isUuid(id)) return null;
  const artifact = await jobs.artifact(id as ArtifactId);
  return artifact !== null && signer.verify(artifact, path) ? artifact : null;
}

const matches = (header: string | undefined, etag: string): boolean =>
  (header ?? '').split(',').some((part) => part.trim() === '*' || part.trim().replace(/^W\//, '') === etag);
