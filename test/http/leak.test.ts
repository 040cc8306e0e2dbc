import { expect, it } from 'vitest';
import { runCycles } from './subscription-cycles.ts';

it('holds nothing of subscribers that came and went: `npm run bench:leak` does it a thousand times', {
  timeout: 120_000,
}, async () => {
  const cycles = 150;
  const { before, after } = await runCycles(cycles, 60);
  expect(after.subscriptions).toBe(0);
  expect(after.handles).toBeLessThanOrEqual(before.handles);
  // What is kept of even the smallest of them, a socket and its context, is some 10 kB.
  expect((after.heap - before.heap) / cycles).toBeLessThan(4_000);
});
