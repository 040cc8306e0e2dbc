import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Turnstile } from '../../../src/agents/mind/turnstile.ts';

const never = new AbortController().signal;

describe('the turnstile before the model', () => {
  it('lets so many in at once, first come, first served', async () => {
    const turnstile = new Turnstile({ atOnce: 2, perMinute: null });
    let inside = 0;
    let most = 0;
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        turnstile.pass(never, async () => {
          order.push(index);
          inside += 1;
          most = Math.max(most, inside);
          await sleep(2);
          inside -= 1;
        }),
      ),
    );
    expect(most).toBe(2);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('gives a place back whatever became of the call', async () => {
    const turnstile = new Turnstile({ atOnce: 1, perMinute: null });
    await expect(turnstile.pass(never, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await expect(turnstile.pass(never, async () => 'yes')).resolves.toBe('yes');
  });

  it('lets so many in a minute', async () => {
    let now = 0;
    const turnstile = new Turnstile({ atOnce: 9, perMinute: 3 }, () => now);
    let passed = 0;
    const all = Promise.all(
      Array.from({ length: 4 }, () =>
        turnstile.pass(never, async () => {
          passed += 1;
        }),
      ),
    );
    await sleep(5);
    expect(passed).toBe(3);
    now = 60_000;
    // Whoever comes next finds the minute over, and lets the one before him in.
    await turnstile.pass(never, async () => undefined);
    await all;
    expect(passed).toBe(4);
  });

  it('lets nobody in during a pause, and says how long it lasts', async () => {
    let now = 0;
    const turnstile = new Turnstile({ atOnce: 9, perMinute: null }, () => now);
    turnstile.pause(30_000);
    turnstile.pause(10);
    expect(turnstile.pausedFor()).toBe(30_000);
    const leaving = new AbortController();
    const waiting = turnstile.pass(leaving.signal, async () => 'in');
    leaving.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    now = 30_000;
    await expect(turnstile.pass(never, async () => 'in')).resolves.toBe('in');
  });

  it('forgets who leaves the line', async () => {
    const turnstile = new Turnstile({ atOnce: 1, perMinute: null });
    const gate = Promise.withResolvers<void>();
    const first = turnstile.pass(never, () => gate.promise);
    const leaving = new AbortController();
    const second = turnstile.pass(leaving.signal, async () => 'second');
    const third = turnstile.pass(never, async () => 'third');
    leaving.abort(new Error('gone'));
    await expect(second).rejects.toThrow('gone');
    gate.resolve();
    await first;
    await expect(third).resolves.toBe('third');
  });
});
