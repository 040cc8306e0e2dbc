import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DaytonaSandboxes } from '../../../src/sandbox/daytona.ts';
import { counting, type DaytonaRig, oneTo, openDaytonaRig, startPython } from '../../daytona/rig.ts';

let rig: DaytonaRig;
let sandboxes: DaytonaSandboxes;
beforeEach(async () => {
  rig = await openDaytonaRig();
  sandboxes = await rig.connect();
});
afterEach(() => rig.remove());

const CREATE = /^POST \/api\/sandbox$/;
const FOLLOW = /processes follow/;
const put = (sandbox: Awaited<ReturnType<DaytonaSandboxes['open']>>, content: string | Buffer) =>
  sandbox.put('work/file', Readable.from([content]));
describe('a key that is refused', () => {
  it('at boot is a coded error that says what to do', async () => {
    await expect(rig.connect({ apiKey: 'dtn_wrong' })).rejects.toMatchObject({
      code: 'DAYTONA_KEY_REFUSED',
      hint: expect.stringContaining('DAYTONA_API_KEY'),
    });
  });

  it('later, or that may not do what is asked, ends the job at once', async () => {
    rig.faults.add({ on: CREATE, fault: { kind: 'answer', status: 403, message: 'Forbidden resource' } });
    await expect(sandboxes.open('job')).rejects.toMatchObject({ code: 'DAYTONA_KEY_REFUSED' });
    rig.standIn.keys.clear();
    await expect(sandboxes.open('job')).rejects.toMatchObject({ code: 'DAYTONA_KEY_REFUSED' });
  });
});

describe('a service that can not be reached', () => {
  it('at boot is a warning', async () => {
    rig.faults.add({ on: /GET \/api\/sandbox$/, fault: { kind: 'answer', status: 503 }, times: 1000 });
    await rig.connect({ timing: { patience: 50 } });
    expect(rig.said.join('\n')).toContain('Jobs will fail until it can be reached');
  });

  it.each([
    ['500', { kind: 'answer', status: 500 }],
    ['502 as a page', { kind: 'answer', status: 502, html: true }],
    ['429 with a time to wait', { kind: 'answer', status: 429, retryAfter: 0.05 }],
    ['a cut connection', { kind: 'cut' }],
    ['a late answer', { kind: 'delay', ms: 300 }],
    ['a lost answer', { kind: 'lose-answer' }],
    ['an answer cut short', { kind: 'cut-body' }],
  ] as const)('for a while, with %s, delays and harms nothing', async (_name, fault) => {
    // Every other request, of every kind.
    rig.faults.add({ on: /./, fault, times: 12, odds: 0.5 });
    const sandbox = await sandboxes.open('job');
    await put(sandbox, 'content');
    const { process, lines } = await startPython(sandbox, 'print(open("work/file").read())');
    expect(await process.exit).toEqual({ reason: 'exited', code: 0, signal: null });
    expect(lines).toEqual(['content']);
    expect(await text((await sandbox.get('work/file')).stream)).toBe('content');
    expect(rig.cloud.made).toBe(1);
  });

  it('for good is a coded error in plain words once patience is at its end', async () => {
    rig.faults.add({ on: CREATE, fault: { kind: 'answer', status: 502, html: true }, times: 10_000 });
    const hasty = await rig.connect({ timing: { start: 300 } });
    await expect(hasty.open('job')).rejects.toMatchObject({
      code: 'DAYTONA_UNAVAILABLE',
      message: expect.stringMatching(/^[^<>{}]*502 Bad Gateway[^<>{}]*$/),
    });
  });
});

