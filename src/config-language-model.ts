import { z } from 'zod';
import type { LanguageModelOptions, Price, ReasoningEffort } from './agents/mind/options.ts';
import { integer } from './config-values.ts';
import { AGENTS, type AgentRole } from './domain/vocabulary.ts';

/** The variables of the environment about the language model in the agents' seats, and what they come to. */

const REASONING_EFFORTS = [
  'none',
  'minimal',
  'low',
  'medium',
  'high',
  'xhigh',
  'max',
] as const satisfies readonly ReasoningEffort[];

/** No honest turn takes more, and a limit on money must know where one answer ends. */
const VENDOR_OUTPUT_TOKENS = 16_000;
const VENDOR_URL = 'https://api.openai.com/v1';

const yes = (fallback: 'true' | 'false') =>
  z
    .enum(['true', 'false'])
    .default(fallback)
    .transform((text) => text === 'true');

/** `name=input/output` or `name=input/cached/output`, separated by commas, or JSON: `{"name": {"input": 1, "output": 2}}`. */
const prices = z
  .string()
  .default('')
  .transform((text, context): Record<string, Price> => {
    const parsed = text.trimStart().startsWith('{') ? pricesFromJson(text) : pricesFromList(text);
    if (typeof parsed !== 'string') return parsed;
    context.addIssue({ code: 'custom', message: parsed });
    return z.NEVER;
  });

const amount = z.number().min(0);
const priceTable = z.record(
  z.string(),
  z.object({ input: amount, cached: amount.optional(), output: amount }),
);

function pricesFromJson(text: string): Record<string, Price> | string {
  try {
    const table = priceTable.parse(JSON.parse(text));
    return Object.fromEntries(
      Object.entries(table).map(([name, price]) => [name, { ...price, cached: price.cached ?? price.input }]),
    );
  } catch (error) {
    const problem = error instanceof z.ZodError ? z.prettifyError(error) : 'it is not JSON';
    return `no price table: ${problem}`;
  }
}

function pricesFromList(text: string): Record<string, Price> | string {
  const table: Record<string, Price> = {};
  for (const entry of text.split(',').map((part) => part.trim())) {
    if (entry === '') continue;
    const [name = '', amounts = ''] = entry.split('=').map((part) => part.trim());
    const numbers = amounts.split('/').map(Number);
    const [input, second, third] = numbers;
    const bad = name === '' || numbers.some((value) => !(value >= 0));
    if (bad || input === undefined || second === undefined || numbers.length > 3) {
      return `"${entry}" is no price; write "model=input/output" or "model=input/cached/output", in US dollars per million tokens`;
    }
    table[name] = { input, cached: third === undefined ? input : second, output: third ?? second };
  }
  return table;
}

const seat = (role: AgentRole) =>
  z
    .string()
    .optional()
    .describe(
      `Model of the ${role.toLowerCase().replace('_', ' ')}; default: OPENAI_MODEL. \`playbook\` leaves the seat to the playbook.`,
    );

const DEFAULT_MODEL = 'gpt-5.6-luna';

