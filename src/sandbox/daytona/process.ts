import { createHash, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { SproutError } from '../../domain/errors.ts';
import type { Launch } from '../local-process.ts';
import { OutputLines } from '../output-lines.ts';
import type { ProcessExit, SandboxCommand, SandboxProcess } from '../sandbox.ts';
import { DaytonaError, pauseFor } from './errors.ts';

/** What a process needs of the sandbox it runs in. */
export interface Inside {
  /** Runs a program of `inside/`; tried once. */
  run(program: 'processes' | 'files', words: readonly string[], seconds: number): Promise<unknown>;
  /** Runs one that may be run twice, until it works. */
  persist(program: 'processes' | 'files', words: readonly string[], seconds: number): Promise<unknown>;
  upload(content: string | Buffer, path: string): Promise<void>;
  /** Whether the sandbox is up as far as anybody can tell; null: nobody answers. */
  isUp(): Promise<boolean | null>;
}

export interface RemoteLimits {
  wallSeconds: number | null;
  outputBytes: number;
  memoryBytes: number;
  diskReserveBytes: number;
}

const started = z.discriminatedUnion('state', [
  z.object({ state: z.enum(['started', 'attached']), bytes: z.number() }),
  z.object({ state: z.literal('failed'), message: z.string() }),
]);
const followed = z.object({
  data: z.string(),
  exit: z
    .object({
      reason: z.enum(['exited', 'deadline', 'aborted', 'memory', 'output', 'disk', 'killed']),
      code: z.number().nullable(),
      signal: z.string().nullable(),
    })
    .nullable(),
  lost: z.boolean(),
});

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

/** How long one question for more output stays open. */
const FOLLOW_SECONDS = 10;
const CALL_SECONDS = 20;
/** Longer lines go in as files of their own. */
const LONGEST_WORD = 60_000;
const HEADER_BYTES = 5;
/** Past its own limits plus this, a sandbox that says nothing is taken for lost. */
const OVERDUE_MS = 30_000;

/**
 * Starts a process in the sandbox, or takes up the one that runs under its key, and follows it. Rejects with
 * SANDBOX_START_FAILED, the signal's reason or a DaytonaError.
 */
export async function startRemote(
  inside: Inside,
  launch: Launch,
  command: SandboxCommand,
  limits: RemoteLimits,
  patience: { silentMs: number; pauseMs: number },
): Promise<RemoteProcess> {
  command.signal?.throwIfAborted();
  const run = command.key === undefined ? randomUUID() : hash(command.key);
  const file = `sproutml/transfer/${randomUUID()}.json`;
  const { cwd, args, env, codeCarriesSignal } = launch;
  const descriptors = launch.descriptors.map((bytes) => bytes.toString('base64'));
  const description = {
    file: launch.file,
    args,
    cwd: cwd ?? null,
    env,
    descriptors,
    codeCarriesSignal,
    limits,
  };
  await inside.upload(Buffer.from(JSON.stringify(description)), file);
  const answer = started.parse(await inside.persist('processes', ['start', run, file], CALL_SECONDS));
  if (answer.state === 'failed') {
    throw new SproutError('SANDBOX_START_FAILED', `Could not start ${launch.file}: ${answer.message}`, {
      hint: 'Run the `doctor` command: it says what the sandbox needs and what is missing.',
    });
  }
  return new RemoteProcess(inside, run, command, answer, patience);
}

export class RemoteProcess implements SandboxProcess {
  readonly exit: Promise<ProcessExit>;
  readonly resumed: Promise<void> | null;
  readonly #inside: Inside;
  readonly #run: string;
  readonly #patience: { silentMs: number; pauseMs: number };
  readonly #splitters: Readonly<Record<number, OutputLines>>;
  readonly #resumed = Promise.withResolvers<void>();
  readonly #resumedAt: number;
  #pending: Buffer = Buffer.alloc(0);
  #offset = 0;
  #sending: Promise<void> = Promise.resolve();
  #stopping: 'killed' | 'aborted' | null = null;
  #ended = false;
  readonly #over = new AbortController();

  constructor(
    inside: Inside,
    run: string,
    command: SandboxCommand,
    begun: { state: 'started' | 'attached'; bytes: number },
    patience: { silentMs: number; pauseMs: number },
  ) {
    this.#inside = inside;
    this.#run = run;
    this.#patience = patience;
    this.#resumedAt = begun.bytes;
    this.#splitters = {
      1: new OutputLines((line, continues) => command.onLine('stdout', line, continues)),
      2: new OutputLines((line, continues) => command.onLine('stderr', line, continues)),
    };
    this.resumed = begun.state === 'attached' && begun.bytes > 0 ? this.#resumed.promise : null;
    const onAbort = () => this.#stop('aborted');
    command.signal?.addEventListener('abort', onAbort, { once: true });
    if (command.signal?.aborted) onAbort();
    this.exit = this.#follow(command.limits.wallSeconds).then((exit) => {
      this.#ended = true;
      this.#over.abort();
      command.signal?.removeEventListener('abort', onAbort);
      for (const splitter of Object.values(this.#splitters)) splitter.end();
      this.#resumed.resolve();
      return exit;
    });
  }

  send(line: string, once: string = randomUUID()): void {
    this.#queue(hash(once), async () => {
      const word = Buffer.from(line).toString('base64');
      if (word.length <= LONGEST_WORD) return [word === '' ? '=' : word];
      const file = `sproutml/transfer/${randomUUID()}.line`;
      await this.#inside.upload(Buffer.from(line), file);
      return [`@${file}`];
    });
  }

  end(): void {
    this.#queue('end', async () => []);
  }

  kill(): void {
    this.#stop('killed');
  }

  /** Follows it no longer; it goes on. */
  leave(): void {
    this.#ended = true;
    this.#over.abort();
  }

  /** Lines go one after the other, each by name: what is sent again because an answer got lost is taken once. */
  #queue(name: string, words: () => Promise<string[]>): void {
    this.#sending = this.#sending.then(async () => {
      if (this.#ended) return;
      try {
        await this.#inside.persist('processes', ['send', this.#run, name, ...(await words())], CALL_SECONDS);
      } catch (error) {
        // Whether it is lost or merely out of reach is found out, and said, by following it.
        if (!(error instanceof SproutError)) throw error;
      }
    });
    this.#sending.catch(() => this.#over.abort());
  }

  #stop(reason: 'killed' | 'aborted'): void {
    if (this.#stopping !== null || this.#ended) return;
    this.#stopping = reason;
    this.#inside
      .persist('processes', ['kill', this.#run, reason], CALL_SECONDS)
      .catch(() => this.#over.abort());
  }

  async #follow(wallSeconds: number | null): Promise<ProcessExit> {
    const overdue =
      wallSeconds === null ? Number.POSITIVE_INFINITY : performance.now() + wallSeconds * 1000 + OVERDUE_MS;
    let silentSince: number | null = null;
    while (!this.#over.signal.aborted) {
      let reply: z.output<typeof followed>;
      try {
        const words = ['follow', this.#run, String(this.#offset), String(FOLLOW_SECONDS)];
        reply = followed.parse(await this.#inside.run('processes', words, FOLLOW_SECONDS + CALL_SECONDS));
        silentSince = null;
      } catch (error) {
        silentSince ??= performance.now();
        if (await this.#isLost(error, performance.now() - silentSince)) return this.#lost();
        await pauseFor(this.#patience.pauseMs, this.#over.signal).catch(() => undefined);
        continue;
      }
      this.#receive(Buffer.from(reply.data, 'base64'));
      if (this.#offset >= this.#resumedAt) this.#resumed.resolve();
      if (reply.exit !== null) return reply.exit;
      if (reply.lost) return this.#lost();
      if (performance.now() > overdue) return { reason: 'deadline', code: null, signal: null };
    }
    return { reason: this.#stopping ?? 'lost', code: null, signal: null };
  }

  /** Never a success: what became of the process is not known, or it was ended by us together with its sandbox. */
  #lost(): ProcessExit {
    return { reason: this.#stopping ?? 'lost', code: null, signal: null };
  }

  async #isLost(error: unknown, silentMs: number): Promise<boolean> {
    const trouble = error instanceof DaytonaError ? error.trouble : null;
    if (trouble === 'missing' || trouble === 'key') return true;
    // A key that is not accepted any more: nobody can follow it.
    const isUp = await this.#inside.isUp().catch(() => false);
    if (isUp === false) return true;
    return silentMs > this.#patience.silentMs;
  }

  #receive(data: Buffer): void {
    this.#offset += data.length;
    let rest: Buffer = this.#pending.length === 0 ? data : Buffer.concat([this.#pending, data]);
    while (rest.length >= HEADER_BYTES) {
      const length = rest.readUInt32BE(1);
      if (rest.length < HEADER_BYTES + length) break;
      this.#splitters[rest[0] ?? 1]?.write(rest.subarray(HEADER_BYTES, HEADER_BYTES + length));
      rest = rest.subarray(HEADER_BYTES + length);
    }
    this.#pending = rest;
  }
}
