/** What the conformance table cannot show: deadlines, back-pressure as bytes, and what is left behind. */

import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { assertClose } from './channel-arguments.ts';
import { endOf, outcome, take } from './channel-case.testing.ts';
import { WebSocketChannel, type ChannelOptions } from './channel.ts';
import type { ClientSocket, SocketEvents } from './socket.ts';
import { settle, VirtualClock } from './virtual-clock.testing.ts';

/** A socket that does what a test says. */
class HandSocket implements ClientSocket {
  events!: SocketEvents;
  bufferedBytes = 0;
  canPause = true;
  isPaused = false;
  isAbandoned = false;
  readonly sent: (string | Uint8Array)[] = [];
  readonly closes: unknown[] = [];

  send(frame: string | Uint8Array): void {
    this.sent.push(frame);
    this.bufferedBytes += frame.length;
  }

  pause(): boolean {
    this.isPaused = this.canPause;
    return this.canPause;
  }

  resume(): void {
    this.isPaused = false;
  }

  close(...how: unknown[]): void {
    this.closes.push(how);
  }

  abandon(): void {
    this.isAbandoned = true;
  }
}

let clock: VirtualClock;
let socket: HandSocket;
beforeEach(() => {
  clock = new VirtualClock();
  socket = new HandSocket();
});

function connect(options: ChannelOptions = {}): WebSocketChannel {
  return WebSocketChannel.connect('ws://host/', {
    clock,
    socket: (_url, _options, events) => {
      socket.events = events;
      return socket;
    },
    ...options,
  });
}

function open(options?: ChannelOptions): WebSocketChannel {
  const channel = connect(options);
  socket.events.onOpen('');
  return channel;
}

describe('closing', () => {
  it('takes 1000 and 3000 to 4999 of all codes there are', () => {
    const accepted: number[] = [];
    for (let code = -10; code <= 70_000; code++) {
      try {
        assertClose(code, '');
        accepted.push(code);
      } catch {
        // Refused.
      }
    }
    expect(accepted).toEqual([1000, ...Array.from({ length: 2000 }, (_, n) => 3000 + n)]);
  });

  it('lets go of a peer that does not answer for closeTimeoutMs', async () => {
    const channel = open();
    const closing = channel.sink.close(1000, 'bye');
    expect(socket.closes).toEqual([[1000, 'bye']]);
    await clock.advance(4_999);
    expect(socket.isAbandoned).toBe(false);
    await clock.advance(1);
    expect([endOf(await closing), socket.isAbandoned, clock.timerCount]).toEqual(['local 1006 unclean CONNECTION_LOST', true, 0]);
  });

  it('gives what was sent before it the time that it takes, as long as it leaves', async () => {
    const channel = open();
    void channel.sink.add('x'.repeat(1_000));
    const closing = channel.sink.close(1000);
    for (let n = 0; n < 10; n++) {
      await clock.advance(4_000);
      socket.bufferedBytes -= 100;
    }
    expect(socket.isAbandoned).toBe(false);
    await clock.advance(10_000);
    expect([endOf(await closing), socket.isAbandoned]).toEqual(['local 1006 unclean CONNECTION_LOST', true]);
  });

  it('waits for ever with an infinite closeTimeoutMs, and has no timer', () => {
    const channel = open({ closeTimeoutMs: Number.POSITIVE_INFINITY });
    void channel.sink.close();
    expect(clock.timerCount).toBe(0);
  });

  it('is heard by a socket that was paused', () => {
    const channel = open({ receiveCountMax: 1 });
    socket.events.onMessage('a');
    expect(socket.isPaused).toBe(true);
    void channel.sink.close();
    expect(socket.isPaused).toBe(false);
    socket.events.onMessage('b');
    expect(socket.isPaused).toBe(false);
  });
});

