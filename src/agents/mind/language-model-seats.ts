import { createHash } from 'node:crypto';
import { type Model, type ModelRequest, type ModelResponse, Usage } from '@openai/agents-core';
import { z } from 'zod';
import type { NewEvent } from '../../domain/events.ts';
import type { AgentRole } from '../../domain/vocabulary.ts';
import { EXPLORED } from '../context.ts';
import { PROMPTS_VERSION } from '../prompts/version.ts';
import { playbookOf, readSeat, type Table, type TakeSeats } from '../seats.ts';
import { FallbackSeats, type ModelAccess, type Turn } from './fallback.ts';
import type { LanguageModelOptions } from './options.ts';
import type { Fallback } from './outages.ts';
import { Turnstile } from './turnstile.ts';
import { Wire } from './wire.ts';

/** The way to the model that all jobs of this process share. */
export function openModelAccess(options: LanguageModelOptions): ModelAccess {
  const turnstile = new Turnstile({
    atOnce: options.maxConcurrency,
    perMinute: options.maxRequestsPerMinute,
  });
  return { options, wire: new Wire(options), turnstile };
}

/**
 * A language model in every seat of a job, the playbook behind it, and a journal before both: a turn that was taken once, by
 * whomever, is taken the same after a restart, and paid for once. Null: this server has no model any more, and what is left of
 * the job is the playbook's.
 */
export function languageModelSeats(access: ModelAccess | null): TakeSeats {
  return (table) => {
    const seats = new FallbackSeats(table, access);
    return {
      getModel(name) {
        const { role, bare } = readSeat(name);
        return bare ? playbookOf(role) : new JournaledSeat(table, seats, role);
      },
    };
  };
}

/** Of what a model says, people are shown so much. */
const MOST_SAID = 600;

class JournaledSeat implements Model {
  readonly #table: Table;
  readonly #seats: FallbackSeats;
  readonly #role: AgentRole;

  constructor(table: Table, seats: FallbackSeats, role: AgentRole) {
    this.#table = table;
    this.#seats = seats;
    this.#role = role;
  }

  async getResponse(request: ModelRequest): Promise<ModelResponse> {
    const { recorder, turns } = this.#table;
    const run = readRun(request);
    const key = keyOf(this.#role, run, request);
    const known = await recorder.finishedStep(key);
    if (known) {
      const turn = known.output as Turn;
      this.#seats.recall(turn, run);
      return { usage: new Usage(), output: turn.output };
    }
    if ((await recorder.finishedStep(EXPLORED)) || turns.over) return silence(request.signal);
    turns.underWay += 1;
    try {
      return await this.#takeTurn(key, run, request);
    } finally {
      turns.underWay -= 1;
    }
  }

  async #takeTurn(key: string, run: string, request: ModelRequest): Promise<ModelResponse> {
    const { recorder, signal } = this.#table;
    const startedAt = performance.now();
    const turn = await this.#seats.take(this.#role, run, request);
    signal.throwIfAborted();
    const seconds = Math.round(performance.now() - startedAt) / 1000;
    const { used } = turn;
    await recorder.finishStep(
      { key, tool: 'model', ok: turn.fallback === null, output: turn, seconds },
      this.#events(run, turn),
      used ? { usage: { ...used, agents: { [this.#role]: used } } } : {},
    );
    return { usage: new Usage(), output: turn.output };
  }

  // biome-ignore lint/correctness/useYield: the SDK asks for the method; the team never streams.
  async *getStreamedResponse(): AsyncGenerator<never> {
    throw new Error('Seats answer whole turns; run the team without streaming.');
  }

  #events(run: string, { said, fallback }: Turn): NewEvent[] {
    const about = { agentRun: run, stage: this.#table.meter.stage, agent: this.#role };
    const events: NewEvent[] = said.map((text) => ({ type: 'AgentSpoke', ...about, message: shown(text) }));
    if (fallback?.isNews) events.push({ type: 'FallbackUsed', ...about, ...worded(fallback) });
    return events;
  }
}

function worded({ model, reason, reach }: Fallback) {
  const extent = reach === 'turn' ? 'takes this turn' : 'takes its seat from here on';
  return { from: model, to: 'playbook', reason, message: `${model}: ${reason}; the playbook ${extent}.` };
}

/** Its part is over, and what it did is only told again: whoever asks on waits until he is stopped. */
const silence = (signal: AbortSignal | undefined): Promise<never> =>
  new Promise((_resolve, reject) => {
    const stop = (): void => reject(signal?.reason);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });

/** Plain text in one paragraph: what a model writes may hold anything. */
const shown = (text: string): string => {
  const plain = text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  return plain.length <= MOST_SAID ? plain : `${plain.slice(0, MOST_SAID)} …`;
};

/** Byte by byte what the model is told: another prompt, tool or answer is another turn. The run keeps parallel ones apart. */
const keyOf = (role: AgentRole, run: string, request: ModelRequest): string => {
  const told = JSON.stringify([
    PROMPTS_VERSION,
    role,
    request.systemInstructions,
    request.tools,
    request.input,
  ]);
  return `${run}?${createHash('sha256').update(told).digest('hex').slice(0, 32)}`;
};

const assignment = z.object({ run: z.string() });

/** Every run begins with its assignment, which names it. */
function readRun({ input }: ModelRequest): string {
  const first =
    typeof input === 'string' ? input : input.find((item) => 'role' in item && item.role === 'user');
  const content = typeof first === 'string' ? first : first && 'content' in first ? first.content : null;
  const text =
    typeof content === 'string' ? content : z.array(z.object({ text: z.string() })).parse(content)[0]?.text;
  return assignment.parse(JSON.parse(text ?? 'null')).run;
}
