import { type AgentOutputItem, type Model, type ModelRequest, Usage } from '@openai/agents-core';
import { describe, expect, it } from 'vitest';
import { playbookSeats } from '../../src/agents/seats.ts';
import { ScriptedToolkit } from './scripted-toolkit.ts';
import { startTeam } from './team-fixture.ts';

const call = (name: string, input: unknown): AgentOutputItem => ({
  type: 'function_call',
  callId: `odd-${name}`,
  name,
  arguments: typeof input === 'string' ? input : JSON.stringify(input),
  status: 'completed',
});

/** The playbook in every seat, but in the orchestrator's the first turn is `odd`. Keeps what the seat was asked. */
function withOddFirstTurn(odd: AgentOutputItem[]) {
  const requests: ModelRequest[] = [];
  const playbook = playbookSeats();
  const seats = {
    async getModel(role?: string): Promise<Model> {
      const model = await playbook.getModel(role);
      if (role !== 'ORCHESTRATOR') return model;
      return {
        async getResponse(request) {
          const { signal: _signal, ...kept } = request;
          requests.push(structuredClone(kept));
          return requests.length === 1 ? { usage: new Usage(), output: odd } : model.getResponse(request);
        },
        getStreamedResponse: (request) => model.getStreamedResponse(request),
      };
    },
  };
  const told = () => JSON.stringify(requests[1]?.input);
  return { seats, requests, told };
}

describe('whoever sits in a seat', () => {
  it('is told what is wrong with its arguments, and the playbook can go on from there', async () => {
    const { seats, told } = withOddFirstTurn([call('split_table', { folds: 'many', why: null })]);
    const { store, done } = startTeam({ toolkit: new ScriptedToolkit(), seats });
    await done;
    expect(told()).toContain('ARGUMENTS_INVALID');
    expect(told()).toContain('folds');
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('is told when there is no such tool', async () => {
    const { seats, told } = withOddFirstTurn([call('print_the_holdout', {})]);
    const { store, done } = startTeam({ toolkit: new ScriptedToolkit(), seats });
    await done;
    expect(told()).toContain('print_the_holdout');
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('cannot finish with arguments that make no sense', async () => {
    const { seats } = withOddFirstTurn([call('finish', '{"outcome": 5')]);
    const { store, done } = startTeam({ toolkit: new ScriptedToolkit(), seats });
    await done;
    expect(store.result?.holdoutScore).toBe(0.88);
  });

  it('does not succeed by merely saying so', async () => {
    const text: AgentOutputItem = {
      type: 'message',
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text: 'All done, the model is excellent.' }],
    };
    const { seats } = withOddFirstTurn([text]);
    const { done } = startTeam({ toolkit: new ScriptedToolkit(), seats });
    await expect(done).rejects.toMatchObject({ code: 'AGENT_UNFINISHED' });
  });

  it('gets the same instructions in every job: no clock, no table, no person in them', async () => {
    const prompts = await Promise.all(
      ['Prefer CatBoost.', null].map(async (instructions) => {
        const { seats, requests } = withOddFirstTurn([call('profile_table', { why: null })]);
        await startTeam({ toolkit: new ScriptedToolkit(), seats, options: { instructions } }).done;
        return new Set(requests.map(({ systemInstructions }) => systemInstructions));
      }),
    );
    expect(prompts[0]?.size).toBe(1);
    expect(prompts[0]).toEqual(prompts[1]);
  });
});
