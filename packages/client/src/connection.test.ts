import { HoldfastError } from '@holdfast/wire';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createConnection, type Connection, type ConnectionOptions } from './connection.ts';
import { FakeSockets, type FakeSocket } from './fake-sockets.testing.ts';
import type { LifecycleHint } from './lifecycle.ts';
import type { ConnectionStatus } from './status.ts';
import { seededRandom, settle, VirtualClock } from './virtual-clock.testing.ts';
import { outcome } from './world.testing.ts';

let clock: VirtualClock;
let sockets: FakeSockets;
let made: Connection[];
let hint: (hint: LifecycleHint) => void;
let isTold: boolean;

beforeEach(() => {
  clock = new VirtualClock();
  sockets = new FakeSockets();
  made = [];
  isTold = false;
});
afterEach(async () => {
  await Promise.all(made.map((connection) => connection.close()));
  expect([clock.timerCount, sockets.live.length, isTold], 'timers, sockets or listeners left behind').toEqual([0, 0, false]);
});

function connect(options: Partial<ConnectionOptions> = {}): Connection {
  const connection = createConnection({
    urls: 'ws://one',
    socket: sockets.factory,
    clock,
    random: seededRandom(made.length + 1),
    lifecycle: (tell) => {
      hint = tell;
      isTold = true;
      return () => {
        isTold = false;
      };
    },
    ...options,
  });
  made.push(connection);
  return connection;
}

/** A connection whose sockets open by themselves. */
async function connected(options: Partial<ConnectionOptions> = {}): Promise<Connection> {
  sockets.onSocket = (socket) => socket.open();
  const connection = connect(options);
  await settle();
  expect(statusOf(connection).phase).toBe('open');
  return connection;
}

const statusOf = (connection: Connection): ConnectionStatus => connection.status.getSnapshot();
const codeOf = (connection: Connection): string | undefined => statusOf(connection).lastError?.code;

async function until(connection: Connection, phase: ConnectionStatus['phase']): Promise<void> {
  for (let n = 0; n < 10_000 && statusOf(connection).phase !== phase; n++) await clock.advance(10);
  expect(statusOf(connection).phase).toBe(phase);
}

function read(connection: Connection): unknown[] {
  const messages: unknown[] = [];
  void (async () => {
    for await (const message of connection.stream) messages.push(message);
    messages.push('(end)');
  })();
  return messages;
}

