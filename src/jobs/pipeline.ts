import { inputPath } from '../agents/context.ts';
import { playbookSeats, type TakeSeats } from '../agents/seats.ts';
import { runTeam } from '../agents/team.ts';
import type { BlobStore } from '../artifacts/blob-store.ts';
import { SproutError } from '../domain/errors.ts';
import type { JobId } from '../domain/ids.ts';
import type { SandboxKind } from '../domain/vocabulary.ts';
import type { Sandbox, SandboxProvider } from '../sandbox/sandbox.ts';
import type { Toolkit } from '../sandbox/toolkit.ts';
import { openUntrustedPython } from '../sandbox/untrusted-python.ts';
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
  /** Takes the seats of jobs whose mind is a language model. */
  languageModelSeats: TakeSeats;
  /** Most memory a process of agent-written code may use. */
  memoryBytes: number;
  /** Whether cells of tables may be told to a language model. */
  shareSamples: boolean;
}

/** What a job does: opens its sandbox, lays the table in it and gives both to the team. */
export function createPipeline(parts: PipelineParts): RunJob {
  const { blobs, sandboxes, openToolkit, cpus, trialsAtOnce, memoryBytes, shareSamples } = parts;
  return async (context) => {
    const { job, dataset } = context;
    // As the job was begun, whatever is configured by now: what its agents have said and heard stays theirs.
    const seats = job.mind === 'LANGUAGE_MODEL' ? parts.languageModelSeats : playbookSeats();
    if (job.sandbox !== sandboxes.kind) await moveTo(sandboxes.kind, context);
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
        await runTeam(
          {
            ...context,
            toolkit,
            readFile: (path) => sandbox.get(path),
            cpus,
            ...(trialsAtOnce === undefined ? {} : { trialsAtOnce }),
            mind: job.mind,
            untrusted: openUntrustedPython(sandbox, { memoryBytes }),
            shareSamples,
            seed: job.options.seed,
          },
          seats,
        );
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

/** A job that waited while the configuration changed runs where it is now; one that has begun elsewhere has its files there. */
async function moveTo(kind: SandboxKind, { job, recorder }: JobContext): Promise<void> {
  if (job.attempt > 1) {
    throw new SproutError(
      'SANDBOX_CHANGED',
      `The job was begun in a ${job.sandbox} sandbox, and this server has ${kind} ones.`,
      {
        hint: 'Start the server with SANDBOX as it was, or start the job again with `retryJob`.',
      },
    );
  }
  await recorder.record([], { sandbox: kind });
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
