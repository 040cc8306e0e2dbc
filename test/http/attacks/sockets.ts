import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { JobId } from '../../../src/domain/ids.ts';
import { type Attack, socketTo, type Target, until } from './target.ts';

const WATCH = 'subscription ($id: ID!) { jobUpdated(id: $id) { sequence event { message } } }';
const watch = (target: Target, id: string) => ({
  type: 'subscribe',
  id,
  payload: { query: WATCH, variables: { id: target.hers.job } },
});

/** Attacks by WebSocket. */
export const SOCKETS: Attack[] = [
  {
    number: 32,
    name: 'a page of another site',
    async run(target) {
      for (const origin of ['https://evil.example', 'null']) {
        assert.equal((await socketTo(target, { origin })).opened, 403);
      }
    },
  },
  {
    number: 33,
    name: 'pings and no handshake',
    async run(target) {
      const { send, closed } = await socketTo(target);
      const pings = setInterval(() => send({ type: 'ping' }), 100);
      assert.equal(await closed, 4408);
      clearInterval(pings);
    },
  },
  {
    number: 34,
    name: 'a subscription before the handshake, or after a bad one',
    async run(target) {
      const early = await socketTo(target);
      early.send(watch(target, '1'));
      assert.equal(await early.closed, 4401);
      const bad = await socketTo(target);
      bad.send({ type: 'connection_init', payload: { authorization: 'Bearer nonsense' } });
      bad.send(watch(target, '1'));
      assert.match(String(await bad.closed), /^440[13]$/);
      assert.deepEqual(bad.messages, []);
    },
  },
  {
    number: 35,
    name: 'a connection kept open past the end of its token',
    async run(target) {
      const exp = Math.ceil(Date.now() / 1000) + 1;
      const { greet, send, closed, messages } = await socketTo(target);
      const token = await target.issuer.token('alice', { claims: { exp } });
      await greet.call({ send, messages }, token);
      send(watch(target, '1'));
      assert.equal(await closed, 4403);
    },
  },
  {
    number: 36,
    name: 'a frame of 5 MB',
    async run(target) {
      const { socket, closed } = await socketTo(target);
      socket.send('x'.repeat(5_000_000));
      assert.equal(await closed, 1009);
    },
  },
  {
    number: 37,
    name: '1,000 subscriptions',
    async run(target) {
      const peer = await socketTo(target);
      await peer.greet(target.alice);
      for (let id = 0; id < 1_000; id++) peer.send(watch(target, String(id)));
      const count = (wanted: string) => peer.messages.filter(({ type }) => type === wanted).length;
      await until(() => count('next') + count('error') === 1_000);
      assert.equal(count('next'), 50);
      peer.socket.terminate();
    },
  },
  {
    number: 38,
    name: 'readers that do not read, by WebSocket and by server-sent events',
    async run(target) {
      await pingWithoutReading(target);
      const { rig } = target.api;
      const reads = countedReads(target);
      const slow = await socketTo(target);
      await slow.greet(target.alice);
      slow.send(watch(target, '1'));
      await until(() => slow.messages.length > 1);
      slow.socket.pause();
      const stream = connect(target.api.port, '127.0.0.1');
      const { payload } = watch(target, '1');
      const body = JSON.stringify(payload);
      stream.write(
        `POST /graphql HTTP/1.1\r\nhost: 127.0.0.1:${target.api.port}\r\nauthorization: Bearer ${target.alice}\r\n` +
          `accept: text/event-stream\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
      await once(stream, 'data');
      stream.pause();

      const recorder = rig.recorder({ jobId: target.hers.job as JobId, attempt: 1 });
      const message = 'x'.repeat(100_000);
      for (let event = 0; event < 400; event++) {
        await recorder.record([
          { type: 'LogWritten', level: 'INFO', step: null, stage: null, agent: null, message },
        ]);
      }
      // 40 MB were written for each of the two; what the operating system takes for a socket is a few.
      const made = reads.stop();
      assert(
        made.every((count) => count < 200) && made.length === 2,
        `${made} of 400 updates were read for them`,
      );
      slow.socket.terminate();
      stream.destroy();
    },
  },
];

/** Counts, for each subscription begun from now on, the updates that the server reads: what it has not read waits on disk. */
function countedReads({ api }: Target): { stop(): number[] } {
  const { jobs } = api.rig;
  const follow = jobs.follow.bind(jobs);
  const counts: number[] = [];
  jobs.follow = (id, options) => {
    const updates = follow(id, options)[Symbol.asyncIterator]();
    const index = counts.push(0) - 1;
    const counted = {
      next: () => {
        counts[index] = (counts[index] ?? 0) + 1;
        return updates.next();
      },
      return: async () => {
        await updates.return?.();
        return { done: true as const, value: undefined };
      },
    };
    return { [Symbol.asyncIterator]: () => counted };
  };
  return {
    stop() {
      jobs.follow = follow;
      return counts;
    },
  };
}

/** Answers to a client's own pings wait for nobody: there the server hangs up. */
async function pingWithoutReading(target: Target): Promise<void> {
  const pinging = await socketTo(target);
  await pinging.greet(target.alice);
  pinging.socket.pause();
  const ping = JSON.stringify({ type: 'ping', payload: { x: 'x'.repeat(200_000) } });
  let gone = false;
  void pinging.closed.then(() => {
    gone = true;
  });
  let sent = 0;
  await until(() => {
    if (pinging.socket.readyState === pinging.socket.OPEN) {
      pinging.socket.send(ping);
      sent++;
    }
    return gone || sent > 500;
  });
  pinging.socket.terminate();
  // A few megabytes are the operating system's.
  assert(sent < 300, `${sent} answers of 200 kB each were kept for it`);
}
