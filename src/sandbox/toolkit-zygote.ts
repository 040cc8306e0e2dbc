import { randomUUID } from 'node:crypto';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../domain/errors.ts';
import { LONGEST_TIMER } from './local-process.ts';
import type { ProcessExit, SandboxCommand, SandboxProcess } from './sandbox.ts';
import type { ToolkitCallOptions } from './toolkit.ts';
import {
  type CallOutcome,
  conclude,
  crashed,
  stepDeadline,
  type ToolkitMessage,
  ToolkitMessages,
} from './toolkit-wire.ts';

const TAIL_LINES = 20;
/** Importing every library from a cold, slow disk takes a while; longer than this is not coming. */
const READY_MILLISECONDS = 120_000;
/** From asking for a child's death to taking it for granted. */
const KILL_GRACE_MILLISECONDS = 3_000;

/** The zygote ended before the command it was asked for began: nothing was done, another process may do it. */
export class ZygoteGone extends Error {}

interface RunningCall extends CallOutcome {
  command: string;
  tail: string[];
  options: ToolkitCallOptions;
  /** The child's own end. */
  exited(exit: ProcessExit): void;
  /** The zygote ended and took the child with it. */
  lost(error: Error): void;
}

/** The warm process of toolkit/PROTOCOL.md: has the libraries imported and forks a child per command. */
export class Zygote {
  readonly #process: Promise<SandboxProcess>;
  readonly #ready = Promise.withResolvers<void>();
  readonly #calls = new Map<string, RunningCall>();
  readonly #tail: string[] = [];
  /** What it says about calls this server has not made: those of the one before, where the process outlived that. */
  readonly #heard = new Map<string, ToolkitMessage[]>();
  readonly #made = new Set<string>();
  #ended: ProcessExit | null = null;
  #left = false;