describe('what goes in and out', () => {
  it('waits for the first socket, and goes in order over it', async () => {
    const connection = connect({ protocols: 'chat', headers: { cookie: 'a' } });
    const first = outcome(connection.sink.add('one'));
    void connection.sink.add(new Uint8Array([2]));
    expect(statusOf(connection)).toMatchObject({ phase: 'connecting', queuedCount: 2, endpoint: 'ws://one', attempt: 0 });
    expect(sockets.last.options).toEqual({ protocols: ['chat'], headers: { cookie: 'a' } });
    sockets.last.open();
    await connection.ready;
    await settle();
    expect(sockets.last.sent).toEqual(['one', new Uint8Array([2])]);
    expect([first, statusOf(connection).queuedCount]).toEqual([{ value: undefined }, 0]);
  });

  it('reads on over as many sockets as it takes, and ends with close()', async () => {
    const connection = await connected();
    const messages = read(connection);
    sockets.last.say('a', new Uint8Array([1]));
    sockets.last.end();
    await until(connection, 'waiting');
    await until(connection, 'open');
    sockets.last.say('b');
    await settle();
    await connection.close();
    await settle();
    expect([messages, sockets.all.length]).toEqual([['a', new Uint8Array([1]), 'b', '(end)'], 2]);
  });

  it('keeps what is added while there is no connection, and a copy of its bytes', async () => {
    const connection = await connected();
    sockets.last.end();
    const bytes = new Uint8Array([1]);
    void connection.sink.add('x');
    void connection.sink.add(bytes);
    bytes[0] = 9;
    await until(connection, 'open');
    expect(sockets.last.sent).toEqual(['x', new Uint8Array([1])]);
  });

  it('is full at its bounds, and says so; one message of any size always fits', async () => {
    for (const [queue, full] of [
      [{ countMax: 2 }, [undefined, undefined, 'BUFFER_FULL']],
      [{ bytesMax: 4 }, [undefined, 'BUFFER_FULL', 'BUFFER_FULL']],
    ] as const) {
      const connection = connect({ queue });
      const results = ['123456', '1', '2'].map((message) => outcome(connection.sink.add(message)));
      await settle();
      expect(results.map(({ code }) => code)).toEqual(full);
      sockets.last.open();
      await connection.sink.add('3');
      expect(sockets.last.sent.at(-1)).toBe('3');
    }
  });

  it('does not fill the buffer of the platform: what lies there is lost with the socket', async () => {
    const connection = await connected();
    const [socket] = sockets.all as [FakeSocket];
    socket.bufferedBytes = 100_000;
    const waiting = outcome(connection.sink.add('later'));
    await clock.advance(100);
    expect([socket.sent, waiting, statusOf(connection).queuedCount]).toEqual([[], {}, 1]);
    socket.bufferedBytes = 0;
    await clock.advance(40);
    expect([socket.sent, waiting]).toEqual([['later'], { value: undefined }]);
    socket.bufferedBytes = 100_000;
    void connection.sink.add('drained');
    socket.drain();
    expect(socket.sent).toEqual(['later', 'drained']);
  });

  it('loses what a dead socket had taken, and with acknowledge() sends it again until it is confirmed', async () => {
    const acknowledge = (received: unknown): number =>
      typeof received === 'string' && received.startsWith('ack ') ? Number(received.slice(4)) : 0;
    for (const [options, again] of [
      [{}, ['c']],
      [{ acknowledge }, ['b', 'c']],
    ] as const) {
      const connection = await connected(options);
      const results = ['a', 'b'].map((message) => outcome(connection.sink.add(message)));
      sockets.last.say('ack 1');
      await settle();
      expect(results.map((result) => 'value' in result)).toEqual([true, options === undefined || !('acknowledge' in options)]);
      sockets.last.end();
      void connection.sink.add('c');
      await until(connection, 'open');
      expect(sockets.last.sent).toEqual(again);
      sockets.last.say('ack 2');
      await settle();
      expect(statusOf(connection).queuedCount).toBe(0);
      await connection.close();
    }
  });

  it('refuses what is no message at once, and everything after close()', async () => {
    const connection = connect();
    expect(() => connection.sink.add(42 as never)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    await connection.close();
    const late = outcome(connection.sink.add('x'));
    const flushed = outcome(connection.flush());
    await settle();
    expect([late, flushed]).toEqual([{ code: 'CLOSED' }, { code: 'CLOSED' }]);
  });

  it('addStream() sends all of a source, and returns its iterator when the connection is closed', async () => {
    const connection = await connected();
    await connection.sink.addStream(['a', 'b']);
    let isReturned = false;
    const endless = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<IteratorResult<string>>(() => {}),
        return: async () => {
          isReturned = true;
          return { done: true as const, value: undefined };
        },
      }),
    };
    const poured = outcome(connection.sink.addStream(endless));
    await connection.close();
    await settle();
    expect([sockets.last.sent, poured, isReturned]).toEqual([['a', 'b'], { code: 'CLOSED' }, true]);
  });

  it('holds back a server where the socket can be paused, also the next one, and takes the silence for none', async () => {
    const heartbeat = { intervalMs: 1_000, ping: () => 'ping' };
    sockets.onSocket = (socket) => {
      socket.canPause = true;
      socket.open();
    };
    const connection = connect({ receive: { countMax: 2 }, heartbeat });
    await settle();
    sockets.last.say('a', 'b');
    expect(sockets.last.isPaused).toBe(true);
    await clock.advance(60_000);
    expect([statusOf(connection).phase, sockets.all.length]).toEqual(['open', 1]);
    sockets.last.end();
    await until(connection, 'open');
    expect(sockets.last.isPaused).toBe(true);
    const messages = read(connection);
    await settle();
    expect([messages, sockets.last.isPaused]).toEqual([['a', 'b'], false]);
  });
});

