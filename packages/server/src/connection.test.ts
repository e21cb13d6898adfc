import { HoldfastError, type ErrorCode, type ErrorMessage } from '@holdfast/wire';
import { beforeEach, describe, expect, test } from 'vitest';
import { Endpoint } from './endpoint.ts';
import type { Identity } from './rights.ts';
import { Stage, type StageClient } from './stage.testing.ts';

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

function codes(client: StageClient): string[] {
  return client.take('error').map(({ code }) => code);
}

/** Answers to `authenticate`, given by hand and in any order. */
function slowEndpoint(): {
  endpoint: Endpoint;
  admit: (token: string, identity?: unknown) => void;
  refuse: (token: string, error: Error) => void;
} {
  const waiting = new Map<string, { resolve: (identity: Identity) => void; reject: (error: Error) => void }>();
  const endpoint = new Endpoint({
    authenticate: ({ token = '' }) => new Promise((resolve, reject) => waiting.set(token, { resolve, reject })),
  });
  return {
    endpoint,
    admit: (token, identity = { subject: 'alice' }) => waiting.get(token)!.resolve(identity as Identity),
    refuse: (token, error) => waiting.get(token)!.reject(error),
  };
}

describe('HF-3: the first frame', () => {
  test('HF-3.4: welcome says who, how often, and how much', async () => {
    const client = stage.connect({ client: 'tab', token: 'alice' });
    await stage.clock.settle();
    const { limits } = stage.hub.services;
    expect(client.take()).toEqual([
      {
        type: 'welcome',
        session: expect.stringMatching(/^[a-z0-9]{12}$/) as string,
        subject: 'alice',
        heartbeatMs: 25_000,
        spreadMs: 100,
        time: stage.clock.now(),
        limits,
      },
    ]);
  });

  test.each([
    ['a message', '{"type":"ping"}', 'HELLO_REQUIRED'],
    ['no JSON', 'hi', 'HELLO_REQUIRED'],
    ['bytes', Uint8Array.of(1), 'HELLO_REQUIRED'],
    ['a hello without a client', '{"type":"hello"}', 'BAD_FRAME'],
    ['a hello with a bad subscription', '{"type":"hello","client":"a","subscribe":[{"id":1}]}', 'BAD_FRAME'],
  ])('HF-3.1: %s before hello: an error that explains, then close 4000', async (_what, frame, code) => {
    const client = stage.open();
    client.raw(frame);
    await stage.clock.settle();
    expect(codes(client)).toEqual([code]);
    expect(client.closed).toEqual({ code: 4000, reason: code });
    expect(stage.hub.connectionCount).toBe(0);
  });

  test('HF-3.1: a second hello', async () => {
    const client = await stage.join();
    client.raw('{"type":"hello","client":"tab"}');
    expect(codes(client)).toEqual(['HELLO_TWICE']);
    expect(client.closed).toEqual({ code: 4000, reason: 'HELLO_TWICE' });
  });

  test('HF-3.1: a second hello while the first is being examined', async () => {
    const { endpoint, admit } = slowEndpoint();
    const client = stage.connect({ token: 'a' }, endpoint);
    client.raw('{"type":"hello","client":"tab"}');
    admit('a');
    await stage.clock.settle();
    expect(client.take().map(({ type }) => type)).toEqual(['error']);
    expect(client.closed).toMatchObject({ code: 4000 });
  });

  test('HF-3.1: none within the deadline', async () => {
    const client = stage.open();
    await stage.clock.advance(9_999);
    expect(client.closed).toBeUndefined();
    await stage.clock.advance(1);
    expect(codes(client)).toEqual(['HELLO_TIMEOUT']);
    expect(client.closed).toEqual({ code: 4203, reason: 'HELLO_TIMEOUT' });
    expect(stage.clock.alarmCount).toBe(0);
  });

  test('a slow examination is not the client’s fault, and must not be asked faster', async () => {
    const { endpoint, admit } = slowEndpoint();
    const client = stage.connect({ token: 'a' }, endpoint);
    await stage.clock.advance(10_000);
    expect(codes(client)).toEqual(['OVERLOADED']);
    expect(client.closed).toEqual({ code: 4100, reason: 'OVERLOADED' });
    admit('a');
    await stage.clock.settle();
    expect(stage.hub.connectionCount).toBe(0);
  });

  test.each<[string, Error, number, string]>([
    ['HF-3.3: refused credentials', new HoldfastError('UNAUTHENTICATED', 'expired'), 4300, 'UNAUTHENTICATED'],
    ['a client that may never come here', new HoldfastError('FORBIDDEN', 'banned'), 4002, 'FORBIDDEN'],
    ['a hook that is overloaded', new HoldfastError('OVERLOADED'), 4100, 'OVERLOADED'],
    ['a hook that fails', new Error('secret'), 4100, 'INTERNAL'],
  ])('%s', async (_what, error, close, code) => {
    const client = stage.connect({}, new Endpoint({ authenticate: () => Promise.reject(error) }));
    await stage.clock.settle();
    const [said] = client.take('error') as [ErrorMessage];
    expect(said.code).toBe(code);
    expect(said.message).not.toContain('secret');
    expect(client.closed).toEqual({ code: close, reason: code });
    expect(stage.errors).toEqual(error instanceof HoldfastError ? [] : [error]);
  });

  test.each([undefined, null, 'alice', {}, { subject: '' }, { subject: 'x'.repeat(257) }])(
    'an identity of %j is a fault of the hook, not a way in',
    async (identity) => {
      const { endpoint, admit } = slowEndpoint();
      const client = stage.connect({ token: 'a' }, endpoint);
      admit('a', identity ?? null);
      await stage.clock.settle();
      expect(codes(client)).toEqual(['INTERNAL']);
      expect(client.closed?.code).toBe(4100);
      expect(stage.errors).toHaveLength(1);
    },
  );

  test('a client that leaves while its credentials are examined leaves nothing behind', async () => {
    const { endpoint, admit } = slowEndpoint();
    const client = stage.connect({ token: 'a', subscribe: [{ id: 1, topic: 't', presence: true }] }, endpoint);
    client.socket.drop();
    admit('a');
    await stage.clock.settle();
    expect(client.take()).toEqual([]);
    expect(stage.hub.connectionCount).toBe(0);
    expect(stage.clock.alarmCount).toBe(0);
    const opening = stage.hub.services.openTopic('t');
    await stage.clock.settle();
    expect((await opening).topic.subscribers.size).toBe(0);
    expect(stage.errors).toEqual([]);
  });
});

