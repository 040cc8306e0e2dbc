import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pino } from 'pino';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JobId } from '../../src/domain/ids.ts';
import { claimQueued, settle } from '../../src/jobs/claim.ts';
import { Courier, type CourierParts } from '../../src/webhooks/courier.ts';
import { jobOptions, newDataset, openRig, pause, type Rig } from '../jobs/rig.ts';
import { openReceiver, type Receiver } from './receiver.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

describe('webhooks', () => {
  let rig: Rig;
  let receiver: Receiver;
  const couriers: Courier[] = [];
  beforeEach(async () => {
    rig = await openRig();
    receiver = await openReceiver([200]);
  });
  afterEach(async () => {
    for (const courier of couriers.splice(0)) await courier.stop();
    await receiver.close();
    await rig.remove();
  });

  function startCourier(parts: Partial<CourierParts> = {}): Courier {
    const courier = new Courier({
      store: rig.store,
      logger: pino({ level: 'silent' }),
      privateHosts: ['127.0.0.1', 'hook.example'],
      publicId: ({ id }) => `job_${id}`,
      retrySeconds: [0, 0, 0],
      timeoutMs: 500,
      ...parts,
    });
    couriers.push(courier);
    courier.start();
    return courier;
  }

  async function startJob(url = receiver.url): Promise<JobId> {
    const options = jobOptions({ name: 'told of' });
    const webhook = { url, secret: SECRET };
    const { job } = await rig.jobs.start({ dataset: newDataset(), options, idempotencyKey: null, webhook });
    return job.id;
  }

  async function endedJob(url?: string): Promise<JobId> {
    const jobId = await startJob(url);
    await claimQueued(rig.store);
    await settle(rig.store, { jobId, attempt: 1 }, { status: 'SUCCEEDED', message: 'done' }, 1);
    return jobId;
  }

  const stateOf = async (id: JobId) => (await rig.jobs.webhook(id))?.state;
  const until = (id: JobId, state: string) => expect.poll(() => stateOf(id), { timeout: 10_000 }).toBe(state);

  it('tells of the end, signed so that the reference library believes it, and not before', async () => {
    const id = await startJob();
    startCourier();
    await pause(50);
    expect([await stateOf(id), receiver.received.length]).toEqual(['WAITING', 0]);
    await claimQueued(rig.store);
    const failure = { code: 'NOPE', message: 'It did not work.', hint: 'Try again.', stage: null };
    await settle(rig.store, { jobId: id, attempt: 1 }, { status: 'FAILED', failure }, 1);
    await until(id, 'DELIVERED');

    const [message] = receiver.received;
    if (!message) throw new Error('nothing came');
    const headers = {
      'webhook-id': String(message.headers['webhook-id']),
      'webhook-timestamp': String(message.headers['webhook-timestamp']),
      'webhook-signature': String(message.headers['webhook-signature']),
    };
    const payload = new Webhook(SECRET).verify(message.body, headers);
    expect(payload).toMatchObject({
      type: 'job.ended',
      data: { id: `job_${id}`, name: 'told of', status: 'FAILED', failure: { code: 'NOPE' } },
    });
    expect(() => new Webhook(SECRET).verify(`${message.body} `, headers)).toThrow();
    expect(message.headers['content-type']).toBe('application/json');
    expect(await rig.jobs.webhook(id)).toMatchObject({ attempts: 1, lastStatusCode: 200, lastError: null });
  });

  it('tells of a job that was cancelled while it waited', async () => {
    const id = await startJob();
    await rig.jobs.cancel(id);
    startCourier();
    await until(id, 'DELIVERED');
    expect(JSON.parse(receiver.received[0]?.body ?? '')).toMatchObject({ data: { status: 'CANCELLED' } });
  });

  it('tries again until it is taken, under one message id, and follows no redirect', async () => {
    const elsewhere = await openReceiver([200]);
    await receiver.close();
    receiver = await openReceiver([500, 302, 204], { location: elsewhere.url });
    const id = await endedJob();
    startCourier();
    await until(id, 'DELIVERED');
    expect(receiver.received).toHaveLength(3);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(elsewhere.received).toEqual([]);
    expect(await rig.jobs.webhook(id)).toMatchObject({ attempts: 3, lastStatusCode: 204 });
    await elsewhere.close();
  });

  it('waits longer each time, and gives up in the end', async () => {
    await receiver.close();
    receiver = await openReceiver([503]);
    const patient = await endedJob();
    startCourier({ retrySeconds: [3600] });
    await expect.poll(() => receiver.received.length).toBe(1);
    await expect.poll(async () => (await rig.jobs.webhook(patient))?.attempts).toBe(1);
    const { nextAttemptAt, ...webhook } = (await rig.jobs.webhook(patient)) ?? {};
    expect(webhook).toMatchObject({ state: 'PENDING', lastStatusCode: 503, lastError: 'answered 503' });
    expect(nextAttemptAt?.getTime()).toBeGreaterThan(Date.now() + 3_500_000);
    await couriers.pop()?.stop();

    const hasty = await endedJob();
    startCourier({ retrySeconds: [0, 0] });
    await until(hasty, 'FAILED');
    expect(receiver.received).toHaveLength(4);
  });

  it('stops at 410, and at an address it may not reach', async () => {
    await receiver.close();
    receiver = await openReceiver([410]);
    const gone = await endedJob();
    const hidden = await endedJob('https://inner.example/');
    const attempted: string[] = [];
    startCourier({
      resolve: async () => ['10.0.0.8'],
      attempted: (outcome) => attempted.push(outcome),
    });
    await until(gone, 'FAILED');
    await until(hidden, 'FAILED');
    expect(await rig.jobs.webhook(hidden)).toMatchObject({
      attempts: 1,
      lastStatusCode: null,
      lastError: expect.stringContaining('10.0.0.8'),
    });
    expect(attempted).toEqual(['failed', 'failed']);
  });

  it('does not wait for ever for who does not answer', async () => {
    await receiver.close();
    receiver = await openReceiver([0, 200]);
    const id = await endedJob();
    startCourier({ timeoutMs: 100 });
    await until(id, 'DELIVERED');
    expect(receiver.received).toHaveLength(2);
  });

  it('connects to the address that was checked, whatever the name leads to later', async () => {
    const asked: string[] = [];
    // No such name can be looked up: who asked again would not arrive.
    const id = await endedJob(`http://hook.example:${receiver.port}/path?x=1`);
    startCourier({
      async resolve(host) {
        asked.push(host);
        return ['127.0.0.1'];
      },
    });
    await until(id, 'DELIVERED');
    expect(asked).toEqual(['hook.example']);
    expect(receiver.received[0]).toMatchObject({
      path: '/path?x=1',
      headers: { host: `hook.example:${receiver.port}` },
    });
  });

  it('outlives kill -9 in the middle of a delivery', async () => {
    await receiver.close();
    receiver = await openReceiver([0, 200]);
    const id = await endedJob();
    await rig.close();
    const courier = spawn(process.execPath, [join(import.meta.dirname, 'courier-process.ts'), rig.dataDir], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await expect.poll(() => receiver.received.length, { timeout: 20_000 }).toBe(1);
    courier.kill('SIGKILL');
    await once(courier, 'exit');

    rig = await openRig({ dataDir: rig.dataDir });
    expect(await rig.jobs.webhook(id)).toMatchObject({ state: 'PENDING', attempts: 0 });
    startCourier();
    await until(id, 'DELIVERED');
    const ids = receiver.received.map(({ headers }) => headers['webhook-id']);
    expect(ids).toHaveLength(2);
    expect(ids[0]).toBe(ids[1]);
  });

  it('is cut by an orderly end without its attempt being counted', async () => {
    await receiver.close();
    receiver = await openReceiver([0]);
    const id = await endedJob();
    const courier = startCourier({ timeoutMs: 60_000 });
    await expect.poll(() => receiver.received.length).toBe(1);
    await courier.stop();
    expect(await rig.jobs.webhook(id)).toMatchObject({ state: 'PENDING', attempts: 0, lastError: null });
  });

  it('goes along when the job is repeated, and goes with it when it is deleted', async () => {
    const id = await endedJob();
    const again = await rig.jobs.retry(id);
    expect(await rig.jobs.webhook(again.id)).toMatchObject({ url: receiver.url, state: 'WAITING' });
    await rig.jobs.delete(id);
    expect(await rig.jobs.webhook(id)).toBeNull();
  });
});
