import { inputPath } from '../agents/context.ts';
import { playbookSeats, type TakeSeats } from '../agents/seats.ts';
import { runTeam } from '../agents/team.ts';
import type { BlobStore } from '../artifacts/blob-store.ts';
import type { Sandbox, SandboxProvider } from '../sandbox/sandbox.ts';
import type { Toolkit } from '../sandbox/toolkit.ts';
import { openUntrustedPython } from '../sandbox/untrusted-python.ts';
import type { RunJob } from './run.ts';

export interface PipelineParts {
  blobs: BlobStore;
  sandboxes: SandboxProvider;
  /** Keeps a toolkit warm in a sandbox. */
  openToolkit(sandbox: Sandbox): Toolkit;
  /** Cores one job may use. */
  cpus: number;
  /** Takes the seats of jobs whose mind is a language model. */
  languageModelSeats: TakeSeats;
  /** Most memory a process of agent-written code may use. */
  memoryBytes: number;
  /** Whether cells of tables may be told to a language model. */
  shareSamples: boolean;
}

/** What a job does: opens its sandbox, lays the table in it and gives both to the team. */
export function createPipeline(parts: PipelineParts): RunJob {
  const { blobs, sandboxes, openToolkit, cpus, memoryBytes, shareSamples } = parts;
  return async (context) => {
    const { job, dataset } = context;
    // As the job was begun, whatever is configured by now: what its agents have said and heard stays theirs.
    const seats = job.mind === 'LANGUAGE_MODEL' ? parts.languageModelSeats : playbookSeats();
    const sandbox = await sandboxes.open(job.id);
    try {
      const toolkit = openToolkit(sandbox);
      try {
        await sandbox.put(inputPath(dataset), await blobs.get(dataset.blobKey));
        await runTeam(
          {
            ...context,
            toolkit,
            readFile: (path) => sandbox.get(path),
            cpus,
            mind: job.mind,
            untrusted: openUntrustedPython(sandbox, { memoryBytes }),
            shareSamples,
            // One seed for all jobs: the same table and options give the same leaderboard.
            seed: 0,
          },
          seats,
        );
      } finally {
        await toolkit.close();
      }
    } finally {
      await sandbox.close();
    }
  };
}
