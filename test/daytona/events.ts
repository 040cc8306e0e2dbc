import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Sandbox, SandboxState } from '@daytona/api-client';
import { type WebSocket, WebSocketServer } from 'ws';

/** As much of socket.io 4 (engine.io 4, over WebSocket) as a listener needs: handshake, heartbeat, events. */
export class Events {
  readonly #server = new WebSocketServer({ noServer: true });
  readonly #listening = new Set<WebSocket>();
  readonly #accepts: (token: string) => boolean;

  constructor(accepts: (token: string) => boolean) {
    this.#accepts = accepts;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#server.handleUpgrade(request, socket, head, (client) => {
      const hello = {
        sid: randomUUID(),
        upgrades: [],
        pingInterval: 25_000,
        pingTimeout: 20_000,
        maxPayload: 1e6,
      };
      client.send(`0${JSON.stringify(hello)}`);
      const beat = setInterval(() => client.send('2'), hello.pingInterval);
      client.on('close', () => {
        clearInterval(beat);
        this.#listening.delete(client);
      });
      client.on('message', (data) => {
        const text = String(data);
        if (!text.startsWith('40')) return;
        const { token = '' } = JSON.parse(text.slice(2) || '{}') as { token?: string };
        if (this.#accepts(token)) {
          client.send(`40${JSON.stringify({ sid: randomUUID() })}`);
          this.#listening.add(client);
        } else {
          client.send(`44${JSON.stringify({ message: 'Unauthorized' })}`);
        }
      });
    });
  }

  stateChanged(sandbox: Sandbox, oldState: SandboxState): void {
    const event = ['sandbox.state.updated', { sandbox, oldState, newState: sandbox.state }];
    for (const client of this.#listening) client.send(`42${JSON.stringify(event)}`);
  }

  close(): void {
    for (const client of this.#server.clients) client.terminate();
    this.#server.close();
  }
}
