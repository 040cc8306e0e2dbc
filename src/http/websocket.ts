import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ExecutionArgs, GraphQLError } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import type { Logger } from 'pino';
import { WebSocketServer } from 'ws';
import { maskError } from '../graphql/mask-error.ts';
import type { OriginPolicy } from './origin.ts';
import { GRAPHQL_PATH, type GraphQLServer } from './yoga.ts';

const MAX_MESSAGE_BYTES = 256 * 1024;
const MAX_SUBSCRIPTIONS_PER_SOCKET = 50;

type Enveloped = Pick<ReturnType<GraphQLServer['getEnveloped']>, 'execute' | 'subscribe'>;

/** GraphQL over WebSocket (subprotocol graphql-transport-ws) on the same path. Returns what closes every socket with 1001. */
export function attachWebSocket(
  server: Server,
  {
    graphql,
    origins,
    logger,
    initMs,
  }: { graphql: GraphQLServer; origins: OriginPolicy; logger: Logger; initMs: number },
): () => Promise<void> {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES });

  const protocol = useServer(
    {
      isProd: true,
      connectionInitWaitTimeout: initMs,
      execute: (args) => envelopedOf(args).execute(args),
      subscribe: (args) => envelopedOf(args).subscribe(args),
      onSubscribe: async ({ extra, subscriptions }, _id, params) => {
        if (Object.keys(subscriptions).length > MAX_SUBSCRIPTIONS_PER_SOCKET) {
          return [tooManySubscriptions()];
        }
        // Only these wrapped functions mask errors and hold to the limits.
        const enveloped = graphql.getEnveloped({ req: extra.request, params });
        const { schema, parse, validate, contextFactory, execute, subscribe } = enveloped;
        try {
          const document = parse(params.query);
          const errors = validate(schema, document);
          if (errors.length > 0) return errors;
          return {
            schema,
            document,
            operationName: params.operationName,
            variableValues: params.variables,
            contextValue: await contextFactory(),
            rootValue: { execute, subscribe },
          };
        } catch (error) {
          // Thrown on, it would close the socket and every other subscription on it.
          return [maskError(error, logger)];
        }
      },
      onOperation: (_context, _id, _params, _args, result) =>
        isAsyncIterable(result) ? endWithError(result, logger) : undefined,
    },
    sockets,
  );

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', (error) => logger.debug({ err: error }, 'a socket failed before its upgrade'));
    if (request.url?.split('?')[0] !== GRAPHQL_PATH) return refuse(socket, '404 Not Found');
    const refusal = origins.refusal(request);
    if (refusal !== null) {
      return refuse(socket, refusal.status === 421 ? '421 Misdirected Request' : '403 Forbidden');
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      sockets.emit('connection', webSocket, request);
      // graphql-ws prints these to the console: too large a frame would be anybody's way to fill it.
      webSocket.removeAllListeners('error');
      webSocket.on('error', (error) => logger.debug({ err: error }, 'a WebSocket failed'));
    });
  });

  return async () => {
    await protocol.dispose();
  };
}

/** Yoga's wrapped executors travel in rootValue: graphql-ws hands its own hooks nothing else. */
const envelopedOf = (args: ExecutionArgs): Enveloped => args.rootValue as Enveloped;

const tooManySubscriptions = () =>
  new GraphQLError(`One socket carries at most ${MAX_SUBSCRIPTIONS_PER_SOCKET} operations at a time.`, {
    extensions: { code: 'TOO_MANY_SUBSCRIPTIONS', hint: 'Complete some, or open another socket.' },
  });

type Streamed = AsyncIterable<unknown>;
const isAsyncIterable = (value: unknown): value is Streamed =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;

/** A stream that fails ends with an error result of its own; left alone it would take the whole socket with it. */
function endWithError<T extends Streamed>(results: T, logger: Logger): T {
  const iterator = results[Symbol.asyncIterator]();
  let failed = false;
  const guarded: AsyncIterableIterator<unknown> = {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      if (failed) return { done: true, value: undefined };
      try {
        return await iterator.next();
      } catch (error) {
        failed = true;
        return { done: false, value: { errors: [maskError(error, logger)] } };
      }
    },
    async return() {
      await iterator.return?.();
      return { done: true, value: undefined };
    },
  };
  return guarded as unknown as T;
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}
