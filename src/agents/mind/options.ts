import type { AgentRole } from '../../domain/vocabulary.ts';

/** US dollars per million tokens. */
export interface Price {
  readonly input: number;
  /** Of input read from the model's cache. */
  readonly cached: number;
  readonly output: number;
}

/** The name that leaves a seat to the playbook. */
export const PLAYBOOK = 'playbook';

export type ReasoningEffort = 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | 'max';

/** Which language model takes the seats, how it is reached and what it may cost. */
export interface LanguageModelOptions {
  /** Null for a server that asks for none. */
  readonly apiKey: string | null;
  readonly organization: string | null;
  readonly project: string | null;
  readonly baseUrl: string;
  /** Whether that is the vendor's own address, where every setting of the API is known. */
  readonly isVendor: boolean;
  readonly api: 'responses' | 'chat';
  /** Whether answers are asked for as server-sent events. */
  readonly stream: boolean;
  /** Who sits where; PLAYBOOK leaves a seat to the playbook. */
  readonly models: Readonly<Record<AgentRole, string>>;
  readonly reasoningEffort: ReasoningEffort | null;
  readonly reasoningSummary: boolean;
  readonly temperature: number | null;
  /** Of one answer; null: as many as the server lets it. */
  readonly maxOutputTokens: number | null;
  readonly timeoutMs: number;
  /** Calls at the same time, over all jobs. */
  readonly maxConcurrency: number;
  /** Over all jobs; null: as many as are wanted. */
  readonly maxRequestsPerMinute: number | null;
  /** By model; `*` stands for every other. */
  readonly prices: Readonly<Record<string, Price>>;
  /** Of a job that says nothing else. */
  readonly maxCostUsd: number;
  /** Input and output, of one job. */
  readonly maxTokens: number;
  /** Folder that every call and its answer is written to. */
  readonly record: string | null;
  /** Folder that answers come from instead of a server. */
  readonly replay: string | null;
}
