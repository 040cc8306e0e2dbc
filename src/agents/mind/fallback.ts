import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentOutputItem, ModelRequest } from '@openai/agents-core';
import type { AgentUsage } from '../../domain/records.ts';
import { addAgentUsage, NO_AGENT_USAGE } from '../../domain/usage.ts';
import type { AgentRole } from '../../domain/vocabulary.ts';
import { playbookOf, type Table } from '../seats.ts';
import { readAnswer } from './answer.ts';
import { type FailureCode, ModelFailure, type Reach } from './failure.ts';
import { type LanguageModelOptions, PLAYBOOK } from './options.ts';
import { estimateOf, Purse, priceOf, usageOf } from './spend.ts';
import { circles } from './stuck.ts';
import type { Turnstile } from './turnstile.ts';
import type { Wire } from './wire.ts';

/** What one turn of a seat came to. JSON: the journal keeps it. */
export interface Turn {
  readonly output: AgentOutputItem[];
  /** The model's name, or PLAYBOOK. */
  readonly by: string;
  readonly used: AgentUsage | null;
  readonly said: readonly string[];
  readonly fallback: Fallback | null;
}

export interface Fallback {
  readonly model: string;
  readonly code: FailureCode;
  readonly reach: Reach;
  readonly reason: string;
  /** False where it follows from one that was told before. */
  readonly isNews: boolean;
}

/** Of the search time left, so much at most is waited in one turn for a server that asks for patience. */
const PATIENCE_SHARE = 0.1;
/** A server that fails is asked again so often in one turn. */
const MOST_RETRIES = 2;
const FIRST_PAUSE_MS = 250;
/** So many turns in a row that a model did not take, and it is given up. */
const MOST_FAILED_TURNS = 3;
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** Turns a model may take in one agent's run; then the playbook brings it to its end. */
const MOST_TURNS_OF_A_RUN = 120;

/** What every job of this process shares: the way to the model and the line before it. */
export interface ModelAccess {
  readonly options: LanguageModelOptions;
  readonly wire: Wire;
  readonly turnstile: Turnstile;
}

/**
 * The language model in the seats of one job, with the playbook behind it: whatever becomes of the model, a turn is taken. Rejects
 * with the hard stop's reason alone.
 */
export class FallbackSeats {
  readonly #table: Table;
  readonly #access: ModelAccess | null;
  readonly #purse: Purse;
  /** Why the model is not asked any more, in the whole job. */
  #closed: ModelFailure | null = null;
  /** The same of single models and runs. */
  readonly #closedParts = new Map<string, ModelFailure>();
  readonly #failedTurns = new Map<string, number>();
  #toldOfRest = false;