describe('the first message and the token', () => {
  it('asks for a token at every attempt, and sends the first message before everything else', async () => {
    let asked = 0;
    const connection = await connected({
      token: async () => `t${++asked}`,
      hello: (token) => `hello ${token}`,
      onOpen: (send) => send('subscribe'),
    });
    sockets.last.end();
    void connection.sink.add('x');
    await until(connection, 'open');
    expect(sockets.all.map(({ sent }) => sent)).toEqual([
      ['hello t1', 'subscribe'],
      ['hello t2', 'subscribe', 'x'],
    ]);
  });

  it('is open when the server has consented, if it is told how that looks', async () => {
    const connection = connect({ hello: () => 'hello', isWelcome: (message) => message === 'welcome' });
    void connection.sink.add('x');
    sockets.last.open();
    sockets.last.say('not yet');
    expect([statusOf(connection).phase, sockets.last.sent]).toEqual(['connecting', ['hello']]);
    await clock.advance(7);
    sockets.last.say('welcome');
    expect([statusOf(connection).phase, statusOf(connection).rttMs, sockets.last.sent]).toEqual(['open', 7, ['hello', 'x']]);
    const messages = read(connection);
    await settle();
    expect(messages).toEqual(['not yet', 'welcome']);
  });

  it('gives up a token and a socket that do not come within 10 s each', async () => {
    let answer: (token: string) => void = () => {};
    const connection = connect({ random: () => 0.5, token: () => new Promise((resolve) => (answer = resolve)) });
    await clock.advance(10_000);
    expect([statusOf(connection).phase, codeOf(connection), sockets.all.length]).toEqual(['waiting', 'UNAUTHENTICATED', 0]);
    answer('late');
    await settle();
    expect(sockets.all.length).toBe(0);
    await until(connection, 'connecting');
    answer('in time');
    await settle();
    expect(sockets.all.length).toBe(1);
    await clock.advance(10_000);
    expect([codeOf(connection), sockets.last.isAbandoned]).toEqual(['CONNECT_TIMEOUT', true]);
  });
});

describe('refusals', () => {
  const refuse = (httpStatus: number, retryAfterMs?: number) => (socket: FakeSocket) =>
    socket.end({
      httpStatus,
      cause: new HoldfastError('UPGRADE_REFUSED', `HTTP ${httpStatus}`, retryAfterMs === undefined ? {} : { retryAfterMs }),
    });

  it('HTTP 401 and 403 ask for a fresh token once, then stop; ready rejects', async () => {
    for (const status of [401, 403]) {
      let asked = 0;
      sockets.onSocket = refuse(status);
      const connection = connect({ token: () => `t${++asked}` });
      const ready = outcome(connection.ready);
      await clock.advance(120_000);
      expect([statusOf(connection).phase, codeOf(connection), asked, ready]).toEqual([
        'closed',
        'UPGRADE_REFUSED',
        2,
        { code: 'UPGRADE_REFUSED' },
      ]);
    }
  });

  it('a token that cannot change is not tried twice', async () => {
    sockets.onSocket = refuse(401);
    const connection = connect({ token: 'fixed' });
    await clock.advance(120_000);
    expect([statusOf(connection).phase, sockets.all.length]).toEqual(['closed', 1]);
  });

  it('HTTP 404 stops, and retryNow() begins again', async () => {
    sockets.onSocket = refuse(404);
    const connection = connect();
    await clock.advance(120_000);
    expect([statusOf(connection).phase, sockets.all.length]).toEqual(['closed', 1]);
    sockets.onSocket = (socket) => socket.open();
    connection.retryNow();
    await settle();
    expect([statusOf(connection).phase, codeOf(connection)]).toEqual(['open', undefined]);
  });

  it('HTTP 429 and 503 come back after the time that the server asks for, not even hurried by the platform', async () => {
    for (const status of [429, 503]) {
      sockets.onSocket = refuse(status, 30_000);
      const connection = connect();
      await settle();
      const { length } = sockets.all;
      hint('online');
      hint('wake');
      await clock.advance(29_999);
      expect([statusOf(connection).phase, sockets.all.length]).toEqual(['waiting', length]);
      await clock.advance(21_000);
      expect(sockets.all.length).toBeGreaterThan(length);
      await connection.close();
    }
  });

  it('says otherwise if it is told so', async () => {
    const connection = await connected({ advise: ({ code }) => (code === 4401 ? 'stop' : undefined) });
    sockets.last.end({ code: 4401, reason: 'logged out', clean: true });
    await settle();
    expect([statusOf(connection).phase, statusOf(connection).lastError?.message]).toEqual([
      'closed',
      'the server asked to stop (4401, logged out)',
    ]);
  });

  it('stops after attemptsMax', async () => {
    sockets.onSocket = (socket) => socket.end();
    const connection = connect({ attemptsMax: 3 });
    await clock.advance(120_000);
    expect([statusOf(connection).phase, sockets.all.length, statusOf(connection).attempt]).toEqual(['closed', 4, 3]);
  });
});

