/** A server of its own, over real sockets on the loopback interface. */

import { copyFileSync } from 'node:fs';
import { get, type Agent } from 'node:https';
import { connect, type Socket as NetSocket } from 'node:net';
import { connect as connectTls, type SecureVersion, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { Authority, LACK_OF_OPENSSL } from './certificates.testing.ts';
import type { Hub } from './hub.ts';
import { listen, type HoldfastServer, type ListenOptions } from './listen.ts';
import { afterwards, endAll, HELLO, newHub, Peer, start as startOn, upgrade, welcomed } from './real-peer.testing.ts';
import type { TlsOptions } from './tls.ts';
import { SUBPROTOCOL } from './websocket.ts';

let hub: Hub;

beforeEach(() => {
  hub = newHub();
});

afterEach(endAll);

function start(options: Partial<ListenOptions> = {}): Promise<HoldfastServer> {
  return startOn({ hub, ...options });
}

/** A TCP connection that says `text`, and what it was told until it ended. */
async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  afterwards(() => void socket.destroy());
  socket.on('error', () => undefined);
  let told = '';
  socket.on('data', (chunk: Buffer) => (told += chunk.toString()));
  socket.write(text);
  await new Promise<void>((resolve) => void socket.once('close', resolve));
  return told;
}

describe('listen', () => {
  test('a session, with its address', async () => {
    const server = await start();
    expect(server.url).toBe(`ws://127.0.0.1:${server.port}`);
    const peer = await welcomed(server.url);
    peer.send('{"type":"ping","id":1}');
    expect(await peer.message()).toEqual({ type: 'pong', id: 1 });
  });

  test('rejects with what the operating system says', async () => {
    const { port } = await start();
    await expect(listen({ hub: newHub(), port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  test('plain HTTP goes to its own listener, 404 by default', async () => {
    const { port } = await start();
    expect((await fetch(`http://127.0.0.1:${port}/x`)).status).toBe(404);
    hub = newHub();
    const other = await start({ request: (_request, response) => void response.end('mine') });
    expect(await (await fetch(`http://127.0.0.1:${other.port}/x`)).text()).toBe('mine');
  });

  test('HF-8.3: close says goaway and 4200, and can be called again', async () => {
    const server = await start();
    const peer = await welcomed(server.url);
    await Promise.all([server.close(), server.close()]);
    expect(await peer.message()).toMatchObject({ type: 'goaway', spreadMs: 100 });
    expect(await peer.closed).toEqual({ code: 4200, reason: 'GOING_AWAY' });
    await server.close();
    await expect(fetch(`http://127.0.0.1:${server.port}/`)).rejects.toThrow();
  });

  test('close does not wait for a peer that never answers the closing handshake', async () => {
    const server = await start();
    const { stream } = await upgrade(server.port, '/', { 'sec-websocket-protocol': SUBPROTOCOL });
    // It reads nothing and answers nothing.
    stream!.pause();
    stream!.on('error', () => undefined);
    await server.close();
    expect(hub.connectionCount).toBe(0);
  });
});

describe('what is not encrypted stays on this machine', () => {
  test.each(['0.0.0.0', '::', '', '192.0.2.1', '10.0.0.1', '2001:db8::1', '::ffff:192.0.2.1'])(
    '%j is refused, with both ways out',
    async (host) => {
      await expect(listen({ hub, port: 0, host })).rejects.toMatchObject({
        code: 'USAGE',
        message: expect.stringContaining(`"${host}"`),
        hint: expect.stringMatching(/tls: .*behindProxy: true.*insecure: true/),
      });
    },
  );

  test.each(['127.0.0.1', '127.0.0.2', 'localhost'])('%s is this machine', async (host) => {
    const { url } = await start({ host });
    expect(url).toMatch(/^ws:\/\/(127\.0\.0\.\d|\[::1\]):\d+$/);
    await welcomed(url);
  });

  test('a host that is none rejects with what the operating system says', async () => {
    await expect(listen({ hub, port: 0, host: 'no-such-host.invalid' })).rejects.toMatchObject({ syscall: 'getaddrinfo' });
  });

  // An address of documentation (RFC 5737), which no machine has: allowed, and then not to be had.
  test.each([{ insecure: true }, { behindProxy: true }])('%j allows any', async (options) => {
    await expect(listen({ hub, port: 0, host: '192.0.2.1', ...options })).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
  });
});

describe('HTTP that wants to do harm', () => {
  test('what is no HTTP gets 400, headers without end 431, and the connection is gone', async () => {
    const { port, url } = await start();
    expect(await raw(port, 'nonsense\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await raw(port, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
    await welcomed(url);
  });

  test('who is slow is waited for a bounded time', async () => {
    const { http } = await start();
    expect([http.headersTimeout, http.requestTimeout]).toEqual([10_000, 60_000]);
  });

  test('a request may stand still for a minute, and what becomes a WebSocket has no timer', async () => {
    const seen: (number | undefined)[] = [];
    const { http, port, url } = await start({
      request: ({ socket }, response) => {
        seen.push(socket.timeout);
        response.end();
      },
    });
    http.on('upgrade', ({ socket }) => seen.push(socket.timeout));
    await raw(port, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    await welcomed(url);
    expect(seen).toEqual([60_000, 0]);
  });

  test('connections beyond connectionsMax are dropped', async () => {
    const { port, http } = await start({ connectionsMax: 1 });
    const dropped = new Promise((resolve) => void http.once('drop', resolve));
    const first = connect(port, '127.0.0.1');
    afterwards(() => void first.destroy());
    await new Promise<void>((resolve) => void first.once('connect', resolve));
    expect(await raw(port, '')).toBe('');
    expect(await dropped).toMatchObject({ remoteAddress: '127.0.0.1' });
  });
});

// Not to be overlooked: without it nothing below is tested.
if (LACK_OF_OPENSSL !== undefined) process.stderr.write(`SKIPPED, all of wss://: ${LACK_OF_OPENSSL}\n`);

describe.skipIf(LACK_OF_OPENSSL)('TLS', () => {
  let authority: Authority;
  let files: { readonly key: string; readonly cert: string };

  beforeAll(() => {
    authority = new Authority();
    for (const name of ['first', 'second']) authority.issue(name);
    files = { key: authority.path('live.key'), cert: authority.path('live.pem') };
  });

  afterAll(() => authority.remove());

  beforeEach(() => put('first', 'first'));

  /** Writes one pair's key and another's certificate to where the server looks. */
  function put(key: string, cert: string): void {
    copyFileSync(authority.path(`${key}.key`), authority.path('live.key'));
    copyFileSync(authority.path(`${cert}.pem`), authority.path('live.pem'));
  }

  function startTls(options: Partial<TlsOptions> = {}): Promise<HoldfastServer> {
    return start({ tls: { ...files, checkIntervalMs: 0, ...options } });
  }

  async function secured(url: string): Promise<Peer> {
    const peer = new Peer(url, [SUBPROTOCOL], { ca: authority.ca });
    await peer.opened;
    peer.send(HELLO);
    expect(await peer.message()).toMatchObject({ type: 'welcome' });
    return peer;
  }

  /** Whose certificate a new connection gets. */
  async function served(port: number): Promise<unknown> {
    const socket = connectTls({ port, host: '127.0.0.1', ca: authority.ca });
    afterwards(() => void socket.destroy());
    await new Promise<void>((resolve, reject) => void socket.once('secureConnect', resolve).once('error', reject));
    return socket.getPeerCertificate().subject.CN;
  }

  test('wss:// for who trusts the authority, and for nobody else', async () => {
    const server = await startTls();
    expect(server.url).toBe(`wss://127.0.0.1:${server.port}`);
    const peer = await secured(server.url);
    peer.send('{"type":"ping","id":1}');
    expect(await peer.message()).toEqual({ type: 'pong', id: 1 });
    await expect(new Peer(server.url).opened).rejects.toThrow(/certificate/);
    await expect(new Peer(server.url.replace('wss', 'ws')).opened).rejects.toThrow();
    expect(hub.connectionCount).toBe(1);
  });

  test('https:// goes to the listener of plain requests', async () => {
    const { port } = await startTls();
    const status = await new Promise((resolve, reject) => {
      const agent: Agent | false = false;
      get({ port, host: '127.0.0.1', ca: authority.ca, agent }, (response) => resolve(response.resume().statusCode)).once('error', reject);
    });
    expect(status).toBe(404);
  });

  test('any address is allowed with it', async () => {
    const tls = { ...files, checkIntervalMs: 0 };
    await expect(listen({ hub, port: 0, host: '192.0.2.1', tls })).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
  });

  test.each<[SecureVersion, boolean]>([
    ['TLSv1.1', false],
    ['TLSv1.2', true],
    ['TLSv1.3', true],
  ])('%s: %s', async (version, isTaken) => {
    const { port } = await startTls();
    // What this machine's OpenSSL would refuse by itself is offered all the same: the answer must be the server's.
    const options = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT:@SECLEVEL=0' };
    const socket: TLSSocket = connectTls({ port, host: '127.0.0.1', ca: authority.ca, ...options });
    afterwards(() => void socket.destroy());
    const protocol = new Promise(
      (resolve, reject) => void socket.once('secureConnect', () => resolve(socket.getProtocol())).once('error', reject),
    );
    if (isTaken) expect(await protocol).toBe(version);
    else await expect(protocol).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
  });

  test('a pair that cannot be used starts no server', async () => {
    put('first', 'second');
    await expect(startTls()).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining('cannot be used together') });
  });

  test('files that change are served to new connections, and the old ones go on', async () => {
    const reloads: unknown[] = [];
    const server = await startTls({ checkIntervalMs: 5, onReload: (status) => reloads.push(status) });
    const peer = await secured(server.url);
    expect(await served(server.port)).toBe('first');
    put('second', 'second');
    await vi.waitFor(() => expect(reloads).toEqual([{ expiresAtMs: server.tls!.expiresAtMs }]));
    expect(await served(server.port)).toBe('second');
    peer.send('{"type":"ping","id":1}');
    expect(await peer.message()).toEqual({ type: 'pong', id: 1 });
  });

  test('reloadTls takes a good pair at once; a bad one is refused, and the one before is served on', async () => {
    const server = await startTls();
    put('first', 'second');
    await expect(server.reloadTls()).rejects.toMatchObject({ code: 'USAGE' });
    expect(await served(server.port)).toBe('first');
    put('second', 'second');
    await server.reloadTls();
    expect(await served(server.port)).toBe('second');
    expect(server.tls!.expiresAtMs).toBeGreaterThan(Date.now());
  });

  test('without TLS there is nothing to reload', async () => {
    const server = await start();
    expect(server.tls).toBeUndefined();
    await expect(server.reloadTls()).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('a reader that is slow costs a bounded memory, as without TLS', async () => {
    const queueBytesMax = 262_144;
    hub = newHub({ limits: { queueBytesMax } });
    const server = await startTls();
    const serverSide: NetSocket[] = [];
    server.http.on('secureConnection', (socket: NetSocket) => serverSide.push(socket));
    const peer = new Peer(server.url, [SUBPROTOCOL], { ca: authority.ca });
    await peer.opened;
    peer.send('{"type":"hello","client":"slow","subscribe":[{"id":1,"topic":"t"}]}');
    expect(await peer.message()).toMatchObject({ type: 'welcome' });
    expect(await peer.message()).toMatchObject({ type: 'subscribed' });
    peer.socket.pause();
    const [payload, count] = ['x'.repeat(20_000), 800];
    let held = 0;
    for (let at = 1; at <= count; at++) {
      await hub.publish('t', [at, payload]);
      held = Math.max(held, serverSide[0]!.writableLength);
    }
    expect(held).toBeGreaterThan(queueBytesMax);
    expect(held).toBeLessThan(queueBytesMax + 2 * payload.length + 16_384);
    peer.socket.resume();
    for (let at = 1; at <= count; at++) expect(await peer.message()).toMatchObject({ type: 'entry', offset: at });
  });

  test('close waits neither for a handshake that never ends nor for a peer that does not answer', async () => {
    const server = await startTls();
    const ends: unknown[] = [];
    server.http.on('tlsClientError', ({ code }: NodeJS.ErrnoException) => ends.push(code));
    const silent = connect(server.port, '127.0.0.1');
    silent.on('error', () => undefined);
    const gone = new Promise<void>((resolve) => void silent.once('close', resolve));
    await new Promise<void>((resolve) => void server.http.once('connection', () => resolve()));
    const peer = await secured(server.url);
    peer.socket.pause();
    await server.close();
    await gone;
    expect(hub.connectionCount).toBe(0);
    // That would have come by itself, much later.
    expect(ends).not.toContain('ERR_TLS_HANDSHAKE_TIMEOUT');
  });
});
