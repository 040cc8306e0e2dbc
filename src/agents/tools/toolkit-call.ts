import type { z } from 'zod';
import { SproutError } from '../../domain/errors.ts';
import type { AgentContext } from '../context.ts';
import type { StepIo } from '../step.ts';
import { parseResult } from '../toolkit-protocol.ts';

/**
 * Runs one toolkit command for an agent's step and checks its result. Rejects with the command's coded error, or with STOPPED
 * when `softSignal` ended it. A crash of the toolkit itself is tried once more unless `noRetry` is set.
 */
export async function callToolkit<T>(
  agent: AgentContext,
  io: StepIo,
  call: {
    command: string;
    request: unknown;
    result: z.ZodType<T>;
    label: string;
    timeoutSeconds: number;
    softSignal?: AbortSignal;
    noRetry?: boolean;
  },
): Promise<T> {
  const { team } = agent;
  const signal = call.softSignal ? AbortSignal.any([team.signal, call.softSignal]) : team.signal;
  const attempt = async (): Promise<T> => {
    if (signal.aborted) throw stopped(call.label);
    try {
      const result = await team.toolkit.call(call.command, call.request, {
        timeoutMs: Math.ceil(call.timeoutSeconds * 1000),
        signal,
        onProgress: (fraction, message) =>
          team.meter.step(io.key, fraction, call.label, `${call.label}: ${message}`),
        onLog: io.log,
      });
      return parseResult(call.command, call.result, result);
    } catch (error) {
      if (signal.aborted) throw stopped(call.label, error);
      throw error;
    } finally {
      team.meter.step(io.key, 1, call.label, call.label);
    }
  };
  try {
    return await attempt();
  } catch (error) {
    const crashed = error instanceof SproutError && error.code === 'TOOLKIT_CRASHED';
    if (!crashed || call.noRetry) throw error;
    io.log('WARNING', `the toolkit crashed and is tried once more: ${error.message}`);
    return attempt();
  }
}

const stopped = (label: string, cause?: unknown): SproutError =>
  new SproutError('STOPPED', `${label} was stopped before it ended.`, { cause });
