import { afterEach, beforeEach, expect, it } from 'vitest';
import { createPipeline } from '../../src/jobs/pipeline.ts';
import type { SandboxProvider } from '../../src/sandbox/sandbox.ts';
import { followToEnd, openRig, type Rig, startJob } from './rig.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await openRig();
});
afterEach(() => rig.remove());

/** Cloud sandboxes that can't be opened: how far a job comes shows where it was to run. */
const cloud: SandboxProvider = {
  kind: 'DAYTONA',
  containment: 'contained',
  description: '',
  open: () => Promise.reject(new Error('no cloud here')),
  destroy: async () => undefined,
};
const pipeline = createPipeline({
  blobs: {} as never,
  sandboxes: cloud,
  openToolkit: () => Promise.reject(new Error('never reached')),
  cpus: 1,
  memoryBytes: 1,
  shareSamples: false,
  languageModelSeats: {} as never,
});

it('a job that waited while the configuration changed says where it runs now', async () => {
  const id = await startJob(rig);
  expect((await rig.store.job(id))?.sandbox).toBe('LOCAL');
  const runner = rig.runner(pipeline);
  await runner.start();
  await followToEnd(rig, id);
  await runner.stop();
  expect(await rig.store.job(id)).toMatchObject({ sandbox: 'DAYTONA', failure: { code: 'INTERNAL_ERROR' } });
});

it('one that had begun elsewhere is not gone on with: its files are there', async () => {
  const id = await startJob(rig);
  const first = rig.runner(() => new Promise(() => undefined), { abandonMs: 0 });
  await first.start();
  for await (const { job } of rig.jobs.follow(id, { after: 0, signal: new AbortController().signal })) {
    if (job.status === 'RUNNING') break;
  }
  await first.stop();
  const second = rig.runner(pipeline);
  await second.start();
  await followToEnd(rig, id);
  await second.stop();
  expect((await rig.store.job(id))?.failure).toMatchObject({ code: 'SANDBOX_CHANGED' });
});
