import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NoopTrace, withTrace } from '@openai/agents-core';
import { afterEach, expect, it } from 'vitest';
import { Wire } from '../../src/agents/mind/wire.ts';
import { readConfig } from '../../src/config.ts';
import { languageModelOptions } from '../../src/config-language-model.ts';
import { putTracer, type SpanStart } from '../../src/telemetry/spans.ts';

let remove: () => void = () => undefined;
afterEach(() => remove());

it('a question to a language model is a span with the model and the tokens, and without what was said', async () => {
  const seen: Record<string, unknown>[] = [];
  remove = putTracer({
    async run(span: SpanStart, work) {
      const one: Record<string, unknown> = { name: span.name, kind: span.kind, ...span.attributes };
      seen.push(one);
      return work({ set: (attributes) => void Object.assign(one, attributes), fail: () => undefined });
    },
    here: () => null,
  });
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({
        id: 'x',
        object: 'chat.completion',
        created: 1,
        model: 'tiny',
        choices: [
          { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'a secret answer' } },
        ],
        usage: { prompt_tokens: 11, completion_tokens: 3, total_tokens: 14 },
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const options = languageModelOptions(
      readConfig({ OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1`, OPENAI_MODEL: 'tiny' }),
    );
    if (options === null) throw new Error('no model');
    const request = { input: 'a secret question', modelSettings: {}, tools: [], outputType: 'text' as const };
    const asked = { ...request, handoffs: [], tracing: false };
    // The SDK's own tracing, which a run of the team brings along, switched off.
    await withTrace(new NoopTrace(), () =>
      new Wire(options).ask('tiny', asked, new AbortController().signal),
    );
  } finally {
    server.closeAllConnections();
    server.close();
  }
  expect(seen).toEqual([
    {
      name: 'chat tiny',
      kind: 'client',
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': 'tiny',
      'gen_ai.usage.input_tokens': 11,
      'gen_ai.usage.output_tokens': 3,
    },
  ]);
  expect(JSON.stringify(seen)).not.toContain('secret');
});
