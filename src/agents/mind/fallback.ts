import type { AgentOutputItem, ModelRequest } from '@openai/agents-core';
import type { AgentUsage } from '../../domain/records.ts';
import { addAgentUsage, NO_AGENT_USAGE } from '../../domain/usage.ts';
import type { AgentRole } from '../../domain/vocabulary.ts';
import { playbookOf, type Table } from '../seats.ts';
import { type Answer, readAnswer } from './answer.ts';
import { ModelFailure } from './failure.ts';
import { type LanguageModelOptions, PLAYBOOK } from './options.ts';
import { type Fallback, Outages } from './outages.ts';
import { estimateOf, Purse, priceOf, usageOf } from './spend.ts';
import { circles } from './stuck.ts';
import { TurnClock } from './turn-clock.ts';
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

/** What every job of this process shares: the way to the model and the line before it. */
export interface ModelAccess {
  readonly options: LanguageModelOptions;
  readonly wire: Wire;
  readonly turnstile: Turnstile;
}

/** A server that fails is asked again so often in one turn. */
const MOST_RETRIES = 2;
const FIRST_PAUSE_MS = 250;
/** Turns a model may take in one agent's run; then the playbook brings it to its end. */
const MOST_TURNS_OF_A_RUN = 120;

/** One turn on its way: what is asked, of whom, until when, and what it has used so far. */
interface Attempt {
  readonly model: string;
  readonly request: ModelRequest;
  readonly clock: TurnClock;
  used: AgentUsage;
}

/**
 * The language model in the seats of one job, with the playbook behind it: whatever becomes of the model, a turn is taken. Rejects
 * with a hard stop's reason alone.
 */
export class FallbackSeats {
  readonly #table: Table;
  readonly #access: ModelAccess | null;
  readonly #purse: Purse;
  readonly #outages = new Outages();

  constructor(table: Table, access: ModelAccess | null) {
    this.#table = table;
    this.#access = access;
    const maxCostUsd = table.job.options.maxCostUsd ?? access?.options.maxCostUsd ?? 0;
    this.#purse = new Purse({ maxCostUsd, maxTokens: access?.options.maxTokens ?? 0 }, table.job.usage);
  }

  /** Takes `role`'s turn in `run`. */
  async take(role: AgentRole, run: string, request: ModelRequest): Promise<Turn> {
    const model = this.#access?.options.models[role] ?? 'language model';
    if (model === PLAYBOOK) return this.#playbook(role, request, null, NO_AGENT_USAGE);
    const clock = new TurnClock(this.#table, request.signal);
    const attempt: Attempt = { model, request, clock, used: NO_AGENT_USAGE };
    try {
      const access = this.#admit(attempt, run);
      const { output, said } = await this.#ask(access, attempt);
      this.#outages.answered(model);
      return { output, by: model, used: attempt.used, said, fallback: null };
    } catch (error) {
      clock.throwIfStoppedHard();
      if (!(error instanceof ModelFailure)) throw error;
      return this.#playbook(role, request, this.#outages.note(model, run, error), attempt.used);
    }
  }

  /** What an earlier attempt at the job learnt of the model holds in this one. */
  recall({ fallback }: Turn, run: string): void {
    if (fallback) this.#outages.recall(fallback, run);
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
  #admit({ model, request, clock }: Attempt, run: string): ModelAccess {
    const standing = this.#outages.standing(model, run);
    if (standing) throw standing;
    if (this.#access === null) {
      throw new ModelFailure('NOT_CONFIGURED', 'none is configured on this server any more', {
        reach: 'job',
      });
    }
    clock.throwIfOver();
    const circle = circles(request.input);
    if (circle !== null) throw new ModelFailure('STUCK', `it goes round in circles: ${circle}`);
    if (turnsOf(request.input) >= MOST_TURNS_OF_A_RUN) {
      throw new ModelFailure('TOO_MANY_TURNS', `it took ${MOST_TURNS_OF_A_RUN} turns without an end`, {
        reach: 'run',
      });
    }
    return this.#access;
  }

  /** Asks until there is an answer with calls, or patience is at its end. */
  async #ask(access: ModelAccess, attempt: Attempt): Promise<Answer> {
    const { clock, request } = attempt;
    let asked = request;
    for (let retries = 0, nudged = false; ; ) {
      try {
        const answer = await this.#call(access, attempt, asked);
        if (answer.calls > 0) return answer;
        if (nudged) throw new ModelFailure('NO_CALL', 'it called no tool, though it was asked twice');
        nudged = true;
        asked = nudge(request, answer.output);
      } catch (error) {
        if (!(error instanceof ModelFailure) || !error.again) throw error;
        // A limit is waited for as long as patience lasts; a failure is tried again a few times.
        if (error.code !== 'RATE_LIMITED' && retries >= MOST_RETRIES) throw error;
        const wait = error.retryAfterMs ?? FIRST_PAUSE_MS * 2 ** retries;
        if (!clock.allows(wait)) throw error;
        retries += 1;
        await clock.pause(wait);
      }
    }
  }

  async #call(
    { wire, turnstile, options }: ModelAccess,
    attempt: Attempt,
    asked: ModelRequest,
  ): Promise<Answer> {
    const { model, clock } = attempt;
    const paused = turnstile.pausedFor();
    if (!clock.allows(paused)) {
      const seconds = Math.ceil(paused / 1000);
      throw new ModelFailure('RESTING', `the server asked for a pause, ${seconds} s of it left`);
    }
    const { price } = priceOf(model, options);
    const estimate = estimateOf(asked, price);
    const settle = this.#purse.reserve(estimate);
    const slow = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    let used = NO_AGENT_USAGE;
    try {
      const response = await turnstile.pass(clock.signal, () => {
        // Standing in line is not the server's fault.
        timer = setTimeout(() => slow.abort(), options.timeoutMs);
        return wire.ask(model, asked, AbortSignal.any([clock.signal, slow.signal]));
      });
      // Some servers do not count.
      used = response.usage.totalTokens > 0 ? usageOf(response.usage, price) : estimate;
      return readAnswer(response.output, asked, wire.redact);
    } catch (error) {
      clock.throwIfOver();
      if (slow.signal.aborted) {
        throw new ModelFailure('STALLED', `no answer within ${options.timeoutMs / 1000} s`);
      }
      if (!(error instanceof ModelFailure)) throw error;
      if (error.code === 'RATE_LIMITED' && error.retryAfterMs !== null) turnstile.pause(error.retryAfterMs);
      // It did answer, but what it used is lost with the answer: taken for what it was likely to be.
      if (error.code === 'NONSENSE' && used.modelCalls === 0) used = estimate;
      throw error;
    } finally {
      clearTimeout(timer);
      settle(used);
      attempt.used = addAgentUsage(attempt.used, used);
    }
  }
}

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
