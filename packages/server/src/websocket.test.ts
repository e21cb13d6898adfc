/** The adapter, over real sockets on the loopback interface. */

import { createServer } from 'node:http';
import { connect, type Socket as NetSocket } from 'node:net';
import { HoldfastError, type Json } from '@holdfast/wire';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import type { Hub } from './hub.ts';
import type { HoldfastServer, ListenOptions } from './listen.ts';
import {
  afterwards,
  endAll,
  HELLO,
  maskedFrame,
  newHub,
  Peer,
  startHttp,
  start as startOn,
  upgrade,
  welcomed,
} from './real-peer.testing.ts';
import { attach, SUBPROTOCOL } from './websocket.ts';

let hub: Hub;

beforeEach(() => {
  hub = newHub();
});

afterEach(endAll);

function start(options: Partial<ListenOptions> = {}): Promise<HoldfastServer> {
  return startOn({ hub, ...options });
}

function upgradeText(path: string): string {
  const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
  return `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\n\r\n`;
}

/** A peer that says something and is gone at once. */
async function resetAfter(port: number, text: string): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await new Promise<void>((resolve) => void socket.once('connect', resolve));
  socket.write(text);
  socket.resetAndDestroy();
}

describe('HF-2.1: the subprotocol', () => {
  test.each<[string[], string]>([
    [[SUBPROTOCOL], SUBPROTOCOL],
    [['other', SUBPROTOCOL, 'bearer.abc'], SUBPROTOCOL],
  ])('of %j it selects %s, and no extension', async (offered, selected) => {
    const { url } = await start();
    const peer = new Peer(url, offered);
    await peer.opened;
    expect([peer.socket.protocol, peer.socket.extensions]).toEqual([selected, '']);
  });

  test('it selects none that it does not know, and accepts all the same (HF-2.3)', async () => {
    const { port } = await start();
    const { response } = await upgrade(port, '/', { 'sec-websocket-protocol': 'other' });
    expect([response.statusCode, response.headers['sec-websocket-protocol']]).toEqual([101, undefined]);
  });

  test('HF-2.4: without it, a hello as first frame is as good', async () => {
    const { url } = await start();
    const peer = new Peer(url, []);
    await peer.opened;
    peer.send(HELLO);
    expect(await peer.message()).toMatchObject({ type: 'welcome', subject: 'alice' });
  });
});

describe('frames', () => {
  test('text comes and goes as text, bytes as bytes, in pieces too', async () => {
    const { url } = await start();
    const peer = await welcomed(url, '{"type":"hello","client":"c","subscribe":[{"id":1,"topic":"t"}]}');
    expect(await peer.message()).toMatchObject({ type: 'subscribed', number: 1 });
    peer.send('{"type":"publish","topic":"t","producer":"p","seq":1,"data":"é 語 🙂"}');
    expect(await peer.message()).toMatchObject({ type: 'entry', data: 'é 語 🙂' });
    expect(await peer.message()).toMatchObject({ type: 'ack' });
    peer.socket.send(Uint8Array.of(1, 1, 1, 112), { fin: false });
    peer.socket.send(Uint8Array.of(2, 0, 0, 222, 173), { fin: true });
    const entry = await peer.next();
    expect(Buffer.isBuffer(entry) && entry.subarray(-2)).toEqual(Buffer.from([222, 173]));
    expect(await peer.message()).toMatchObject({ type: 'ack', offset: 2 });
  });

  test('HF-4.3: a frame larger than frameBytesMax: 1009', async () => {
    hub = newHub({ limits: { frameBytesMax: 4_096 } });
    const { url } = await start();
    const peer = await welcomed(url);
    peer.send(JSON.stringify({ type: 'ping', id: 1, padding: 'x'.repeat(4_050) }));
    expect(await peer.message()).toEqual({ type: 'pong', id: 1 });
    peer.send('x'.repeat(4_097));
    expect(await peer.closed).toMatchObject({ code: 1009 });
    // The server's own end of the socket is told in a turn of its own.
    await vi.waitFor(() => expect(hub.connectionCount).toBe(0));
  });

  test('HF-4.3: invalid UTF-8: 1007', async () => {
    const { port } = await start();
    const { stream } = await upgrade(port, '/', { 'sec-websocket-protocol': SUBPROTOCOL });
    const closing = new Promise<Buffer>((resolve) => stream!.once('data', resolve));
    stream!.write(maskedFrame(1, Uint8Array.of(0xc3, 0x28)));
    expect((await closing).subarray(0, 4)).toEqual(Buffer.from([0x88, 0x02, 0x03, 0xef]));
  });

  test('RFC 6455: a ping of the protocol is answered, and a frame without a mask ends it', async () => {
    const { port } = await start();
    const { stream } = await upgrade(port, '/', { 'sec-websocket-protocol': SUBPROTOCOL });
    const next = (): Promise<Buffer> => new Promise((resolve) => stream!.once('data', resolve));
    stream!.write(maskedFrame(9, Uint8Array.of(7)));
    expect(await next()).toEqual(Buffer.from([0x8a, 0x01, 7]));
    stream!.write(Uint8Array.of(0x81, 1, 65));
    expect((await next()).subarray(0, 4)).toEqual(Buffer.from([0x88, 0x02, 0x03, 0xea]));
  });

  test('a peer that is gone without a word is gone for the hub', async () => {
    const { url } = await start();
    const peer = await welcomed(url);
    const gone = new Promise<void>((resolve) => {
      const poll = (): void => void (hub.connectionCount === 0 ? resolve() : setImmediate(poll));
      poll();
    });
    peer.socket.terminate();
    await gone;
    expect(hub.connectionCount).toBe(0);
  });
});

