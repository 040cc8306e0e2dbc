import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startServerProcess, temporaryFolder } from '../server-process.ts';
import { ApiUser, type JobUpdate } from './client.ts';
import { binaryTable } from './tables.ts';

/** Where in the job the server is killed: at the first event that fits. */
const MOMENTS: readonly [name: string, (event: NonNullable<JobUpdate['event']>) => boolean][] = [
  ['SETUP', (event) => event.__typename === 'StageStarted' && event.stage === 'SETUP'],
  [
    'PREPROCESSING, in a step',
    (event) => event.__typename === 'StepStarted' && event.stage === 'PREPROCESSING',
  ],
  ['TRAINING, in a trial', (event) => event.__typename === 'StepStarted' && event.agent === 'SUB_TRAINER'],
  ['TRAINING, after a trial', (event) => event.__typename === 'TrialFinished'],
  ['EVALUATION', (event) => event.__typename === 'StepStarted' && event.stage === 'EVALUATION'],
  [
    'TUNING',
    (event) => event.__typename === 'StepStarted' && event.stage === 'TUNING' && event.agent === 'TUNER',
  ],
  ['REPORTING', (event) => event.__typename === 'StepStarted' && event.stage === 'REPORTING'],
  ['saving artifacts', (event) => event.__typename === 'ArtifactSaved'],
];

describe('kill -9 of the server', () => {
  it('in each stage, one after another, loses nothing and repeats nothing', {
    timeout: 400_000,
  }, async () => {
    const folder = await temporaryFolder('kill');
    const dataDir = join(folder.path, 'data');
    let server = await startServerProcess({ dataDir });
    try {
      let user = new ApiUser(server.url);
      const id = await user.startJob(binaryTable(600), {
        targetColumn: 'label',
        timeBudgetSeconds: 60,
        maxTrials: 12,
      });
      const survived: string[] = [];
      let after = 0;
      for (const [moment, fits] of MOMENTS) {
        for await (const { event, sequence } of user.watch(id, after)) {
          if (event === null || !fits(event)) continue;
          after = sequence;
          break;
        }
        await server.kill();
        survived.push(moment);
        server = await startServerProcess({ dataDir });
        user = new ApiUser(server.url);
      }

      const updates = await user.untilEnded(id);
      expect(survived).toHaveLength(MOMENTS.length);
      expect(updates.at(-1)?.job).toMatchObject({ status: 'SUCCEEDED', failure: null });

      const events = updates.flatMap(({ event }) => event ?? []);
      expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1));
      const finished = events
        .filter(({ __typename }) => __typename === 'StepFinished')
        .map(({ agentRun, step }) => `${agentRun} ${step}`);
      expect(finished).toEqual([...new Set(finished)]);
      const artifacts = (await user.artifacts(id)).map(({ name }) => name);
      expect(artifacts).toEqual([...new Set(artifacts)]);
      expect(artifacts).toContain('model.pkl');
    } finally {
      await server.kill();
      await folder.remove();
    }
  });
});
