import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ExecutionArgs, GraphQLError } from 'graphql';
import type { SubscribePayload } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import type { Logger } from 'pino';
import { WebSocketServer } from 'ws';
import { maskError } from '../graphql/mask-error.ts';
import type { OriginPolicy } from './origin.ts';
import { SharedSubscriptions } from './shared-subscription.ts';
import { GRAPHQL_PATH, type GraphQLServer } from './yoga.ts';

const MAX_MESSAGE_BYTES = 256 * 1024;
const MAX_SUBSCRIPTIONS_PER_SOCKET = 50;

interface Prepared {
  execute: ReturnType<GraphQLServer['getEnveloped']>['execute'];
  group: string;
}

/**
 * GraphQL over WebSocket (subprotocol graphql-transport-ws) on the same path. Returns what closes every socket with 1001,
 * and after `graceMs` without asking any more.
 */
export function attachWebSocket(
  server: Server,
  {
    graphql,
    origins,
    logger,
    initMs,
  }: { graphql: GraphQLServer; origins: OriginPolicy; logger: Logger; initMs: number },
): (graceMs: number) => Promise<void> {
  const shared = new SharedSubscriptions(logger);
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES });

  const protocol = useServer(
    {
      isProd: true,
      connectionInitWaitTimeout: initMs,
      execute: (args) => preparedOf(args).execute(args),
      subscribe: (args) => shared.subscribe(args, preparedOf(args).group),
      onSubscribe: async ({ extra, subscriptions }, _id, params) => {
        if (Object.keys(subscriptions).length > MAX_SUBSCRIPTIONS_PER_SOCKET) {
          return [tooManySubscriptions()];
        }
        // Yoga's functions mask errors and hold to the limits; graphql's own do not.
        const enveloped = graphql.getEnveloped({ req: extra.request, params });
        const { schema, parse, validate, contextFactory, execute } = enveloped;
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
            rootValue: { execute, group: groupOf(params, origins.originOf(extra.request)) },
          };
        } catch (error) {
          // Thrown on, it would close the socket and every other subscription on it.
          return [maskError(error, logger)];
        }
      },
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

  return async (graceMs) => {
    // A peer that is gone or asleep answers no close; `ws` would wait half a minute for it.
    const timer = setTimeout(() => {
      for (const socket of sockets.clients) socket.terminate();
    }, graceMs);
    await protocol.dispose();
    clearTimeout(timer);
  };
}

/** What `onSubscribe` found out travels in rootValue: graphql-ws hands its other hooks nothing else. */
const preparedOf = (args: ExecutionArgs): Prepared => args.rootValue as Prepared;

/** Subscriptions with the same text get the same answers: nothing in an answer depends on who asks but the server's address. */
const groupOf = ({ operationName, query, variables }: SubscribePayload, origin: string): string =>
  JSON.stringify([query, operationName ?? null, variables ?? null, origin]);

const tooManySubscriptions = () =>
  new GraphQLError(`One socket carries at most ${MAX_SUBSCRIPTIONS_PER_SOCKET} operations at a time.`, {
    extensions: { code: 'TOO_MANY_SUBSCRIPTIONS', hint: 'Complete some, or open another socket.' },
  });

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}
