/** A WebSocket server without a protocol of its own, for the libraries that wrap a WebSocket: it notes what comes. */

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { Caller, ContenderServer } from './contender.ts';

/** Every text that comes is a number. `connect` makes a client of the library. */
export async function servePlain(connect: (url: string) => Caller): Promise<ContenderServer> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const numbers: number[] = [];
  server.on('connection', (socket) => {
    socket.on('message', (data) => numbers.push(Number((data as Buffer).toString())));
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
