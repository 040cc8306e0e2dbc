/**
 * What of a trace the program's own code sees: work runs inside a span, and what that work calls runs inside it too. Until a
 * tracer is put in place, which only OTEL_EXPORTER_OTLP_ENDPOINT does (open-telemetry.ts), all of it costs a function call.
 */
export interface Tracer {
  /** Runs `work` in a span of its own; a rejection marks the span as failed and passes through. */
  run<T>(span: SpanStart, work: (span: Span) => Promise<T>): Promise<T>;
  /** The span that is under way here, as a W3C `traceparent`, and null outside of any. */
  here(): string | null;
}

export interface SpanStart {
  name: string;
  /** Default: internal. */
  kind?: 'internal' | 'server' | 'client';
  attributes?: Attributes;
  /** A `traceparent` to continue; default: the span that is under way. */
  parent?: string | null;
}

export type Attributes = Readonly<Record<string, string | number | boolean>>;

export interface Span {
  set(attributes: Attributes): void;
  /** Marks the span as failed though its work resolves. */
  fail(code: string, message: string): void;
}

const unseen: Span = { set: () => undefined, fail: () => undefined };
const silent: Tracer = { run: (_span, work) => work(unseen), here: () => null };

let tracer: Tracer = silent;

/** One for the process. Returns what puts the silent one back. */
export function putTracer(next: Tracer): () => void {
  tracer = next;
  return () => {
    if (tracer === next) tracer = silent;
  };
}

export const inSpan = <T>(span: SpanStart, work: (span: Span) => Promise<T>): Promise<T> =>
  tracer.run(span, work);

export const traceParent = (): string | null => tracer.here();
