/** A connection over real sockets: `ws` on both ends. */

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { createConnection, type Connection } from './connection.ts';
import type { Phase } from './connection-machine.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** An echo that may refuse, on a port of its own. */
async function echo(): Promise<{
  readonly url: string;
  readonly server: Server;
  readonly sockets: WebSocketServer;
  refusal: string | undefined;
}> {
  const server = createServer();
  const sockets = new WebSocketServer({ noServer: true });
  const made = { url: '', server, sockets, refusal: undefined as string | undefined };
  server.on('upgrade', (request, socket, head) => {
    if (made.refusal !== undefined) return void socket.end(made.refusal);
    sockets.handleUpgrade(request, socket, head, (peer) => peer.on('message', (data, isBinary) => peer.send(data, { binary: isBinary })));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  made.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  closers.push(() => {
    for (const peer of sockets.clients) peer.terminate();
    server.close();
  });
  return made;
}

function connect(url: string): Connection {
  const connection = createConnection({ urls: url, WebSocket, heartbeat: { intervalMs: 10_000, ping: () => 'ping' } });
  closers.push(() => connection.close());
  return connection;
}

function reached(connection: Connection, phase: Phase): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (connection.status.getSnapshot().phase === phase) resolve();
    };
    connection.status.subscribe(look);
    look();
  });
}

it('goes on over a new socket when the server cuts the old one', async () => {
  const { url, sockets } = await echo();
  const connection = connect(url);
  const reader = connection.stream[Symbol.asyncIterator]();
  await connection.sink.add('one');
  expect((await reader.next()).value).toBe('one');
  for (const peer of sockets.clients) peer.terminate();
  await reached(connection, 'waiting');
  void connection.sink.add(new Uint8Array([2]));
  expect((await reader.next()).value).toEqual(new Uint8Array([2]));
  expect(await connection.close()).toEqual({ code: 1000, reason: '', unsentCount: 0 });
  expect((await reader.next()).done).toBe(true);
});

it('waits as long as HTTP 503 asks, and stops at HTTP 404', async () => {
  const made = await echo();
  made.refusal = 'HTTP/1.1 503 Busy\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n';
  const connection = connect(made.url);
  await reached(connection, 'waiting');
  const { retryAtMs, lastError } = connection.status.getSnapshot();
  expect([lastError?.code, lastError?.retryAfterMs]).toEqual(['UPGRADE_REFUSED', 3_600_000]);
  expect(retryAtMs).toBeGreaterThan(Date.now() + 3_500_000);
  made.refusal = 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n';
  connection.retryNow();
  await reached(connection, 'closed');
  expect(connection.status.getSnapshot().lastError?.message).toContain('404');
  await expect(connection.ready).rejects.toMatchObject({ code: 'UPGRADE_REFUSED' });
});

it('a server that is not there is refused by its name, and used as soon as it is', async () => {
  const { url, server } = await echo();
  const { port } = server.address() as AddressInfo;
  server.close();
  const connection = connect(url);
  await reached(connection, 'waiting');
  expect(connection.status.getSnapshot().lastError?.code).toBe('CONNECTION_REFUSED');
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  connection.retryNow();
  await connection.ready;
  expect(connection.status.getSnapshot()).toMatchObject({ phase: 'open', lastError: undefined });
});
