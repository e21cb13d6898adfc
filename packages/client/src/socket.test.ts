import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { createClient } from './client.ts';
import type { ServerPort } from './memory-network.testing.ts';
import { ScriptedServer } from './scripted-server.testing.ts';
import { webSocketFactory } from './socket-class.ts';
import type { ClientSocket, SocketEnd, SocketEvents } from './socket.ts';

let acceptor: WebSocketServer;
let url: string;
beforeEach(async () => {
  acceptor = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(acceptor, 'listening');
  url = `ws://127.0.0.1:${(acceptor.address() as AddressInfo).port}`;
});
afterEach(async () => {
  for (const socket of acceptor.clients) socket.terminate();
  await new Promise((resolve) => acceptor.close(resolve));
});

type Event = ['open'] | ['message', string | Uint8Array] | ['close', number, string];

/** A socket and what it tells, to be awaited one after the other. */
function connect(to: string = url): { readonly socket: ClientSocket; next(): Promise<Event>; readonly rest: readonly Event[] } {
  const events: Event[] = [];
  const waiting: ((event: Event) => void)[] = [];
  const put = (event: Event): void => {
    const resolve = waiting.shift();
    if (resolve === undefined) events.push(event);
    else resolve(event);
  };
  const listener: SocketEvents = {
    onOpen: () => put(['open']),
    onMessage: (frame) => put(['message', frame]),
    onClose: ({ code, reason }) => put(['close', code, reason]),
  };
  const socket = webSocketFactory(WebSocket)(to, { protocols: ['holdfast.v1'] }, listener);
  const next = (): Promise<Event> => {
    const event = events.shift();
    return event === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(event);
  };
  return { socket, next, rest: events };
}

