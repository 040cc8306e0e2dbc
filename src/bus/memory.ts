import { EventEmitter } from 'node:events';
import type { Bus } from './bus.ts';

/** The bus of a single process. Hints arrive after the publisher's current turn, each listener once per hint. */
export function createMemoryBus(): Bus {
  const topics = new EventEmitter().setMaxListeners(0);
  const pending = new Set<string>();
  let closed = false;

  const deliver = (topic: string): void => {
    pending.delete(topic);
    if (!closed) topics.emit(topic);
  };

  return {
    publish(topic) {
      // A hint that is still on its way says all there is to say.
      if (closed || pending.has(topic)) return;
      pending.add(topic);
      setImmediate(deliver, topic);
    },
    subscribe(topic, listener) {
      // A wrapper of its own, so that one function may listen twice and each ends alone.
      const own = (): void => listener();
      topics.on(topic, own);
      return () => {
        topics.off(topic, own);
      };
    },
    async close() {
      closed = true;
      topics.removeAllListeners();
    },
  };
}
