import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { languageModelSeats, openModelAccess } from '../../../src/agents/mind/language-model-seats.ts';
import { asPlaybook } from '../../openai/as-playbook.ts';
import { startScriptedServer } from '../../openai/scripted-server.ts';
import { ScriptedToolkit } from '../scripted-toolkit.ts';
import { startTeam } from '../team-fixture.ts';
import { fallbacks, modelOptions, ORCHESTRATOR_ALONE } from './seated-job.ts';

const job = (seats: ReturnType<typeof languageModelSeats>) =>
  startTeam({ toolkit: new ScriptedToolkit(), seats, options: { maxTrials: 6 } });

describe('what jobs share', () => {
  it('is the number of calls at a time', async () => {
    for (const maxConcurrency of [1, 3]) {
      const server = await startScriptedServer(async (seen) => {
        await sleep(10);
        return asPlaybook(seen);
      });
      const seats = languageModelSeats(
        openModelAccess(modelOptions({ baseUrl: server.url, maxConcurrency })),
      );
      const jobs = [job(seats), job(seats), job(seats)];
      await Promise.all(jobs.map(({ done }) => done));
      expect(server.mostAtOnce).toBe(maxConcurrency);
      expect(jobs.flatMap(({ store }) => fallbacks(store))).toEqual([]);
      await server.close();
    }
  });

  it('is a pause that the server asked for; and nothing of what one job learnt of its own seats', async () => {
    const server = await startScriptedServer((seen) =>
      seen.index === 0 ? { status: 429, headers: { 'retry-after': '600' } } : asPlaybook(seen),
    );
    const options = modelOptions({ baseUrl: server.url, models: ORCHESTRATOR_ALONE });
    const seats = languageModelSeats(openModelAccess(options));
    const first = job(seats);
    await first.done;
    const second = job(seats);
    await second.done;
    expect(server.requests).toHaveLength(1);
    expect(fallbacks(second.store)).toEqual([expect.stringContaining('asked for a pause')]);
    const elsewhere = job(languageModelSeats(openModelAccess(options)));
    await elsewhere.done;
    expect(fallbacks(elsewhere.store)).toEqual([]);
    await server.close();
  });
});

describe('the seat "playbook:ROLE"', () => {
  it("is the playbook's, whoever sits in the others", async () => {
    const server = await startScriptedServer([]);
    const access = openModelAccess(modelOptions({ baseUrl: server.url }));
    const { store, done } = startTeam({
      toolkit: new ScriptedToolkit(),
      options: { maxTrials: 2 },
      seats: (table) => {
        const provider = languageModelSeats(access)(table);
        return { getModel: (name) => provider.getModel(`playbook:${name}`) };
      },
    });
    await done;
    expect(server.requests).toEqual([]);
    expect(fallbacks(store)).toEqual([]);
    expect([...store.journal.values()].filter(({ tool }) => tool === 'model')).toEqual([]);
    expect(store.result?.holdoutScore).toBe(0.88);
    await server.close();
  });
});