describe('HF-2.2: paths', () => {
  test('each with its own topics, rights and handlers', async () => {
    const { url } = await start({
      paths: {
        '/': { topics: ['public'], authenticate: () => ({ subject: 'anybody' }) },
        '/staff': { authenticate: () => Promise.reject(new HoldfastError('UNAUTHENTICATED')) },
        '/plain': { plain: { text: (text, client) => client.send(text.toUpperCase()) } },
      },
    });
    const peer = await welcomed(
      `${url}/?a=1`,
      '{"type":"hello","client":"c","subscribe":[{"id":1,"topic":"public"},{"id":2,"topic":"x"}]}',
    );
    const answers = [await peer.message(), await peer.message()];
    expect(answers.map(({ type, id }) => JSON.stringify([type, id])).sort()).toEqual(['["error",2]', '["subscribed",1]']);
    const staff = new Peer(`${url}/staff`);
    await staff.opened;
    staff.send(HELLO);
    expect(await staff.message()).toMatchObject({ type: 'error', code: 'UNAUTHENTICATED' });
    expect(await staff.closed).toEqual({ code: 4300, reason: 'UNAUTHENTICATED' });
    const plain = new Peer(`${url}/plain`, []);
    await plain.opened;
    plain.send('hello there');
    expect(await plain.next()).toBe('HELLO THERE');
  });

  test('an unknown one is refused with 404', async () => {
    const { port } = await start();
    const { response } = await upgrade(port, '/nowhere');
    expect(response.statusCode).toBe(404);
  });

  test('an unknown one that is reset at once does not end the process', async () => {
    const { port, url } = await start();
    for (let count = 0; count < 20; count++) await resetAfter(port, upgradeText('/nowhere'));
    await welcomed(url);
    expect(hub.connectionCount).toBe(1);
  });

  test('a handshake that is none is refused, and the server goes on', async () => {
    const { port, url } = await start();
    expect((await upgrade(port, '/', { 'sec-websocket-version': '1' })).response.statusCode).toBe(400);
    expect((await upgrade(port, '/', { 'sec-websocket-key': 'short' })).response.statusCode).toBe(400);
    await welcomed(url);
    expect(hub.connectionCount).toBe(1);
  });

  test('a path that is none is refused at once', () => {
    expect(() => attach(createServer(), { hub, paths: { chat: {} } })).toThrow(/"chat" must begin with "\/"/);
  });
});

