import { SproutError } from '../domain/errors.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { inSpan } from '../telemetry/spans.ts';
import type { Toolkit } from './toolkit.ts';

/** Failures that are a limit reached, and the limit's name. */
const LIMITS: ReadonlyMap<string, string> = new Map([
  ['STEP_DEADLINE', 'deadline'],
  ['SANDBOX_OUT_OF_MEMORY', 'memory'],
  ['SANDBOX_DISK_FULL', 'disk'],
  ['SANDBOX_OUTPUT_LIMIT', 'output'],
]);

/** The same toolkit: each command in a span of its own, and those stopped at a limit counted. */
export function observedToolkit(toolkit: Toolkit, metrics: Metrics): Toolkit {
  return {
    async call(command, request, options) {
      try {
        return await inSpan(
          { name: `sandbox ${command}`, attributes: { 'sproutml.sandbox.command': command } },
          () => toolkit.call(command, request, options),
        );
      } catch (error) {
        const reason = error instanceof SproutError ? LIMITS.get(error.code) : undefined;
        if (reason !== undefined) metrics.sandboxKills.inc({ reason });
        throw error;
      }
    },
    ready: () => toolkit.ready(),
    close: () => toolkit.close(),
  };
}
