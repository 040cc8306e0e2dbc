import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { steps } from '../../../src/db/schema.ts';
import { followToEnd, oneTo, openRig, type Rig, sequencesOf, startJob } from '../../jobs/rig.ts';
import { asPlaybook } from '../../openai/as-playbook.ts';
import { type ScriptedServer, type Seen, startScriptedServer } from '../../openai/scripted-server.ts';

const SERVER = join(import.meta.dirname, 'seated-server.ts');
const KILLS = 20;
/** Sub-trainers side by side, each with one call under way. */
const MOST_IN_FLIGHT = 6;

let rig: Rig;
let model: ScriptedServer;
beforeEach(async () => {
  rig = await openRig();
  model = await startScriptedServer(asPlaybook);
});
afterEach(async () => {
  await model.close();
  await rig.remove();
});

it('kill -9, twenty times over one job with nested agents side by side, repeats no finished step and pays no answer twice', async () => {
  const id = await startJob(rig, { targetColumn: 'y', maxTrials: 12 });
  await rig.close();
  /** Ends by its own hand after so many changes, or with the job. */
  const live = async (changes: number): Promise<NodeJS.Signals | null> => {
    const child = spawn(process.execPath, [SERVER, rig.dataDir, model.url, String(changes)], {
      stdio: 'inherit',
    });
    const [, signal] = await once(child, 'exit');
    return signal;
  };
  const journal = async () => {
    rig = await openRig({ dataDir: rig.dataDir });
    const rows = await rig.database.read.select().from(steps);
    await rig.close();
    return rows;
  };
  const executions = async () =>
    (await readFile(join(rig.dataDir, 'executions.log'), 'utf8').catch(() => ''))
      .split('\n')
      .filter((line) => line !== '');

  let lost = 0;
  let kept = 0;
  const done = new Set<string>();
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const before = { answered: model.answered.length, executed: (await executions()).length };
    // A few changes more than it takes to claim the job again.
    expect(await live(8 + ((kill * 7) % 13)), `kill ${kill}`).toBe('SIGKILL');
    await model.idle();
    const rows = await journal();
    const turns = rows.filter(({ tool }) => tool === 'model').length;
    const underWay = model.answered.length - before.answered - (turns - kept);
    expect(underWay, `kill ${kill}`).toBeLessThanOrEqual(MOST_IN_FLIGHT);
    lost += underWay;
    kept = turns;
    for (const again of (await executions()).slice(before.executed))
      expect(done, `kill ${kill}`).not.toContain(again);
    for (const { output } of rows) for (const name of executionsOf(output)) done.add(name);
  }
  expect(await live(0)).toBeNull();

  const asked = model.answered.map(({ run, items }: Seen) => JSON.stringify([run, items]));
  expect(asked.length - new Set(asked).size).toBeLessThanOrEqual(lost);
  const turns = (await journal()).filter(({ tool }) => tool === 'model');
  expect(turns).toHaveLength(new Set(asked).size);

  rig = await openRig({ dataDir: rig.dataDir });
  const updates = await followToEnd(rig, id);
  const job = updates.at(-1)?.job;
  expect(job).toMatchObject({ status: 'SUCCEEDED', failure: null, attempt: KILLS + 1 });
  expect(job?.usage.modelCalls).toBe(turns.length);
  expect(sequencesOf(updates)).toEqual(oneTo(job?.lastSequence ?? 0));
  const said = updates.flatMap(({ event }) =>
    event?.type === 'StepFinished' ? [`${event.agentRun} ${event.step}`] : [],
  );
  expect(said).toEqual([...new Set(said)]);
}, 240_000);

/** The toolkit's work behind a journaled step, named as in executions.log. */
function executionsOf(output: unknown): string[] {
  const { answer } = (output ?? {}) as {
    answer?: { result?: { trialId?: string; foldScores?: unknown; weights?: unknown } };
  };
  const result = answer?.result;
  if (!result?.trialId || !result.foldScores) return [];
  return [`${result.weights ? 'ensemble' : 'train'} ${result.trialId} `];
}
