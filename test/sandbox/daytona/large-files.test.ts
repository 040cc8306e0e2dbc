import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type DaytonaRig, openDaytonaRig, startPython } from '../../daytona/rig.ts';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 });

const MIB = 1024 ** 2;
/** A gibibyte takes four times as long and shows the same. */
const SIZE = 256 * MIB;

let rig: DaytonaRig;
beforeAll(async () => {
  rig = await openDaytonaRig();
});
afterAll(() => rig.remove());

it('a large file goes in and comes out whole, and is never held in memory', async () => {
  const sandbox = await (await rig.connect()).open('job');
  const sent = createHash('sha256');
  const table = Readable.from(
    (function* () {
      for (let at = 0; at < SIZE; at += MIB) {
        const chunk = Buffer.alloc(MIB, `${at},`);
        sent.update(chunk);
        yield chunk;
      }
    })(),
  );
  const peak = watchMemory();
  await sandbox.put('input/data.csv', table);
  const { process } = await startPython(
    sandbox,
    'import shutil; shutil.copy("input/data.csv", "out/model.pkl")',
    {
      limits: {
        wallSeconds: 120,
        cpuSeconds: null,
        memoryBytes: 256 * MIB,
        processes: 16,
        fileBytes: 2 * SIZE,
        outputBytes: MIB,
      },
    },
  );
  expect((await process.exit).code).toBe(0);
  const { size, stream } = await sandbox.get('out/model.pkl');
  const received = createHash('sha256');
  for await (const chunk of stream) received.update(chunk as Buffer);
  expect(size).toBe(SIZE);
  expect(received.digest('hex')).toBe(sent.digest('hex'));
  // The stand-in, which holds nothing either, is in this process too.
  expect(peak()).toBeLessThan(SIZE / 2);
});

/** How much more the process held outside the heap than now, at its worst, once asked. */
function watchMemory(): () => number {
  const held = () => globalThis.process.memoryUsage().external;
  const before = held();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, held());
  }, 5);
  return () => {
    clearInterval(timer);
    return most - before;
  };
}