describe('HF-3.7: frames before welcome', () => {
  test('are carried out after it, in order', async () => {
    const { endpoint, admit } = slowEndpoint();
    const client = stage.connect({ token: 'a', subscribe: [{ id: 1, topic: 't' }] }, endpoint);
    client.publish('t', 1, 'one');
    client.publish('t', 2, 'two');
    client.send({ type: 'ping', id: 9 });
    await stage.clock.settle();
    expect(client.take()).toEqual([]);
    admit('a');
    await stage.clock.settle();
    expect(client.take('ack').map(({ seq }) => seq)).toEqual([1, 2]);
    expect(client.take().map(({ type }) => type)).toEqual(['welcome', 'pong', 'subscribed', 'entry', 'entry']);
  });

  test('up to 64', async () => {
    const { endpoint, admit } = slowEndpoint();
    const client = stage.connect({ token: 'a' }, endpoint);
    for (let count = 0; count < 64; count++) client.send({ type: 'ping' });
    expect(client.closed).toBeUndefined();
    client.send({ type: 'ping' });
    expect(client.closed).toEqual({ code: 4100, reason: 'TOO_MANY_IN_FLIGHT' });
    admit('a');
    await stage.clock.settle();
    expect(codes(client)).toEqual(['TOO_MANY_IN_FLIGHT']);
  });
});

