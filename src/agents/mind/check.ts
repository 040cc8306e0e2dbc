import { AGENTS } from '../../domain/vocabulary.ts';
import { ModelFailure } from './failure.ts';
import { type LanguageModelOptions, PLAYBOOK } from './options.ts';
import { priceOf } from './spend.ts';
import { Wire } from './wire.ts';

const PATIENCE_MS = 10_000;

/** Whether a language model would answer, and what to do where it would not. */
export interface ModelCheck {
  ok: 'ok' | 'warning' | 'failure';
  detail: string;
  hint: string;
}

/** Asks the server which models it has: that costs nothing and tells whether address, key and names are right. */
export async function checkLanguageModel(
  options: LanguageModelOptions,
  signal?: AbortSignal,
): Promise<ModelCheck> {
  const wanted = namesOf(options);
  const at = `${wanted.join(', ')} at ${options.baseUrl}`;
  if (options.replay !== null) {
    return { ok: 'ok', detail: `answers come from the recording in ${options.replay}`, hint: '' };
  }
  try {
    const patience = AbortSignal.timeout(PATIENCE_MS);
    const there = await new Wire(options).models(signal ? AbortSignal.any([signal, patience]) : patience);
    const missing = wanted.filter((name) => !there.includes(name) && !there.includes(`${name}:latest`));
    if (missing.length > 0) return missingModels(missing, there, options);
    return priced(wanted, at, options);
  } catch (error) {
    if (!(error instanceof ModelFailure)) throw error;
    return unreachable(error, at);
  }
}

const namesOf = ({ models }: LanguageModelOptions): string[] =>
  [...new Set(AGENTS.map((role) => models[role]))].filter((name) => name !== PLAYBOOK);

function priced(wanted: readonly string[], at: string, options: LanguageModelOptions): ModelCheck {
  const unknown = wanted.filter((name) => !priceOf(name, options).known);
  if (unknown.length === 0)
    return { ok: 'ok', detail: `${at}: the key is taken, every model is there`, hint: '' };
  return {
    ok: 'warning',
    detail: `${at}: the key is taken, but the price of ${unknown.join(', ')} is unknown and counted as the dearest known`,
    hint: `Set OPENAI_PRICES, such as ${unknown[0]}=1/4: US dollars per million tokens, input and output.`,
  };
}

const SHOWN_MODELS = 5;

function missingModels(
  missing: readonly string[],
  there: readonly string[],
  { baseUrl }: LanguageModelOptions,
): ModelCheck {
  const some = there.slice(0, SHOWN_MODELS).join(', ');
  return {
    ok: 'failure',
    detail: `${baseUrl} answers, but does not list ${missing.join(', ')}`,
    hint: `Set OPENAI_MODEL to one it has${some === '' ? '' : `: ${some}${there.length > SHOWN_MODELS ? ' …' : ''}`}.`,
  };
}

function unreachable({ code, message }: ModelFailure, at: string): ModelCheck {
  if (code === 'MODEL_NOT_FOUND') {
    return {
      ok: 'warning',
      detail: `${at}: the server does not list its models`,
      hint: 'Look that OPENAI_BASE_URL ends as the server wants it, mostly in /v1.',
    };
  }
  const hint =
    code === 'KEY_REFUSED'
      ? 'Set OPENAI_API_KEY to a key that this server takes. Until then the playbook sits in every seat.'
      : 'Look at OPENAI_BASE_URL and the network. Until it answers the playbook takes every turn.';
  return { ok: 'failure', detail: `${at}: ${message}`, hint };
}
