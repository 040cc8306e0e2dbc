import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { asPlaybook } from '../../openai/as-playbook.ts';
import { KEY } from '../../openai/scripted-server.ts';
import { fallbacks, seatedJob, WIRES } from './seated-job.ts';

describe.each(WIRES)('a recorded conversation ($api, stream: $stream)', (wire) => {
  it('can be played again without the server, times left aside, and holds no key', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sproutml-recording-'));
    try {
      const live = await seatedJob(asPlaybook, { ...wire, record: folder });
      const files = await readdir(folder);
      expect(files).toHaveLength(live.server.requests.length);
      for (const file of files) expect(await readFile(join(folder, file), 'utf8')).not.toContain(KEY);

      const again = await seatedJob(() => ({ status: 500 }), { ...wire, replay: folder, apiKey: null });
      expect(again.server.requests).toHaveLength(0);
      expect(fallbacks(again.store)).toEqual([]);
      const names = (trials: Iterable<{ name: string }>) => [...trials].map(({ name }) => name).toSorted();
      expect(names(again.store.trials.values())).toEqual(names(live.store.trials.values()));
      expect(again.store.result?.holdoutScore).toBe(0.88);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('leaves to the playbook what was not recorded', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sproutml-recording-'));
    try {
      const { store } = await seatedJob([], { ...wire, replay: folder });
      expect(fallbacks(store)[0]).toContain('no answer at orchestrator 0');
      expect(store.result?.holdoutScore).toBe(0.88);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

it('the conversation of `demo --mind scripted` is played to its end', async () => {
  const replay = join(import.meta.dirname, '../../../examples/scripted-model/conversation');
  const lead = { mind: 'LANGUAGE_MODEL' as const, options: { maxTrials: 40, timeBudgetSeconds: 600 } };
  const { store } = await seatedJob([], { replay, apiKey: null }, lead);
  expect(fallbacks(store)).toEqual([]);
  expect(store.usage.modelCalls).toBe((await readdir(replay)).length);
  expect(store.result?.holdoutScore).toBe(0.88);
});