describe('attach', () => {
  test('leaves other upgrades to the other listeners', async () => {
    const { http, url, port } = await startHttp();
    const others = new WebSocketServer({ noServer: true });
    afterwards(() => others.close());
    attach(http, { hub, paths: { '/hf': {} } });
    http.on('upgrade', (request_, stream, head) => {
      if (request_.url === '/other') others.handleUpgrade(request_, stream, head, (socket) => socket.send('other'));
      else if (request_.url !== '/hf') stream.end('HTTP/1.1 418 Teapot\r\n\r\n');
    });
    await welcomed(`${url}/hf`);
    const other = new Peer(`${url}/other`, []);
    expect(await other.next()).toBe('other');
    expect((await upgrade(port, '/x')).response.statusCode).toBe(418);
  });

  test('two hubs share a server by path; an unknown one is still refused', async () => {
    const { http, url, port } = await startHttp();
    const second = newHub();
    attach(http, { hub, paths: { '/a': {} } });
    attach(http, { hub: second, paths: { '/b': {} } });
    expect(() => attach(http, { hub: second, paths: { '/b': {}, '/c': {} } })).toThrow(/"\/b" of this server is taken/);
    await welcomed(`${url}/a`);
    await welcomed(`${url}/b`);
    expect([hub.connectionCount, second.connectionCount]).toEqual([1, 1]);
    expect((await upgrade(port, '/c')).response.statusCode).toBe(404);
  });

  test('detach stops taking upgrades; connections go on, and the path is free again', async () => {
    const { http, url } = await startHttp();
    const attachment = attach(http, { hub });
    const peer = await welcomed(url);
    attachment.detach();
    attachment.detach();
    peer.send('{"type":"ping","id":1}');
    expect(await peer.message()).toEqual({ type: 'pong', id: 1 });
    const second = newHub();
    attach(http, { hub: second });
    await welcomed(url);
    expect([hub.connectionCount, second.connectionCount]).toEqual([1, 1]);
  });

  test('what the application’s hooks see of the upgrade', async () => {
    const seen: unknown[] = [];
    const { url } = await start({
      paths: {
        '/': {
          authenticate: ({ address, headers }) => {
            seen.push(address, headers['cookie'], headers.authorization);
            return { subject: 'a' };
          },
        },
      },
    });
    const peer = new Peer(url, [SUBPROTOCOL], { headers: { Cookie: 'session=1', Authorization: 'Bearer x' } });
    await peer.opened;
    peer.send(HELLO);
    await peer.message();
    expect(seen).toEqual(['127.0.0.1', 'session=1', 'Bearer x']);
  });
});

describe('HF-7.2: a reader that is really slow', () => {
  test('costs the server a bounded memory, and misses nothing', async () => {
    const queueBytesMax = 262_144;
    hub = newHub({ limits: { queueBytesMax } });
    const server = await start();
    const serverSide: NetSocket[] = [];
    server.http.on('connection', (socket) => serverSide.push(socket));
    const peer = await welcomed(server.url, '{"type":"hello","client":"slow","subscribe":[{"id":1,"topic":"t"}]}');
    expect(await peer.message()).toMatchObject({ type: 'subscribed' });
    peer.socket.pause();
    const payload = 'x'.repeat(20_000);
    const count = 1_500;
    let held = 0;
    for (let at = 1; at <= count; at++) {
      await hub.publish('t', [at, payload]);
      held = Math.max(held, serverSide[0]!.writableLength);
    }
    // 30 MB were published: far more than the kernel's buffers hold.
    expect(held).toBeGreaterThan(queueBytesMax);
    expect(held).toBeLessThan(queueBytesMax + 2 * payload.length + 16_384);
    peer.socket.resume();
    for (let at = 1; at <= count; at++) {
      const { type, offset, data } = await peer.message();
      expect([type, offset, (data as Json[])[0]]).toEqual(['entry', at, at]);
    }
    const live = peer.message();
    await hub.publish('t', 'live again');
    expect(await live).toMatchObject({ offset: count + 1, data: 'live again' });
  });

  test('with a bound below what a stream buffers by itself it goes on as well', async () => {
    hub = newHub({ limits: { queueBytesMax: 1 } });
    const server = await start();
    const peer = await welcomed(server.url, '{"type":"hello","client":"c","subscribe":[{"id":1,"topic":"t"}]}');
    await peer.message();
    for (let at = 1; at <= 50; at++) void hub.publish('t', [at, 'x'.repeat(10_000)]);
    for (let at = 1; at <= 50; at++) expect(await peer.message()).toMatchObject({ offset: at });
  });
});

