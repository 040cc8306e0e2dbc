import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { dirname, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ErrorResponse, ExecuteRequest } from '@daytona/toolbox-api-client';
import busboy from 'busboy';
import type { Held } from './cloud.ts';

/** The daemon inside a stand-in sandbox: commands and files, as the SDK asks for them. */
export async function answerToolbox(
  held: Held,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  body: () => Promise<unknown>,
): Promise<void> {
  switch (`${request.method} ${path}`) {
    case 'POST /process/execute': {
      const answer = await held.machine.execute((await body()) as ExecuteRequest);
      if (answer === 'timeout') {
        return json(
          response,
          408,
          failure(408, 'PROCESS_EXECUTION_TIMEOUT', 'command execution timed out', path),
        );
      }
      return json(response, 200, answer);
    }
    case 'POST /files/bulk-upload':
      await receive(held, request);
      return json(response, 200, {});
    case 'POST /files/bulk-download': {
      const { paths } = (await body()) as { paths: string[] };
      return sendFiles(held, paths, response);
    }
    case 'GET /work-dir':
      return json(response, 200, { dir: held.machine.home });
    default:
      return json(
        response,
        404,
        failure(404, 'NOT_FOUND', `no such endpoint: ${request.method} ${path}`, path),
      );
  }
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

const failure = (statusCode: number, code: string, message: string, path: string): ErrorResponse =>
  ({
    statusCode,
    code,
    message,
    path,
    source: 'DAYTONA_DAEMON',
    timestamp: new Date().toISOString(),
  }) as ErrorResponse;

async function receive(held: Held, request: IncomingMessage): Promise<void> {
  const parser = busboy({ headers: request.headers });
  const writing: Promise<void>[] = [];
  const targets = new Map<string, string>();
  parser.on('field', (name, value) => {
    const index = /^files\[(\d+)\]\.path$/.exec(name)?.[1];
    if (index !== undefined) targets.set(index, resolve(held.machine.home, value));
  });
  parser.on('file', (name, stream) => {
    const target = targets.get(/^files\[(\d+)\]\.file$/.exec(name)?.[1] ?? '');
    if (target === undefined) return void stream.resume();
    writing.push(
      mkdir(dirname(target), { recursive: true }).then(() => pipeline(stream, createWriteStream(target))),
    );
  });
  await pipeline(request, parser);
  await Promise.all(writing);
}

async function sendFiles(held: Held, paths: readonly string[], response: ServerResponse): Promise<void> {
  const boundary = randomUUID();
  response.writeHead(200, { 'content-type': `multipart/form-data; boundary=${boundary}` });
  const part = (name: string, path: string, type: string, size: number) =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="${path}"\r\n` +
    `Content-Type: ${type}\r\nContent-Length: ${size}\r\n\r\n`;
  for (const path of paths) {
    const file = resolve(held.machine.home, path);
    const found = await stat(file).catch(() => null);
    if (found === null) {
      const said = JSON.stringify(failure(404, 'FILE_NOT_FOUND', `file not found: ${path}`, path));
      response.write(`${part('error', path, 'application/json', Buffer.byteLength(said))}${said}\r\n`);
      continue;
    }
    response.write(part('file', path, 'application/octet-stream', found.size));
    await pipeline(createReadStream(file), response, { end: false });
    response.write('\r\n');
  }
  response.end(`--${boundary}--\r\n`);
}
