import { WebSocket } from 'ws';

type Sent = (error?: Error) => void;

/**
 * A socket that takes a message for sent once its peer is gone. graphql-ws prints to the console whatever it can't send, so
 * that anybody who hangs up at the right moment, over and over, could fill it.
 */
export class QuietSocket extends WebSocket {
  override send(data: string, optionsOrSent?: object | Sent, sent?: Sent): void {
    const told = typeof optionsOrSent === 'function' ? (optionsOrSent as Sent) : sent;
    const options = typeof optionsOrSent === 'function' ? {} : (optionsOrSent ?? {});
    super.send(data, options, (error) => {
      if (error !== undefined && error !== null && this.readyState === WebSocket.OPEN) told?.(error);
      else told?.();
    });
  }
}
