import { execFile } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigError, localContainment, readConfig, usesDaytona } from '../../../src/config.ts';
import { diagnoseDaytona } from '../../../src/sandbox/daytona/diagnose.ts';
import { type DaytonaRig, openDaytonaRig } from '../../daytona/rig.ts';
import { KEY } from '../../daytona/stand-in.ts';

// Each test has a cloud of its own, whose commands are processes of this machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

describe('SANDBOX', () => {
  const key = { DAYTONA_API_KEY: 'dtn_x' };
  it.each([
    [{}, false, 'auto'],
    [key, true, 'auto'],
    [{ SANDBOX: 'local', ...key }, false, 'auto'],
    [{ SANDBOX: 'contained', ...key }, false, 'contained'],
    [{ SANDBOX: 'process', ...key }, false, 'process'],
    [{ SANDBOX: 'daytona', ...key }, true, 'auto'],
  ] as const)('%j: in the cloud %j, on this machine %j', (variables, cloud, local) => {
    const config = readConfig(variables);
    expect([usesDaytona(config), localContainment(config)]).toEqual([cloud, local]);
  });

  it('=daytona without a key is said at once', () => {
    expect(() => readConfig({ SANDBOX: 'daytona' })).toThrow(ConfigError);
    expect(() => readConfig({ SANDBOX: 'daytona' })).toThrow('DAYTONA_API_KEY: SANDBOX=daytona needs one');
  });
});

it('the SDK is loaded by nobody who does not use it', async () => {
  const script = `
    const { registerHooks } = await import('node:module');
    registerHooks({ resolve(name, context, next) {
      if (name.includes('daytonaio')) { console.log('loaded'); }
      return next(name, context);
    } });
    await import('./src/app.ts');
    await import('./src/cli/program.ts');
    await import('./src/cli/commands/doctor.ts');
    console.log('done');`;
  const output = await new Promise<string>((resolve, reject) =>
    execFile(process.execPath, ['--input-type=module', '-e', script], (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    ),
  );
  expect(output).toBe('done\n');
});

describe('doctor, with a key,', () => {
  let rig: DaytonaRig;
  beforeEach(async () => {
    rig = await openDaytonaRig();
  });
  afterEach(() => rig.remove());
  const look = (apiKey = KEY, apiUrl = rig.standIn.url) =>
    diagnoseDaytona({ apiKey, apiUrl, size: { cpu: 2, memoryGib: 4, diskGib: 8 }, maxParallel: 2 });

  it('looks at key, quota and snapshot', async () => {
    expect(await look()).toMatchObject([
      { name: 'daytona key', ok: 'ok' },
      { name: 'daytona quota', ok: 'ok', detail: expect.stringContaining('room for') },
      { name: 'daytona snapshot', ok: 'ok', detail: expect.stringContaining('will be built') },
    ]);
    await (await rig.connect()).open('job');
    expect((await look())[2]?.detail).toMatch(/^sproutml-\w+-2c-4m-8d is active$/);
  });

  it('says that the key is refused, and what to do', async () => {
    expect(await look('dtn_wrong')).toMatchObject([
      { name: 'daytona key', ok: 'failure', hint: expect.stringContaining('DAYTONA_API_KEY') },
    ]);
  });

  it('says that nobody answers', async () => {
    expect(await look(KEY, 'http://127.0.0.1:9/api')).toMatchObject([{ name: 'daytona key', ok: 'failure' }]);
  });

  it('says how little room there is', async () => {
    rig.cloud.quota.cpu = 3;
    expect((await look())[1]).toMatchObject({
      ok: 'warning',
      hint: expect.stringContaining('DAYTONA_MAX_PARALLEL'),
    });
    rig.cloud.quota.cpu = 1;
    expect((await look())[1]).toMatchObject({ ok: 'failure' });
  });
});
