import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { openReceiver } from './fuzz/receiver.ts';
import { fuzzUpload } from './fuzz/uploads.ts';

const receiver = await openReceiver();
afterAll(() => receiver.close());

/** The same in every run: who breaks something must be the one to see it. `bench/fuzz.ts` goes looking for more. */
const SEED = 20261123;

it('answers 2,000 malformed uploads with a coded refusal or a right parse, and leaves no file', async () => {
  const codes = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fuzzUpload, async (upload) => {
      codes.add(await receiver.outcomeOf(upload));
    }),
    { numRuns: 2_000, seed: SEED },
  );
  // A generator that only ever met one check would pass, too.
  expect([...codes]).toEqual(
    expect.arrayContaining(['ACCEPTED', 'RAGGED_ROWS', 'UNCLOSED_QUOTE', 'BINARY_FILE', 'CORRUPT_GZIP']),
  );
}, 120_000);
