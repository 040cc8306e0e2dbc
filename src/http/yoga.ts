import type { Plugin } from 'graphql-yoga';
import { createYoga } from 'graphql-yoga';
import { type ApiContext, type ApiDependencies, createContext } from '../graphql/context.ts';
import { OperationLimitsRule, parseLimited } from '../graphql/limits.ts';
import { maskError } from '../graphql/mask-error.ts';
import { schema } from '../graphql/schema.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { useObservedOperations } from './observed-operations.ts';
import type { OriginPolicy } from './origin.ts';
import { type NodeContext, useStreamingUpload } from './upload-plugin.ts';

export const GRAPHQL_PATH = '/graphql';

/** GraphQL over HTTP: POST, GET for queries, server-sent events for subscriptions. CORS, CSRF and pages are not its business. */
export function createGraphQL(dependencies: ApiDependencies, origins: OriginPolicy, metrics?: Metrics) {
  const { config, logger } = dependencies;
  return createYoga<NodeContext, ApiContext>({
    schema,
    graphqlEndpoint: GRAPHQL_PATH,
    context: ({ req }) => createContext(dependencies, origins.originOf(req)),
    cors: false,
    graphiql: false,
    landingPage: false,
    healthCheckEndpoint: '/.yoga-health-is-off',
    multipart: false,
    batching: false,
    // Any number here makes Yoga tee every body; the length is checked before it gets here.
    maxRequestBodySize: false,
    maskedErrors: { maskError: (error) => maskError(error, logger) },
    logging: {
      debug: () => undefined,
      info: (...args: unknown[]) => logger.debug({ args }, 'yoga'),
      warn: (...args: unknown[]) => logger.warn({ args }, 'yoga'),
      // What Yoga would report here maskError has logged already, once and with its id.
      error: () => undefined,
    },
    plugins: [
      useOperationLimits(),
      useStreamingUpload(config.MAX_UPLOAD_BYTES),
      useUnbufferedEvents(),
      useObservedOperations(metrics),
    ],
  });
}

export type GraphQLServer = ReturnType<typeof createGraphQL>;

function useOperationLimits(): Plugin {
  return {
    onParse({ setParseFn }) {
      setParseFn(parseLimited);
    },
    onValidate({ addValidationRule }) {
      addValidationRule(OperationLimitsRule);
    },
  };
}

/** Proxies of the nginx kind hold back a stream of events unless told not to. */
function useUnbufferedEvents(): Plugin {
  return {
    onResponse({ response }) {
      if (response.headers.get('content-type')?.startsWith('text/event-stream') === true) {
        response.headers.set('x-accel-buffering', 'no');
      }
    },
  };
}