describe('HF-2.5: whose pages may connect', () => {
  async function answer(url: string, headers: Record<string, string>): Promise<Peer> {
    const peer = new Peer(url, [SUBPROTOCOL], { headers });
    await peer.opened;
    peer.send(HELLO);
    return peer;
  }

  test('a foreign one is accepted, told by name, and closed with 4002', async () => {
    const { url } = await start();
    const peer = await answer(url, { Origin: 'https://evil.example' });
    const told = await peer.message();
    expect(told).toMatchObject({ type: 'error', code: 'ORIGIN_REFUSED', retryable: false });
    expect(told['message']).toContain('https://evil.example');
    expect(await peer.closed).toEqual({ code: 4002, reason: 'ORIGIN_REFUSED' });
    await vi.waitFor(() => expect(hub.connectionCount).toBe(0));
  });

  test('none, one of this machine, and one that is listed are welcome', async () => {
    const { url } = await start({ origins: ['https://app.example.com', 'capacitor://localhost'] });
    for (const origin of [undefined, 'http://localhost:5173', 'https://app.example.com', 'capacitor://localhost']) {
      const peer = await answer(url, origin === undefined ? {} : { Origin: origin });
      expect(await peer.message()).toMatchObject({ type: 'welcome' });
    }
  });

  test('behind a trusted proxy the host that the browser asked counts, from anybody else it does not', async () => {
    const headers = { Origin: 'https://chat.example.com', 'X-Forwarded-Host': 'chat.example.com', 'X-Forwarded-Proto': 'https' };
    const [behind, open] = [await start({ behindProxy: true }), await start()];
    expect(await (await answer(behind.url, headers)).message()).toMatchObject({ type: 'welcome' });
    expect(await (await answer(open.url, headers)).message()).toMatchObject({ code: 'ORIGIN_REFUSED' });
  });

  test('what is no origin is refused at once', () => {
    expect(() => attach(createServer(), { hub, origins: ['app.example.com'] })).toThrow(/"app.example.com" in origins/);
  });
});

