/**
 * Fifty small jobs on a server that is killed ten times, at a stand-in of Daytona where one request in twenty goes wrong and
 * sandboxes die: how they end and what is left in the cloud. `node bench/daytona-jobs.ts [JOBS] [KILLS] [SEED]`
 */
import { runManyJobs } from '../test/daytona/many-jobs.ts';

const [jobs = 50, kills = 10, seed = 1] = process.argv.slice(2).map(Number);
const started = performance.now();
const { outcomes, ...left } = await runManyJobs({ jobs, kills, oneIn: 20, seed });
const ends: Record<string, number> = {};
for (const outcome of outcomes) ends[outcome] = (ends[outcome] ?? 0) + 1;
console.table([{ jobs, ...ends, ...left, seconds: Math.round((performance.now() - started) / 1000) }]);
process.exitCode = left.sandboxes + left.volumes > 0 ? 1 : 0;
