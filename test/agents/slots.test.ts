import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Slots } from '../../src/agents/slots.ts';

type Place = readonly [lane: string, line: string];

/** The order in which work gets its slot when each ends before the next begins; the first one holds the only slot while all queue. */
async function order(places: readonly Place[]): Promise<string[]> {
  const slots = new Slots(1);
  const begun: string[] = [];
  const gate = Promise.withResolvers<void>();
  const all = [
    slots.hold(() => gate.promise),
    ...places.map(([lane, line], place) =>
      slots.hold(async () => void begun.push(`${lane}${line}${place}`), lane, line),
    ),
  ];
  await setImmediate();
  expect(begun).toEqual([]);
  gate.resolve();
  await Promise.all(all);
  expect(slots.idle).toBe(true);
  return begun;
}

it('lanes take turns, and so do the lines of a lane, whoever came first', async () => {
  const long: Place[] = ['x', 'x', 'x', 'x'].map((line) => ['a', line]);
  expect(await order([...long, ['a', 'y'], ['a', 'y'], ['b', 'z'], ['b', 'z']])).toEqual([
    'ax0',
    'bz6',
    'ay4',
    'bz7',
    'ax1',
    'ay5',
    'ax2',
    'ax3',
  ]);
});

it('everyone gets a slot once, and each line is served in order', async () => {
  const place = fc.tuple(fc.constantFrom('a', 'b'), fc.constantFrom('x', 'y', 'z'));
  await fc.assert(
    fc.asyncProperty(fc.array(place, { maxLength: 30 }), async (places) => {
      const begun = await order(places);
      expect(begun.toSorted()).toEqual(places.map(([lane, line], nth) => `${lane}${line}${nth}`).toSorted());
      for (const line of new Set(begun.map((each) => each.slice(0, 2)))) {
        const numbers = begun.filter((each) => each.startsWith(line)).map((each) => Number(each.slice(2)));
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      }
    }),
  );
});

it('what fails gives its slot back', async () => {
  const slots = new Slots(2);
  await expect(slots.hold(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(slots.idle).toBe(true);
});
