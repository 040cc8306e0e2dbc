import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { chatAnswer, chatStream } from './chat-wire.ts';
import { responsesAnswer, responsesStream } from './responses-wire.ts';

/** What a scripted model answers: said, thought, called. */
export interface ScriptedAnswer {
  text?: string;
  reasoning?: string;
  calls?: ScriptedCall[];
  usage?: ScriptedUsage;
  /** Cut short by the token limit. */
  truncated?: boolean;
}

export interface ScriptedCall {
  name: string;
  /** An object, or the very text of the arguments. */
  input: unknown;
  id?: string;
}

export interface ScriptedUsage {
  input: number;
  cached?: number;
  output: number;
}

/** One exchange: an answer, or something that goes wrong on the wire. */
export type Beat =
  | ScriptedAnswer
  | { status: number; error?: Record<string, unknown>; headers?: Record<string, string> }
  /** Nothing, not even headers. */
  | { hang: true }
  /** Headers and the beginning of an answer, then nothing more. */
  | { stall: true }
  /** Headers and the beginning of an answer, then the connection is torn. */
  | { cut: true }
  | { raw: string; contentType: string };

/** A request as the script sees it. */
export interface Seen {
  api: 'responses' | 'chat';
  stream: boolean;
  model: string;
  /** The instructions the model was given. */
  instructions: string;
  /** The conversation, of either API, as items of one kind. */
  items: SeenItem[];
  /** The agent's run, as its assignment names it. */
  run: string;
  body: Record<string, unknown>;
  /** 0 for the first request of all. */
  index: number;
}

export type SeenItem =
  | { kind: 'user' | 'assistant'; text: string }
  | { kind: 'call'; id: string; name: string; arguments: string }
  | { kind: 'answer'; id: string; text: string };

/** Beats in order, or whatever the request asks for. When the beats are used up, every request fails with 500. */
export type Script = readonly (Beat | ((seen: Seen) => Beat))[] | ((seen: Seen) => Beat | Promise<Beat>);

export interface ScriptedServer {
  /** What goes into OPENAI_BASE_URL. */
  readonly url: string;
  readonly requests: Seen[];
  /** Requests that were answered in full. */
  readonly answered: Seen[];
  /** Resolves once nothing is under way: also what a client that went away had asked is answered by then. */
  idle(): Promise<void>;
  /** Most requests under way at once. */
  readonly mostAtOnce: number;
  close(): Promise<void>;
}

export const KEY = 'sk-scripted-0123456789abcdef';
export const MODELS = ['scripted-model', 'other-model'];

