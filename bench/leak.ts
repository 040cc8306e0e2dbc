/**
 * `npm run bench:leak [CYCLES]`, as many again to warm up: clients that connect, subscribe, read and go, a third each in order, by cutting the socket, and by
 * cutting a stream of server-sent events. Heap, handles and subscriptions before and after; fails when something stays.
 */

import { printTable } from './server.ts';
import { runCycles } from './subscription-cycles.ts';

const [cycles = 1000] = process.argv.slice(2).map(Number);
const started = performance.now();
const { before, after } = await runCycles(cycles, cycles);
const seconds = (performance.now() - started) / 1000;

const kilobytes = (bytes: number) => (bytes / 1000).toFixed(0);
printTable(
  `${cycles} cycles in ${seconds.toFixed(0)} s, server and clients in one process`,
  ['', 'before', 'after', 'per cycle'],
  [
    [
      'heap kB',
      kilobytes(before.heap),
      kilobytes(after.heap),
      `${((after.heap - before.heap) / cycles).toFixed(0)} B`,
    ],
    ['handles', String(before.handles), String(after.handles), ''],
    ['subscriptions', String(before.subscriptions), String(after.subscriptions), ''],
  ],
);
const stays =
  after.subscriptions > 0 || after.handles > before.handles || (after.heap - before.heap) / cycles > 1_000;
process.exit(stays ? 1 : 0);