describe('HF-3.5, decision 16: a hello fences', () => {
  test('the older connection of the same subject and client', async () => {
    const older = await stage.join({ client: 'tab', subscribe: [{ id: 1, topic: 't' }] });
    const other = await stage.join({ client: 'phone', subscribe: [{ id: 1, topic: 't' }] });
    const stranger = await stage.join({ client: 'tab', token: 'bob', subscribe: [{ id: 1, topic: 't' }] });
    const newer = await stage.join({ client: 'tab', subscribe: [{ id: 1, topic: 't' }] });
    expect(older.closed).toEqual({ code: 4001, reason: 'FENCED' });
    expect([other, stranger, newer].map(({ closed }) => closed)).toEqual([undefined, undefined, undefined]);
    newer.publish('t', 1, 'x');
    await stage.clock.settle();
    expect(older.take()).toEqual([]);
    expect(other.take('entry')).toHaveLength(1);
    older.socket.drop();
    expect(stage.hub.connectionCount).toBe(3);
  });

  test('by the order of the hellos, whatever the examination of each takes', async () => {
    const { endpoint, admit } = slowEndpoint();
    const older = stage.connect({ token: 'first' }, endpoint);
    const newer = stage.connect({ token: 'second' }, endpoint);
    admit('second');
    await stage.clock.settle();
    expect(newer.take('welcome')).toHaveLength(1);
    admit('first');
    await stage.clock.settle();
    expect(older.closed).toEqual({ code: 4001, reason: 'FENCED' });
    expect(older.take()).toEqual([]);
    expect(newer.closed).toBeUndefined();
  });

  test('what the older one left on its way is carried out, and the newer one’s resend gets its answer', async () => {
    const releases: (() => void)[] = [];
    const endpoint = new Endpoint({
      authorize: ({ action }) => action !== 'publish' || new Promise((resolve) => releases.push(() => resolve(true))),
    });
    const older = await stage.join({}, endpoint);
    older.publish('t', 1, 'x');
    const newer = await stage.join({}, endpoint);
    newer.publish('t', 1, 'x');
    await stage.clock.settle();
    expect(older.closed?.code).toBe(4001);
    releases[0]!();
    await stage.clock.settle();
    releases[1]!();
    await stage.clock.settle();
    expect(newer.take('ack')).toMatchObject([{ seq: 1, offset: 1, duplicate: true }]);
    expect(older.take()).toEqual([]);
    expect(stage.disk.topics.get('t')?.entries).toHaveLength(1);
  });
});

describe('HF-4.1: what cannot be understood costs an error and nothing else', () => {
  test.each<[string | Uint8Array, ErrorCode, Partial<ErrorMessage>]>([
    ['{', 'BAD_JSON', {}],
    ['{"type":"publish","topic":"t","producer":"p","seq":1,"data":1e999}', 'BAD_JSON', { topic: 't', producer: 'p', seq: 1 }],
    ['[]', 'BAD_FRAME', {}],
    ['{"type":7,"id":3}', 'BAD_FRAME', { id: 3 }],
    ['{"type":"publish","id":"a","topic":"t","producer":"p","seq":1}', 'BAD_FRAME', { id: 'a', topic: 't', producer: 'p', seq: 1 }],
    ['{"type":"read","id":4,"topic":"t"}', 'BAD_FRAME', { id: 4 }],
    ['{"type":"dance","id":5}', 'UNKNOWN_TYPE', { id: 5 }],
    [`{"type":"call","id":6,"method":"m","data":${'['.repeat(40)}${']'.repeat(40)}}`, 'TOO_DEEP', { id: 6 }],
    ['{"type":"call","id":7,"method":"m","data":{"__proto__":1}}', 'FORBIDDEN_KEY', { id: 7 }],
    [`{"type":"call","id":8,"method":"m","data":[${'0,'.repeat(17_000)}0]}`, 'TOO_MANY_KEYS', { id: 8 }],
    [Uint8Array.of(9, 9, 9), 'BAD_BINARY', {}],
    [Uint8Array.of(1, 7, 1, 112, 1, 0, 0), 'BAD_BINARY', {}],
  ])('%s', async (frame, code, about) => {
    const client = await stage.join();
    client.raw(frame);
    client.send({ type: 'ping', id: 1 });
    client.publish('t', 1, 'x');
    await stage.clock.settle();
    const [error, ...rest] = client.take();
    expect(error).toEqual({
      type: 'error',
      code,
      message: expect.any(String) as string,
      hint: expect.any(String) as string,
      retryable: false,
      ...about,
    });
    expect(rest).toMatchObject([{ type: 'pong' }, { type: 'ack', seq: 1, offset: 1 }]);
    expect(client.closed).toBeUndefined();
  });

  test('HF-4.2: sixteen times; the next ends the connection', async () => {
    const client = await stage.join();
    for (let count = 0; count < 16; count++) client.raw('{');
    client.send({ type: 'ping' });
    expect(client.take()).toHaveLength(17);
    client.raw('{');
    expect(codes(client)).toEqual(['TOO_MANY_ERRORS']);
    expect(client.closed).toEqual({ code: 4000, reason: 'TOO_MANY_ERRORS' });
    client.raw('{');
    client.raw('{"type":"ping"}');
    expect(client.take()).toEqual([]);
  });
});