/** A server that speaks both of OpenAI's APIs, in JSON and as events, by a script. It takes `key` alone. */
export async function startScriptedServer(script: Script, key: string | null = KEY): Promise<ScriptedServer> {
  const requests: Seen[] = [];
  const answered: Seen[] = [];
  let underWay = 0;
  let mostAtOnce = 0;
  const server = createServer(async (request, response) => {
    underWay += 1;
    mostAtOnce = Math.max(mostAtOnce, underWay);
    response.once('close', () => {
      underWay -= 1;
    });
    if (key !== null && request.headers.authorization !== `Bearer ${key}`) {
      return refuseKey(request, response);
    }
    if (request.method === 'GET' && request.url?.endsWith('/models')) {
      return send(response, 200, { object: 'list', data: MODELS.map((id) => ({ id, object: 'model' })) });
    }
    const seen = read(request, JSON.parse(await text(request)), requests.length);
    requests.push(seen);
    const beat = await nextBeat(script, seen);
    if (await perform(beat, seen, response)) answered.push(seen);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    answered,
    get mostAtOnce() {
      return mostAtOnce;
    },
    async idle() {
      do await sleep(5);
      while (underWay > 0);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function nextBeat(script: Script, seen: Seen): Promise<Beat> {
  if (typeof script === 'function') return script(seen);
  const beat = script[seen.index] ?? { status: 500, error: { message: 'the script is over' } };
  return typeof beat === 'function' ? beat(seen) : beat;
}

/** True when the answer went out whole. */
async function perform(beat: Beat, seen: Seen, response: ServerResponse): Promise<boolean> {
  if ('hang' in beat) return false;
  if ('status' in beat) {
    const error = { message: 'scripted', type: null, code: null, param: null, ...beat.error };
    send(response, beat.status, { error }, beat.headers);
    return false;
  }
  if ('raw' in beat) {
    response.writeHead(200, { 'content-type': beat.contentType }).end(beat.raw);
    return false;
  }
  if ('stall' in beat || 'cut' in beat) {
    const begun = bodyOf({ text: 'It begins well, but '.repeat(20) }, seen).join('');
    response.writeHead(200, { 'content-type': contentType(seen), 'transfer-encoding': 'chunked' });
    response.write(begun.slice(0, begun.length / 2));
    if ('stall' in beat) return false;
    // Not before the beginning is on its way.
    await sleep(20);
    response.destroy();
    return false;
  }
  response.writeHead(200, { 'content-type': contentType(seen), 'x-request-id': `req_${seen.index}` });
  for (const part of bodyOf(beat, seen)) response.write(part);
  response.end();
  return true;
}

const contentType = ({ stream }: Seen): string => (stream ? 'text/event-stream' : 'application/json');

/** The body in the parts it is sent in. */
function bodyOf(answer: ScriptedAnswer, { api, stream, model, index }: Seen): string[] {
  const id = `${api === 'responses' ? 'resp' : 'chatcmpl'}_${index}`;
  const calls = (answer.calls ?? []).map(({ name, input, id: callId }, nth) => ({
    name,
    id: callId ?? `call_${index}_${nth}_abcdef`,
    arguments: typeof input === 'string' ? input : JSON.stringify(input),
  }));
  const full = { ...answer, calls, usage: answer.usage ?? { input: 100, cached: 40, output: 10 }, id, model };
  if (api === 'responses') return stream ? responsesStream(full) : [JSON.stringify(responsesAnswer(full))];
  return stream ? chatStream(full) : [JSON.stringify(chatAnswer(full))];
}

export interface FullAnswer extends Omit<ScriptedAnswer, 'calls'> {
  id: string;
  model: string;
  usage: ScriptedUsage;
  calls: { name: string; id: string; arguments: string }[];
}

function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** As the vendor does it: the message names the key that was wrong. */
function refuseKey(request: IncomingMessage, response: ServerResponse): void {
  const key = request.headers.authorization?.replace('Bearer ', '') ?? '';
  const message = `Incorrect API key provided: ${key}. You can find your API key at https://example.com/keys.`;
  send(response, 401, {
    error: { message, type: 'invalid_request_error', code: 'invalid_api_key', param: null },
  });
}

type Json = Record<string, unknown>;

function read(request: IncomingMessage, body: Json, index: number): Seen {
  const api = request.url?.endsWith('/responses') ? 'responses' : 'chat';
  const items = api === 'responses' ? readInput(body.input as Json[]) : readMessages(body.messages as Json[]);
  const system = (body.messages as Json[] | undefined)?.find(({ role }) => role === 'system');
  const first = items.find(({ kind }) => kind === 'user');
  return {
    api,
    stream: body.stream === true,
    model: String(body.model),
    instructions: String(api === 'responses' ? body.instructions : system?.content),
    items,
    run: first && 'text' in first ? String(JSON.parse(first.text).run) : '',
    body,
    index,
  };
}

function readInput(input: Json[]): SeenItem[] {
  return input.flatMap((item): SeenItem[] => {
    if (item.type === 'function_call') {
      return [
        {
          kind: 'call',
          id: String(item.call_id),
          name: String(item.name),
          arguments: String(item.arguments),
        },
      ];
    }
    if (item.type === 'function_call_output') {
      return [{ kind: 'answer', id: String(item.call_id), text: textOf(item.output) }];
    }
    if (item.role !== 'user' && item.role !== 'assistant') return [];
    return [{ kind: item.role, text: textOf(item.content) }];
  });
}

function readMessages(messages: Json[]): SeenItem[] {
  return messages.flatMap((message): SeenItem[] => {
    if (message.role === 'tool') {
      return [{ kind: 'answer', id: String(message.tool_call_id), text: textOf(message.content) }];
    }
    if (message.role !== 'user' && message.role !== 'assistant') return [];
    const said: SeenItem[] = message.content ? [{ kind: message.role, text: textOf(message.content) }] : [];
    const calls =
      (message.tool_calls as { id: string; function: { name: string; arguments: string } }[]) ?? [];
    return [...said, ...calls.map(({ id, function: call }): SeenItem => ({ kind: 'call', id, ...call }))];
  });
}

const textOf = (content: unknown): string =>
  typeof content === 'string'
    ? content
    : (content as { text?: string }[]).map(({ text: part }) => part ?? '').join('');
