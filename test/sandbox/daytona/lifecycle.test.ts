import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DaytonaSandboxes } from '../../../src/sandbox/daytona.ts';
import { counting, type DaytonaRig, oneTo, openDaytonaRig, startPython } from '../../daytona/rig.ts';

// Each test has a cloud of its own, whose commands are processes of this machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let rig: DaytonaRig;
let sandboxes: DaytonaSandboxes;
beforeEach(async () => {
  rig = await openDaytonaRig();
  sandboxes = await rig.connect();
});
afterEach(() => rig.remove());

describe('a sandbox', () => {
  it('is made without network, with labels and intervals by which it ends if we do not come back', async () => {
    await sandboxes.open('job');
    expect(rig.soleSandbox().dto).toMatchObject({
      labels: { app: 'sproutml', job: 'job', role: 'workbench' },
      networkBlockAll: true,
      public: false,
      autoStopInterval: 30,
      autoDeleteInterval: 120,
    });
  });

  it('stops and goes by itself when nobody asks after it any more', async () => {
    await sandboxes.open('job');
    await sandboxes.close();
    await rig.cloud.passMinutes(31);
    expect(rig.soleSandbox().dto.state).toBe('stopped');
    await rig.cloud.passMinutes(121);
    expect(rig.cloud.sandboxes.size).toBe(0);
  });

  it('is kept alive as long as it is open, though nothing is asked of it', async () => {
    const lively = await rig.connect({ timing: { keepAlive: 20 } });
    await lively.open('job');
    for (let half = 0; half < 4; half += 1) {
      await rig.cloud.passMinutes(20);
      const seen = rig.standIn.requests.length;
      await vi.waitFor(() => expect(rig.standIn.requests.slice(seen).join()).toContain('last-activity'));
    }
    expect(rig.soleSandbox().dto.state).toBe('started');
  });

  it('that stopped by itself goes on where it was', async () => {
    const sandbox = await sandboxes.open('job');
    await sandbox.put('work/file', Readable.from(['still here']));
    await rig.cloud.passMinutes(31);
    expect(rig.soleSandbox().dto.state).toBe('stopped');
    expect(await text((await sandbox.get('work/file')).stream)).toBe('still here');
    expect(rig.cloud.made).toBe(1);
  });

  it('is deleted with its volume when its job is done, and that twice', async () => {
    await sandboxes.open('job');
    expect(rig.cloud.volumes.size).toBe(1);
    await sandboxes.destroy('job');
    await sandboxes.destroy('job');
    expect([rig.cloud.sandboxes.size, rig.cloud.volumes.size]).toEqual([0, 0]);
  });

  it('of a failed job is kept, stopped, for as long as was asked, and then goes by itself', async () => {
    const keeping = await rig.connect({ keepMinutes: 60, timing: { orphan: 0 } });
    await keeping.open('job');
    await keeping.destroy('job', { keep: true });
    expect(rig.soleSandbox().dto).toMatchObject({ state: 'stopped', autoDeleteInterval: 60 });
    await keeping.reap(async () => new Set());
    expect(rig.cloud.sandboxes.size).toBe(1);
    await rig.cloud.passMinutes(61);
    expect(rig.cloud.sandboxes.size).toBe(0);
    await keeping.reap(async () => new Set());
    expect(rig.cloud.volumes.size).toBe(0);
  });
});

describe('the reaper', () => {
  it('deletes what no living job owns, and nothing else', async () => {
    const reaper = await rig.connect({ timing: { orphan: 0 } });
    await reaper.open('living');
    await reaper.open('orphan');
    const foreign = await rig.connect({ dataDir: `${rig.folder}/another-installation` });
    await foreign.open('orphan');
    expect(await reaper.reap(async () => new Set(['living']))).toBe(1);
    const left = [...rig.cloud.sandboxes.values()].map(({ dto }) => dto.labels);
    expect(left.map(({ job, install }) => [job, install === left[0]?.install])).toEqual([
      ['living', true],
      ['orphan', false],
    ]);
    expect(rig.cloud.volumes.size).toBe(2);
  });

  it('leaves the young alone: their job may be about to be noted', async () => {
    await sandboxes.open('young');
    expect(await sandboxes.reap(async () => new Set())).toBe(0);
    expect(rig.cloud.sandboxes.size).toBe(1);
  });
});

describe('after a restart of the server', () => {
  it('a process is taken up under its key, with every line and its exit code', async () => {
    const before = await sandboxes.open('job');
    const first = await startPython(before, `${counting(30, 0.05)}\nraise SystemExit(0)`, { key: 'count' });
    await first.line(5);
    const after = await (await rig.connect()).open('job');
    const second = await startPython(after, 'raise SystemExit("not this one")', { key: 'count' });
    expect(second.process.resumed).toBeTruthy();
    await second.process.resumed;
    expect(second.lines.length).toBeGreaterThanOrEqual(5);
    expect(await second.process.exit).toEqual({ reason: 'exited', code: 0, signal: null });
    expect(second.lines).toEqual(oneTo(30));
  });

  it('one that failed is started anew', async () => {
    const sandbox = await sandboxes.open('job');
    const failed = await startPython(sandbox, 'raise SystemExit(3)', { key: 'same' });
    expect((await failed.process.exit).code).toBe(3);
    const again = await startPython(sandbox, 'print("second")', { key: 'same' });
    expect((await again.process.exit).code).toBe(0);
    expect(again.lines).toEqual(['second']);
  });
});

describe('the bill of a job', () => {
  it('is cores and memory times the age of its sandboxes', async () => {
    await sandboxes.open('job');
    rig.soleSandbox().dto.createdAt = new Date(Date.now() - 100_000).toISOString();
    const { cpuSeconds, memoryGibSeconds } = await sandboxes.billed('job');
    expect(cpuSeconds).toBeGreaterThanOrEqual(200);
    expect(memoryGibSeconds).toBeGreaterThanOrEqual(2 * cpuSeconds - 1);
    expect((await sandboxes.billed('other')).cpuSeconds).toBe(0);
  });
});
