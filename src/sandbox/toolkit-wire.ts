import { z } from 'zod';
import { SproutError } from '../domain/errors.ts';
import type { ProcessExit } from './sandbox.ts';

/** What the toolkit prints, as toolkit/PROTOCOL.md has it. `id` is there when a zygote speaks for its children. */
const message = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready'), seconds: z.number() }),
  z.object({
    type: z.literal('progress'),
    id: z.string().optional(),
    fraction: z.number(),
    message: z.string(),
  }),
  z.object({
    type: z.literal('log'),
    id: z.string().optional(),
    level: z.enum(['INFO', 'WARNING', 'ERROR']),
    message: z.string(),
  }),
  z.object({ type: z.literal('result'), id: z.string().optional(), result: z.unknown() }),
  z.object({
    type: z.literal('error'),
    id: z.string().optional(),
    code: z.string(),
    message: z.string(),
    hint: z.string().nullish(),
  }),
  z.object({
    type: z.literal('exit'),
    id: z.string(),
    code: z.number().nullable(),
    signal: z.string().nullable(),
  }),
]);
export type ToolkitMessage = z.output<typeof message>;

/** Longest line that is put together again: a result naming thousands of columns fits. */
const LONGEST_LINE = 32 * 1024 ** 2;

/** Reads toolkit messages from lines that may come in pieces; what is no message is handed on as text. */
export class ToolkitMessages {
  readonly #onMessage: (message: ToolkitMessage) => void;
  readonly #onText: (text: string) => void;
  #pieces: string[] = [];
  #length = 0;

  constructor(onMessage: (message: ToolkitMessage) => void, onText: (text: string) => void) {
    this.#onMessage = onMessage;
    this.#onText = onText;
  }

  line(piece: string, continues: boolean): void {
    this.#length += piece.length;
    if (this.#length <= LONGEST_LINE) this.#pieces.push(piece);
    if (continues) return;
    const line = this.#pieces.join('');
    this.#pieces = [];
    this.#length = 0;
    const parsed = parseMessage(line);
    if (parsed !== null) this.#onMessage(parsed);
    else if (line.trim() !== '') this.#onText(line);
  }
}

function parseMessage(line: string): ToolkitMessage | null {
  if (!line.startsWith('{')) return null;
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  const parsed = message.safeParse(json);
  return parsed.success ? parsed.data : null;
}

/** What a call came to once its process has ended. */
export interface CallOutcome {
  result: { value: unknown } | null;
  error: { code: string; message: string; hint?: string | null | undefined } | null;
  /** Last lines that were no messages: what a crash leaves behind. */
  tail: readonly string[];
}

/** The result, or the error to reject with. */
export function conclude(
  command: string,
  outcome: CallOutcome,
  exit: ProcessExit,
): { value: unknown } | SproutError {
  if (exit.reason !== 'exited' || exit.signal !== null) return crashed(command, exit, outcome.tail);
  if (outcome.error !== null) {
    const { code, message, hint } = outcome.error;
    return new SproutError(code, message, hint ? { hint } : {});
  }
  if (exit.code === 0 && outcome.result !== null) return outcome.result;
  return crashed(command, exit, outcome.tail);
}

/** The error for a command whose process ended in a way that no command ends by itself. */
export function crashed(command: string, exit: ProcessExit, tail: readonly string[]): SproutError {
  const how = exit.signal ?? (exit.code === null ? exit.reason : `exit code ${exit.code}`);
  const last = tail.length > 0 ? `\n${tail.join('\n')}` : '';
  switch (exit.reason) {
    case 'deadline':
      return stepDeadline(command);
    case 'memory':
      return new SproutError(
        'SANDBOX_OUT_OF_MEMORY',
        `The sandbox used more memory than it may while "${command}" ran, and was stopped.`,
        { hint: 'Raise SANDBOX_MEMORY_BYTES, run fewer trials at a time, or train on fewer rows.' },
      );
    case 'disk':
      return new SproutError(
        'SANDBOX_DISK_FULL',
        `The disk was about to fill while "${command}" ran, so it was stopped.`,
        {
          hint: 'Free some space under DATA_DIR, or delete old jobs.',
        },
      );
    case 'output':
      return new SproutError('SANDBOX_OUTPUT_LIMIT', `"${command}" printed more than it may.${last}`, {
        hint: 'Something is stuck in a loop: the log has its last lines.',
      });
    case 'lost':
      return new SproutError('SANDBOX_LOST', `The sandbox went away while "${command}" ran.`, {
        hint: 'It is made again and the command repeated; where that goes on, start the job again with `retryJob`.',
      });
    case 'killed':
    case 'aborted':
    case 'exited':
      return new SproutError('TOOLKIT_CRASHED', `"${command}" ended without a result (${how}).${last}`, {
        hint:
          exit.signal === 'SIGKILL'
            ? "Nothing of ours stopped it: most often that is the machine's own memory limit."
            : 'The job log has what it printed.',
      });
  }
}

export function stepDeadline(command: string): SproutError {
  return new SproutError('STEP_DEADLINE', `"${command}" ran out of time and was stopped.`, {
    hint: 'Give the job a larger time budget, or fewer and smaller models to try.',
  });
}