describe('the heartbeat', () => {
  const heartbeat = { intervalMs: 1_000, timeoutMs: 1_500, ping: () => 'ping', isPong: (message: unknown) => message === 'pong' };

  it('asks after silence; the answer gives the round trip time, and is not handed on', async () => {
    const connection = await connected({ heartbeat });
    const messages = read(connection);
    await clock.advance(1_000);
    expect(sockets.last.sent).toEqual(['ping']);
    await clock.advance(40);
    sockets.last.say('pong', 'news');
    await settle();
    expect([statusOf(connection).rttMs, messages]).toEqual([40, ['news']]);
  });

  it('finds a half-open link within 2.5 s at a heartbeat of 1 s, and leaves nothing of it', async () => {
    const connection = await connected({ heartbeat });
    await clock.advance(1_000 + 400);
    expect(statusOf(connection).phase).toBe('suspect');
    await clock.advance(1_100);
    expect([sockets.all[0]!.isAbandoned, codeOf(connection)]).toEqual([true, 'HEARTBEAT_LOST']);
    await until(connection, 'open');
    expect(sockets.all.length).toBe(2);
  });

  it('any message is life, and where the platform tells, any byte', async () => {
    const connection = await connected({ heartbeat });
    for (let n = 0; n < 20; n++) {
      await clock.advance(900);
      if (n % 2 === 0) sockets.last.say('x');
      else sockets.last.stir();
    }
    await clock.advance(1_300);
    expect(sockets.last.sent).toEqual(['ping']);
    sockets.last.stir();
    await clock.advance(900);
    expect([statusOf(connection).phase, sockets.all.length]).toEqual(['open', 1]);
  });

  it('without a question it expects the server to speak', async () => {
    const connection = await connected({ heartbeat: { intervalMs: 1_000 } });
    await clock.advance(3_000);
    expect(sockets.all[0]).toMatchObject({ sent: [], isAbandoned: true });
    await until(connection, 'open');
  });

  it('sets one timer while it is open, and none without a heartbeat', async () => {
    const connection = await connected({ heartbeat });
    expect(clock.timerCount).toBe(1);
    await connection.close();
    await connected();
    expect(clock.timerCount).toBe(0);
  });
});

