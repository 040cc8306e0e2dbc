import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DaytonaSandboxes } from '../../../src/sandbox/daytona.ts';
import type { Sandbox } from '../../../src/sandbox/sandbox.ts';
import type { Toolkit, ToolkitCallOptions } from '../../../src/sandbox/toolkit.ts';
import { type DaytonaRig, openDaytonaRig } from '../../daytona/rig.ts';

// Each test has a cloud of its own, whose commands are processes of this machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const STAND_IN = join(import.meta.dirname, '../stand-in-toolkit.py');
const PROGRAM = ['python', '-I', 'work/stand-in.py'] as const;
const MEMORY = 300 * 1024 ** 2;

let rig: DaytonaRig;
let sandboxes: DaytonaSandboxes;
let sandbox: Sandbox;
let toolkit: Toolkit;

async function open(maxParallel = 1): Promise<void> {
  sandboxes = await rig.connect({ maxParallel });
  sandbox = await sandboxes.open('job');
  await sandbox.put('work/stand-in.py', createReadStream(STAND_IN));
  toolkit = await sandboxes.openToolkit(sandbox, { memoryBytes: MEMORY, warm: true, program: PROGRAM });
}
beforeEach(async () => {
  rig = await openDaytonaRig();
  await open();
});
afterEach(async () => {
  await toolkit.close();
  await rig.remove();
});

function call(command: string, request: unknown = {}, options: Partial<ToolkitCallOptions> = {}) {
  const progress: string[] = [];
  const started = Promise.withResolvers<void>();
  const result = toolkit.call(command, request, {
    timeoutMs: 20_000,
    onProgress: (_fraction, message) => {
      progress.push(message);
      started.resolve();
    },
    ...options,
  });
  result.catch(() => undefined);
  return { result, progress, started: started.promise };
}
const workbench = () => {
  const held = [...rig.cloud.sandboxes.values()].find(({ dto }) => dto.labels.role === 'workbench');
  if (held === undefined) throw new Error('there is none');
  return held;
};

/** Sandboxes in which a toolkit has been started. */
const movedIn = () =>
  new Set(
    rig.standIn.requests
      .filter((request) => request.endsWith('processes start'))
      .map((request) => request.split('/')[2]),
  ).size;

describe('the toolkit in a cloud sandbox', () => {
  it('is warm: each call is a child of one process', async () => {
    const [one, two] = (await Promise.all([call('echo').result, call('echo').result])) as { pid: number }[];
    expect(one?.pid).not.toBe(two?.pid);
    const starts = rig.standIn.requests.filter((request) => request.endsWith('processes start'));
    // The other one tried whether bubblewrap works.
    expect(starts).toHaveLength(2);
  });

  it('goes on with a call that ran while the server was restarted', async () => {
    const before = call('sleep', { seconds: 1 }, { key: 'step' });
    await before.started;
    // The server before is gone without a word; its own calls come to nothing here.
    await open();
    const after = call('sleep', { seconds: 1 }, { key: 'step' });
    expect(await after.result).toBe('slept');
    expect(after.progress).toEqual(['asleep']);
    // Each real run leaves one mark.
    expect(await text((await sandbox.get('work/awake')).stream)).toBe('x');
  });

  it('goes on with a call of a server that was shut down in order', async () => {
    const stop = new AbortController();
    const before = call('sleep', { seconds: 1 }, { key: 'step', signal: stop.signal });
    await before.started;
    stop.signal.addEventListener('abort', () => toolkit.leave?.());
    stop.abort(new Error('shutdown'));
    await expect(before.result).rejects.toBeTruthy();
    sandbox.leave?.();
    await sandboxes.close();
    await open();
    expect(await call('sleep', { seconds: 1 }, { key: 'step' }).result).toBe('slept');
    expect(await text((await sandbox.get('work/awake')).stream)).toBe('x');
  });

  it('answers a call that ended while the server was away', async () => {
    await call('sleep', { seconds: 0.1 }, { key: 'step' }).result;
    await open();
    expect(await call('sleep', { seconds: 0.1 }, { key: 'step' }).result).toBe('slept');
    expect(await call('sleep', { seconds: 0.1 }, { key: 'other step' }).result).toBe('slept');
    expect(await text((await sandbox.get('work/awake')).stream)).toBe('xx');
  });

  it('says lost, and not failed, when the sandbox dies; repeated, it has what was saved', async () => {
    await call('sleep', { seconds: 0.1 }, { key: 'first' }).result;
    const second = call('sleep', { seconds: 30 }, { key: 'second' });
    await second.started;
    await rig.cloud.delete(workbench());
    await expect(second.result).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
    expect(await call('sleep', { seconds: 0.1 }, { key: 'second' }).result).toBe('slept');
    expect(await text((await sandbox.get('work/awake')).stream)).toBe('xx');
    expect(rig.cloud.made).toBe(2);
  });
});