describe('a socket from a WebSocket class', () => {
  it('opens with the subprotocol, carries text and bytes both ways, and tells the peer’s close', async () => {
    acceptor.on('connection', (peer) => {
      peer.on('message', (data: Buffer, isBinary) => peer.send(data, { binary: isBinary }));
    });
    const { socket, next } = connect();
    expect(await next()).toEqual(['open']);
    const [peer] = acceptor.clients;
    expect(peer?.protocol).toBe('holdfast.v1');
    socket.send('grüß dich');
    expect(await next()).toEqual(['message', 'grüß dich']);
    socket.send(new Uint8Array([0, 255, 7]));
    expect(await next()).toEqual(['message', new Uint8Array([0, 255, 7])]);
    peer?.close(4200, 'bye');
    expect(await next()).toEqual(['close', 4200, 'bye']);
  });

  it('closes with a code and a reason', async () => {
    const closed = new Promise((resolve) =>
      acceptor.on('connection', (peer) => peer.on('close', (code, reason) => resolve([code, String(reason)]))),
    );
    const { socket, next } = connect();
    await next();
    socket.close(4202, 'OUT_OF_ORDER');
    expect(await closed).toEqual([4202, 'OUT_OF_ORDER']);
    expect(await next()).toEqual(['close', 4202, 'OUT_OF_ORDER']);
  });

  it('is 1006 where nobody listens, and throws nothing', async () => {
    const server: Server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    expect(await connect(`ws://127.0.0.1:${port}`).next()).toEqual(['close', 1006, '']);
  });

  it('says nothing more once it is abandoned, in whatever state, and leaves no connection', async () => {
    const opened = connect();
    await opened.next();
    const gone = once([...acceptor.clients][0]!, 'close');
    opened.socket.abandon();
    await gone;
    const early = connect();
    early.socket.abandon();
    const last = connect();
    await last.next();
    expect([opened.rest, early.rest]).toEqual([[], []]);
    last.socket.abandon();
  });

  it('whatever the platform still tells of an abandoned socket goes nowhere', () => {
    const made: Hollow[] = [];
    class Hollow {
      binaryType = '';
      onopen: ((event: never) => void) | null = null;
      onmessage: ((event: never) => void) | null = null;
      onclose: ((event: never) => void) | null = null;
      onerror: ((event: never) => void) | null = null;
      closed = 0;
      constructor() {
        made.push(this);
      }
      send(): void {}
      close(): void {
        this.closed += 1;
      }
    }
    const events: string[] = [];
    const listener = { onOpen: () => events.push('open'), onMessage: () => events.push('message'), onClose: () => events.push('close') };
    const socket = webSocketFactory(Hollow)('ws://x', { protocols: [] }, listener);
    const [hollow] = made;
    const tell = (): void => {
      hollow!.onopen!(undefined as never);
      hollow!.onmessage!({ data: 'x' } as never);
      hollow!.onerror!(undefined as never);
      hollow!.onclose!({ code: 1000, reason: '' } as never);
    };
    socket.abandon();
    tell();
    expect([events, hollow!.closed, hollow!.binaryType]).toEqual([[], 1, 'arraybuffer']);
  });

  it('finds React Native’s sentence on what went wrong, in the error or as the reason of the close', () => {
    const made: Native[] = [];
    class Native {
      binaryType = '';
      onopen: ((event: never) => void) | null = null;
      onmessage: ((event: never) => void) | null = null;
      onclose: ((event: never) => void) | null = null;
      onerror: ((event: never) => void) | null = null;
      constructor() {
        made.push(this);
      }
      send(): void {}
      close(): void {}
    }
    const ends: SocketEnd[] = [];
    const listener = { onOpen: () => {}, onMessage: () => {}, onClose: (end: SocketEnd) => ends.push(end) };
    const open = webSocketFactory(Native);
    for (let n = 0; n < 3; n++) open('ws://x', { protocols: [] }, listener);
    made[0]!.onerror!({ message: "Expected HTTP 101 response but was '403 Forbidden'" } as never);
    made[0]!.onclose!({ code: 1006, reason: undefined } as never);
    made[1]!.onclose!({ code: 1006, reason: 'Received bad response code from server: 401.' } as never);
    made[2]!.onclose!({ code: 1006, reason: 'Failed to connect to /127.0.0.1:3000' } as never);
    expect(ends.map(({ code, reason, clean, httpStatus, cause }) => [code, reason, clean, httpStatus, cause?.code])).toEqual([
      [1006, '', false, 403, 'UPGRADE_REFUSED'],
      [1006, '', false, 401, 'UPGRADE_REFUSED'],
      [1006, '', false, undefined, 'NETWORK'],
    ]);
  });

  it('needs a class, and says where to get one', () => {
    vi.stubGlobal('WebSocket', undefined);
    try {
      expect(() => createClient({ url })).toThrow(
        expect.objectContaining({ code: 'USAGE', hint: expect.stringContaining('ws') as string }),
      );
    } finally {
      vi.unstubAllGlobals();
    }
  });
});

describe('a client over real sockets', () => {
  it('publishes, reads, and goes on after the server dropped it', async () => {
    const host: { onConnect: (end: ServerPort) => void } = { onConnect: () => {} };
    const server = new ScriptedServer(host);
    acceptor.on('connection', (peer) => {
      const end: ServerPort = {
        onFrame: () => {},
        onGone: () => {},
        open: () => {},
        send: (frame) => peer.send(frame),
        close: (code, reason) => peer.close(code, reason),
      };
      host.onConnect(end);
      peer.on('message', (data: Buffer, isBinary) => end.onFrame(isBinary ? data : data.toString()));
      peer.on('close', (code, reason) => end.onGone(code, String(reason)));
    });
    server.spreadMs = 1;
    const client = createClient({ url, WebSocket });
    const topic = client.topic('chat/1');
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const item of topic.items({ last: 10 })) {
        if (item.type === 'entry') seen.push(item.data);
        if (seen.length === 20) break;
      }
    })();
    for (let n = 0; n < 20; n++) {
      const { offset } = await topic.publish(n % 2 === 0 ? { n } : Uint8Array.of(n));
      expect(offset).toBe(n + 1);
      if (n % 7 === 6) for (const peer of acceptor.clients) peer.terminate();
    }
    await reading;
    expect(seen).toEqual(Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? { n } : Uint8Array.of(n))));
    expect(server.hellos.length).toBeGreaterThan(1);
    await client.close();
    expect(client.status.getSnapshot().phase).toBe('closed');
  });
});
