/** The libraries that keep a WebSocket connected and know nothing of the server: each with its own defaults. */

import PartySocketClass from 'partysocket/ws';
import * as reconnecting from 'reconnecting-websocket';
import { ArrayQueue, ConstantBackoff, WebsocketBuilder, type Websocket } from 'websocket-ts';
import { WebSocket } from 'ws';
import type { Caller, Contender } from './contender.ts';
import { servePlain } from './plain-server.ts';
import { ALL_MEASURES } from './row.ts';

export const partySocket: Contender = {
  name: 'partysocket',
  measures: ALL_MEASURES,
  package: 'partysocket',
  isOurs: false,
  heartbeat: 'none',
  code: `export { default } from 'partysocket/ws';`,
  serve: () => servePlain({ connect: (url) => callerOf(new PartySocketClass(url, [], { WebSocket })) }),
};

// A module of the older kind: its export is the class, its types say `default`.
const ReconnectingWebSocket = reconnecting.default as unknown as typeof reconnecting.default.default;

export const reconnectingWebSocket: Contender = {
  name: 'reconnecting-websocket',
  measures: ALL_MEASURES,
  package: 'reconnecting-websocket',
  isOurs: false,
  heartbeat: 'none',
  code: `export { default } from 'reconnecting-websocket';`,
  serve: () =>
    servePlain({
      connect: (url) => {
        // Its default, which it draws once for a page: clients in one process would all have the same.
        const minReconnectionDelay = 1_000 + Math.random() * 4_000;
        return callerOf(new ReconnectingWebSocket(url, [], { WebSocket, minReconnectionDelay }));
      },
    }),
};

/** Without these two options it neither reconnects nor keeps anything; they are those of its own first example. */
export const websocketTs: Contender = {
  name: 'websocket-ts',
  measures: ALL_MEASURES,
  package: 'websocket-ts',
  isOurs: false,
  heartbeat: 'none',
  code: `export { ArrayQueue, ConstantBackoff, WebsocketBuilder } from 'websocket-ts';`,
  serve: () =>
    servePlain({
      connect: (url) => {
        // It takes the platform's WebSocket, which Node has from version 22.
        (globalThis as { WebSocket?: unknown }).WebSocket ??= WebSocket;
        const socket = new WebsocketBuilder(url).withBuffer(new ArrayQueue()).withBackoff(new ConstantBackoff(1_000)).build();
        return callerOf(new BuiltSocket(socket));
      },
    }),
};

/** What these libraries have in common with a WebSocket. */
interface Reconnecting {
  readonly readyState: number;
  send(data: string): void;
  close(): void;
  addEventListener(type: 'message' | 'error', listener: () => void): void;
}

class BuiltSocket implements Reconnecting {
  readonly #socket: Websocket;

  constructor(socket: Websocket) {
    this.#socket = socket;
  }

  get readyState(): number {
    return this.#socket.readyState;
  }

  send(data: string): void {
    this.#socket.send(data);
  }

  close(): void {
    this.#socket.close();
  }

  addEventListener(type: 'message' | 'error', listener: () => void): void {
    this.#socket.addEventListener(type as never, listener);
  }
}

function callerOf(socket: Reconnecting): Caller {
  let pushedCount = 0;
  socket.addEventListener('message', () => (pushedCount += 1));
  socket.addEventListener('error', () => {});
  return {
    get isConnected() {
      return socket.readyState === WebSocket.OPEN;
    },
    get pushedCount() {
      return pushedCount;
    },
    acknowledgedCount: undefined,
    send: (number) => socket.send(String(number)),
    close: async () => socket.close(),
  };
}
