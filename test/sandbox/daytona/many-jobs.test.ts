import { expect, it } from 'vitest';
import { runManyJobs } from '../../daytona/many-jobs.ts';

// bench/daytona-jobs.ts is the same with fifty.
it('jobs with random faults, dying sandboxes and kill -9 of the server all end, and leave nothing in the cloud', async () => {
  const { outcomes, sandboxes, volumes } = await runManyJobs({ jobs: 6, kills: 2, oneIn: 25, seed: 7 });
  expect({ sandboxes, volumes }).toEqual({ sandboxes: 0, volumes: 0 });
  expect(outcomes).toEqual(Array(6).fill('SUCCEEDED'));
}, 240_000);
