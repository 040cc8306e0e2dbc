import { createHash } from 'node:crypto';
import type { AgentOutputItem, ModelRequest } from '@openai/agents-core';
import { z } from 'zod';
import { ModelFailure } from './failure.ts';
import type { Redact } from './redact.ts';

/** More than any honest turn: what is beyond is nonsense, and would be kept and sent again with every turn after it. */
const MOST_CHARACTERS = 400_000;
const MOST_CALLS = 64;

const call = z.looseObject({
  type: z.literal('function_call'),
  callId: z.string().catch(''),
  // As APIs want it when it is sent back to them, whatever a model made up.
  name: z
    .string()
    .min(1)
    .transform((name) => name.replace(/[^\w-]/g, '_').slice(0, 64)),
  arguments: z.preprocess(
    (value) => (typeof value === 'string' ? value : JSON.stringify(value ?? {})),
    z.string(),
  ),
});
const message = z.looseObject({
  type: z.literal('message'),
  role: z.literal('assistant'),
  content: z.array(z.looseObject({ type: z.string(), text: z.string().optional() })),
});
const reasoning = z.looseObject({
  type: z.literal('reasoning'),
  content: z.array(z.looseObject({ text: z.string().optional() })).catch([]),
});
/** What our agents understand; anything else a server may put into an answer is left out. */
const item = z.discriminatedUnion('type', [call, message, reasoning]);

export interface Answer {
  readonly output: AgentOutputItem[];
  readonly calls: number;
  /** What the model said beside its calls: its text, and the summary of its reasoning. */
  readonly said: string[];
}

/**
 * A model's answer as the team can go on from it: free of secrets, of foreign items and of call ids that were there before, by
 * which steps would be mixed up. The same after a round trip through the journal. Throws NONSENSE.
 */
export function readAnswer(output: unknown, request: ModelRequest, redact: Redact): Answer {
  const text = redact(JSON.stringify(output ?? null));
  if (text.length > MOST_CHARACTERS) {
    throw new ModelFailure('NONSENSE', `its answer is ${text.length} characters long`);
  }
  const listed = z.array(z.unknown()).safeParse(JSON.parse(text));
  if (!listed.success) throw new ModelFailure('NONSENSE', 'its answer is none');
  const items = listed.data.flatMap((part) => item.safeParse(part).data ?? []);
  const calls = items.filter((part) => part.type === 'function_call');
  if (calls.length > MOST_CALLS) {
    throw new ModelFailure('NONSENSE', `it asked for ${calls.length} calls in one turn`);
  }
  for (const part of calls) part.arguments = readable(part.arguments);
  makeIdsUnique(calls, request);
  const said = items
    .filter((part) => part.type !== 'function_call')
    .flatMap((part) => part.content.map(({ text: words }) => words?.trim() ?? ''))
    .filter((words) => words !== '');
  // The SDK's own type of what was read here from the SDK's own output.
  return { output: items as AgentOutputItem[], calls: calls.length, said };
}

const MOST_ODD_CHARACTERS = 2_000;

/** What is no JSON object breaks servers it is sent back to, and the SDK's own answer to it: as one, the tool can refuse it. */
function readable(text: string): string {
  try {
    if (z.looseObject({}).safeParse(JSON.parse(text)).success) return text;
  } catch {
    // Told to the model below.
  }
  return JSON.stringify({ not_a_json_object: text.slice(0, MOST_ODD_CHARACTERS) });
}

/** As the playbook names its calls: nobody else may. */
const OF_PLAYBOOK = /^[0-9a-f]{16}-\d+$/;

/** Small servers number their calls anew in every answer. */
function makeIdsUnique(calls: z.output<typeof call>[], request: ModelRequest): void {
  const taken = new Set<string>();
  if (typeof request.input !== 'string') {
    for (const part of request.input) if (part.type === 'function_call') taken.add(part.callId);
  }
  const turn = turnId(request);
  for (const [index, part] of calls.entries()) {
    const usable = /^[\w-]{4,64}$/.test(part.callId) && !OF_PLAYBOOK.test(part.callId);
    if (!usable || taken.has(part.callId)) part.callId = `call_${turn}_${index}`;
    taken.add(part.callId);
  }
}

/** What a turn is known by: the same conversation, the same id. */
export const turnId = (request: ModelRequest): string =>
  createHash('sha256').update(JSON.stringify(request.input)).digest('hex').slice(0, 20);