  /** `start` starts the process and hands its lines to `onLine`. */
  constructor(start: (onLine: SandboxCommand['onLine']) => Promise<SandboxProcess>) {
    const stdout = new ToolkitMessages(
      (message) => this.#receive(message),
      (text) => this.#text('INFO', text),
    );
    this.#process = start((stream, line, continues) => {
      if (stream === 'stdout') stdout.line(line, continues);
      else this.#text('WARNING', line);
    });
    // Whoever waits for it is told; while no one does, a failed start is no unhandled rejection.
    this.#ready.promise.catch(() => undefined);
    this.#process.catch(() => undefined);
    void this.#live();
  }

  /** Resolves once it takes commands, or has ended before it could. */
  get settled(): Promise<void> {
    return this.#ready.promise.catch(() => undefined);
  }

  /** How it ended; null while it lives. */
  get ended(): ProcessExit | null {
    return this.#ended;
  }

  /** Runs one command in a child. Rejects with ZygoteGone when the zygote ended before the command began. */
  async call(command: string, request: unknown, options: ToolkitCallOptions): Promise<unknown> {
    const interruption = interrupted(command, options);
    try {
      const early = await Promise.race([this.#ready.promise, interruption.reason]);
      if (early !== undefined) throw early.error;
      if (this.#ended !== null) throw new ZygoteGone('it had ended');
      return await this.#run(await this.#process, command, request, options, interruption.reason);
    } finally {
      interruption.dispose();
    }
  }

  /** Whether it has been heard to work on this call for the server before. */
  async knows(command: string, key: string): Promise<boolean> {
    const process = await this.#process.catch(() => null);
    await process?.resumed;
    return this.#heard.has(this.#idFor(command, key));
  }

  /** From now on calls that are interrupted go on in the process, for whoever takes it up. */
  leave(): void {
    this.#left = true;
  }

  /** Kills the process and every child. */
  async close(): Promise<void> {
    const process = await this.#process.catch(() => null);
    process?.kill();
    await process?.exit;
  }

  async #run(
    process: SandboxProcess,
    command: string,
    request: unknown,
    options: ToolkitCallOptions,
    interruption: Promise<{ error: unknown }>,
  ): Promise<unknown> {
    // Until then it is not known what the server before has asked of it.
    const early = await Promise.race([process.resumed, interruption]);
    if (early) throw early.error;
    const id = this.#idFor(command, options.key);
    this.#made.add(id);
    const end = Promise.withResolvers<ProcessExit>();
    const call: RunningCall = {
      command,
      options,
      result: null,
      error: null,
      tail: [],
      exited: end.resolve,
      lost: end.reject,
    };
    this.#calls.set(id, call);
    try {
      // The wall clock is ours; this ends a child even if we can't.
      const cpuSeconds = Math.ceil(options.timeoutMs / 1000) * cpus().length + 10;
      process.send(JSON.stringify({ id, command, request, cpuSeconds }), id);
      for (const message of this.#heard.get(id) ?? []) this.#receive(message);
      this.#heard.delete(id);
      const first = await Promise.race([end.promise, interruption]);
      if ('error' in first) {
        if (this.#left) throw first.error;
        process.send(JSON.stringify({ id, kill: true }));
        await Promise.race([end.promise.catch(() => null), sleep(KILL_GRACE_MILLISECONDS)]);
        throw first.error;
      }
      const concluded = conclude(command, call, first);
      if (concluded instanceof Error) throw concluded;
      return concluded.value;
    } finally {
      this.#calls.delete(id);
    }
  }

  /** The call's own name, unless one of that name came to no good end; then the next free one. */
  #idFor(command: string, key: string | undefined): string {
    if (key === undefined) return randomUUID();
    for (let nth = 1; ; nth += 1) {
      const id = nth === 1 ? `${key} ${command}` : `${key} ${command} (${nth})`;
      const last = this.#heard.get(id)?.at(-1);
      const failed = last?.type === 'exit' && last.code !== 0 && last.code !== 2;
      if (!this.#made.has(id) && !failed) return id;
    }
  }

  async #live(): Promise<void> {
    const late = setTimeout(() => {
      this.#tail.push(`not ready after ${READY_MILLISECONDS / 1000} s`);
      void this.close();
    }, READY_MILLISECONDS);
    this.#ready.promise.then(
      () => clearTimeout(late),
      () => clearTimeout(late),
    );
    let exit: ProcessExit;
    try {
      exit = await (await this.#process).exit;
    } catch (error) {
      this.#tail.push(messageOf(error));
      exit = { reason: 'exited', code: null, signal: null };
    }
    this.#ended = exit;
    this.#ready.reject(new ZygoteGone(this.#tail.slice(-3).join(' ') || 'it ended at once'));
    for (const call of this.#calls.values()) call.lost(crashed(call.command, exit, this.#tail));
  }

  #receive(message: ToolkitMessage): void {
    if (message.type === 'ready') {
      this.#ready.resolve();
      return;
    }
    const call = message.id === undefined ? undefined : this.#calls.get(message.id);
    if (call === undefined) {
      const { id } = message;
      if (id !== undefined && !this.#made.has(id)) this.#hear(id, message);
      // A child that was given up, or the zygote itself.
      else if (message.type === 'log') this.#text(message.level, message.message);
      return;
    }
    switch (message.type) {
      case 'progress':
        call.options.onProgress?.(message.fraction, message.message);
        return;
      case 'log':
        keep(call.tail, message.message);
        call.options.onLog?.(message.level, message.message);
        return;
      case 'result':
        call.result = { value: message.result };
        return;
      case 'error':
        call.error = message;
        return;
      case 'exit': {
        const reason = message.signal === 'SIGXCPU' ? 'deadline' : 'exited';
        call.exited({ reason, code: message.code, signal: message.signal });
      }
    }
  }

  #hear(id: string, message: ToolkitMessage): void {
    const heard = this.#heard.get(id) ?? [];
    // Of progress the latest is all that matters.
    if (message.type === 'progress' && heard.at(-1)?.type === 'progress') heard.pop();
    heard.push(message);
    this.#heard.set(id, heard);
  }

  /** Text that belongs to no child is shown in every log that is open. */
  #text(level: 'INFO' | 'WARNING' | 'ERROR', text: string): void {
    keep(this.#tail, text);
    for (const call of this.#calls.values()) call.options.onLog?.(level, text);
  }
}

function keep(tail: string[], line: string): void {
  tail.push(line);
  if (tail.length > TAIL_LINES) tail.shift();
}

/** Resolves with the error to reject with once the call is out of time or aborted; `dispose` stops waiting. */
function interrupted(
  command: string,
  options: ToolkitCallOptions,
): { reason: Promise<{ error: unknown }>; dispose(): void } {
  const { promise, resolve } = Promise.withResolvers<{ error: unknown }>();
  const onAbort = () => resolve({ error: options.signal?.reason });
  const timer = setTimeout(
    () => resolve({ error: stepDeadline(command) }),
    Math.min(options.timeoutMs, LONGEST_TIMER),
  );
  options.signal?.addEventListener('abort', onAbort, { once: true });
  if (options.signal?.aborted) onAbort();
  return {
    reason: promise,
    dispose: () => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', onAbort);
    },
  };
}
