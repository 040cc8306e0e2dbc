import { inputPath } from '../agents/context.ts';
import { runTeam } from '../agents/team.ts';
import type { BlobStore } from '../artifacts/blob-store.ts';
import type { JobId } from '../domain/ids.ts';
import type { Mind } from '../domain/vocabulary.ts';
import type { Sandbox, SandboxProvider } from '../sandbox/sandbox.ts';
import type { Toolkit } from '../sandbox/toolkit.ts';
import type { JobContext, RunJob } from './run.ts';

export interface PipelineParts {
  blobs: BlobStore;
  sandboxes: SandboxProvider;
  /** Keeps a toolkit warm in a sandbox. */
  openToolkit(sandbox: Sandbox): Toolkit | Promise<Toolkit>;
  /** What the job's sandboxes have cost so far, over all attempts; where they cost nothing, absent. */
  billed?(jobId: JobId): Promise<{ cpuSeconds: number; memoryGibSeconds: number }>;
  /** Cores one job may use. */
  cpus: number;
  /** Trials at the same time; default: by the cores. */
  trialsAtOnce?: number;
  mind: Mind;
}

/** What a job does: opens its sandbox, lays the table in it and gives both to the team. */
export function createPipeline(parts: PipelineParts): RunJob {
  const { blobs, sandboxes, openToolkit, cpus, trialsAtOnce, mind } = parts;
  return async (context) => {
    const { job, dataset } = context;
    // A job that is stopped before it has done anything need not wait for its sandbox; one that has is wrapped up in it.
    const waiting = job.attempt === 1 ? [context.signal, context.stopSignal] : [context.signal];
    const sandbox = await sandboxes.open(job.id, { signal: AbortSignal.any(waiting) });
    try {
      const toolkit = await openToolkit(sandbox);
      // First in line: calls that the same signal interrupts are to find themselves left, not ended.
      const leave = sandbox.leave === undefined ? () => undefined : () => toolkit.leave?.();
      context.signal.addEventListener('abort', leave, { once: true });
      try {
        await sandbox.put(inputPath(dataset), await blobs.get(dataset.blobKey));
        await runTeam({
          ...context,
          toolkit,
          readFile: (path) => sandbox.get(path),
          cpus,
          ...(trialsAtOnce === undefined ? {} : { trialsAtOnce }),
          mind,
          // One seed for all jobs: the same table and options give the same leaderboard.
          seed: 0,
        });
      } finally {
        context.signal.removeEventListener('abort', leave);
        if (!context.signal.aborted || sandbox.leave === undefined) await toolkit.close();
      }
    } finally {
      // The server is going down or another has the job: what outlives this one is for the next to go on with.
      if (context.signal.aborted && sandbox.leave !== undefined) sandbox.leave();
      else await sandbox.close();
      if (!context.signal.aborted) await recordBill(parts, context);
    }
  };
}

/** The bill is over all attempts, so what earlier ones recorded of it is taken off. */
async function recordBill({ billed }: PipelineParts, { job, recorder }: JobContext): Promise<void> {
  const bill = await billed?.(job.id);
  if (bill === undefined) return;
  const before = job.usage;
  await recorder.record([], {
    usage: {
      sandboxCpuSeconds: Math.max(0, bill.cpuSeconds - before.sandboxCpuSeconds),
      sandboxMemoryGibSeconds: Math.max(0, bill.memoryGibSeconds - before.sandboxMemoryGibSeconds),
    },
  });
}
