import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { follow } from './ticker.ts';

let server: Server;
let acceptor: WebSocketServer;
let url: string;
beforeEach(async () => {
  server = createServer();
  acceptor = new WebSocketServer({ noServer: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.close();
  await once(server, 'close');
});

/** Two prices for each symbol that is asked for; `onQuoted` after the last of two symbols. */
function quote(onQuoted: (peer: WebSocket) => void): void {
  let quoted = 0;
  server.on('upgrade', (request, socket, head) =>
    acceptor.handleUpgrade(request, socket, head, (peer) =>
      peer.on('message', (data: Buffer) => {
        const { follow: symbol } = JSON.parse(data.toString()) as { follow: string };
        for (const price of [1, 1.5]) peer.send(JSON.stringify({ symbol, price }));
        quoted += 1;
        if (quoted === 2) onQuoted(peer);
      }),
    ),
  );
}

const PRICES = ['ABC 1.00', 'ABC 1.50', 'XYZ 1.00', 'XYZ 1.50'];

test('the ticker prints what comes until the server ends it, and says how', async () => {
  quote((peer) => peer.close(4000, 'closing time'));
  const lines: string[] = [];
  const end = await follow({ url, symbols: ['ABC', 'XYZ'], print: (line) => lines.push(line) });
  assert.deepEqual(lines, [...PRICES, 'The server ended it: 4000 (closing time).']);
  assert.deepEqual([end.by, end.clean], ['peer', true]);
});

test('the ticker says goodbye when it is told to', async () => {
  quote(() => {});
  const controller = new AbortController();
  const lines: string[] = [];
  const print = (line: string): void => {
    lines.push(line);
    if (lines.length === PRICES.length) controller.abort();
  };
  const end = await follow({ url, symbols: ['ABC', 'XYZ'], signal: controller.signal, print });
  assert.deepEqual([lines, end.by, end.code], [[...PRICES, 'Goodbye.'], 'local', 1000]);
});

test('the ticker says in a sentence why there is no connection', async () => {
  server.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n'));
  const lines: string[] = [];
  const end = await follow({ url, symbols: [], print: (line) => lines.push(line) });
  assert.deepEqual([end.httpStatus, end.cause?.code], [401, 'UPGRADE_REFUSED']);
  assert.match(lines.join(), /^The server answered with HTTP status 401, not with a WebSocket\. The HTTP status says why/);
});