  constructor(table: Table, access: ModelAccess | null) {
    this.#table = table;
    this.#access = access;
    const { maxCostUsd } = table.job.options;
    this.#purse = new Purse(
      {
        maxCostUsd: maxCostUsd ?? access?.options.maxCostUsd ?? 0,
        maxTokens: access?.options.maxTokens ?? 0,
      },
      table.job.usage,
    );
  }

  /** Takes `role`'s turn in `run`. */
  async take(role: AgentRole, run: string, request: ModelRequest): Promise<Turn> {
    const model = this.#access?.options.models[role] ?? 'language model';
    if (model === PLAYBOOK) return this.#playbook(role, request, null, NO_AGENT_USAGE);
    const tally = { used: NO_AGENT_USAGE };
    try {
      this.#refuse(model, run, request);
      const { output, said } = await this.#ask(model, request, tally);
      this.#failedTurns.set(model, 0);
      this.#toldOfRest = false;
      return { output, by: model, used: tally.used, said, fallback: null };
    } catch (error) {
      this.#table.signal.throwIfAborted();
      if (!(error instanceof ModelFailure)) throw error;
      return this.#playbook(role, request, this.#note(model, run, error), tally.used);
    }
  }

  /** What an earlier attempt learnt of the model holds in this one. */
  recall({ fallback }: Turn, run: string): void {
    if (fallback)
      this.#close(fallback.model, run, new ModelFailure(fallback.code, fallback.reason, fallback));
  }

  async #playbook(
    role: AgentRole,
    request: ModelRequest,
    fallback: Fallback | null,
    used: AgentUsage,
  ): Promise<Turn> {
    const { output } = await playbookOf(role).getResponse(request);
    return { output, by: PLAYBOOK, used: used.modelCalls > 0 ? used : null, said: [], fallback };
  }

  /** Throws where the model is not to be asked at all. */
  #refuse(model: string, run: string, { input }: ModelRequest): void {
    const closed = this.#closed ?? this.#closedParts.get(model) ?? this.#closedParts.get(run);
    if (closed) throw closed;
    if (this.#access === null) {
      throw new ModelFailure('NOT_CONFIGURED', 'none is configured on this server any more', {
        reach: 'job',
      });
    }
    if (this.#table.stopReason() !== null) throw stopped(this.#table);
    if (this.#table.budget.searchLeft <= 0) throw timeUsed();
    const circle = circles(input);
    if (circle !== null) throw new ModelFailure('STUCK', `it goes round in circles: ${circle}`);
    if (turnsOf(input) >= MOST_TURNS_OF_A_RUN) {
      throw new ModelFailure('TOO_MANY_TURNS', `it took ${MOST_TURNS_OF_A_RUN} turns without an end`);
    }
  }

  /** Asks until there is an answer with calls, or patience is at its end. */
  async #ask(
    model: string,
    request: ModelRequest,
    tally: { used: AgentUsage },
  ): Promise<{ output: AgentOutputItem[]; said: string[] }> {
    const patienceEnds = performance.now() + this.#table.budget.searchLeft * 1000 * PATIENCE_SHARE;
    let asked = request;
    for (let retries = 0, nudged = false; ; ) {
      try {
        const answer = await this.#call(model, asked, tally, patienceEnds);
        if (answer.calls > 0) return answer;
        if (nudged) throw new ModelFailure('NO_CALL', 'it called no tool, though it was asked twice');
        nudged = true;
        asked = nudge(request, answer.output);
      } catch (error) {
        if (!(error instanceof ModelFailure) || !error.again) throw error;
        // A limit is waited for as long as patience lasts; a failure is tried again a few times.
        if (error.code !== 'RATE_LIMITED' && retries >= MOST_RETRIES) throw error;
        const wait = error.retryAfterMs ?? FIRST_PAUSE_MS * 2 ** retries;
        if (performance.now() + wait > patienceEnds) throw error;
        retries += 1;
        await this.#pause(wait);
      }
    }
  }

  async #call(model: string, request: ModelRequest, tally: { used: AgentUsage }, patienceEnds: number) {
    const { wire, turnstile, options } = this.#shared();
    const { price } = priceOf(model, options);
    const paused = turnstile.pausedFor();
    if (performance.now() + paused > patienceEnds) {
      throw new ModelFailure(
        'RESTING',
        `the server asked for a pause, ${Math.ceil(paused / 1000)} s of it left`,
      );
    }
    const ends = this.#signals();
    const estimate = estimateOf(request, price);
    const settle = this.#purse.reserve(estimate);
    let used = NO_AGENT_USAGE;
    let slow: AbortSignal | null = null;
    try {
      const response = await turnstile.pass(ends.any, () => {
        slow = AbortSignal.timeout(options.timeoutMs);
        return wire.ask(model, request, AbortSignal.any([ends.any, slow]));
      });
      // Some servers do not count.
      used = response.usage.totalTokens > 0 ? usageOf(response.usage, price) : estimate;
      return readAnswer(response.output, request, wire.redact);
    } catch (error) {
      this.#table.signal.throwIfAborted();
      if (this.#table.stopSignal.aborted) throw stopped(this.#table);
      if (ends.time.aborted) throw timeUsed();
      // TypeScript cannot see that the callback has set it.
      if ((slow as AbortSignal | null)?.aborted) {
        throw new ModelFailure('STALLED', `no answer within ${options.timeoutMs / 1000} s`);
      }
      if (!(error instanceof ModelFailure)) throw error;
      if (error.code === 'RATE_LIMITED' && error.retryAfterMs !== null) turnstile.pause(error.retryAfterMs);
      // It did answer, but what it used is lost with the answer: taken for what it was likely to be.
      if (error.code === 'NONSENSE' && used.modelCalls === 0) used = estimate;
      throw error;
    } finally {
      settle(used);
      tally.used = addAgentUsage(tally.used, used);
    }
  }

  #shared(): ModelAccess {
    if (this.#access === null) throw new Error('A model was asked that is not configured.');
    return this.#access;
  }

  /** What ends a wait or a call: the hard stop, the soft one, the end of the search. */
  #signals(): { any: AbortSignal; time: AbortSignal } {
    const { signal, stopSignal, budget } = this.#table;
    const left = Math.ceil(budget.searchLeft * 1000);
    const time = AbortSignal.timeout(Math.min(Math.max(1, left), LONGEST_TIMER_MS));
    return { any: AbortSignal.any([signal, stopSignal, time]), time };
  }

  async #pause(ms: number): Promise<void> {
    const { any, time } = this.#signals();
    try {
      await sleep(ms, undefined, { signal: any });
    } catch (error) {
      this.#table.signal.throwIfAborted();
      if (this.#table.stopSignal.aborted) throw stopped(this.#table);
      if (time.aborted) throw timeUsed();
      throw error;
    }
  }

  /** Remembers a failure as far as it reaches. */
  #note(model: string, run: string, failure: ModelFailure): Fallback {
    const known = this.#closed === failure || [...this.#closedParts.values()].includes(failure);
    let told = failure;
    if (!known && failure.reach === 'turn' && COUNTED.has(failure.code)) {
      const failed = (this.#failedTurns.get(model) ?? 0) + 1;
      this.#failedTurns.set(model, failed);
      if (failed >= MOST_FAILED_TURNS) {
        told = new ModelFailure('MODEL_DOWN', `${failure.message}, ${failed} turns in a row`, {
          reach: 'model',
        });
      }
    }
    const isClosed = !known && this.#close(model, run, told);
    const isNews = isClosed || (!known && told.reach === 'turn' && !this.#isOldRest(told));
    return { model, code: told.code, reach: told.reach, reason: told.message, isNews };
  }

  /** One pause is told of once, however many turns fall into it. */
  #isOldRest({ code }: ModelFailure): boolean {
    const isOld = code === 'RESTING' && this.#toldOfRest;
    if (code === 'RESTING' || code === 'RATE_LIMITED') this.#toldOfRest = true;
    return isOld;
  }

  /** False when nothing is to be closed, or was already. */
  #close(model: string, run: string, failure: ModelFailure): boolean {
    if (failure.reach === 'job') {
      if (this.#closed) return false;
      this.#closed = failure;
      return true;
    }
    const part = failure.reach === 'model' ? model : failure.code === 'TOO_MANY_TURNS' ? run : null;
    if (part === null || this.#closedParts.has(part)) return false;
    this.#closedParts.set(part, failure);
    return true;
  }
}