describe('whose connection it is', () => {
  async function addressOf(options: Partial<ListenOptions>, forwarded: string): Promise<string> {
    let seen = '';
    const authenticate = ({ address }: { readonly address: string }): { subject: string } => {
      seen = address;
      return { subject: 'a' };
    };
    const { url } = await start({ ...options, paths: { '/': { authenticate } } });
    const peer = new Peer(url, [SUBPROTOCOL], { headers: { 'X-Forwarded-For': forwarded } });
    await peer.opened;
    peer.send(HELLO);
    expect(await peer.message()).toMatchObject({ type: 'welcome' });
    return seen;
  }

  test('nobody’s word counts by default', async () => {
    expect(await addressOf({}, '203.0.113.7')).toBe('127.0.0.1');
  });

  test('a trusted proxy’s does; behindProxy trusts those of this machine', async () => {
    expect(await addressOf({ trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'] }, '1.1.1.1, 203.0.113.7, 10.0.0.9')).toBe('203.0.113.7');
    expect(await addressOf({ behindProxy: true }, '1.1.1.1, 203.0.113.7')).toBe('203.0.113.7');
    expect(await addressOf({ behindProxy: true, trustedProxies: ['10.0.0.0/8'] }, '203.0.113.7')).toBe('127.0.0.1');
  });

  test('what is no proxy is refused at once', () => {
    expect(() => attach(createServer(), { hub, trustedProxies: ['proxy'] })).toThrow(/"proxy" in trustedProxies/);
  });
});

describe('HF-2.6: no room', () => {
  test('is said instead of the upgrade, with the time to come back, and costs no connection', async () => {
    const asked: string[] = [];
    hub.admit = (address) => {
      asked.push(address);
      return new HoldfastError('OVERLOADED', 'too many at once', { retryAfterMs: 2_500 });
    };
    const { port } = await start({ trustedProxies: ['loopback'] });
    const { response, body } = await upgrade(port, '/', { 'x-forwarded-for': '2001:db8::7' });
    expect([response.statusCode, response.headers['retry-after'], response.headers['content-type'], response.headers.connection]).toEqual([
      503,
      '3',
      'application/json',
      'close',
    ]);
    expect(JSON.parse(await body!)).toEqual({ code: 'OVERLOADED', message: 'too many at once', hint: expect.any(String) });
    expect([asked, hub.connectionCount]).toEqual([['2001:db8::7'], 0]);
  });

  test('whatever the time, at least a second is named', async () => {
    hub.admit = () => new HoldfastError('OVERLOADED', undefined, { retryAfterMs: 1 });
    const { port } = await start();
    expect((await upgrade(port, '/')).response.headers['retry-after']).toBe('1');
    hub.admit = () => new HoldfastError('TOO_MANY_CONNECTIONS');
    expect((await upgrade(port, '/')).response.headers['retry-after']).toBe('1');
  });

  test('an unknown path does not ask', async () => {
    hub.admit = () => expect.unreachable();
    const { port } = await start();
    expect((await upgrade(port, '/nowhere')).response.statusCode).toBe(404);
  });

  test('who resets the connection at once does not end the process', async () => {
    hub.admit = () => new HoldfastError('OVERLOADED');
    const { port } = await start();
    for (let count = 0; count < 20; count++) await resetAfter(port, upgradeText('/'));
    expect((await upgrade(port, '/')).response.statusCode).toBe(503);
  });

  test('the hub’s own: connections at a time', async () => {
    hub = newHub({ limits: { connectionsMax: 1 } });
    const { port, url } = await start();
    await welcomed(url);
    const { response, body } = await upgrade(port, '/');
    expect(response.statusCode).toBe(503);
    expect(JSON.parse(await body!)).toMatchObject({ code: 'TOO_MANY_CONNECTIONS' });
  });
});

describe('before it is known who is there', () => {
  /** The beginning of a text frame that says it will have a payload of `bytes`. */
  function frameHead(bytes: number): Buffer {
    const head = Buffer.alloc(14);
    head.set([0x81, 0xff]);
    head.writeBigUInt64BE(BigInt(bytes), 2);
    return head;
  }

  /** What the server says until it ends the stream. */
  async function allOf(stream: NetSocket): Promise<Buffer> {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', () => undefined);
    await new Promise<void>((resolve) => void stream.once('end', resolve).once('close', resolve));
    return Buffer.concat(chunks);
  }

  const CLOSED_TOO_LARGE = Buffer.concat([Buffer.from([0x88, 11, 0x03, 0xf1]), Buffer.from('TOO_LARGE')]);

  test('half a frame of many bytes ends the connection, which is told why', async () => {
    hub = newHub({ limits: { frameBytesMax: 4_194_304 } });
    const { port } = await start();
    const { stream } = await upgrade(port, '/', { 'sec-websocket-protocol': SUBPROTOCOL });
    expect(hub.connectionCount).toBe(1);
    const said = allOf(stream!);
    stream!.write(Buffer.concat([frameHead(2_097_152), Buffer.alloc(1_048_576, 'x')]));
    expect(await said).toEqual(CLOSED_TOO_LARGE);
    stream!.end();
    await vi.waitFor(() => expect(hub.connectionCount).toBe(0));
  });

  test('many small frames do as well', async () => {
    const { port } = await start({ paths: { '/': { authenticate: () => new Promise(() => undefined) } } });
    const { stream } = await upgrade(port, '/', { 'sec-websocket-protocol': SUBPROTOCOL });
    const said = allOf(stream!);
    // Pongs of the protocol underneath (RFC 6455 section 5.5.3): nothing of them comes to the hub.
    const pong = maskedFrame(10, new Uint8Array(100));
    for (let sent = 0; sent <= 131_072; sent += pong.length) stream!.write(pong);
    expect(await said).toEqual(CLOSED_TOO_LARGE);
  });

  test('nothing that comes after it is heard, and none of it resets the connection', async () => {
    hub = newHub({ limits: { helloBytesMax: 4_096 } });
    const heard: string[] = [];
    const { port, http } = await start({ paths: { '/': { authenticate: ({ client }) => ({ subject: (heard.push(client), client) }) } } });
    const readToItsEnd = new Promise<void>((resolve) => void http.once('connection', (served) => served.once('end', resolve)));
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    afterwards(() => void socket.destroy());
    const errors: unknown[] = [];
    socket.on('error', (error) => errors.push(error));
    const said = allOf(socket);
    socket.write(upgradeText('/'));
    for (let sent = 0; sent <= 4_096; sent += 106) socket.write(maskedFrame(10, new Uint8Array(100)));
    expect((await said).subarray(-CLOSED_TOO_LARGE.length)).toEqual(CLOSED_TOO_LARGE);
    socket.write(maskedFrame(1, Buffer.from(HELLO)));
    socket.end();
    await readToItsEnd;
    await vi.waitFor(() => expect(hub.connectionCount).toBe(0));
    expect([heard, errors]).toEqual([[], []]);
  });

  test('what comes with the upgrade itself counts', async () => {
    hub = newHub({ limits: { helloBytesMax: 4_096 } });
    const { port } = await start();
    const socket = connect(port, '127.0.0.1');
    afterwards(() => void socket.destroy());
    const said = allOf(socket);
    socket.write(Buffer.concat([Buffer.from(upgradeText('/')), frameHead(10_000), Buffer.alloc(8_000, 'x')]));
    const all = await said;
    expect(all.toString()).toMatch(/^HTTP\/1\.1 101 /);
    expect(all.subarray(-CLOSED_TOO_LARGE.length)).toEqual(CLOSED_TOO_LARGE);
  });

  test('the bound is gone once it is known', async () => {
    hub = newHub({ limits: { helloBytesMax: 4_096 } });
    const { url } = await start();
    const peer = await welcomed(url);
    for (let id = 1; id <= 3; id++) {
      peer.send(JSON.stringify({ type: 'ping', id, padding: 'x'.repeat(4_000) }));
      expect(await peer.message()).toEqual({ type: 'pong', id });
    }
  });
});
