import { validate } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { createYoga } from 'graphql-yoga';
import type { Authentication } from '../auth/authentication.ts';
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
export function createGraphQL(
  dependencies: ApiDependencies,
  origins: OriginPolicy,
  auth: Authentication,
  metrics?: Metrics,
) {
  const { config, logger } = dependencies;
  return createYoga<NodeContext, ApiContext>({
    schema,
    graphqlEndpoint: GRAPHQL_PATH,
    context: ({ req, viewer }) => createContext(dependencies, { origin: origins.originOf(req), viewer }),
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
      // What names there are is not told to everybody.
      useOperationLimits(auth.required),
      useStreamingUpload(config.MAX_UPLOAD_BYTES),
      useWatchedStreams(auth),
      useObservedOperations(metrics),
    ],
  });
}

export type GraphQLServer = ReturnType<typeof createGraphQL>;

/** @param hideSuggestions leaves out what the name that is not there might have been. */
function useOperationLimits(hideSuggestions: boolean): Plugin {
  return {
    onParse({ setParseFn }) {
      setParseFn(parseLimited);
    },
    onValidate({ addValidationRule, setValidationFn }) {
      addValidationRule(OperationLimitsRule);
      if (hideSuggestions) setValidationFn(validateSilently);
    },
    onExecute({ args }) {
      Object.assign(args, { hideSuggestions });
    },
    onSubscribe({ args }) {
      Object.assign(args, { hideSuggestions });
    },
  };
}

const validateSilently: typeof validate = (schema, document, rules) =>
  validate(schema, document, rules, { hideSuggestions: true });

/**
 * A stream may outlive the token it was opened with, and is cut then; a request that ends by itself is done when it was
 * right to begin. Proxies of the nginx kind hold back a stream of events unless told not to.
 */
function useWatchedStreams(auth: Authentication): Plugin<object, NodeContext> {
  return {
    onResponse({ response, serverContext }) {
      const type = response.headers.get('content-type') ?? '';
      if (!/^(text\/event-stream|multipart\/mixed)/.test(type)) return;
      response.headers.set('x-accel-buffering', 'no');
      const { res, viewer } = serverContext;
      if (res.closed) return;
      res.once(
        'close',
        auth.watch(viewer, () => res.destroy()),
      );
    },
  };
}