describe('making a sandbox', () => {
  it('whose answer is lost adopts the one that was made', async () => {
    rig.faults.add({ on: CREATE, fault: { kind: 'lose-answer' } });
    await sandboxes.open('job');
    expect(rig.cloud.made).toBe(1);
    expect(rig.cloud.sandboxes.size).toBe(1);
  });

  it('that another server made in the meantime, a 409, adopts that', async () => {
    const [one, two] = await Promise.all([sandboxes, await rig.connect()].map((each) => each.open('job')));
    await one?.put('work/file', Readable.from(['shared']));
    expect(await text((await two?.get('work/file'))?.stream ?? Readable.from([]))).toBe('shared');
    expect(rig.cloud.made).toBe(1);
  });

  it('that starts slowly is waited for', async () => {
    rig.cloud.startMs = 700;
    const sandbox = await sandboxes.open('job');
    await put(sandbox, 'late');
  });

  it('that never starts is given up after its time, deleted, and said', async () => {
    rig.cloud.startMs = null;
    const hasty = await rig.connect({ timing: { start: 500 } });
    await expect(hasty.open('job')).rejects.toMatchObject({ code: expect.stringMatching(/^DAYTONA_/) });
    expect(rig.cloud.sandboxes.size).toBe(0);
  });

  it('is left when the job is stopped meanwhile', async () => {
    rig.cloud.startMs = null;
    const stop = new AbortController();
    const opening = sandboxes.open('job', { signal: stop.signal });
    setTimeout(() => stop.abort(new Error('cancelled')), 200);
    await expect(opening).rejects.toThrow('cancelled');
  });

  it('from a snapshot that was deleted builds it again', async () => {
    await sandboxes.open('job-1');
    rig.cloud.snapshots.clear();
    await sandboxes.open('job-2');
    expect(rig.cloud.builds).toHaveLength(2);
  });

  it('from a snapshot that was put to sleep wakes it', async () => {
    await sandboxes.open('job-1');
    for (const snapshot of rig.cloud.snapshots.values()) snapshot.state = 'inactive';
    await (await rig.connect()).open('job-2');
    expect(rig.cloud.builds).toHaveLength(1);
  });

  it('with no room for a snapshot does without one', async () => {
    rig.cloud.quota.snapshots = 0;
    await put(await sandboxes.open('job'), 'built from the image');
    expect(rig.soleSandbox().dto).toMatchObject({ cpu: 2, memory: 4, disk: 8 });
  });
});

describe('a quota', () => {
  it('that is used up is waited for', async () => {
    rig.cloud.quota.cpu = 2;
    await sandboxes.open('job-1');
    const patient = await rig.connect({ timing: { quota: 60_000 } });
    const opening = patient.open('job-2');
    setTimeout(() => void sandboxes.destroy('job-1'), 300);
    await put(await opening, 'there was room');
  }, 20_000);

  it('with room for less gets less', async () => {
    rig.cloud.quota.cpu = 1;
    await put(await sandboxes.open('job'), 'small');
    expect(rig.soleSandbox().dto).toMatchObject({ cpu: 1, memory: 2 });
  });

  it('of a single sandbox is not waited for', async () => {
    rig.cloud.quota.cpuPerSandbox = 1;
    const patient = await rig.connect({ timing: { quota: 3_600_000 } });
    await put(await patient.open('job'), 'small');
    expect(rig.soleSandbox().dto.cpu).toBe(1);
  });

  it('with room for nothing is a coded error that names the settings', async () => {
    rig.cloud.quota.cpu = 0;
    await expect(sandboxes.open('job')).rejects.toMatchObject({
      code: 'DAYTONA_QUOTA',
      message: expect.stringContaining('Total CPU limit exceeded'),
      hint: expect.stringContaining('DAYTONA_MAX_PARALLEL'),
    });
    expect(rig.cloud.sandboxes.size).toBe(0);
  });
});

describe('a sandbox that dies while a command runs', () => {
  it.each(['stop', 'delete', 'fail'] as const)('by %s is lost, never a success', async (how) => {
    const sandbox = await sandboxes.open('job');
    const { process, line } = await startPython(sandbox, counting(100, 0.1));
    await line(2);
    if (how === 'fail') await rig.cloud.fail(rig.soleSandbox(), 'runner lost');
    else await rig.cloud[how](rig.soleSandbox());
    expect(await process.exit).toEqual({ reason: 'lost', code: null, signal: null });
  });

  it('is started or made again by the next call, with the files it had', async () => {
    const sandbox = await sandboxes.open('job');
    await put(sandbox, 'kept on its disk');
    await rig.cloud.stop(rig.soleSandbox());
    expect(await text((await sandbox.get('work/file')).stream)).toBe('kept on its disk');
    await rig.cloud.delete(rig.soleSandbox());
    expect(await text((await sandbox.get('work/file')).stream)).toBe('kept on its disk');
    expect(rig.cloud.made).toBe(2);
  });

  it('and whose successor is cut off while it gets the files, gets them the next time', async () => {
    const hasty = await rig.connect({ timing: { patience: 50 } });
    const sandbox = await hasty.open('job');
    await put(sandbox, 'not forgotten');
    await rig.cloud.delete(rig.soleSandbox());
    rig.faults.add({ on: /saved restore/, fault: { kind: 'answer', status: 500 }, times: 20 });
    await expect(sandbox.get('work/file')).rejects.toMatchObject({ code: 'DAYTONA_UNAVAILABLE' });
    rig.faults.clear();
    expect(await text((await sandbox.get('work/file')).stream)).toBe('not forgotten');
  });

  it('whose supervisor alone is killed is lost too', async () => {
    const sandbox = await sandboxes.open('job');
    const { process, line } = await startPython(sandbox, counting(100, 0.1));
    await line(1);
    await rig.soleSandbox().machine.stop();
    expect((await process.exit).reason).toBe('lost');
  });
});

