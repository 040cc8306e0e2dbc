import { isDeepStrictEqual } from 'node:util';
import type { ModelRequest } from '@openai/agents-core';
import { z } from 'zod';

interface Pair {
  call: string;
  answer: string;
  failed: boolean;
}

/** The same call with the same answer so often in a row leads nowhere (OpenHands' rule). */
const SAME_IN_A_ROW = 4;
/** The same call with the same error. */
const SAME_ERRORS = 3;
/** Two calls taking turns, with the same answers each time. */
const SAME_IN_TURNS = 6;

/** Why an agent's conversation goes round in circles, in words; null: it does not. */
export function circles(input: ModelRequest['input']): string | null {
  const pairs = readPairs(input);
  const last = pairs.at(-1);
  if (!last) return null;
  const errors = pairs.slice(-SAME_ERRORS);
  if (errors.length === SAME_ERRORS && last.failed && errors.every((pair) => same(pair, last))) {
    return `the same call failed in the same way ${SAME_ERRORS} times`;
  }
  const row = pairs.slice(-SAME_IN_A_ROW);
  if (row.length === SAME_IN_A_ROW && row.every((pair) => same(pair, last))) {
    return `the same call gave the same answer ${SAME_IN_A_ROW} times`;
  }
  const turns = pairs.slice(-SAME_IN_TURNS);
  const [first, second] = turns;
  if (turns.length === SAME_IN_TURNS && first && second) {
    if (turns.every((pair, index) => same(pair, index % 2 === 0 ? first : second))) {
      return `two calls took turns ${SAME_IN_TURNS / 2} times with the same answers`;
    }
  }
  return null;
}

const same = (a: Pair, b: Pair): boolean => isDeepStrictEqual(a, b);

function readPairs(input: ModelRequest['input']): Pair[] {
  if (typeof input === 'string') return [];
  const answers = new Map<string, string>();
  for (const item of input) {
    if (item.type === 'function_call_result') answers.set(item.callId, textOf(item.output));
  }
  return input
    .filter((item) => item.type === 'function_call')
    .map((item) => {
      const { text, failed } = readAnswer(answers.get(item.callId) ?? '');
      return { call: `${item.name} ${withoutWhy(item.arguments)}`, answer: text, failed };
    });
}

/** What a tool said, without the time left: that differs every time. */
function readAnswer(text: string): { text: string; failed: boolean } {
  const parsed = asObject(text, 'secondsLeft');
  return parsed === null
    ? { text, failed: true }
    : { text: JSON.stringify(parsed), failed: parsed.ok !== true };
}

/** The sentence for people may be worded anew each time. */
function withoutWhy(text: string): string {
  const parsed = asObject(text, 'why');
  return parsed === null ? text : JSON.stringify(parsed);
}

/** Null for what is no JSON object; `left` is taken out wherever it stands. */
function asObject(text: string, left: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text, (key, part: unknown) => (key === left ? undefined : part));
    const parsed = z.record(z.string(), z.unknown()).safeParse(value);
    return parsed.success ? parsed.data : null;
  } catch {
    // Plain words are no object.
    return null;
  }
}

const textOf = (output: unknown): string => {
  if (typeof output === 'string') return output;
  const parsed = z.object({ text: z.string() }).safeParse(output);
  return parsed.success ? parsed.data.text : JSON.stringify(output);
};
