/** The adapter, over real sockets on the loopback interface. */

import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket as NetSocket } from 'node:net';
import { HoldfastError, type Json } from '@holdfast/wire';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { WebSocket, WebSocketServer, type ClientOptions } from 'ws';
import { createHub, type Hub, type HubOptions } from './hub.ts';
import { createMemoryStore } from './store-memory.ts';
import { attach, listen, SUBPROTOCOL, type HoldfastServer, type ListenOptions } from './websocket.ts';

const HELLO = '{"type":"hello","client":"tab","token":"alice"}';

let hub: Hub;
/** What is to be ended after the test, last first. */
const cleanup: (() => Promise<void> | void)[] = [];

beforeEach(() => {
  hub = newHub();
});

afterEach(async () => {
  for (const end of cleanup.splice(0).reverse()) await end();
});

function newHub(options: Partial<HubOptions> = {}): Hub {
  const made = createHub({ store: createMemoryStore(), maintainIntervalMs: 0, onError: () => undefined, ...options });
  cleanup.push(() => made.close());
  return made;
}

async function start(options: Partial<ListenOptions> = {}): Promise<HoldfastServer> {
  const server = await listen({ hub, port: 0, ...options });
  cleanup.push(() => server.close());
  return server;
}

async function startHttp(): Promise<{ http: Server; url: string; port: number }> {
  const http = createServer();
  await new Promise<void>((resolve) => void http.listen(0, '127.0.0.1', resolve));
  cleanup.push(
    () =>
      new Promise<void>((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  );
  const { port } = http.address() as AddressInfo;
  return { http, port, url: `ws://127.0.0.1:${port}` };
}

/** A peer and everything that it was sent, to be taken one by one. */
class Peer {
  readonly socket: WebSocket;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly opened: Promise<void>;
  #arrived: (string | Buffer)[] = [];
  #wanted: ((frame: string | Buffer) => void)[] = [];

  constructor(url: string, protocols: string[] = [SUBPROTOCOL], options: ClientOptions = {}) {
    this.socket = new WebSocket(url, protocols, { perMessageDeflate: true, ...options });
    this.opened = new Promise((resolve, reject) => void this.socket.once('open', resolve).once('error', reject));
    this.opened.catch(() => undefined);
    this.socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => void this.socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })));
    this.socket.on('message', (data: Buffer, isBinary) => this.#arrive(isBinary ? data : data.toString()));
    cleanup.push(() => this.socket.terminate());
  }

  send(...frames: (string | Uint8Array)[]): void {
    for (const frame of frames) this.socket.send(frame);
  }

  /** The next frame. */
  next(): Promise<string | Buffer> {
    const frame = this.#arrived.shift();
    return frame === undefined ? new Promise((resolve) => this.#wanted.push(resolve)) : Promise.resolve(frame);
  }

  async message(): Promise<{ readonly [key: string]: Json }> {
    return JSON.parse((await this.next()) as string) as { readonly [key: string]: Json };
  }

  #arrive(frame: string | Buffer): void {
    const wanted = this.#wanted.shift();
    if (wanted === undefined) this.#arrived.push(frame);
    else wanted(frame);
  }
}

async function welcomed(url: string, hello: string = HELLO): Promise<Peer> {
  const peer = new Peer(url);
  await peer.opened;
  peer.send(hello);
  expect(await peer.message()).toMatchObject({ type: 'welcome' });
  return peer;
}

/** A frame as a client must mask it (RFC 6455 section 5.3), with a key of zeros. */
function maskedFrame(opcode: number, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

/** The HTTP answer to an upgrade request, and the stream that it came on. */
function upgrade(
  port: number,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ response: IncomingMessage; stream?: NetSocket }> {
  return new Promise((resolve, reject) => {
    const asking = request({
      port,
      host: '127.0.0.1',
      path,
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        ...headers,
      },
    });
    asking.once('response', (response) => {
      response.resume();
      resolve({ response });
    });
    asking.once('upgrade', (response, stream) => {
      cleanup.push(() => void stream.destroy());
      resolve({ response, stream: stream as NetSocket });
    });
    asking.once('error', reject);
    asking.end();
  });
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
    for (let count = 0; count < 20; count++) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      await new Promise<void>((resolve) => void socket.once('connect', resolve));
      socket.write(
        'GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      );
      socket.resetAndDestroy();
    }
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
    cleanup.push(() => others.close());
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
