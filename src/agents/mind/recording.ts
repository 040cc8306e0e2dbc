import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { SproutError } from '../../domain/errors.ts';
import type { Redact } from './redact.ts';

/** One call and its answer, as it lies in a file. */
const exchange = z.object({
  /** Where in the team's work it was made: `orchestrator/training 3`, the number being that of the calls before it. */
  place: z.string(),
  /** SHA-256 of path and body: a call that is the same to the letter has the same answer. */
  hash: z.string().optional(),
  /** Left out where a conversation was written by hand or trimmed: the place is enough. */
  request: z.object({ path: z.string(), body: z.unknown() }).optional(),
  response: z.object({ status: z.int(), contentType: z.string(), body: z.string() }),
});
type Exchange = z.output<typeof exchange>;
type Asked = NonNullable<Exchange['request']>;

/** Writes every call and its answer to `folder`, without the key. */
export function recorded(folder: string, send: typeof fetch, redact: Redact): typeof fetch {
  let count = 0;
  return async (url, init) => {
    const asked = readRequest(url, init);
    const response = await send(url, init);
    const body = await response.text();
    const contentType = response.headers.get('content-type') ?? '';
    const hash = hashOf(asked);
    const made: Exchange = {
      place: placeOf(asked.body),
      hash,
      request: asked,
      response: { status: response.status, contentType, body },
    };
    count += 1;
    await mkdir(folder, { recursive: true });
    const name = `${String(count).padStart(4, '0')}-${hash.slice(0, 8)}.json`;
    await writeFile(join(folder, name), redact(`${JSON.stringify(made, null, 2)}\n`));
    const { status, headers } = response;
    return new Response(body, { status, headers: withoutLength(headers) });
  };
}

/**
 * Answers from `folder` alone: with what was answered to the very same call, else to the call at the same place in the team's
 * work, for times left and scores differ a little from run to run. 404 where there is none.
 */
export function replayed(folder: string): typeof fetch {
  let known: Promise<Map<string, Exchange['response']>> | null = null;
  return async (url, init) => {
    known ??= readFolder(folder);
    const answers = await known;
    const asked = readRequest(url, init);
    const answer = answers.get(hashOf(asked)) ?? answers.get(placeOf(asked.body));
    if (!answer) {
      const error = {
        message: `The recording has no answer at ${placeOf(asked.body)}.`,
        code: 'not_recorded',
      };
      return Response.json({ error }, { status: 422 });
    }
    const { status, contentType, body } = answer;
    return new Response(body, { status, headers: { 'content-type': contentType } });
  };
}

/** By hash and by place; of two at one place the later, which was the better try. */
async function readFolder(folder: string): Promise<Map<string, Exchange['response']>> {
  const answers = new Map<string, Exchange['response']>();
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.json')).toSorted()) {
    const parsed = exchange.safeParse(JSON.parse(await readFile(join(folder, file), 'utf8')));
    if (!parsed.success) {
      throw new SproutError(
        'RECORDING_INVALID',
        `${file} is no recorded call: ${z.prettifyError(parsed.error)}`,
        {
          hint: 'OPENAI_REPLAY names a folder that OPENAI_RECORD has written.',
        },
      );
    }
    const { hash, place, response } = parsed.data;
    if (hash !== undefined) answers.set(hash, response);
    if (response.status === 200 || !answers.has(place)) answers.set(place, response);
  }
  return answers;
}

function readRequest(url: Parameters<typeof fetch>[0], init: RequestInit | undefined): Asked {
  const address = new URL(url instanceof Request ? url.url : url);
  // The SDK's client sends JSON texts, and nothing with a listing of models.
  const body: unknown = typeof init?.body === 'string' ? JSON.parse(init.body) : null;
  return { path: address.pathname, body };
}

const hashOf = (request: Asked): string =>
  createHash('sha256')
    .update(JSON.stringify([request.path, request.body]))
    .digest('hex');

const conversation = z.object({
  input: z.array(z.looseObject({})).optional(),
  messages: z.array(z.looseObject({})).optional(),
});

/** The agent's run and how many calls it has made, of either API's request. */
function placeOf(body: unknown): string {
  const parsed = conversation.safeParse(body);
  const items = parsed.success ? (parsed.data.input ?? parsed.data.messages ?? []) : [];
  const run = /\\?"run\\?":\\?"([^"\\]+)/.exec(
    JSON.stringify(items.find(({ role }) => role === 'user') ?? ''),
  )?.[1];
  const calls = items.reduce((sum, { type, tool_calls }) => {
    if (type === 'function_call') return sum + 1;
    return sum + (Array.isArray(tool_calls) ? tool_calls.length : 0);
  }, 0);
  return `${run ?? 'nobody'} ${calls}`;
}

function withoutLength(headers: Headers): Headers {
  const kept = new Headers(headers);
  // The body stands unpacked here.
  for (const name of ['content-length', 'content-encoding', 'transfer-encoding']) kept.delete(name);
  return kept;
}