/** Failures that say something about the model or the way to it, not about one conversation. */
const COUNTED: ReadonlySet<FailureCode> = new Set([
  'RATE_LIMITED',
  'SERVER_ERROR',
  'REQUEST_REFUSED',
  'STALLED',
  'CONNECTION_LOST',
  'NONSENSE',
  'NO_CALL',
]);

const timeUsed = (): ModelFailure =>
  new ModelFailure('TIME_USED', 'the time for the search is used', { reach: 'job' });

const stopped = ({ stopReason }: Table): ModelFailure =>
  new ModelFailure('STOPPED', stopReason() === 'cancelled' ? 'the job was cancelled' : 'the time is used', {
    reach: 'job',
  });

/** Turns so far: answers that came in one go stand beside each other. */
function turnsOf(input: ModelRequest['input']): number {
  if (typeof input === 'string') return 0;
  return input.filter(
    (item, index) => item.type === 'function_call' && input[index - 1]?.type !== 'function_call',
  ).length;
}

const NUDGE =
  'That was no tool call, and nothing was done. Answer with a call of one of your tools; "finish" ends your work.';

/** The same question once more, with what came of it. */
function nudge(request: ModelRequest, said: readonly AgentOutputItem[]): ModelRequest {
  const before =
    typeof request.input === 'string' ? [{ role: 'user' as const, content: request.input }] : request.input;
  // Reasoning without what it led to is refused by the vendor.
  const words = said.filter((item) => item.type === 'message');
  return { ...request, input: [...before, ...words, { role: 'user' as const, content: NUDGE }] };
}