describe('what the platform tells', () => {
  const heartbeat = { intervalMs: 25_000, ping: () => 'ping' };

  it.each(['wake', 'online', 'offline'] as const)(
    '%s asks a live socket whether it is one, and takes a new one within 2 s if not',
    async (told) => {
      const connection = await connected({ heartbeat });
      await clock.advance(5_000);
      hint(told);
      expect(sockets.last.sent).toEqual(['ping']);
      sockets.last.say('x');
      await clock.advance(5_000);
      expect([statusOf(connection).phase, sockets.all.length]).toEqual(['open', 1]);
      hint(told);
      await clock.advance(2_000);
      expect(sockets.all[0]!.isAbandoned).toBe(true);
      expect(statusOf(connection).phase).toBe(told === 'offline' ? 'offline' : 'waiting');
    },
  );

  it('does not ask twice within a second of life', async () => {
    await connected({ heartbeat });
    sockets.last.say('x');
    hint('wake');
    hint('wake');
    expect(sockets.last.sent).toEqual([]);
  });

  it('without a network there are few attempts, and it comes back at once with it', async () => {
    sockets.onSocket = (socket) => socket.end();
    const connection = connect();
    await settle();
    hint('offline');
    expect(statusOf(connection).phase).toBe('offline');
    const before = sockets.all.length;
    await clock.advance(600_000);
    expect(sockets.all.length - before).toBeGreaterThanOrEqual(9);
    expect(sockets.all.length - before).toBeLessThanOrEqual(20);
    sockets.onSocket = (socket) => socket.open();
    hint('online');
    await clock.advance(250);
    expect(statusOf(connection).phase).toBe('open');
  });

  it('waking up cuts a long wait short', async () => {
    sockets.onSocket = (socket) => socket.end();
    const connection = connect({ backoff: { baseMs: 20_000, capMs: 20_000 } });
    await clock.advance(60_000);
    await until(connection, 'waiting');
    sockets.onSocket = (socket) => socket.open();
    hint('wake');
    await clock.advance(250);
    expect(statusOf(connection).phase).toBe('open');
  });
});

describe('several addresses', () => {
  const urls = ['ws://first', 'ws://b', 'ws://c', 'ws://d'];

  it('begins with the first, and spreads over the others where that fails', async () => {
    const seconds = new Set<string>();
    for (let n = 0; n < 30; n++) {
      sockets.onSocket = (socket) => (socket.url === 'ws://first' ? socket.end() : socket.open());
      const before = sockets.all.length;
      const connection = connect({ urls });
      await until(connection, 'open');
      expect(sockets.all[before]!.url).toBe('ws://first');
      seconds.add(statusOf(connection).endpoint);
      await connection.close();
    }
    expect([...seconds].toSorted()).toEqual(['ws://b', 'ws://c', 'ws://d']);
  });

  it('tries the same again after a loss, all of them after failures', async () => {
    const connection = await connected({ urls });
    sockets.last.end();
    await until(connection, 'open');
    expect(sockets.all.map(({ url }) => url)).toEqual(['ws://first', 'ws://first']);
    sockets.onSocket = (socket) => socket.end();
    sockets.last.end();
    await clock.advance(60_000);
    expect(new Set(sockets.all.slice(2, 7).map(({ url }) => url)).size).toBe(4);
  });

  it('returns to the first when it was seen to open, and keeps the other until then', async () => {
    let isUp = false;
    sockets.onSocket = (socket) => (socket.url === 'ws://first' && !isUp ? socket.end() : socket.open());
    const connection = connect({ urls: ['ws://first', 'ws://b'] });
    await until(connection, 'open');
    await clock.advance(300_000);
    const scouts = sockets.all.slice(2);
    expect([statusOf(connection).endpoint, sockets.all[1]!.isLive]).toEqual(['ws://b', true]);
    expect(scouts.length).toBeGreaterThanOrEqual(2);
    expect(scouts.every(({ url, sent }) => url === 'ws://first' && sent.length === 0)).toBe(true);
    isUp = true;
    await clock.advance(130_000);
    expect([statusOf(connection).endpoint, statusOf(connection).phase, sockets.live.length]).toEqual(['ws://first', 'open', 1]);
    expect(sockets.all[1]!.closedWith?.[0]).toBe(1000);
  });
});

