import type { IncomingMessage } from 'node:http';

/** Largest GraphQL request without a file. */
export const MAX_JSON_BYTES = 1_000_000;

export const isMultipart = (request: IncomingMessage): boolean =>
  /^multipart\/form-data\b/i.test(request.headers['content-type'] ?? '');

/** Reads a body of unstated length up to `limit` bytes; null when it is longer. The rest is thrown away. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
    else chunks.length = 0;
  }
  return size <= limit ? Buffer.concat(chunks) : null;
}

/**
 * Answers 408 and hangs up when fewer than `minBytes` arrive within a window while the body is still expected and nobody
 * on our side holds it back. Time itself is not limited: a slow, steady upload may take hours.
 */
export function guardAgainstStalling(
  request: IncomingMessage,
  { windowMs, minBytes }: { windowMs: number; minBytes: number },
): void {
  const { socket } = request;
  let before = socket.bytesRead;
  const timer = setInterval(() => {
    const received = socket.bytesRead - before;
    before = socket.bytesRead;
    if (request.complete || request.isPaused() || received >= minBytes) return;
    clearInterval(timer);
    socket.end('HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n', () =>
      request.destroy(new Error('the request body stopped arriving')),
    );
  }, windowMs);
  timer.unref();
  const stop = () => clearInterval(timer);
  request.once('end', stop);
  request.once('close', stop);
}

/**
 * Once the answer is out, what is still coming of the request is read away, so that the client gets to see the answer
 * instead of a broken connection; whoever goes on for longer than `graceMs` is cut off.
 */
export function discardUnreadBody(request: IncomingMessage, graceMs: number): void {
  if (request.complete) return;
  request.unpipe();
  request.resume();
  const timer = setTimeout(() => request.destroy(), graceMs);
  timer.unref();
  request.once('close', () => clearTimeout(timer));
  request.once('end', () => clearTimeout(timer));
}
