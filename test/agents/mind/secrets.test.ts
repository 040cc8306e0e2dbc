import { describe, expect, it } from 'vitest';
import { redactError, redactor } from '../../../src/agents/mind/redact.ts';
import { ConfigError, readConfig } from '../../../src/config.ts';
import { asPlaybook } from '../../openai/as-playbook.ts';
import { KEY, type Script } from '../../openai/scripted-server.ts';
import { seatedJob, WIRES } from './seated-job.ts';

describe('the key', () => {
  it.each(WIRES)(
    'stays out of everything a job leaves, even where the server sends it back ($api, $stream)',
    async (wire) => {
      // First it hides it in an answer, then in errors of several kinds.
      const script: Script = (seen) => {
        if (seen.index === 0) {
          return {
            text: `Your key is ${KEY}.`,
            reasoning: KEY,
            calls: [{ name: 'profile_table', input: { why: KEY } }],
          };
        }
        if (seen.index === 1) return { calls: [{ name: `read_${KEY}`, input: { [KEY]: KEY } }] };
        if (seen.index < 5)
          return { status: 500, error: { message: `Bearer ${KEY}`, code: KEY, param: KEY } };
        if (seen.index < 8) return { raw: `<p>${KEY}</p>`, contentType: 'text/html' };
        return asPlaybook(seen);
      };
      const { store, toolkit } = await seatedJob(script, wire);
      const left = JSON.stringify([
        store.events,
        [...store.journal.values()],
        [...store.artifacts],
        [...store.trials],
        store.changes,
        store.progress,
        toolkit.calls,
      ]);
      expect(left).toContain('Your key is [key].');
      expect(left).not.toContain(KEY);
      expect(left).not.toContain(KEY.slice(4));
    },
  );

  it('is taken out of errors also where it is starred out, or another one', () => {
    const redact = redactor([KEY]);
    const clean = (text: string) => redactError(redact, text);
    expect(clean(`Incorrect API key provided: sk-proj-********************cdef.`)).toBe(
      'Incorrect API key provided: [key].',
    );
    expect(clean('authorization: Bearer abc.def')).toBe('authorization: [key]');
    expect(clean('scikit: sk-learn-intelex is fine')).toBe('scikit: sk-learn-intelex is fine');
  });

  it('is not shown by a configuration that is wrong', () => {
    const variables = { OPENAI_API_KEY: 'sk-with a space-1234567', SIGNING_SECRET: 'short-secret' };
    expect(() => readConfig(variables)).toThrow(ConfigError);
    try {
      readConfig(variables);
    } catch (error) {
      expect(String(error)).toContain('OPENAI_API_KEY');
      expect(String(error)).not.toMatch(/a space-1234567|short-secret/);
    }
  });
});
