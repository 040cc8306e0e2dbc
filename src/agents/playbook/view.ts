import type { ModelRequest } from '@openai/agents-core';
import { z } from 'zod';
import { ARGUMENTS_INVALID } from '../step.ts';

/** What a playbook sees of its agent's conversation: the task, and every call so far with its answer. */
export interface View {
  task: unknown;
  calls: readonly ViewCall[];
  /** What the agent can call; undefined: all that its playbook knows. */
  tools?: readonly string[];
}

export interface ViewCall {
  name: string;
  input: unknown;
  /** The tool's answer; null while it has none. */
  answer: unknown;
}

/** What a playbook does next: one or more tool calls, made side by side. */
export type Moves = readonly Move[];
export interface Move {
  tool: string;
  /** The sentence people read; left out when it goes without saying. */
  why?: string;
  input?: Readonly<Record<string, unknown>>;
  /** Its number in the turn where that is not its place: a move that a later release puts first leaves the others theirs. */
  number?: number;
}

/** A deterministic policy for one seat: the same view, the same moves. It can go on from calls it did not make itself. */
export type Playbook = (view: View) => Moves;

/** Reads the conversation out of a model request. */
export function readView(request: ModelRequest): View {
  const tools = request.tools.map(({ name }) => name);
  if (typeof request.input === 'string') return { task: readTask(request.input), calls: [], tools };
  let task: unknown = null;
  const answers = new Map<string, unknown>();
  for (const item of request.input) {
    if (item.type === 'function_call_result') answers.set(item.callId, readJson(outputText(item.output)));
    else if ('role' in item && item.role === 'user' && task === null) task = readTask(userText(item.content));
  }
  const calls = request.input
    .filter((item) => item.type === 'function_call')
    .map((item) => ({
      name: item.name,
      input: readJson(item.arguments),
      answer: answers.get(item.callId) ?? null,
    }));
  return { task, calls: calls.filter(({ answer }) => !neverRan.safeParse(answer).success), tools };
}

/** A call whose arguments were not accepted did nothing, and asks to be made again. */
const neverRan = z.object({ error: z.object({ code: z.literal(ARGUMENTS_INVALID) }) });

/** The answers of one tool so far, checked against what the playbook needs of them; null stands for a failed call. */
export function answersOf<T>(view: View, tool: string, schema: z.ZodType<T>): (T | null)[] {
  const wrapped = z.object({ ok: z.literal(true), result: schema });
  return view.calls
    .filter((call) => call.name === tool)
    .map((call) => {
      const parsed = wrapped.safeParse(call.answer);
      return parsed.success ? parsed.data.result : null;
    });
}

export const called = (view: View, tool: string): number =>
  view.calls.filter((call) => call.name === tool).length;

const readTask = (text: string): unknown => z.object({ task: z.unknown() }).parse(readJson(text)).task;

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What a model wrote or a tool said in plain words is still an answer.
    return text;
  }
}

const userText = (content: unknown): string =>
  typeof content === 'string'
    ? content
    : z
        .array(z.object({ text: z.string() }))
        .parse(content)
        .map((part) => part.text)
        .join('');

const outputText = (output: unknown): string => {
  if (typeof output === 'string') return output;
  const parsed = z.object({ text: z.string() }).safeParse(output);
  return parsed.success ? parsed.data.text : JSON.stringify(output);
};
