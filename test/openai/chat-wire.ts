import type { FullAnswer } from './scripted-server.ts';

/** Chat Completions' way of saying an answer, whole or as server-sent events. */
export function chatAnswer(answer: FullAnswer) {
  const { id, model, text, reasoning, calls } = answer;
  const tool_calls = calls.map((call) => ({
    id: call.id,
    type: 'function',
    function: { name: call.name, arguments: call.arguments },
  }));
  return {
    id,
    object: 'chat.completion',
    created: 1_700_000_000,
    model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: text ?? null,
          ...(reasoning === undefined ? {} : { reasoning }),
          ...(tool_calls.length > 0 ? { tool_calls } : {}),
        },
        finish_reason: finishReason(answer),
      },
    ],
    usage: usageOf(answer),
  };
}

const finishReason = ({ truncated, calls }: FullAnswer): string =>
  truncated ? 'length' : calls.length > 0 ? 'tool_calls' : 'stop';

const usageOf = ({ usage }: FullAnswer) => ({
  prompt_tokens: usage.input,
  prompt_tokens_details: { cached_tokens: usage.cached ?? 0 },
  completion_tokens: usage.output,
  total_tokens: usage.input + usage.output,
});

export function chatStream(answer: FullAnswer): string[] {
  const { id, model, text, reasoning, calls } = answer;
  const base = { id, object: 'chat.completion.chunk', created: 1_700_000_000, model };
  const chunk = (delta: unknown, finish_reason: string | null = null) => ({
    ...base,
    choices: [{ index: 0, delta, finish_reason }],
  });
  const chunks = [
    chunk({ role: 'assistant', content: text === undefined ? null : '' }),
    ...(reasoning === undefined ? [] : [chunk({ reasoning })]),
    ...(text === undefined ? [] : [chunk({ content: text })]),
    ...calls.flatMap((call, index) => {
      const half = Math.ceil(call.arguments.length / 2);
      const begun = { name: call.name, arguments: call.arguments.slice(0, half) };
      return [
        chunk({ tool_calls: [{ index, id: call.id, type: 'function', function: begun }] }),
        chunk({ tool_calls: [{ index, function: { arguments: call.arguments.slice(half) } }] }),
      ];
    }),
    chunk({}, finishReason(answer)),
    { ...base, choices: [], usage: usageOf(answer) },
  ];
  return [...chunks.map((part) => `data: ${JSON.stringify(part)}\n\n`), 'data: [DONE]\n\n'];
}
