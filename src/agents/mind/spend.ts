import type { ModelRequest, Usage } from '@openai/agents-core';
import type { AgentUsage, JobUsage } from '../../domain/records.ts';
import { NO_AGENT_USAGE } from '../../domain/usage.ts';
import { ModelFailure } from './failure.ts';
import type { LanguageModelOptions, Price } from './options.ts';

const MILLION = 1e6;

/**
 * List prices in US dollars per million tokens (developers.openai.com/api/docs/pricing, autumn 2026), for prompts below 272,000
 * tokens. OPENAI_PRICES overrides them.
 */
const LIST_PRICES: Readonly<Record<string, Price>> = {
  'gpt-5.6-luna': { input: 0.2, cached: 0.02, output: 1.2 },
  'gpt-5.6-terra': { input: 2, cached: 0.2, output: 12 },
  'gpt-5.6-sol': { input: 5, cached: 0.5, output: 30 },
  'gpt-5.5': { input: 5, cached: 0.5, output: 30 },
  'gpt-5.4': { input: 2.5, cached: 0.25, output: 15 },
  'gpt-6-luna': { input: 0.1, cached: 0.01, output: 0.5 },
  'gpt-6-sol': { input: 2, cached: 0.2, output: 10 },
  'gpt-6-astra': { input: 10, cached: 1, output: 50 },
};
/** A vendor's model of unknown price counts as the dearest known, so that a limit in money holds whatever it is. */
const DEAREST: Price = { input: 10, cached: 1, output: 50 };
/** A server of one's own. */
const FREE: Price = { input: 0, cached: 0, output: 0 };

/** A dated version costs what its model costs. */
const withoutDate = (model: string): string => model.replace(/-\d{4}-\d{2}-\d{2}$/, '');

export function priceOf(
  model: string,
  { prices, isVendor }: Pick<LanguageModelOptions, 'prices' | 'isVendor'>,
): { price: Price; known: boolean } {
  const name = withoutDate(model);
  const given = prices[model] ?? prices[name] ?? prices['*'];
  if (given) return { price: given, known: true };
  if (!isVendor) return { price: FREE, known: true };
  const listed = LIST_PRICES[name];
  return listed ? { price: listed, known: true } : { price: DEAREST, known: false };
}

/** Characters of a request or answer per token, about. */
const CHARACTERS_PER_TOKEN = 4;
/** What an answer of unknown length is taken to be. */
const USUAL_ANSWER_TOKENS = 1_000;

export function usageOf(usage: Usage, price: Price): AgentUsage {
  const cached = usage.inputTokensDetails.reduce((sum, { cached_tokens = 0 }) => sum + cached_tokens, 0);
  return priced(
    { inputTokens: usage.inputTokens, cachedInputTokens: cached, outputTokens: usage.outputTokens },
    price,
  );
}

/** What a call is likely to use, before it is made, or where it was answered without being told. */
export function estimateOf(request: ModelRequest, price: Price): AgentUsage {
  const text = JSON.stringify([request.systemInstructions, request.tools, request.input]);
  const inputTokens = Math.ceil(text.length / CHARACTERS_PER_TOKEN);
  return priced({ inputTokens, cachedInputTokens: 0, outputTokens: USUAL_ANSWER_TOKENS }, price);
}

function priced(
  tokens: Pick<AgentUsage, 'inputTokens' | 'cachedInputTokens' | 'outputTokens'>,
  price: Price,
): AgentUsage {
  const cached = Math.min(tokens.cachedInputTokens, tokens.inputTokens);
  const estimatedCostUsd =
    ((tokens.inputTokens - cached) * price.input +
      cached * price.cached +
      tokens.outputTokens * price.output) /
    MILLION;
  return { ...NO_AGENT_USAGE, ...tokens, cachedInputTokens: cached, modelCalls: 1, estimatedCostUsd };
}

/** One job's money and tokens: what is spent, over all attempts, and what calls under way are likely to. */
export class Purse {
  readonly #maxCostUsd: number;
  readonly #maxTokens: number;
  #costUsd: number;
  #tokens: number;

  constructor(limits: { maxCostUsd: number; maxTokens: number }, spent: JobUsage) {
    this.#maxCostUsd = limits.maxCostUsd;
    this.#maxTokens = limits.maxTokens;
    this.#costUsd = spent.estimatedCostUsd;
    this.#tokens = spent.inputTokens + spent.outputTokens;
  }

  /** Sets `estimate` aside; the function returned puts what was really used in its place. Throws BUDGET_SPENT. */
  reserve(estimate: AgentUsage): (used: AgentUsage) => void {
    const tokens = estimate.inputTokens + estimate.outputTokens;
    if (this.#costUsd + estimate.estimatedCostUsd > this.#maxCostUsd) {
      throw new ModelFailure('BUDGET_SPENT', `its budget of ${this.#maxCostUsd} US dollars is spent`, {
        reach: 'job',
      });
    }
    if (this.#tokens + tokens > this.#maxTokens) {
      throw new ModelFailure('BUDGET_SPENT', `its budget of ${this.#maxTokens} tokens is spent`, {
        reach: 'job',
      });
    }
    this.#add(estimate, 1);
    return (used) => {
      this.#add(estimate, -1);
      this.#add(used, 1);
    };
  }

  #add(usage: AgentUsage, sign: 1 | -1): void {
    this.#costUsd += sign * usage.estimatedCostUsd;
    this.#tokens += sign * (usage.inputTokens + usage.outputTokens);
  }
}
