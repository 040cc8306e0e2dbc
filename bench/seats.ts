/**
 * `npm run bench:seats`: what the seats of a language model cost beside the model itself: one job of the team over a toolkit that
 * takes no time, with the playbook in the seats, and with a scripted model that answers at once over HTTP, on both APIs, whole and
 * streamed. CPU and wall milliseconds per turn, less those of the playbook's job; the scripted server's share is in them.
 */
import { languageModelSeats, openModelAccess } from '../src/agents/mind/language-model-seats.ts';
import { modelOptions, WIRES } from '../test/agents/mind/seated-job.ts';
import { ScriptedToolkit } from '../test/agents/scripted-toolkit.ts';
import { startTeam } from '../test/agents/team-fixture.ts';
import { asPlaybook } from '../test/openai/as-playbook.ts';
import { startScriptedServer } from '../test/openai/scripted-server.ts';
import { printTable } from './server.ts';

const JOBS = 5;
const attempt = { options: { maxTrials: 12 }, elapsedMs: () => 1000 };

const bare = await measure(async () => {
  await startTeam({ ...attempt, toolkit: new ScriptedToolkit() }).done;
  return 0;
});
const rows: string[][] = [];
for (const wire of WIRES) {
  const server = await startScriptedServer(asPlaybook);
  const access = openModelAccess(modelOptions({ ...wire, baseUrl: server.url }));
  const seated = await measure(async () => {
    const before = server.answered.length;
    await startTeam({ ...attempt, toolkit: new ScriptedToolkit(), seats: languageModelSeats(access) }).done;
    return server.answered.length - before;
  });
  await server.close();
  const perTurn = (name: 'cpu' | 'wall') => ((seated[name] - bare[name]) / seated.turns).toFixed(1);
  rows.push([
    wire.api,
    wire.stream ? 'events' : 'whole',
    String(seated.turns),
    perTurn('cpu'),
    perTurn('wall'),
  ]);
}
printTable('overhead of the seats', ['API', 'answer', 'turns', 'CPU ms a turn', 'wall ms a turn'], rows);

/** Of one job, the mean of a few after a first one to warm up. */
async function measure(job: () => Promise<number>): Promise<{ cpu: number; wall: number; turns: number }> {
  await job();
  const cpu = process.cpuUsage();
  const started = performance.now();
  let turns = 0;
  for (let index = 0; index < JOBS; index += 1) turns += await job();
  const { user, system } = process.cpuUsage(cpu);
  return {
    cpu: (user + system) / 1000 / JOBS,
    wall: (performance.now() - started) / JOBS,
    turns: turns / JOBS,
  };
}