describe('trials in sandboxes of their own', () => {
  const train = (trialId: string, seconds = 0.5) => call('train', { trialId, seconds });

  it('run side by side, see what was prepared and nothing sealed, and leave their files on the workbench', async () => {
    await toolkit.close();
    await open(3);
    await sandbox.put('work/plan.json', Readable.from(['plan']));
    await sandbox.put('sealed/holdout', Readable.from(['labels']));
    await call('echo').result;
    await vi.waitFor(() => expect(movedIn()).toBe(3), { timeout: 60_000 });
    const results = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((id) => train(id).result));
    const hosts = new Set(results.map((result) => (result as { host: string }).host));
    expect(hosts.size).toBe(3);
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const file = await text((await sandbox.get(`work/trials/${id}/result.json`)).stream);
      expect(JSON.parse(file)).toMatchObject({ trialId: id, plan: 'plan' });
    }
    const sealed = await Promise.all(
      [...rig.cloud.sandboxes.values()].map(async ({ machine, dto }) => [
        dto.labels.role,
        (await machine.execute({ command: 'ls sproutml/job/sealed' })) as { result: string },
      ]),
    );
    for (const [role, listed] of sealed as [string, { result: string }][]) {
      expect([role, listed.result]).toEqual([role, role === 'workbench' ? 'holdout\n' : '']);
    }
  });

  it('do with fewer where the quota has no room for more', async () => {
    await toolkit.close();
    rig.cloud.quota.cpu = 2;
    await open(3);
    const results = await Promise.all(['a', 'b'].map((id) => train(id, 0.1).result));
    expect(results).toHaveLength(2);
    expect(rig.cloud.sandboxes.size).toBe(1);
    expect(rig.said.join('\n')).toContain("One sub-trainer's sandbox less");
  });

  it('that ran when the server was restarted are gone on with, each where it runs', async () => {
    await toolkit.close();
    await open(2);
    await call('echo').result;
    await vi.waitFor(() => expect(movedIn()).toBe(2), { timeout: 60_000 });
    const before = ['a', 'b'].map((id) => call('train', { trialId: id, seconds: 4 }, { key: id }));
    await Promise.all(before.map(({ started }) => started));
    await open(2);
    const results = await Promise.all(
      ['b', 'a'].map((id) => call('train', { trialId: id, seconds: 0 }, { key: id }).result),
    );
    expect(new Set(results.map((result) => (result as { host: string }).host)).size).toBe(2);
    for (const id of ['a', 'b']) {
      const file = await text((await sandbox.get(`work/trials/${id}/result.json`)).stream);
      expect(JSON.parse(file)).toMatchObject({ trialId: id, seconds: 4 });
    }
  });

  it('are repeated elsewhere when theirs dies', async () => {
    await toolkit.close();
    await open(2);
    await call('echo').result;
    await vi.waitFor(() => expect(movedIn()).toBe(2), { timeout: 60_000 });
    const trials = ['a', 'b'].map((id) => train(id, 2));
    await Promise.all(trials.map(({ started }) => started));
    const trainer = [...rig.cloud.sandboxes.values()].find(({ dto }) => dto.labels.role !== 'workbench');
    if (trainer === undefined) throw new Error('there is no trainer');
    await rig.cloud.delete(trainer);
    const ends = await Promise.allSettled(trials.map(({ result }) => result));
    expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const lost = ends.find((end) => end.status === 'rejected');
    expect(lost?.reason).toMatchObject({ code: 'SANDBOX_LOST' });
    expect(await train('again', 0.1).result).toBeTruthy();
    expect(await train('and again', 0.1).result).toBeTruthy();
  });
});