describe('pause() and resume()', () => {
  it('closes cleanly and leaves no timer; resume() connects at once', async () => {
    const connection = await connected({ heartbeat: { intervalMs: 1_000, ping: () => 'ping' } });
    connection.pause();
    void connection.sink.add('kept');
    expect([statusOf(connection).phase, clock.timerCount, sockets.last.closedWith]).toEqual(['idle', 0, [1000, '']]);
    hint('wake');
    hint('online');
    connection.retryNow();
    await clock.advance(60_000);
    expect(sockets.all.length).toBe(1);
    connection.resume();
    await settle();
    expect([statusOf(connection).phase, sockets.last.sent]).toEqual(['open', ['kept']]);
  });

  it('pauses an attempt and a wait', async () => {
    const connection = connect();
    connection.pause();
    expect([sockets.last.isLive, clock.timerCount]).toEqual([false, 0]);
    connection.resume();
    sockets.last.end();
    connection.pause();
    expect([statusOf(connection).phase, clock.timerCount]).toEqual(['idle', 0]);
  });
});

describe('flush() and close()', () => {
  it('flush() waits for what waits, and no longer than it is told', async () => {
    const connection = connect();
    await connection.flush();
    void connection.sink.add('x');
    const flushed = outcome(connection.flush());
    const late = outcome(connection.flush({ timeoutMs: 50 }));
    await clock.advance(60);
    expect(late).toEqual({ code: 'PENDING' });
    sockets.last.open();
    await settle();
    expect(flushed).toEqual({ value: undefined });
  });

  it('close() drains as long as it is told, and says what was left', async () => {
    const connection = connect();
    void connection.sink.add('x');
    const closed = outcome(connection.close({ drainMs: 1_000, code: 3000, reason: 'bye' }));
    await clock.advance(500);
    sockets.last.open();
    await settle();
    expect([closed.value, sockets.last.sent, sockets.last.closedWith]).toEqual([
      { code: 3000, reason: 'bye', unsentCount: 0 },
      ['x'],
      [3000, 'bye'],
    ]);
    const other = connect();
    const lost = outcome(other.sink.add('x'));
    const ready = outcome(other.ready);
    const end = other.close({ drainMs: 1_000 });
    await clock.advance(1_000);
    expect(await end).toEqual({ code: 1000, reason: '', unsentCount: 1 });
    expect(await Promise.all([other.closed, other.sink.done])).toEqual([await end, await end]);
    expect([lost, ready, statusOf(other).phase]).toEqual([{ code: 'CLOSED' }, { code: 'CLOSED' }, 'closed']);
  });

  it('is one promise, refuses codes that cannot be said, and nothing comes after it', async () => {
    const connection = await connected();
    expect(() => connection.close({ code: 1001 })).toThrow(expect.objectContaining({ code: 'USAGE' }));
    expect(statusOf(connection).phase).toBe('open');
    const messages = read(connection);
    const [socket] = sockets.all as [FakeSocket];
    expect(connection.close()).toBe(connection.close());
    await connection[Symbol.asyncDispose]();
    socket.say('late');
    socket.end();
    connection.retryNow();
    connection.resume();
    await clock.advance(60_000);
    expect([messages, sockets.all.length, statusOf(connection).phase]).toEqual([['(end)'], 1, 'closed']);
  });
});

it('refuses options that cannot work, at once', () => {
  const usage = expect.objectContaining({ code: 'USAGE' }) as Error;
  expect(() => connect({ urls: 'http://x' })).toThrow(expect.objectContaining({ code: 'INVALID_URL' }));
  expect(() => connect({ urls: [] })).toThrow(usage);
  expect(() => connect({ queue: { countMax: 0 } })).toThrow(usage);
  expect(() => connect({ heartbeat: { intervalMs: -1 } })).toThrow(usage);
  expect(sockets.all.length).toBe(0);
});

it('tells every change of the status, and no more', async () => {
  const connection = await connected({ heartbeat: { intervalMs: 1_000, ping: () => 'ping' } });
  const phases: string[] = [];
  connection.status.subscribe(() => phases.push(statusOf(connection).phase));
  for (let n = 0; n < 10; n++) {
    await clock.advance(1_000);
    sockets.last.say('x');
  }
  expect(phases).toEqual([]);
  sockets.last.end();
  await until(connection, 'open');
  expect(phases).toEqual(['waiting', 'connecting', 'open']);
});