export const languageModelVariables = {
  OPENAI_API_KEY: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'a key holds no spaces and nothing but ASCII')
    .optional()
    .describe("Puts a language model into the agents' seats. Never logged, never in the sandbox."),
  OPENAI_BASE_URL: z
    .url({ protocol: /^https?$/ })
    .refine((text) => new URL(text).username === '', 'give the key as OPENAI_API_KEY, not in the address')
    .optional()
    .describe(
      "Address of another server that speaks OpenAI's API (Ollama, vLLM, llama.cpp …), with or without a key.",
    ),
  OPENAI_API: z
    .enum(['auto', 'responses', 'chat'])
    .default('auto')
    .describe('`auto`: Responses at OpenAI, Chat Completions at OPENAI_BASE_URL.'),
  OPENAI_MODEL: z.string().default(DEFAULT_MODEL).describe('Model in every seat.'),
  OPENAI_MODEL_ORCHESTRATOR: seat('ORCHESTRATOR'),
  OPENAI_MODEL_PREPROCESSING: seat('PREPROCESSING'),
  OPENAI_MODEL_MASTER_TRAINER: seat('MASTER_TRAINER'),
  OPENAI_MODEL_SUB_TRAINER: seat('SUB_TRAINER'),
  OPENAI_MODEL_EVALUATOR: seat('EVALUATOR'),
  OPENAI_MODEL_TUNER: seat('TUNER'),
  OPENAI_REASONING_EFFORT: z
    .enum(REASONING_EFFORTS)
    .optional()
    .describe("How much a reasoning model thinks; default: the model's own."),
  OPENAI_REASONING_SUMMARY: yes('false').describe(
    'Ask for summaries of its reasoning, shown as what the agent says (Responses only).',
  ),
  OPENAI_TEMPERATURE: z.coerce
    .number()
    .min(0)
    .max(2)
    .optional()
    .describe("0 to 2, where the model takes it; default: the model's own."),
  OPENAI_MAX_OUTPUT_TOKENS: integer(256)
    .optional()
    .describe(
      "Most tokens of one answer, reasoning included; default: 16000 at OpenAI, the server's own elsewhere.",
    ),
  OPENAI_STREAM: yes('false').describe('Take answers as a stream: for proxies that cut silent connections.'),
  OPENAI_TIMEOUT_SECONDS: z.coerce
    .number()
    .min(1)
    .max(3_600)
    .default(120)
    .describe('Seconds for one answer; then the playbook takes the turn.'),
  OPENAI_MAX_CONCURRENCY: integer(1, 1_000).default(8).describe('Calls at the same time, over all jobs.'),
  OPENAI_MAX_REQUESTS_PER_MINUTE: integer(1)
    .optional()
    .describe('Calls a minute, over all jobs; default: no limit of ours.'),
  OPENAI_PRICES: prices.describe(
    'US dollars per million tokens: `model=input/output` or `model=input/cached/output`, comma-separated, `*` for all others. Default: list prices at OpenAI, 0 elsewhere.',
  ),
  OPENAI_ORG_ID: z.string().optional().describe('Organization the calls are billed to.'),
  OPENAI_PROJECT_ID: z.string().optional().describe('Project the calls are billed to.'),
  LLM_MAX_COST_USD: z.coerce
    .number()
    .min(0)
    .default(1)
    .describe("Most US dollars a job's language model may cost, unless the job says otherwise."),
  LLM_MAX_TOKENS: integer(0)
    .default(5_000_000)
    .describe("Most tokens of a job's language model, input and output."),
  OPENAI_RECORD: z
    .string()
    .optional()
    .describe('Folder that every call and its answer is written to, without the key.'),
  OPENAI_REPLAY: z
    .string()
    .optional()
    .describe('Folder of such a recording to answer from, without a server.'),
};

type Variables = Readonly<z.output<z.ZodObject<typeof languageModelVariables>>>;

/** Null when nothing is configured: the playbook sits in every seat. */
export function languageModelOptions(config: Variables): LanguageModelOptions | null {
  const { OPENAI_API_KEY: key, OPENAI_BASE_URL: url, OPENAI_REPLAY: replay } = config;
  if (key === undefined && url === undefined && replay === undefined) return null;
  const baseUrl = (url ?? VENDOR_URL).replace(/\/+$/, '');
  // Its regional addresses begin with the region.
  const isVendor = new URL(baseUrl).hostname.endsWith(new URL(VENDOR_URL).hostname);
  const models = AGENTS.map((role) => [role, config[`OPENAI_MODEL_${role}`] ?? config.OPENAI_MODEL] as const);
  return {
    apiKey: key ?? null,
    organization: config.OPENAI_ORG_ID ?? null,
    project: config.OPENAI_PROJECT_ID ?? null,
    baseUrl,
    isVendor,
    api: config.OPENAI_API === 'auto' ? (isVendor ? 'responses' : 'chat') : config.OPENAI_API,
    stream: config.OPENAI_STREAM,
    models: Object.fromEntries(models) as Record<AgentRole, string>,
    reasoningEffort: config.OPENAI_REASONING_EFFORT ?? null,
    reasoningSummary: config.OPENAI_REASONING_SUMMARY,
    temperature: config.OPENAI_TEMPERATURE ?? null,
    maxOutputTokens: config.OPENAI_MAX_OUTPUT_TOKENS ?? (isVendor ? VENDOR_OUTPUT_TOKENS : null),
    timeoutMs: config.OPENAI_TIMEOUT_SECONDS * 1000,
    maxConcurrency: config.OPENAI_MAX_CONCURRENCY,
    maxRequestsPerMinute: config.OPENAI_MAX_REQUESTS_PER_MINUTE ?? null,
    prices: config.OPENAI_PRICES,
    maxCostUsd: config.LLM_MAX_COST_USD,
    maxTokens: config.LLM_MAX_TOKENS,
    record: config.OPENAI_RECORD ?? null,
    replay: replay ?? null,
  };
}
