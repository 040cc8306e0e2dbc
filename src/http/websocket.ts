import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ExecutionArgs, GraphQLError } from 'graphql';
import { CloseCode, type ConnectionInitMessage, type SubscribePayload } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import type { Logger } from 'pino';
import { type WebSocket, WebSocketServer } from 'ws';
import { SproutError, UnauthenticatedError } from '../domain/errors.ts';
import type { Viewer } from '../domain/viewer.ts';
import { maskError } from '../graphql/mask-error.ts';
import type { Admission } from './admission.ts';
import { bearerOfSocket } from './credentials.ts';
import type { OriginPolicy } from './origin.ts';
import { QuietSocket } from './quiet-socket.ts';
import { NO_PLACE_LEFT, RATE_LIMITED } from './rate-limit.ts';
import { SharedSubscriptions } from './shared-subscription.ts';
import { GRAPHQL_PATH, type GraphQLServer } from './yoga.ts';

const MAX_MESSAGE_BYTES = 256 * 1024;
const MAX_SUBSCRIPTIONS_PER_SOCKET = 50;
/** Of RFC 6455's registry. */
const TRY_AGAIN_LATER = 1013;
/** What may wait for a client that does not read. Subscriptions wait with it; answers to its pings can't. */
const MAX_WAITING_BYTES = 1024 * 1024;

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
    admission: { auth, rates, places },
    origins,
    logger,
    initMs,
  }: {
    graphql: GraphQLServer;
    admission: Admission;
    origins: OriginPolicy;
    logger: Logger;
    initMs: number;
  },
): (graceMs: number) => Promise<void> {
  const shared = new SharedSubscriptions(logger);
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    WebSocket: QuietSocket,
  });

  /** Who is at the other end, from the handshake on. */
  const viewers = new WeakMap<WebSocket, Viewer>();

  const protocol = useServer<ConnectionInitMessage['payload']>(
    {
      isProd: true,
      connectionInitWaitTimeout: initMs,
      onConnect: async ({ extra: { socket, request }, connectionParams }) => {
        try {
          const viewer = await auth.identify(bearerOfSocket(connectionParams, request));
          if (socket.readyState !== socket.OPEN) return false;
          const leave = places?.take(viewer.owner);
          if (leave === null) {
            socket.close(TRY_AGAIN_LATER, NO_PLACE_LEFT.message);
            return false;
          }
          if (leave) socket.once('close', leave);
          viewers.set(socket, viewer);
          socket.once(
            'close',
            auth.watch(viewer, (reason) => socket.close(CloseCode.Forbidden, reason)),
          );
          return true;
        } catch (error) {
          socket.close(...closingFor(error, logger));
          // What closes first gives the reason; graphql-ws's own, bare close comes too late for that.
          return false;
        }
      },
      execute: (args) => preparedOf(args).execute(args),
      subscribe: (args) => shared.subscribe(args, preparedOf(args).group),
      onSubscribe: async ({ extra, subscriptions }, _id, params) => {
        const viewer = viewers.get(extra.socket);
        if (viewer === undefined) throw new Error('a subscription came before its handshake');
        if (Object.keys(subscriptions).length > MAX_SUBSCRIPTIONS_PER_SOCKET) {
          return [tooManySubscriptions()];
        }
        if (rates?.take(viewer.owner).allowed === false) return [tooFast()];
        // Yoga's functions mask errors and hold to the limits; graphql's own do not.
        const enveloped = graphql.getEnveloped({ req: extra.request, params, viewer });
        const { schema, parse, validate, contextFactory, execute } = enveloped;
        try {
          const document = parse(params.query);
          const errors = validate(schema, document);
          if (errors.length > 0) return errors;
          return {
            schema,
            document,
            hideSuggestions: auth.required,
            operationName: params.operationName,
            variableValues: params.variables,
            contextValue: await contextFactory(),
            rootValue: { execute, group: groupOf(params, origins.originOf(extra.request), viewer) },
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
      webSocket.on('message', () => {
        if (webSocket.bufferedAmount > MAX_WAITING_BYTES) webSocket.terminate();
      });
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

/** Subscriptions with the same text get the same answers, where who asks may see the same at the same address. */
const groupOf = (
  { operationName, query, variables }: SubscribePayload,
  origin: string,
  { owner, scope }: Viewer,
): string => JSON.stringify([query, operationName ?? null, variables ?? null, origin, owner, scope]);

/** 4403 for who may not come in; 1011 where that can't be found out now, so that clients try again. */
function closingFor(error: unknown, logger: Logger): [code: number, reason: string] {
  if (error instanceof UnauthenticatedError) return [CloseCode.Forbidden, error.message.slice(0, 120)];
  if (!(error instanceof SproutError)) logger.error({ err: error }, 'a login failed unexpectedly');
  return [
    1011,
    error instanceof SproutError ? error.message.slice(0, 120) : 'Something went wrong on our side.',
  ];
}

const tooFast = () =>
  new GraphQLError(RATE_LIMITED.message, {
    extensions: { code: RATE_LIMITED.code, hint: RATE_LIMITED.hint },
  });

const tooManySubscriptions = () =>
  new GraphQLError(`One socket carries at most ${MAX_SUBSCRIPTIONS_PER_SOCKET} operations at a time.`, {
    extensions: { code: 'TOO_MANY_SUBSCRIPTIONS', hint: 'Complete some, or open another socket.' },
  });

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}