describe('HF-8: heartbeat', () => {
  const beat = 25_000;

  test('HF-8.1: a ping when nothing was sent for nine to ten tenths of heartbeatMs, and never later', async () => {
    const client = await stage.join();
    await stage.clock.advance(beat * 0.9 - 1);
    expect(client.take()).toEqual([]);
    await stage.clock.advance(beat * 0.1 + 1);
    expect(client.take()).toEqual([{ type: 'ping' }]);
    client.send({ type: 'pong' });
    // Something is sent in between: the next ping is due one beat after that.
    await stage.clock.advance(beat * 0.75);
    client.send({ type: 'ping', id: 1 });
    expect(client.take()).toEqual([{ type: 'pong', id: 1 }]);
    await stage.clock.advance(beat * 0.9 - 1);
    expect(client.take()).toEqual([]);
    await stage.clock.advance(beat * 0.1 + 1);
    expect(client.take()).toEqual([{ type: 'ping' }]);
  });

  test('HF-8.1: a ping tells the spread once when it has changed', async () => {
    let spreadMs = 250;
    stage = new Stage({ spreadMs: () => spreadMs });
    const client = await stage.join();
    await stage.clock.advance(beat);
    spreadMs = 4_000;
    await stage.clock.advance(beat);
    await stage.clock.advance(beat - 1);
    client.send({ type: 'pong' });
    await stage.clock.advance(1);
    expect(client.take()).toEqual([{ type: 'ping' }, { type: 'ping', spreadMs: 4_000 }, { type: 'ping' }]);
  });

  test('HF-8.2: three beats of silence end it, any frame is life', async () => {
    const client = await stage.join();
    for (let round = 0; round < 5; round++) {
      await stage.clock.advance(beat * 2);
      client.raw('{"type":"credit","topic":"t","upTo":1}');
    }
    expect(client.closed).toBeUndefined();
    await stage.clock.advance(beat * 3);
    expect(codes(client)).toEqual(['HEARTBEAT_LOST']);
    expect(client.closed).toEqual({ code: 4201, reason: 'HEARTBEAT_LOST' });
    expect(stage.clock.alarmCount).toBe(0);
  });

  test('a server that was suspended does not drop everybody who could not be heard meanwhile', async () => {
    const client = await stage.join();
    await stage.clock.advance(beat - 1);
    stage.clock.jump(3_600_000);
    await stage.clock.advance(1);
    expect(client.closed).toBeUndefined();
    await stage.clock.advance(beat * 3);
    expect(client.closed?.code).toBe(4201);
  });

  test('a clock that is set back does not stop the beat', async () => {
    const client = await stage.join();
    stage.clock.jump(-3_600_000);
    for (let round = 0; round < 3; round++) {
      await stage.clock.advance(beat);
      expect(client.take().map(({ type }) => type)).toContain('ping');
    }
  });
});

describe('HF-7.2: what the server holds for a connection is bounded', () => {
  test('one who asks for ever more without reading is not waited for', async () => {
    stage = new Stage({ limits: { queueBytesMax: 10_000 } });
    const client = await stage.join();
    client.socket.bufferedBytes = 80_000;
    client.send({ type: 'ping' });
    expect(client.closed).toBeUndefined();
    client.socket.bufferedBytes = 80_001;
    client.send({ type: 'ping' });
    expect(client.closed).toEqual({ code: 4100, reason: 'OVERLOADED' });
    expect(stage.hub.connectionCount).toBe(0);
  });

  test('publishes that are unanswered are counted for a connection as well', async () => {
    stage = new Stage({ limits: { subscriptionsMax: 2, inFlightMax: 3 } });
    const client = await stage.join();
    stage.store.hold('head');
    for (let count = 1; count <= 6; count++) client.publish('t', 1, 'x', { producer: `p${count}` });
    expect(client.closed).toBeUndefined();
    client.publish('t', 1, 'x', { producer: 'p7' });
    expect(codes(client)).toEqual(['OVERLOADED']);
    expect(client.closed?.code).toBe(4100);
  });
});

test('a fault of the server ends the connection on which it shows, and nothing else', async () => {
  const other = await stage.join({ client: 'other' });
  const client = await stage.join();
  const { intake } = stage.hub.services;
  intake.publish = () => {
    throw new TypeError('a bug');
  };
  client.publish('t', 1, 'x');
  expect(codes(client)).toEqual(['INTERNAL']);
  expect(client.closed).toEqual({ code: 4100, reason: 'INTERNAL' });
  expect(stage.errors).toEqual([new TypeError('a bug')]);
  other.send({ type: 'ping' });
  expect(other.take()).toHaveLength(1);
});
