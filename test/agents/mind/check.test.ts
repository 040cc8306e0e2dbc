import { describe, expect, it } from 'vitest';
import { checkLanguageModel } from '../../../src/agents/mind/check.ts';
import { startScriptedServer } from '../../openai/scripted-server.ts';
import { freePort } from '../../server-process.ts';
import { modelOptions } from './seated-job.ts';

describe('the check of a language model', () => {
  it('is well where the key is taken and every model is there, and costs no answer', async () => {
    const server = await startScriptedServer([]);
    const check = await checkLanguageModel(modelOptions({ baseUrl: server.url }));
    expect(check).toMatchObject({ ok: 'ok', detail: expect.stringContaining('scripted-model') });
    expect(server.requests).toEqual([]);
    await server.close();
  });

  it('names a key that is refused without showing it', async () => {
    const server = await startScriptedServer([]);
    const apiKey = 'sk-wrong-0123456789';
    const check = await checkLanguageModel(modelOptions({ baseUrl: server.url, apiKey }));
    expect(check).toMatchObject({ ok: 'failure', hint: expect.stringContaining('OPENAI_API_KEY') });
    expect(JSON.stringify(check)).not.toContain(apiKey);
    await server.close();
  });

  it('names models that are not there, and some that are', async () => {
    const server = await startScriptedServer([]);
    const models = { ...modelOptions().models, TUNER: 'gpt-nothing' };
    expect(await checkLanguageModel(modelOptions({ baseUrl: server.url, models }))).toMatchObject({
      ok: 'failure',
      detail: expect.stringContaining('gpt-nothing'),
      hint: expect.stringContaining('other-model'),
    });
    await server.close();
  });

  it('names an address where nobody answers', async () => {
    const baseUrl = `http://127.0.0.1:${await freePort()}/v1`;
    expect(await checkLanguageModel(modelOptions({ baseUrl }))).toMatchObject({
      ok: 'failure',
      detail: expect.stringContaining('ECONNREFUSED'),
      hint: expect.stringContaining('OPENAI_BASE_URL'),
    });
  });

  it('warns where a price is unknown', async () => {
    const server = await startScriptedServer([]);
    const options = modelOptions({ baseUrl: server.url, isVendor: true, prices: {} });
    expect(await checkLanguageModel(options)).toMatchObject({
      ok: 'warning',
      hint: expect.stringContaining('OPENAI_PRICES'),
    });
    await server.close();
  });
});
