import type { FullAnswer } from './scripted-server.ts';

/** The Responses API's way of saying an answer, whole or as server-sent events. */
export function responsesAnswer(answer: FullAnswer) {
  const { id, model, usage, truncated } = answer;
  return {
    id,
    object: 'response',
    created_at: 1_700_000_000,
    status: truncated ? 'incomplete' : 'completed',
    incomplete_details: truncated ? { reason: 'max_output_tokens' } : null,
    error: null,
    model,
    output: outputOf(answer),
    parallel_tool_calls: true,
    tools: [],
    tool_choice: 'required',
    usage: {
      input_tokens: usage.input,
      input_tokens_details: { cached_tokens: usage.cached ?? 0 },
      output_tokens: usage.output,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: usage.input + usage.output,
    },
  };
}

function outputOf({ id, text, reasoning, calls }: FullAnswer): Record<string, unknown>[] {
  const items: Record<string, unknown>[] = [];
  if (reasoning !== undefined) {
    items.push({
      type: 'reasoning',
      id: `rs_${id}`,
      summary: [{ type: 'summary_text', text: reasoning }],
      encrypted_content: 'sealed',
    });
  }
  if (text !== undefined) {
    items.push({
      type: 'message',
      id: `msg_${id}`,
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text, annotations: [] }],
    });
  }
  for (const [index, call] of calls.entries()) {
    items.push({
      type: 'function_call',
      id: `fc_${id}_${index}`,
      call_id: call.id,
      name: call.name,
      arguments: call.arguments,
      status: 'completed',
    });
  }
  return items;
}

export function responsesStream(answer: FullAnswer): string[] {
  const whole = responsesAnswer(answer);
  const items = whole.output.flatMap((item, output_index) => [
    { type: 'response.output_item.added', output_index, item },
    { type: 'response.output_item.done', output_index, item },
  ]);
  const events = [
    { type: 'response.created', response: { ...whole, status: 'in_progress', output: [], usage: null } },
    ...items,
    { type: answer.truncated ? 'response.incomplete' : 'response.completed', response: whole },
  ];
  return events.map(
    (event, sequence_number) =>
      `event: ${event.type}\ndata: ${JSON.stringify({ ...event, sequence_number })}\n\n`,
  );
}