describe('connecting', () => {
  it('ends at its deadline, and lets the socket go', async () => {
    const channel = connect();
    await clock.advance(20_000);
    expect([endOf(await channel.closed), socket.isAbandoned, clock.timerCount]).toEqual(['timeout 1006 unclean CONNECT_TIMEOUT', true, 0]);
  });

  it('has no deadline once it is open, and none with Infinity', async () => {
    const channel = open();
    await clock.advance(100_000);
    expect([channel.closeCode, clock.timerCount]).toEqual([undefined, 0]);
    connect({ connectTimeoutMs: Number.POSITIVE_INFINITY });
    expect(clock.timerCount).toBe(0);
  });

  it('hears nothing of a socket that it let go', async () => {
    const channel = connect();
    void channel.sink.close(1000);
    socket.events.onOpen('');
    socket.events.onMessage('late');
    socket.events.onClose({ code: 4000, reason: 'late', clean: true });
    expect([endOf(await channel.closed), channel.protocol, await outcome(() => channel.ready)]).toEqual([
      'local 1006 unclean',
      undefined,
      'CLOSED',
    ]);
  });

  it('leaves no listener with a signal', async () => {
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = (...how: Parameters<typeof add>) => ((listeners += 1), add(...how));
    signal.removeEventListener = (...how: Parameters<typeof remove>) => ((listeners -= 1), remove(...how));
    const channel = open({ signal });
    expect(listeners).toBe(1);
    socket.events.onClose({ code: 1000, reason: '', clean: true });
    await channel.closed;
    expect(listeners).toBe(0);
  });
});

describe('writing', () => {
  it('waits for room above the high-water mark, and goes on when the platform says so', async () => {
    const channel = open({ highWaterBytes: 10 });
    const order: string[] = [];
    const note = (name: string) => () => void order.push(name);
    void channel.sink.add('12345').then(note('first'));
    void channel.sink.add('678901').then(note('second'));
    await settle();
    expect([order, socket.sent.length]).toEqual([['first'], 2]);
    socket.bufferedBytes = 10;
    socket.events.onDrain!();
    await settle();
    expect([order, clock.timerCount]).toEqual([['first', 'second'], 0]);
  });

  it('looks by itself where the platform says nothing', async () => {
    const channel = open({ highWaterBytes: 10 });
    let isDone = false;
    void channel.sink.add('x'.repeat(11)).then(() => (isDone = true));
    await clock.advance(1_000);
    expect(isDone).toBe(false);
    socket.bufferedBytes = 0;
    await clock.advance(33);
    expect([isDone, clock.timerCount]).toEqual([true, 0]);
  });

  it('pulls from a source only as fast as there is room', async () => {
    const channel = open({ highWaterBytes: 10 });
    let pulled = 0;
    const source = {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: pulled++ === 100, value: 'x'.repeat(6) }) }),
    } as AsyncIterable<string>;
    const pouring = channel.sink.addStream(source);
    await clock.advance(1_000);
    expect(pulled).toBe(2);
    for (let n = 0; n < 60; n++) {
      socket.bufferedBytes = 0;
      await clock.advance(33);
    }
    expect([await outcome(() => pouring), socket.sent.length, pulled]).toEqual(['ok', 100, 101]);
  });

  it('refuses when sendBytesMax wait, and takes more when they have left', async () => {
    const channel = open({ highWaterBytes: 5, sendBytesMax: 10 });
    void channel.sink.add('x'.repeat(10));
    expect(await outcome(() => channel.sink.add('y'))).toBe('BUFFER_FULL');
    socket.bufferedBytes = 0;
    expect([await outcome(() => channel.sink.add('z')), socket.sent.length]).toEqual(['ok', 2]);
  });

  it('settles what waits for room at the end: fulfilled if all was delivered, else rejected', async () => {
    const clean = open({ highWaterBytes: 1 });
    const delivered = clean.sink.add('xx');
    void clean.sink.close();
    socket.events.onClose({ code: 1005, reason: '', clean: true });
    const torn = open({ highWaterBytes: 1 });
    const lost = torn.sink.add('xx');
    socket.events.onClose({ code: 1006, reason: '', clean: false });
    expect([await outcome(() => delivered), await outcome(() => lost), clock.timerCount]).toEqual(['ok', 'CLOSED', 0]);
  });
});

