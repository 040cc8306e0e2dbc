import {
  type Context,
  isSpanContextValid,
  type Span as OtelSpan,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { Logger } from 'pino';
import { messageOf, SproutError } from '../domain/errors.ts';
import type { Span, SpanStart, Tracer } from './spans.ts';

/*
 * Traces to an OTLP/HTTP collector. Loaded only where one is configured: this file and what it imports are most of what
 * tracing costs. Nothing is registered globally, so that no library's own tracing mixes with ours.
 */

const KINDS = { internal: SpanKind.INTERNAL, server: SpanKind.SERVER, client: SpanKind.CLIENT } as const;

/** For one batch, repetitions and all: a collector that is not there must not hold up the end of the server. */
const EXPORT_MS = 3_000;

export interface TracingOptions {
  /** Base address of the collector; spans go to `/v1/traces` under it. */
  endpoint: string;
  /** `name=value`, comma-separated, values percent-encoded. */
  headers: string | undefined;
  serviceName: string;
  version: string;
  logger: Logger;
}

/** Resolves with a tracer, and with what sends off the last spans and closes it. */
export function startTracing(options: TracingOptions): { tracer: Tracer; close(): Promise<void> } {
  const exporter = new OTLPTraceExporter({
    url: `${options.endpoint.replace(/\/+$/, '')}/v1/traces`,
    headers: parseHeaders(options.headers),
    timeoutMillis: EXPORT_MS,
  });
  tellOfFailures(exporter, options.logger);
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': options.serviceName,
      'service.version': options.version,
    }),
    spanProcessors: [
      new BatchSpanProcessor({ exporter, scheduledDelayMillis: 1_000, exportTimeoutMillis: EXPORT_MS }),
    ],
  });
  const spans = provider.getTracer('sproutml', options.version);
  const contexts = new AsyncLocalStorageContextManager().enable();

  const tracer: Tracer = {
    async run(start, work) {
      const parent = parentOf(start, contexts.active());
      const span = spans.startSpan(
        start.name,
        { kind: KINDS[start.kind ?? 'internal'], attributes: { ...start.attributes } },
        parent,
      );
      try {
        return await contexts.with(trace.setSpan(parent, span), work, undefined, handleOf(span));
      } catch (error) {
        fail(span, error instanceof SproutError ? error.code : nameOf(error), messageOf(error));
        throw error;
      } finally {
        span.end();
      }
    },
    here() {
      const found = trace.getSpanContext(contexts.active());
      return found === undefined ? null : `00-${found.traceId}-${found.spanId}-0${found.traceFlags & 1}`;
    },
  };
  return {
    tracer,
    async close() {
      try {
        await provider.shutdown();
      } catch (error) {
        options.logger.warn({ err: error }, 'the last spans were not sent');
      }
      contexts.disable();
    },
  };
}

/** Once when it begins to fail, and once when it is well again: not with every batch. */
function tellOfFailures(exporter: OTLPTraceExporter, logger: Logger): void {
  const send = exporter.export.bind(exporter);
  let failing = false;
  exporter.export = (spans, done) =>
    send(spans, (result) => {
      const failed = result.error !== undefined;
      if (failed && !failing)
        logger.warn({ err: result.error }, 'spans are lost: the collector does not take them');
      if (!failed && failing) logger.info('the collector takes spans again');
      failing = failed;
      done(result);
    });
}

function handleOf(span: OtelSpan): Span {
  return {
    set: (attributes) => void span.setAttributes(attributes),
    fail: (code, message) => fail(span, code, message),
  };
}

function fail(span: OtelSpan, code: string, message: string): void {
  span.setAttribute('error.type', code);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : 'unknown');

/** What the caller names, unless that is nonsense; else what is under way. */
function parentOf({ parent }: SpanStart, active: Context): Context {
  const match = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(parent ?? '');
  if (match === null) return active;
  const [, traceId = '', spanId = '', flags = '0'] = match;
  const traceFlags = Number.parseInt(flags, 16) & TraceFlags.SAMPLED;
  const remote = { traceId, spanId, traceFlags, isRemote: true };
  return isSpanContextValid(remote) ? trace.setSpanContext(ROOT_CONTEXT, remote) : active;
}

function parseHeaders(text = ''): Record<string, string> {
  const pairs = text.split(',').flatMap((pair) => {
    const cut = pair.indexOf('=');
    return cut <= 0 ? [] : [[pair.slice(0, cut).trim(), decodeURIComponent(pair.slice(cut + 1).trim())]];
  });
  return Object.fromEntries(pairs);
}
