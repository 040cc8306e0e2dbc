import type { Metrics } from '../telemetry/metrics.ts';
import { inSpan } from '../telemetry/spans.ts';
import type { ProcessExit, SandboxProvider } from './sandbox.ts';

const LIMITS: ReadonlySet<ProcessExit['reason']> = new Set(['deadline', 'memory', 'disk', 'output']);

/**
 * Puts each process of agent-written code in a span, and counts those that were stopped at a limit. What the toolkit runs is seen
 * to by `observedToolkit`. The provider itself is changed, and returned.
 */
export function observeAgentCode(provider: SandboxProvider, metrics: Metrics): SandboxProvider {
  const open = provider.open.bind(provider);
  provider.open = async (id) => {
    const sandbox = await open(id);
    const start = sandbox.start.bind(sandbox);
    sandbox.start = async (command) => {
      const process = await start(command);
      if (command.untrusted) {
        void inSpan({ name: 'sandbox agent code' }, async (span) => {
          const { reason } = await process.exit;
          if (!LIMITS.has(reason)) return;
          metrics.sandboxKills.inc({ reason });
          span.fail(reason, `stopped: ${reason}`);
        });
      }
      return process;
    };
    return sandbox;
  };
  return provider;
}
