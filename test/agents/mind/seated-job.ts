import { languageModelSeats, openModelAccess } from '../../../src/agents/mind/language-model-seats.ts';
import type { LanguageModelOptions } from '../../../src/agents/mind/options.ts';
import type { Script, ScriptedServer } from '../../openai/scripted-server.ts';
import { KEY, startScriptedServer } from '../../openai/scripted-server.ts';
import type { MemoryStore } from '../memory-recorder.ts';
import { ScriptedToolkit } from '../scripted-toolkit.ts';
import { type Attempt, startTeam } from '../team-fixture.ts';

/** Every way an answer can come: two APIs, whole or as events. */
export const WIRES = [
  { api: 'responses', stream: false },
  { api: 'responses', stream: true },
  { api: 'chat', stream: false },
  { api: 'chat', stream: true },
] as const satisfies readonly Pick<LanguageModelOptions, 'api' | 'stream'>[];

export const modelOptions = (changes: Partial<LanguageModelOptions> = {}): LanguageModelOptions => {
  const model = 'scripted-model';
  return {
    apiKey: KEY,
    organization: null,
    project: null,
    baseUrl: 'http://127.0.0.1:9/v1',
    isVendor: false,
    api: 'responses',
    stream: false,
    models: {
      ORCHESTRATOR: model,
      PREPROCESSING: model,
      MASTER_TRAINER: model,
      SUB_TRAINER: model,
      EVALUATOR: model,
      TUNER: model,
    },
    reasoningEffort: null,
    reasoningSummary: false,
    temperature: null,
    maxOutputTokens: 16_000,
    timeoutMs: 5_000,
    maxConcurrency: 8,
    maxRequestsPerMinute: null,
    prices: { '*': { input: 1, cached: 0.1, output: 10 } },
    maxCostUsd: 1,
    maxTokens: 1_000_000,
    record: null,
    replay: null,
    ...changes,
  };
};

/** Only the orchestrator is asked: the other seats are the playbook's. */
export const ORCHESTRATOR_ALONE: LanguageModelOptions['models'] = {
  ORCHESTRATOR: 'scripted-model',
  PREPROCESSING: 'playbook',
  MASTER_TRAINER: 'playbook',
  SUB_TRAINER: 'playbook',
  EVALUATOR: 'playbook',
  TUNER: 'playbook',
};

/** One job with a scripted server behind its seats, run to its end. Rejects as the team does. */
export async function seatedJob(
  script: Script,
  options: Partial<LanguageModelOptions> = {},
  attempt: Partial<Attempt> = {},
): Promise<{ store: MemoryStore; server: ScriptedServer; toolkit: ScriptedToolkit }> {
  const server = await startScriptedServer(script);
  try {
    const toolkit = new ScriptedToolkit();
    const seats = languageModelSeats(openModelAccess(modelOptions({ baseUrl: server.url, ...options })));
    const { store, done } = startTeam({ toolkit, options: { maxTrials: 3 }, seats, ...attempt });
    await done;
    return { store, server, toolkit };
  } finally {
    await server.close();
  }
}

/** What became of the job, and what people were told. */
export const fallbacks = (store: MemoryStore): string[] =>
  store.ofType('FallbackUsed').map(({ from, to, reason }) => `${from} -> ${to}: ${reason}`);
