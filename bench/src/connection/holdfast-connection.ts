/** Ours without the Holdfast server: `createConnection` against any WebSocket server, here one that answers what it is asked. */

import { createConnection, type Connection, type ConnectionOptions } from '@holdfast/client/connection';
import { WebSocket } from 'ws';
import type { Caller, Contender, ContenderServer, ServeSettings } from './contender.ts';
import { isConnectedPhase } from './holdfast-client.ts';
import { PING, servePlain } from './plain-server.ts';
import { ALL_MEASURES } from './row.ts';

const PONG = 'pong';
const GOT = 'got';

const shared = {
  package: undefined,
  isOurs: true,
  heartbeat: 'asks itself',
  code: `export { WebSocketChannel, createConnection } from '@holdfast/client/connection';`,
} as const;

export const holdfastConnection: Contender = {
  ...shared,
  name: 'holdfast connection',
  measures: ALL_MEASURES,
  serve: (settings) => serve(settings, false),
};

/** The same connection with messages that are kept until the server has confirmed them, one by one. */
export const holdfastConnectionConfirmed: Contender = {
  ...shared,
  name: 'holdfast connection, acknowledge',
  measures: ['freezes'],
  serve: (settings) => serve(settings, true),
};

/** No server announces a spread here: it comes back as it does by itself. */
function serve({ heartbeatMs }: ServeSettings, isConfirmed: boolean): Promise<ContenderServer> {
  const options = {
    WebSocket,
    ...(heartbeatMs === undefined ? {} : { heartbeat: beatOf(heartbeatMs) }),
    ...(isConfirmed ? { acknowledge: (received: unknown): number => (received === GOT ? 1 : 0) } : {}),
  };
  return servePlain({
    answer: (text) => (text === PING ? PONG : isConfirmed ? GOT : undefined),
    connect: (url) => new ConnectionCaller({ urls: url, ...options }, isConfirmed),
  });
}

/** As for the others: a beat, and as long again to answer it. */
function beatOf(heartbeatMs: number): NonNullable<ConnectionOptions['heartbeat']> {
  return { intervalMs: heartbeatMs, timeoutMs: heartbeatMs, ping: () => PING, isPong: (message) => message === PONG };
}

class ConnectionCaller implements Caller {
  pushedCount = 0;
  acknowledgedCount: number | undefined;
  readonly #connection: Connection;

  constructor(options: ConnectionOptions, isConfirmed: boolean) {
    this.#connection = createConnection(options);
    if (isConfirmed) this.acknowledgedCount = 0;
    void this.#listen();
  }

  get isConnected(): boolean {
    return isConnectedPhase(this.#connection.status.getSnapshot().phase);
  }

  send(number: number): void {
    this.#connection.sink.add(String(number)).then(
      () => {
        if (this.acknowledgedCount !== undefined) this.acknowledgedCount += 1;
      },
      // It counts as not acknowledged, which the table shows.
      () => {},
    );
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  async #listen(): Promise<void> {
    for await (const message of this.#connection.stream) if (message !== GOT) this.pushedCount += 1;
  }
}
