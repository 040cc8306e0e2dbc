import type { ServerResponse } from 'node:http';

/** Ends the response with a JSON body. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(text)),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(text);
}

/** Ends the response with an error in GraphQL's own shape, which every client of ours knows how to read. */
export function sendError(
  response: ServerResponse,
  { status, code, message, hint }: { status: number; code: string; message: string; hint?: string },
  headers: Readonly<Record<string, string>> = {},
): void {
  const extensions = hint === undefined ? { code } : { code, hint };
  sendJson(response, status, { errors: [{ message, extensions }] }, headers);
}
