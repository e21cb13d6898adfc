/** Clients that mean harm before there is a connection: over real sockets, each with the number that it is held to. */

import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { RawClient, rawFrame, upgradeRequest } from './raw-client.testing.ts';
import { afterwards, endAll, HELLO, newHub, start, welcomed } from './real-peer.testing.ts';

afterEach(endAll);

/** Says what it was asked, with its body. */
const echo: RequestListener = (request, response) => {
  let body = '';
  request.on('data', (chunk: Buffer) => (body += chunk.toString()));
  request.on('end', () => response.end(JSON.stringify([request.method, request.url, body, request.headers['upgrade'] ?? null])));
};

describe('slowloris', () => {
  test('a header sent byte by byte is ended with 408 when the time for all of it is over, however it drips', async () => {
    const hub = newHub();
    const server = await start({ hub });
    // The bound itself is 10 s (`listen.test.ts`); here it is shorter, and is looked at every 2 s as always.
    server.http.headersTimeout = 100;
    const client = new RawClient(server.port);
    const text = upgradeRequest('/', `X-Padding: ${'x'.repeat(8_000)}`);
    let sent = 0;
    const drip = setInterval(() => client.write(text[sent++]!), 10);
    afterwards(() => clearInterval(drip));
    expect(await client.rest()).toMatch(/^HTTP\/1\.1 408 /);
    expect([sent < text.length, hub.connectionCount]).toEqual([true, 0]);
  });

  test('half a frame that never ends, before the hello: 4203 after helloTimeoutMs', async () => {
    const hub = newHub({ limits: { helloTimeoutMs: 50 } });
    const { port } = await start({ hub });
    const client = await RawClient.upgraded(port);
    client.write(rawFrame(HELLO).subarray(0, 20));
    expect(await client.message()).toMatchObject({ type: 'error', code: 'HELLO_TIMEOUT' });
    expect(await client.closeCode()).toBe(4203);
    expect(Object.fromEntries(hub.counters.limits)).toEqual({ helloTimeoutMs: 1 });
  });

  test('half a frame that never ends, after the hello: 4201 after three beats, however it drips', async () => {
    const hub = newHub({ heartbeatMs: 40 });
    const { port } = await start({ hub });
    const client = await RawClient.welcomed(port);
    const bytes = rawFrame('x'.repeat(60_000));
    let sent = 0;
    const drip = setInterval(() => client.write(bytes.subarray(sent, ++sent)), 5);
    afterwards(() => clearInterval(drip));
    expect(await client.closeCode()).toBe(4201);
    expect(hub.connectionCount).toBe(0);
  });
});

describe('an upgrade to something else', () => {
  const H2C = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA'];

  test('Upgrade: h2c is answered as the plain request that it also is, with its body, in pieces too', async () => {
    const { port } = await start({ request: echo });
    const client = new RawClient(port);
    client.write(['POST /v1/x?y=1 HTTP/1.1', 'Host: x', ...H2C, 'Content-Length: 10', '', '12345'].join('\r\n'));
    await once(client.socket, 'ready');
    // A newer Node keeps the connection for as long as any other.
    client.socket.end('67890');
    const answer = await client.rest();
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).toContain('["POST","/v1/x?y=1","1234567890",');
  });

  test('what is sent after it on the same connection is never heard: the first request alone', async () => {
    const heard: unknown[] = [];
    const { port } = await start({ request: (request, response) => (heard.push(request.url), echo(request, response)) });
    const client = new RawClient(port);
    const get = (path: string): string => [`GET ${path} HTTP/1.1`, 'Host: x', ...H2C, '', ''].join('\r\n');
    client.write(get('/1') + get('/2') + get('/3'));
    expect((await client.rest()).match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(heard).toEqual(['/1']);
  });

  test('one that comes behind a request that is not answered yet harms its sender alone', async () => {
    const held: (() => void)[] = [];
    const hub = newHub();
    const { port, url } = await start({
      hub,
      request: (request, response) => (request.url === '/1' ? held.push(() => echo(request, response)) : echo(request, response)),
    });
    const client = new RawClient(port);
    client.write(['GET /1 HTTP/1.1', 'Host: x', '', ''].join('\r\n') + ['GET /2 HTTP/1.1', 'Host: x', ...H2C, '', ''].join('\r\n'));
    await expect.poll(() => held.length).toBe(1);
    const ask = async (): Promise<unknown> => (await fetch(`http://127.0.0.1:${port}/3`)).json();
    expect(await ask()).toEqual(['GET', '/3', '', null]);
    for (const answer of held) answer();
    client.socket.end();
    await client.rest();
    expect(await ask()).toEqual(['GET', '/3', '', null]);
    await welcomed(url);
    expect(hub.connectionCount).toBe(1);
  });
});

describe('compression', () => {
  test('is not negotiated, whoever offers it; a frame that claims it (RSV1) ends the connection with 1002', async () => {
    const hub = newHub();
    const { port } = await start({ hub });
    const client = new RawClient(port);
    const offer = 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-webkit-deflate-frame';
    client.write(upgradeRequest('/', offer));
    const head = await client.head();
    expect([head.slice(0, 12), /extensions/i.test(head)]).toEqual(['HTTP/1.1 101', false]);
    client.write(rawFrame(HELLO, { reserved: 4 }));
    expect(await client.closeCode()).toBe(1002);
    await expect.poll(() => hub.connectionCount).toBe(0);
  });
});

test('connections that open, say nothing and go leave nothing behind: 300 of them, and the next is served', async () => {
  const hub = newHub({ limits: { addressAcceptsPerSecond: 10_000 } });
  const { port, url } = await start({ hub });
  const clients = await Promise.all(Array.from({ length: 300 }, () => RawClient.upgraded(port)));
  expect(hub.stats()).toMatchObject({ connections: 300, pendingConnections: 300 });
  for (const { socket } of clients) socket.resetAndDestroy();
  await expect.poll(() => hub.stats()).toMatchObject({ connections: 0, pendingConnections: 0, topics: 0 });
  await welcomed(url);
});
