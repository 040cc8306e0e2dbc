import '../sdk-listeners.ts';

import { type Model, type ModelRequest, type ModelResponse, Usage } from '@openai/agents-core';
import { OpenAIChatCompletionsModel, OpenAIResponsesModel } from '@openai/agents-openai';
import OpenAI from 'openai';
import { inChatSpan } from '../../telemetry/agent-spans.ts';
import { asFailure, ModelFailure } from './failure.ts';
import type { LanguageModelOptions } from './options.ts';
import { recorded, replayed } from './recording.ts';
import { type Redact, redactor } from './redact.ts';

/** Settings that some models or servers do not take, by the names they refuse them under. */
const OPTIONAL = {
  temperature: ['temperature'],
  include: ['include', 'include[0]'],
  reasoning: ['reasoning', 'reasoning.effort', 'reasoning.summary', 'reasoning_effort'],
  store: ['store'],
  output: ['max_output_tokens', 'max_completion_tokens', 'max_tokens'],
  parallel: ['parallel_tool_calls'],
  choice: ['tool_choice'],
} as const;
type Setting = keyof typeof OPTIONAL;

/**
 * The one way to a language model: the SDK's own models over one client, for all jobs. Rejects with a ModelFailure, or with the
 * signal's reason.
 */
export class Wire {
  readonly redact: Redact;
  readonly #options: LanguageModelOptions;
  readonly #client: OpenAI;
  readonly #models = new Map<string, Model>();
  /** What each model was found not to take. */
  readonly #refused = new Map<string, Set<Setting>>();

  constructor(options: LanguageModelOptions) {
    this.#options = options;
    this.redact = redactor([options.apiKey]);
    this.#client = new OpenAI({
      // A server that asks for no key gets one all the same, for the client insists.
      apiKey: options.apiKey ?? 'none',
      adminAPIKey: null,
      webhookSecret: null,
      organization: options.organization,
      project: options.project,
      baseURL: options.baseUrl,
      // Ours comes first, with every call.
      timeout: options.timeoutMs * 2,
      // How often and how long is waited is decided by the job's own budget.
      maxRetries: 0,
      logLevel: 'off',
      fetch: fetchOf(options, this.redact),
    });
  }

  async ask(model: string, request: ModelRequest, signal: AbortSignal): Promise<ModelResponse> {
    try {
      const response = await inChatSpan(model, () => this.#once(model, request, signal));
      // A stream that is aborted ends as if it were over.
      signal.throwIfAborted();
      return response;
    } catch (error) {
      signal.throwIfAborted();
      const failure = asFailure(error, this.redact);
      if (!this.#learn(model, failure)) throw failure;
    }
    return this.ask(model, request, signal);
  }

  /** Names of the models the server has. */
  async models(signal: AbortSignal): Promise<string[]> {
    try {
      const page = await this.#client.models.list({ signal });
      return page.data.map(({ id }) => id);
    } catch (error) {
      if (signal.aborted) throw new ModelFailure('STALLED', 'no answer in time');
      throw asFailure(error, this.redact);
    }
  }

  /** True when a setting that was sent until now turned out to be refused, and will not be sent again. */
  #learn(model: string, { code, setting, message }: ModelFailure): boolean {
    if (code !== 'REQUEST_REFUSED') return false;
    const known = Object.entries(OPTIONAL) as [Setting, readonly string[]][];
    const named = known.find(([, names]) => setting !== null && names.includes(setting));
    // Small servers name it in a sentence only.
    const found = named ?? known.find(([, names]) => names.some((name) => message.includes(name)));
    if (!found) return false;
    const refused = this.#refused.get(model) ?? new Set();
    this.#refused.set(model, refused);
    if (refused.has(found[0])) return false;
    refused.add(found[0]);
    return true;
  }

  async #once(name: string, request: ModelRequest, signal: AbortSignal): Promise<ModelResponse> {
    const model = this.#model(name);
    const asked = {
      ...request,
      modelSettings: this.#settings(name, request),
      tracing: false as const,
      signal,
    };
    if (!this.#options.stream) return model.getResponse(asked);
    for await (const event of model.getStreamedResponse(asked)) {
      if (event.type !== 'response_done') continue;
      const { usage, output } = event.response;
      const { inputTokens, outputTokens, totalTokens, inputTokensDetails = [] } = usage;
      return { usage: new Usage({ inputTokens, outputTokens, totalTokens, inputTokensDetails }), output };
    }
    throw new ModelFailure('CONNECTION_LOST', 'the stream ended before the answer did', { again: true });
  }

  #model(name: string): Model {
    const known = this.#models.get(name);
    if (known) return known;
    const Adapter = this.#options.api === 'responses' ? OpenAIResponsesModel : OpenAIChatCompletionsModel;
    const model = new Adapter(this.#client, name);
    this.#models.set(name, model);
    return model;
  }

  #settings(name: string, request: ModelRequest): ModelRequest['modelSettings'] {
    const { api, isVendor, temperature, reasoningEffort, reasoningSummary, maxOutputTokens } = this.#options;
    const takes = (setting: Setting): boolean => !this.#refused.get(name)?.has(setting);
    const responses = api === 'responses';
    const { toolChoice, parallelToolCalls, ...settings } = request.modelSettings;
    const reasoning = {
      ...(reasoningEffort ? { effort: reasoningEffort } : {}),
      ...(reasoningSummary && responses ? { summary: 'auto' as const } : {}),
    };
    const cap = takes('output') ? maxOutputTokens : null;
    // The vendor's Chat Completions has a name of its own for it.
    const capName = responses || !isVendor ? 'maxTokens' : 'max_completion_tokens';
    return {
      ...settings,
      ...(takes('choice') && toolChoice !== undefined ? { toolChoice } : {}),
      ...(takes('parallel') && parallelToolCalls !== undefined ? { parallelToolCalls } : {}),
      ...(takes('temperature') && temperature !== null ? { temperature } : {}),
      ...(takes('reasoning') && Object.keys(reasoning).length > 0 ? { reasoning } : {}),
      // Nothing stays with the vendor; what the model thought goes back and forth sealed instead.
      ...(takes('store') && (responses || isVendor) ? { store: false } : {}),
      ...(cap !== null && capName === 'maxTokens' ? { maxTokens: cap } : {}),
      providerData: {
        ...settings.providerData,
        ...(responses && takes('include') ? { include: ['reasoning.encrypted_content'] } : {}),
        ...(cap !== null && capName !== 'maxTokens' ? { [capName]: cap } : {}),
      },
    };
  }
}

function fetchOf({ record, replay }: LanguageModelOptions, redact: Redact): typeof fetch {
  if (replay !== null) return replayed(replay);
  return record === null ? fetch : recorded(record, fetch, redact);
}
