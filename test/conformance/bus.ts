import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Bus } from '../../src/bus/bus.ts';

/** What every bus must do. A hint may be late, so the promises wait for it; that none comes is shown by one that does. */
export function busConformance(name: string, open: () => Promise<Bus>): void {
  describe(`bus conformance: ${name}`, () => {
    let bus: Bus;
    beforeEach(async () => {
      bus = await open();
    });
    afterEach(async () => {
      await bus.close();
    });

    const heard = (topic: string) => {
      const listener = vi.fn();
      return { listener, end: bus.subscribe(topic, listener) };
    };
    /** Publishes at a topic of its own and waits for it: what was published before has arrived by then. */
    const settle = async (): Promise<void> => {
      const mark = heard('settle');
      bus.publish('settle');
      await vi.waitFor(() => expect(mark.listener).toHaveBeenCalled());
      mark.end();
    };

    it('hints at every listener of a topic', async () => {
      const [a, b] = [heard('job:1'), heard('job:1')];
      bus.publish('job:1');
      await vi.waitFor(() => {
        expect(a.listener).toHaveBeenCalled();
        expect(b.listener).toHaveBeenCalled();
      });
    });

    it('does not hint at other topics', async () => {
      const other = heard('job:2');
      bus.publish('job:1');
      await settle();
      expect(other.listener).not.toHaveBeenCalled();
    });

    it('hints again after a later publish', async () => {
      const { listener } = heard('job:1');
      bus.publish('job:1');
      await vi.waitFor(() => expect(listener).toHaveBeenCalledTimes(1));
      bus.publish('job:1');
      await vi.waitFor(() => expect(listener).toHaveBeenCalledTimes(2));
    });

    it('never calls a listener within publish', () => {
      const { listener } = heard('job:1');
      bus.publish('job:1');
      expect(listener).not.toHaveBeenCalled();
    });

    it('stops hinting at a listener that has left, and only at that one', async () => {
      const listener = vi.fn();
      const endFirst = bus.subscribe('job:1', listener);
      bus.subscribe('job:1', listener);
      endFirst();
      endFirst();
      bus.publish('job:1');
      await settle();
      expect(listener).toHaveBeenCalledTimes(1);
    });

    it('takes publishes without listeners, and after it was closed', async () => {
      const { listener } = heard('job:1');
      bus.publish('nobody');
      await bus.close();
      expect(() => bus.publish('job:1')).not.toThrow();
      expect(listener).not.toHaveBeenCalled();
    });
  });
}