describe('reading', () => {
  it('pauses at the bound, and resumes when half of the room is free', async () => {
    const channel = open({ receiveCountMax: 4 });
    const messages = channel.stream[Symbol.asyncIterator]();
    for (let n = 0; n < 4; n++) socket.events.onMessage(String(n));
    expect(socket.isPaused).toBe(true);
    // Those under way still come.
    socket.events.onMessage('4');
    await take(messages, 3);
    expect(socket.isPaused).toBe(true);
    await take(messages, 1);
    expect([socket.isPaused, await take(messages, 1)]).toEqual([false, ['4']]);
  });

  it('counts bytes too', () => {
    open({ receiveBytesMax: 100 });
    socket.events.onMessage(new Uint8Array(60));
    expect(socket.isPaused).toBe(false);
    socket.events.onMessage('x'.repeat(40));
    expect(socket.isPaused).toBe(true);
  });

  it('reads on when it is cancelled', () => {
    const channel = open({ receiveCountMax: 1 });
    socket.events.onMessage('a');
    channel.stream.cancel();
    socket.events.onMessage('b');
    expect(socket.isPaused).toBe(false);
  });

  it('keeps on where nothing can be paused, by default', async () => {
    socket.canPause = false;
    const channel = open({ receiveCountMax: 2 });
    for (let n = 0; n < 100; n++) socket.events.onMessage(String(n));
    expect([(await take(channel.stream[Symbol.asyncIterator](), 100)).length, socket.closes]).toEqual([100, []]);
  });

  it('closes there if asked to, once', async () => {
    socket.canPause = false;
    const channel = open({ receiveCountMax: 2, whenFull: 'close' });
    for (let n = 0; n < 100; n++) socket.events.onMessage(String(n));
    expect(socket.closes).toEqual([[4100, 'BUFFER_FULL']]);
    socket.events.onClose({ code: 4100, reason: 'BUFFER_FULL', clean: true });
    expect([await take(channel.stream[Symbol.asyncIterator](), 100), endOf(await channel.closed)]).toEqual([
      ['0', '1'],
      'local 4100 clean "BUFFER_FULL" BUFFER_FULL',
    ]);
  });

  it('reads a long queue in the time that it takes to read it', async () => {
    const channel = open({ receiveCountMax: 1e6, receiveBytesMax: 1e9 });
    for (let n = 0; n < 50_000; n++) socket.events.onMessage(String(n));
    const read = await take(channel.stream[Symbol.asyncIterator](), 50_000);
    expect(read.every((text, n) => text === String(n))).toBe(true);
  });
});

describe('over real sockets', () => {
  let server: Server;
  let peers: Socket[];
  beforeEach(async () => {
    peers = [];
    server = createServer((peer) => peers.push(peer.on('error', () => {})));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(async () => {
    for (const peer of peers) peer.destroy();
    server.close();
    await once(server, 'close');
  });

  it('holds back a peer that sends 64 MiB to a reader that stands still, and then gets it all', async () => {
    const acceptor = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(acceptor, 'listening');
    const total = 1_024;
    const piece = Buffer.alloc(65_536, 'x');
    let sender!: WebSocket;
    acceptor.on('connection', (accepted) => {
      sender = accepted;
      for (let n = 0; n < total; n++) accepted.send(piece);
    });
    const channel = WebSocketChannel.connect(`ws://127.0.0.1:${(acceptor.address() as AddressInfo).port}/`, { WebSocket });
    await channel.ready;
    // Held back: what waits at the sender no longer gets less.
    let before = -1;
    await expect
      .poll(
        () => {
          const same = sender.bufferedAmount === before;
          before = sender.bufferedAmount;
          return same;
        },
        { interval: 300, timeout: 20_000 },
      )
      .toBe(true);
    // The rest is in the buffers of the kernel, whose size is its own affair, and in this process 1 MiB and a segment.
    expect(before).toBeGreaterThan(32 * 2 ** 20);
    let bytes = 0;
    for await (const message of channel.stream) {
      bytes += message.length;
      if (bytes === total * piece.length) break;
    }
    expect(bytes).toBe(total * piece.length);
    await channel.sink.close(1000);
    await new Promise((resolve) => acceptor.close(resolve));
  });

  it('sends bytes as they were when they were added, although they are compressed later', async () => {
    const acceptor = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: { threshold: 0 } });
    await once(acceptor, 'listening');
    const received: Buffer[] = [];
    acceptor.on('connection', (peer) => peer.on('message', (data: Buffer) => received.push(data)));
    const channel = WebSocketChannel.connect(`ws://127.0.0.1:${(acceptor.address() as AddressInfo).port}/`, { WebSocket });
    await channel.ready;
    const bytes = new Uint8Array(100_000);
    for (let n = 1; n <= 20; n++) void channel.sink.add(bytes.fill(n));
    bytes.fill(0);
    await channel.sink.close(1000);
    expect(received.map((data) => data.every((byte) => byte === data[0]) && data[0])).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
    await new Promise((resolve) => acceptor.close(resolve));
  });

  it('leaves no open socket after a deadline that the peer let pass', async () => {
    const channel = WebSocketChannel.connect(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`, {
      WebSocket,
      connectTimeoutMs: 100,
    });
    const [peer] = (await once(server, 'connection')) as [Socket];
    peer.resume();
    await once(peer, 'close');
    expect(endOf(await channel.closed)).toBe('timeout 1006 unclean CONNECT_TIMEOUT');
  });
});
