/**
 * Socket.IO, client and server: with its defaults, and with the option `retries`, which makes it send again what was not
 * answered. Over WebSockets from the beginning, so that a client is one connection.
 */

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import { io, type Socket } from 'socket.io-client';
import type { Caller, Contender, ContenderServer, ServeSettings } from './contender.ts';
import { ALL_MEASURES } from './row.ts';

const shared = {
  package: 'socket.io-client',
  isOurs: false,
  heartbeat: 'of the server',
  code: `export { io } from 'socket.io-client';`,
} as const;

export const socketIo: Contender = { ...shared, name: 'socket.io', measures: ALL_MEASURES, serve: (settings) => serve(settings, false) };

/** The same connection, so that only what is sent over it is measured again. */
export const socketIoRetries: Contender = {
  ...shared,
  name: 'socket.io, retries',
  measures: ['freezes'],
  serve: (settings) => serve(settings, true),
};

/** As in its documentation of the option. */
const RETRIES = { retries: 3, ackTimeout: 10_000 };

async function serve({ heartbeatMs }: ServeSettings, hasRetries: boolean): Promise<ContenderServer> {
  const http = createServer();
  // A client is given up after a beat and the time to answer it: both are the heartbeat that was asked for.
  const beat = heartbeatMs === undefined ? {} : { pingInterval: heartbeatMs, pingTimeout: heartbeatMs };
  const server = new Server(http, { transports: ['websocket'], serveClient: false, ...beat });
  const numbers: number[] = [];
  server.on('connection', (socket) => {
    socket.on('number', (number: number, done?: () => void) => {
      numbers.push(number);
      done?.();
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    port: (http.address() as AddressInfo).port,
    received: () => Promise.resolve([...numbers]),
    push: async (bytes) => {
      server.emit('pushed', 'x'.repeat(bytes));
    },
    connect: (port) => {
      const options = { transports: ['websocket'], forceNew: true, ...(hasRetries ? RETRIES : {}) };
      return new SocketIoCaller(io(`http://127.0.0.1:${port}`, options), hasRetries);
    },
    close: () => server.close(),
  };
}

class SocketIoCaller implements Caller {
  pushedCount = 0;
  acknowledgedCount: number | undefined;
  readonly #socket: Socket;

  constructor(socket: Socket, hasRetries: boolean) {
    this.#socket = socket;
    if (hasRetries) this.acknowledgedCount = 0;
    socket.on('pushed', () => (this.pushedCount += 1));
  }

  get isConnected(): boolean {
    return this.#socket.connected;
  }

  send(number: number): void {
    if (this.acknowledgedCount === undefined) this.#socket.emit('number', number);
    else
      this.#socket.emit('number', number, (error: Error | null) => {
        if (error === null) this.acknowledgedCount! += 1;
      });
  }

  async close(): Promise<void> {
    this.#socket.disconnect();
  }
}
