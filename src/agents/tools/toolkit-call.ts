import type { z } from 'zod';
import { SproutError } from '../../domain/errors.ts';
import type { AgentContext } from '../context.ts';
import type { StepIo } from '../step.ts';
import { parseResult } from '../toolkit-protocol.ts';

/** How often a command is repeated because its sandbox went away. */
const MOST_LOST = 3;

/**
 * Runs one toolkit command for an agent's step and checks its result. Rejects with the command's coded error, or with STOPPED
 * when `softSignal` ended it. A crash of the toolkit itself is tried once more unless `noRetry` is set; where the
 * sandbox was lost, it is repeated in the one that takes its place.
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
        key: io.key,
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
  for (let lost = 0, crashed = 0; ; ) {
    try {
      return await attempt();
    } catch (error) {
      const code = error instanceof SproutError ? error.code : '';
      if (code === 'SANDBOX_LOST') lost += 1;
      else if (code === 'TOOLKIT_CRASHED' && !call.noRetry) crashed += 1;
      else throw error;
      // A sandbox that went away says nothing about the command, so that is repeated even where a crash is not.
      if (lost > MOST_LOST || crashed > 1) throw error;
      const what = code === 'SANDBOX_LOST' ? 'the sandbox was lost' : 'the toolkit crashed';
      io.log('WARNING', `${what}, so it is tried once more: ${(error as SproutError).message}`);
    }
  }
}

const stopped = (label: string, cause?: unknown): SproutError =>
  new SproutError('STOPPED', `${label} was stopped before it ended.`, { cause });
