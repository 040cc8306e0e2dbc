import { describe, expect, it } from 'vitest';
import { languageModelSeats, openModelAccess } from '../../../src/agents/mind/language-model-seats.ts';
import { asPlaybook } from '../../openai/as-playbook.ts';
import { type Beat, type Seen, startScriptedServer } from '../../openai/scripted-server.ts';
import { MemoryStore } from '../memory-recorder.ts';
import { ScriptedToolkit } from '../scripted-toolkit.ts';
import { startTeam } from '../team-fixture.ts';
import { fallbacks, modelOptions, ORCHESTRATOR_ALONE } from './seated-job.ts';

const options = { maxTrials: 4 };
const elapsedMs = () => 1000;
const turns = (store: MemoryStore) =>
  [...store.journal.values()].filter(({ tool }) => tool === 'model').length;
const question = ({ run, items }: Seen) => JSON.stringify([run, items]);
/** Sub-trainers side by side, each with at most one call under way. */
const MOST_IN_FLIGHT = 6;

describe('a job with a language model in its seats that is killed and run again', () => {
  it('pays no journaled answer again, wherever the plug was pulled', { timeout: 240_000 }, async () => {
    const server = await startScriptedServer(asPlaybook);
    const access = openModelAccess(modelOptions({ baseUrl: server.url }));
    const seats = languageModelSeats(access);
    const whole = startTeam({ toolkit: new ScriptedToolkit(), seats, options, elapsedMs });
    await whole.done;
    const entries = whole.store.journal.size;
    expect(turns(whole.store)).toBeGreaterThan(20);

    for (let dieAfter = 1; dieAfter < entries; dieAfter += 5) {
      server.answered.length = 0;
      const store = new MemoryStore();
      const first = startTeam({ toolkit: new ScriptedToolkit(), store, seats, options, elapsedMs, dieAfter });
      await expect(first.done, `killed after entry ${dieAfter}`).rejects.toThrow('the plug is pulled');
      await server.idle();
      const kept = turns(store);
      const lost = server.answered.length - kept;
      expect(lost).toBeLessThanOrEqual(MOST_IN_FLIGHT);

      await startTeam({ toolkit: new ScriptedToolkit(), store, seats, options, elapsedMs }).done;
      const asked = server.answered.map(question);
      expect(asked.length - new Set(asked).size, `killed after entry ${dieAfter}`).toBeLessThanOrEqual(lost);
      expect(turns(store)).toBe(turns(whole.store));
      expect(store.usage.modelCalls).toBe(turns(store));
      expect(fallbacks(store)).toEqual([]);
      expect(store.result?.holdoutScore).toBe(0.88);
    }
    await server.close();
  });

  it('keeps to what the playbook did in its stead, though the model is back', async () => {
    let healthy = false;
    const script = (seen: Seen): Beat | Promise<Beat> => (healthy ? asPlaybook(seen) : { status: 404 });
    const server = await startScriptedServer(script);
    const model = modelOptions({ baseUrl: server.url, models: ORCHESTRATOR_ALONE });
    const store = new MemoryStore();
    const seats = () => languageModelSeats(openModelAccess(model));
    const first = startTeam({
      toolkit: new ScriptedToolkit(),
      store,
      seats: seats(),
      options,
      elapsedMs,
      dieAfter: 20,
    });
    await expect(first.done).rejects.toThrow('the plug is pulled');
    healthy = true;
    await startTeam({ toolkit: new ScriptedToolkit(), store, seats: seats(), options, elapsedMs }).done;
    expect(server.requests).toHaveLength(1);
    expect(fallbacks(store)).toHaveLength(1);
    expect(store.result?.holdoutScore).toBe(0.88);
    await server.close();
  });

  it('goes on without the model where none is configured any more, and says so', async () => {
    const server = await startScriptedServer(asPlaybook);
    const store = new MemoryStore();
    const seats = languageModelSeats(openModelAccess(modelOptions({ baseUrl: server.url })));
    const first = startTeam({
      toolkit: new ScriptedToolkit(),
      store,
      seats,
      options,
      elapsedMs,
      dieAfter: 20,
    });
    await expect(first.done).rejects.toThrow('the plug is pulled');
    const asked = server.requests.length;
    await startTeam({
      toolkit: new ScriptedToolkit(),
      store,
      seats: languageModelSeats(null),
      options,
      elapsedMs,
    }).done;
    expect(server.requests).toHaveLength(asked);
    expect(fallbacks(store)).toEqual([expect.stringContaining('configured')]);
    expect(store.result?.holdoutScore).toBe(0.88);
    await server.close();
  });
});
