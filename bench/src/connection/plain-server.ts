/** A WebSocket server without a protocol of its own, for the libraries that wrap a WebSocket: it notes what comes. */

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { Caller, ContenderServer } from './contender.ts';

/** What a client may ask for a sign of life. */
export const PING = 'ping';

export interface PlainServerOptions {
  /** Makes a client of the library. */
  readonly connect: (url: string) => Caller;
  /** What is answered to a text. Default: nothing. */
  readonly answer?: (text: string) => string | undefined;
}

/** Every text that comes is a number, but for `PING`. */
export async function servePlain({ connect, answer }: PlainServerOptions): Promise<ContenderServer> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const numbers: number[] = [];
  server.on('connection', (socket) => {
    socket.on('message', (data) => {
      const text = (data as Buffer).toString();
      if (text !== PING) numbers.push(Number(text));
      const reply = answer?.(text);
      if (reply !== undefined) socket.send(reply);
    });
    // A link that is reset is an error here, and its close follows.
    socket.on('error', () => {});
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    received: () => Promise.resolve([...numbers]),
    push: async (bytes) => {
      for (const socket of server.clients) socket.send('x'.repeat(bytes));
    },
    connect: (proxyPort) => connect(`ws://127.0.0.1:${proxyPort}`),
    close: async () => {
      for (const socket of server.clients) socket.terminate();
      server.close();
      await once(server, 'close');
    },
  };
}
