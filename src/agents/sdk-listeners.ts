/**
 * The SDK's tracing, which we never use, puts listeners on the process as soon as it is imported: one swallows unhandled
 * rejections, others may end the process in the middle of our own shutdown. Import this before the SDK, then remove them.
 */
const EVENTS = ['SIGINT', 'SIGTERM', 'beforeExit', 'unhandledRejection'] as const;

const ours = new Set(EVENTS.flatMap((event) => process.rawListeners(event)));

export function removeSdkListeners(): void {
  for (const event of EVENTS) {
    for (const listener of process.rawListeners(event)) {
      if (!ours.has(listener)) process.off(event, listener as () => void);
    }
  }
}
