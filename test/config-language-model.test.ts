import { describe, expect, it } from 'vitest';
import { ConfigError, readConfig } from '../src/config.ts';
import { languageModelOptions } from '../src/config-language-model.ts';

const optionsOf = (variables: Record<string, string>) => languageModelOptions(readConfig(variables));
const OPENAI_API_KEY = 'sk-0123456789';

describe('the language model of a configuration', () => {
  it('is none without key, address or recording', () => {
    expect(optionsOf({ OPENAI_MODEL: 'gpt-5.5' })).toBeNull();
  });

  it('is reached by Responses at the vendor, by Chat Completions elsewhere, or as was asked for', () => {
    expect(optionsOf({ OPENAI_API_KEY })).toMatchObject({
      api: 'responses',
      isVendor: true,
      baseUrl: 'https://api.openai.com/v1',
    });
    const OPENAI_BASE_URL = 'http://127.0.0.1:11434/v1/';
    expect(optionsOf({ OPENAI_BASE_URL })).toMatchObject({
      api: 'chat',
      isVendor: false,
      apiKey: null,
      baseUrl: 'http://127.0.0.1:11434/v1',
    });
    expect(optionsOf({ OPENAI_BASE_URL, OPENAI_API: 'responses' })).toMatchObject({ api: 'responses' });
    expect(optionsOf({ OPENAI_API_KEY, OPENAI_API: 'chat' })).toMatchObject({ api: 'chat' });
    expect(optionsOf({ OPENAI_API_KEY, OPENAI_BASE_URL: 'https://eu.api.openai.com/v1' })).toMatchObject({
      isVendor: true,
    });
  });

  it('may differ by seat', () => {
    const models = optionsOf({
      OPENAI_API_KEY,
      OPENAI_MODEL: 'gpt-5.5',
      OPENAI_MODEL_SUB_TRAINER: 'playbook',
    })?.models;
    expect(models).toMatchObject({ ORCHESTRATOR: 'gpt-5.5', SUB_TRAINER: 'playbook' });
  });

  it('has prices as a list or as JSON, and says what is wrong with others', () => {
    const prices = (text: string) => optionsOf({ OPENAI_API_KEY, OPENAI_PRICES: text })?.prices;
    const expected = { a: { input: 1, cached: 1, output: 4 }, b: { input: 2, cached: 0.2, output: 8 } };
    expect(prices('a=1/4, b=2/0.2/8')).toEqual(expected);
    expect(prices('{"a": {"input": 1, "output": 4}, "b": {"input": 2, "cached": 0.2, "output": 8}}')).toEqual(
      expected,
    );
    for (const wrong of ['a', 'a=1', 'a=1/x', 'a=1/2/3/4', 'a=-1/2', '=1/2', '{"a": 1}', '{']) {
      expect(() => prices(wrong), wrong).toThrow(ConfigError);
    }
  });
});
