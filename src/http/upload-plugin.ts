import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { GraphQLError } from 'graphql';
import { processRequest } from 'graphql-upload-minimal';
import type { GraphQLParams, Plugin } from 'graphql-yoga';
import { messageOf } from '../domain/errors.ts';
import type { Viewer } from '../domain/viewer.ts';
import { isMultipart, MAX_JSON_BYTES } from './request-body.ts';

export interface NodeContext {
  req: IncomingMessage;
  res: ServerResponse;
  /** Who asks: found out before GraphQL is reached. */
  viewer: Viewer;
}

/**
 * GraphQL multipart requests, streamed. Yoga's own parser holds the whole body in memory, and so does anything that
 * touches the body of its Request; so Yoga gets a Request without one, and the parser reads Node's stream itself.
 */
export function useStreamingUpload(maxFileSize: number): Plugin<object, NodeContext> {
  return {
    onRequest({ request, serverContext, setRequest, fetchAPI }) {
      if (serverContext === undefined || !isUpload(serverContext.req)) return;
      const headers = new fetchAPI.Headers(request.headers);
      headers.delete('content-length');
      setRequest(new fetchAPI.Request(request.url, { method: 'POST', headers, signal: request.signal }));
    },

    onRequestParse({ serverContext, setRequestParser }) {
      if (serverContext === undefined || !isUpload(serverContext.req)) return;
      const { req, res } = serverContext;
      setRequestParser(async () => {
        try {
          const params = await processRequest(hearingEveryError(req), res, {
            maxFieldSize: MAX_JSON_BYTES,
            // The parser calls a file that fills its limit exactly too large.
            maxFileSize: maxFileSize + 1,
            // Files come one after the other in the body, while resolvers may wait for them in any order.
            maxFiles: 1,
          });
          return params as GraphQLParams;
        } catch (error) {
          throw asRequestError(error);
        }
      });
    },
  };
}

/**
 * What the parser gets wrong by itself, put right before the request is piped into it, for it is out of reach earlier.
 * A request damaged in two places makes it fail twice, and it is listened to once: the second error would end the process.
 * And what it says of a damaged request has no status, and would be taken for a failure of ours.
 */
function hearingEveryError(request: IncomingMessage): IncomingMessage {
  const pipe = request.pipe.bind(request);
  request.pipe = (parser, options) => {
    parser.prependListener('error', blameClient);
    parser.prependListener('file', (_name: string, file: Readable) =>
      file.prependListener('error', blameClient),
    );
    return pipe(parser, options);
  };
  return request;
}

const CLIENT_ERRORS = /^(Unexpected end of (form|file)|Malformed part header)$/;

function blameClient(error: Error): void {
  if (CLIENT_ERRORS.test(error.message) && !('status' in error)) Object.assign(error, { status: 400 });
}

const isUpload = (request: IncomingMessage): boolean => request.method === 'POST' && isMultipart(request);

function asRequestError(error: unknown): unknown {
  if (!(error instanceof Error && 'status' in error && typeof error.status === 'number')) return error;
  return new GraphQLError(messageOf(error), {
    extensions: {
      code: error.status === 413 ? 'REQUEST_TOO_LARGE' : 'BAD_MULTIPART_REQUEST',
      hint: 'Send `operations`, then `map`, then one file: the GraphQL multipart request specification.',
      http: { status: error.status === 413 ? 413 : 400 },
    },
  });
}