describe('output', () => {
  it('whose way is cut again and again arrives whole, in order and once', async () => {
    const sandbox = await sandboxes.open('job');
    rig.faults.add({ on: FOLLOW, fault: { kind: 'cut-body' }, times: 5, after: 1 });
    rig.faults.add({ on: FOLLOW, fault: { kind: 'answer', status: 502, html: true }, times: 3 });
    rig.faults.add({ on: FOLLOW, fault: { kind: 'lose-answer' }, times: 5 });
    const { process, lines } = await startPython(sandbox, counting(60, 0.02));
    expect(await process.exit).toEqual({ reason: 'exited', code: 0, signal: null });
    expect(lines).toEqual(oneTo(60));
  });

  it('of nobody for too long is a lost process', async () => {
    const hasty = await rig.connect({ timing: { silent: 300 } });
    const sandbox = await hasty.open('job');
    const { process, line } = await startPython(sandbox, counting(100, 0.1));
    await line(1);
    rig.faults.add({ on: /./, fault: { kind: 'cut' }, times: 100_000 });
    expect((await process.exit).reason).toBe('lost');
    rig.faults.clear();
  });
});

describe('input', () => {
  it('whose answers are lost arrives once', async () => {
    const sandbox = await sandboxes.open('job');
    rig.faults.add({ on: /processes send/, fault: { kind: 'lose-answer' }, times: 3 });
    const { process, lines } = await startPython(
      sandbox,
      'import sys\nfor line in sys.stdin: print(line.strip(), flush=True)',
    );
    for (const line of oneTo(5)) process.send(line);
    process.send('x'.repeat(200_000));
    process.end();
    expect((await process.exit).code).toBe(0);
    expect(lines.slice(0, 5)).toEqual(oneTo(5));
    expect(lines.slice(5).join('')).toHaveLength(200_000);
  });
});

// Each test has a cloud of its own, whose commands are processes of this machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

describe('files', () => {
  const content = randomBytes(3 * 1024 ** 2);

  it('cut on their way out are fetched again and compared', async () => {
    const sandbox = await sandboxes.open('job');
    await put(sandbox, content);
    rig.faults.add({ on: /bulk-download/, fault: { kind: 'cut-body' }, times: 2 });
    const { size, stream } = await sandbox.get('work/file');
    expect(size).toBe(content.length);
    expect((await buffer(stream)).equals(content)).toBe(true);
  });

  it('cut on their way in are sent again and compared', async () => {
    const sandbox = await sandboxes.open('job');
    rig.faults.add({ on: /bulk-upload/, fault: { kind: 'cut' }, times: 1 });
    rig.faults.add({ on: /files take/, fault: { kind: 'lose-answer' }, times: 1 });
    await put(sandbox, content);
    expect((await buffer((await sandbox.get('work/file')).stream)).equals(content)).toBe(true);
  });

  it('that never arrive whole are a coded error', async () => {
    const sandbox = await sandboxes.open('job');
    await put(sandbox, content);
    rig.faults.add({ on: /bulk-download/, fault: { kind: 'cut-body' }, times: 1000 });
    const hasty = await (await rig.connect({ timing: { patience: 300 } })).open('job');
    await expect(hasty.get('work/file')).rejects.toMatchObject({ code: 'DAYTONA_UNAVAILABLE' });
  });
});
