/**
 * `npm run bench:fuzz -- [COUNT] [SEED]`: malformed uploads through the way of an upload from its stream to the disk. What
 * became of them, by code; seconds; memory and files before and after. Each accepted file is read a second time by the
 * toolkit, which must find the same table. Fails when a promise is broken, a file is left, or memory grew.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { environmentDirectory } from '../src/sandbox/python-environment.ts';
import { openReceiver } from '../test/datasets/fuzz/receiver.ts';
import { openToolkitReader } from '../test/datasets/fuzz/toolkit-reader.ts';
import { fuzzUpload } from '../test/datasets/fuzz/uploads.ts';
import { megabytes, printTable } from './server.ts';

const BATCH = 500;
/** Heap that caches and the table of outcomes may take; a leak of one small upload in ten would be more. */
const SLACK_BYTES = 20_000_000;
const MAX_SHOWN = 10;

const [count = 100_000, seed = Date.now() % 2 ** 31] = process.argv.slice(2).map(Number);
setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');
const memory = () => {
  collectGarbage();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { held: heapUsed + external, rss };
};

const toolkit = existsSync(join(environmentDirectory({}), 'bin/python')) ? openToolkitReader() : null;
if (toolkit === null)
  console.warn('No toolkit environment (`npm run setup`): nothing is read a second time.');
const receiver = await openReceiver(toolkit?.read);
const outcomes = new Map<string, number>();
const broken: string[] = [];

async function run(from: number, to: number): Promise<void> {
  for (let done = from; done < to; done += BATCH) {
    const batch = fc.sample(fuzzUpload, { numRuns: Math.min(BATCH, to - done), seed: seed + done });
    for (const upload of batch) {
      try {
        const outcome = await receiver.outcomeOf(upload);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      } catch (error) {
        outcomes.set('BROKEN PROMISE', (outcomes.get('BROKEN PROMISE') ?? 0) + 1);
        if (broken.length < MAX_SHOWN) {
          broken.push(`${upload.kind} ${upload.bytes.toString('base64').slice(0, 2000)}\n${error}`);
        }
      }
    }
  }
}

const started = performance.now();
// What is compiled and cached once must not count as growth.
const warmUp = Math.min(count, 2 * BATCH);
await run(0, warmUp);
const before = memory();
await run(warmUp, count);
const after = memory();
const seconds = (performance.now() - started) / 1000;
const left = await receiver.filesLeft();
await receiver.close();
await toolkit?.close();

printTable(
  `${count} uploads in ${seconds.toFixed(0)} s, seed ${seed}`,
  ['outcome', 'uploads'],
  [...outcomes].sort(([, a], [, b]) => b - a).map(([outcome, n]) => [outcome, String(n)]),
);
printTable(
  '',
  ['', 'before', 'after'],
  [
    ['heap and buffers MB', megabytes(before.held), megabytes(after.held)],
    ['resident MB', megabytes(before.rss), megabytes(after.rss)],
    ['files left', '0', String(left.length)],
  ],
);
for (const text of broken) console.error(`\n${text}`);
process.exit(broken.length > 0 || left.length > 0 || after.held - before.held > SLACK_BYTES ? 1 : 0);
