import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { languageModelSeats, openModelAccess } from '../../../src/agents/mind/language-model-seats.ts';
import { asPlaybook } from '../../openai/as-playbook.ts';
import { type Beat, type Script, type Seen, startScriptedServer } from '../../openai/scripted-server.ts';
import { freePort } from '../../server-process.ts';
import { MemoryStore } from '../memory-recorder.ts';
import { type Call, ScriptedToolkit } from '../scripted-toolkit.ts';
import { startTeam } from '../team-fixture.ts';
import { fallbacks, modelOptions, ORCHESTRATOR_ALONE, seatedJob, WIRES } from './seated-job.ts';

/** These beats first, then a model that works. */
const first =
  (...beats: Beat[]): Script =>
  (seen) =>
    beats[seen.index] ?? asPlaybook(seen);
const always =
  (beat: Beat): Script =>
  () =>
    beat;
const answersIn = (seen: Seen | undefined): string[] =>
  seen?.items.flatMap((item) => (item.kind === 'answer' ? [item.text] : [])) ?? [];
const brief = { calls: [{ name: 'read_brief', input: { why: null } }] };
const profile = { calls: [{ name: 'profile_table', input: { why: null } }] };

describe.each(WIRES)('on the wire of $api (stream: $stream)', (wire) => {
  const options = { ...wire, models: ORCHESTRATOR_ALONE };

  it('429 with a short retry-after is waited for, and nobody falls back', async () => {
    const script = first({ status: 429, headers: { 'retry-after': '1' } });
    const { store, server } = await seatedJob(script, options);
    expect(server.requests[1]?.items).toEqual(server.requests[0]?.items);
    expect(fallbacks(store)).toEqual([]);
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('429 with a long retry-after: the playbook goes on, and the server is left in peace for so long', async () => {
    const script = first({ status: 429, headers: { 'retry-after': '90' } });
    const { store, server } = await seatedJob(script, options);
    expect(server.requests).toHaveLength(1);
    expect(fallbacks(store)).toEqual([expect.stringContaining('too many requests')]);
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('insufficient_quota: the model is down for the job, and is not asked again', async () => {
    const script = always({
      status: 429,
      error: { code: 'insufficient_quota', message: 'You have no money.' },
    });
    const { store, server } = await seatedJob(script, options);
    expect(server.requests).toHaveLength(1);
    expect(fallbacks(store)).toEqual([expect.stringContaining('quota')]);
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('503 once is tried again; three times, and the playbook takes this turn; then the model is back', async () => {
    const once = await seatedJob(first({ status: 503 }), options);
    expect(fallbacks(once.store)).toEqual([]);
    const thrice = await seatedJob(first({ status: 503 }, { status: 500 }, { status: 503 }), options);
    expect(fallbacks(thrice.store)).toEqual([expect.stringContaining('503')]);
    expect(thrice.store.ofType('FallbackUsed')[0]?.message).toContain('takes this turn');
    expect(thrice.server.answered.length).toBeGreaterThan(5);
    expect(thrice.store.result?.holdoutScore).toBe(0.88);
  });

  it('503 for ever: three turns, and the model is down', async () => {
    const { store, server } = await seatedJob(always({ status: 503 }), options);
    expect(server.requests).toHaveLength(9);
    expect(fallbacks(store)).toHaveLength(3);
    expect(fallbacks(store)[2]).toContain('3 turns in a row');
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('401: the model is down, said once and without the key', async () => {
    const { store, server } = await seatedJob([], { ...options, apiKey: 'sk-wrong-key-of-somebody' });
    expect(server.requests).toHaveLength(0);
    expect(fallbacks(store)).toEqual([expect.stringContaining('OPENAI_API_KEY')]);
    expect(JSON.stringify([store.events, [...store.journal.values()]])).not.toContain('wrong-key');
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it.each([403, 404])('%i: that model is down for the job', async (status) => {
    const { store, server } = await seatedJob(always({ status }), options);
    expect(server.requests).toHaveLength(1);
    expect(fallbacks(store)).toHaveLength(1);
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('404 of one model leaves the others in their seats', async () => {
    const models = {
      ...ORCHESTRATOR_ALONE,
      TUNER: 'no-such-model',
      EVALUATOR: 'other-model',
      PREPROCESSING: 'no-such-model',
    };
    const script: Script = (seen) => (seen.model === 'no-such-model' ? { status: 404 } : asPlaybook(seen));
    const { store, server } = await seatedJob(script, { ...wire, models });
    expect(fallbacks(store)).toEqual([expect.stringContaining('no-such-model -> playbook')]);
    expect(server.requests.filter(({ model }) => model === 'no-such-model')).toHaveLength(1);
    expect(server.answered.filter(({ model }) => model === 'other-model').length).toBeGreaterThan(0);
  });

  it.each([
    ['no headers', { hang: true } as const],
    ['a stall after the headers', { stall: true } as const],
  ])('%s: the call ends by our own clock', async (_name, beat) => {
    const { store, server } = await seatedJob(first(beat), { ...options, timeoutMs: 300 });
    expect(fallbacks(store)).toEqual([expect.stringContaining('no answer within 0.3 s')]);
    expect(server.answered.length).toBeGreaterThan(5);
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('a cut connection is tried again, then the playbook takes the turn', async () => {
    const once = await seatedJob(first({ cut: true }), options);
    expect(fallbacks(once.store)).toEqual([]);
    const { store } = await seatedJob(first({ cut: true }, { cut: true }, { cut: true }), options);
    expect(fallbacks(store)).toEqual([expect.stringContaining('connection')]);
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('a server that is not there: the playbook does it all', async () => {
    const { store } = await seatedJob([], { ...options, baseUrl: `http://127.0.0.1:${await freePort()}/v1` });
    expect(fallbacks(store)[0]).toContain('ECONNREFUSED');
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('arguments that do not fit are told to the model, which goes on', async () => {
    const bad = { calls: [{ name: 'split_table', input: { folds: 'many', why: null } }] };
    const { store, server } = await seatedJob(first(profile, bad), options);
    expect(answersIn(server.requests[2]).join()).toMatch(/ARGUMENTS_INVALID.*folds/);
    expect(fallbacks(store)).toEqual([]);
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('arguments that are no JSON, too', async () => {
    const bad = { calls: [{ name: 'split_table', input: '{"folds": 5' }] };
    const { store, server, toolkit } = await seatedJob(first(profile, bad), options);
    expect(answersIn(server.requests[2]).join()).toContain('ARGUMENTS_INVALID');
    expect(fallbacks(store)).toEqual([]);
    expect(toolkit.calls.filter(({ command }) => command === 'split')).toHaveLength(1);
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('an unknown tool is told to the model, which goes on', async () => {
    const { store, server } = await seatedJob(
      first({ calls: [{ name: 'print_the_holdout', input: {} }] }),
      options,
    );
    expect(answersIn(server.requests[1]).join()).toContain('print_the_holdout');
    expect(fallbacks(store)).toEqual([]);
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('a tool that fails is told to the model with its code', async () => {
    const fail = ({ command, request }: Call) =>
      command === 'train' && request.family === 'CATBOOST'
        ? { code: 'TRIAL_FAILED', message: 'no tree grew' }
        : null;
    const models = { ...ORCHESTRATOR_ALONE, ORCHESTRATOR: 'playbook', SUB_TRAINER: 'scripted-model' };
    const { store, server } = await seatedJob(
      asPlaybook,
      { ...wire, models },
      { toolkit: new ScriptedToolkit({ fail }) },
    );
    expect(server.requests.flatMap(answersIn).join()).toMatch(/TRIAL_FAILED.*no tree grew/);
    expect(fallbacks(store)).toEqual([]);
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('an answer without a call is asked for once more, then the playbook takes the turn', async () => {
    const words = { text: 'All done, the model is excellent.' };
    const once = await seatedJob(first(words), options);
    expect(once.server.requests[1]?.items.at(-1)).toMatchObject({
      kind: 'user',
      text: expect.stringContaining('no tool call'),
    });
    expect(fallbacks(once.store)).toEqual([]);
    const { store } = await seatedJob(first(words, words), options);
    expect(fallbacks(store)).toEqual([expect.stringContaining('called no tool')]);
    expect(store.usage.modelCalls).toBeGreaterThan(5);
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('an empty answer is no answer', async () => {
    const { store } = await seatedJob(first({}, {}), options);
    expect(fallbacks(store)).toHaveLength(1);
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it.each([
    ['HTML', '<html><body>Please log in.</body></html>', 'text/html'],
    ['HTML called JSON', '<html><body>Please log in.</body></html>', 'application/json'],
    ['JSON of another kind', '{"hello": "world"}', 'application/json'],
    ['a list', '[1, 2]', 'application/json'],
    ['null', 'null', 'application/json'],
    ['nothing', '', 'application/json'],
  ])('%s with 200: the playbook takes the turn', async (_name, raw, contentType) => {
    const beat = { raw, contentType };
    const { store } = await seatedJob(first(beat, beat, beat), options);
    expect(fallbacks(store).length).toBeGreaterThan(0);
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('an answer that the token limit cut short ends in a turn all the same', async () => {
    const cut = { calls: [{ name: 'split_table', input: '{"folds": ' }], truncated: true };
    const { store } = await seatedJob(first(profile, cut), options);
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('call ids that come again do not mix up steps', async () => {
    const again = (name: string): Beat => ({ calls: [{ name, input: { why: null }, id: 'call_0' }] });
    const { store } = await seatedJob(
      first(again('profile_table'), again('read_brief'), again('read_brief')),
      options,
    );
    const steps = [...store.journal.values()]
      .map(({ tool }) => tool)
      .filter((tool) => tool.startsWith('pro') || tool === 'read_brief');
    expect(steps.slice(0, 3)).toEqual(['profile_table', 'read_brief', 'read_brief']);
    expect(fallbacks(store)).toEqual([]);
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('a setting that the model does not take is left out from then on', async () => {
    const script: Script = (seen) =>
      'temperature' in seen.body
        ? { status: 400, error: { param: 'temperature', message: 'Unsupported parameter.' } }
        : asPlaybook(seen);
    const { store, server } = await seatedJob(script, { ...options, temperature: 0.3 });
    expect(server.requests.filter(({ body }) => 'temperature' in body)).toHaveLength(1);
    expect(fallbacks(store)).toEqual([]);
  });

  it('a hard stop in the middle of a call is passed on, and nothing is written after it', async () => {
    const server = await startScriptedServer(always({ hang: true }));
    const seats = languageModelSeats(openModelAccess(modelOptions({ ...options, baseUrl: server.url })));
    const store = new MemoryStore();
    // The first journal entries are the agent's and the stage's: the plug is pulled once the model is asked.
    const { done, pull } = startTeam({ toolkit: new ScriptedToolkit(), store, seats });
    while (server.requests.length === 0) await sleep(2);
    const before = store.events.length;
    pull();
    await expect(done).rejects.toThrow('the plug is pulled');
    expect(store.events).toHaveLength(before);
    await server.close();
  });

  it.each(['cancelled', 'deadline'] as const)(
    '%s in the middle of a call: the playbook wraps up',
    async (reason) => {
      const trained = (seen: Seen) =>
        seen.items.some((item) => item.kind === 'call' && item.name === 'delegate_training');
      const server = await startScriptedServer((seen) => (trained(seen) ? { hang: true } : asPlaybook(seen)));
      const seats = languageModelSeats(openModelAccess(modelOptions({ ...options, baseUrl: server.url })));
      const { store, done, stop } = startTeam({
        toolkit: new ScriptedToolkit(),
        seats,
        options: { maxTrials: 3 },
      });
      while (!server.requests.some(trained)) await sleep(2);
      stop(reason);
      await done;
      expect(store.result?.holdoutScore).toBe(0.88);
      expect(fallbacks(store)).toHaveLength(1);
      await server.close();
    },
  );

  it('hears what the tools answered, in the order of its calls', async () => {
    const two = { calls: [...profile.calls] };
    const { server } = await seatedJob(first(two, { calls: [...brief.calls, ...brief.calls] }), options);
    expect(answersIn(server.requests[2])).toHaveLength(3);
    for (const text of answersIn(server.requests[2])) expect(JSON.parse(text)).toMatchObject({ ok: true });
  });
});
