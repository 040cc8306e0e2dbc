import { Readable } from 'node:stream';
import { SproutError } from '../domain/errors.ts';
import type { ProcessExit, ProcessLimits, Sandbox, UntrustedView } from './sandbox.ts';

/** What the process of `toolkit/sproutml_toolkit/agent_code/inside.py` is told to do. */
export type CodeOrder =
  | { do: 'task'; folder: string; answers: string }
  | { do: 'look'; folder: string; answers: string }
  | { do: 'serve'; requests: string; answers: string };

export interface CodeRun {
  exit: ProcessExit;
  /** The ends of what it printed and of what it raised: words of agent-written code. */
  printed: string;
  raised: string;
}

export interface CodeLimits {
  wallSeconds: number;
  threads: number;
  signal?: AbortSignal;
}

/** Runs agent-written Python, each order in a process of its own that sees its view and nothing else. */
export interface UntrustedPython {
  /** Null where it may run; else in a sentence why it may not, and what to do about it. */
  readonly refusal: { message: string; hint: string | null } | null;
  /** Runs one order to its end. Rejects with SANDBOX_UNCONTAINED, or SANDBOX_START_FAILED. */
  run(order: CodeOrder, view: UntrustedView, limits: CodeLimits): Promise<CodeRun>;
  /** Starts one that goes on until it is killed. */
  start(
    order: CodeOrder,
    view: UntrustedView,
    limits: CodeLimits,
  ): Promise<{ ended: Promise<CodeRun>; kill(): void }>;
}

const PROGRAM = ['python', '-I', '-B', '-m', 'sproutml_toolkit', 'agent-code'] as const;
const MEBIBYTE = 1024 ** 2;
/** Of each stream, the end: errors say last what they are about. */
const KEPT_CHARACTERS = 4_000;
/** Beyond this it prints in a loop. */
const OUTPUT_BYTES = 4 * MEBIBYTE;
const FILE_BYTES = 512 * MEBIBYTE;
const PROCESSES = 64;

/** `memoryBytes`: of one process tree. */
export function openUntrustedPython(sandbox: Sandbox, options: { memoryBytes: number }): UntrustedPython {
  const refusal =
    sandbox.containment === 'contained' && sandbox.views
      ? null
      : {
          message: "Agent-written code can't be held here to what it may see, so it is not run.",
          hint: 'The `doctor` command says what is missing: bubblewrap on Linux, most often.',
        };

  async function start(order: CodeOrder, view: UntrustedView, limits: CodeLimits) {
    if (refusal !== null) {
      throw new SproutError('SANDBOX_UNCONTAINED', refusal.message, { hint: refusal.hint });
    }
    // Empty files of ours make the folders that are to be there.
    for (const folder of [view.writes, ...(order.do === 'serve' ? [order.requests] : [])]) {
      await sandbox.put(`${folder}/keep`, Readable.from(['']));
    }
    const tails = { stdout: '', stderr: '' };
    const bounds: ProcessLimits = {
      wallSeconds: limits.wallSeconds,
      cpuSeconds: Math.ceil(limits.wallSeconds * limits.threads) + 5,
      memoryBytes: options.memoryBytes,
      processes: PROCESSES,
      fileBytes: FILE_BYTES,
      outputBytes: OUTPUT_BYTES,
    };
    const threads = String(limits.threads);
    const process = await sandbox.start({
      argv: PROGRAM,
      untrusted: view,
      limits: bounds,
      env: { OMP_NUM_THREADS: threads, OPENBLAS_NUM_THREADS: threads, PYTHONHASHSEED: '0' },
      ...(limits.signal === undefined ? {} : { signal: limits.signal }),
      onLine(stream, line, continues) {
        tails[stream] = (tails[stream] + line + (continues ? '' : '\n')).slice(-KEPT_CHARACTERS);
      },
    });
    process.send(JSON.stringify(order));
    process.end();
    const ended = process.exit.then((exit) => ({ exit, printed: tails.stdout, raised: tails.stderr }));
    return { ended, kill: () => process.kill() };
  }

  return {
    refusal,
    start,
    run: async (order, view, limits) => (await start(order, view, limits)).ended,
  };
}
