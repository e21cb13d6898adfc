import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { parseClientFrame } from './client-frames.ts';
import { ClientSession, ProtocolError } from './client-session.ts';
import { HoldfastError } from './error.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import type { ClientMessage, EntryMessage, Gap, GapReason, Position, Publish, ServerMessage, SubscribeRequest } from './messages.ts';
import { serverMessages } from './messages.testing.ts';
import { encodeEntryBinary, encodeEntryText, encodeServerMessage } from './server-frames.ts';

const WELCOME = encodeServerMessage({
  type: 'welcome',
  session: 's',
  subject: 'alice',
  heartbeatMs: 25_000,
  spreadMs: 250,
  time: 0,
  limits: DEFAULT_LIMITS,
});
const NUMBER = 7;

let session: ClientSession;

beforeEach(() => {
  session = new ClientSession();
});

function position(offset: number, { epoch = 'k1', revision = 0 }: { epoch?: string; revision?: number } = {}): Position {
  return { epoch, offset, revision };
}

function subscribed(
  at: Position,
  { topic = 't', id = 1, number = NUMBER }: { topic?: string; id?: number | string; number?: number } = {},
): string {
  return encodeServerMessage({ type: 'subscribed', id, topic, number, position: at, head: 99 });
}

function entry(offset: number, topic = 't'): string {
  return encodeEntryText(topic, { offset, producer: 'p', seq: 1, from: 'alice', at: 0 }, '{"text":"hello"}');
}

function binaryEntry(offset: number, number = NUMBER): Uint8Array {
  return encodeEntryBinary(number, { offset, producer: 'p', seq: 1, from: 'alice', at: 0 }, Uint8Array.of(1));
}

function skip(first: number, last: number): string {
  return encodeServerMessage({ type: 'skip', topic: 't', first, last });
}

function gap(before: Position, after: Position, reason: GapReason = 'retention'): string {
  return encodeServerMessage({ type: 'gap', topic: 't', reason, before, after });
}

function register(revision: number): string {
  return encodeServerMessage({ type: 'register', topic: 't', key: 'k', value: 1, revision });
}

/** A session that is open, with a subscription to `t` whose place is `at`. */
function openAt(at: Position, requests: readonly SubscribeRequest[] = [{ id: 1, topic: 't' }]): void {
  session.hello({ type: 'hello', client: 'c', subscribe: requests });
  session.receive(WELCOME);
  session.receive(subscribed(at));
}

function protocolErrorOf(run: () => unknown): ProtocolError {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
  return expect.unreachable('nothing was thrown');
}

/** Expects that a frame is refused, ends the session, and that nothing is delivered after it. */
function expectBreak(frame: string | Uint8Array, code: string, message: string): void {
  const error = protocolErrorOf(() => session.receive(frame));
  expect(error).toMatchObject({ side: 'remote', code });
  expect(error.message).toContain(message);
  expect(session.phase).toBe('closed');
  expect(session.receive(frame)).toBeUndefined();
  expect(session.receive(encodeServerMessage({ type: 'ping' }))).toBeUndefined();
}

describe('HF-3: opening', () => {
  test('the phases of a connection', () => {
    expect(session.phase).toBe('greeting');
    expect(JSON.parse(session.hello({ type: 'hello', client: 'c', token: 'secret' }))).toEqual({
      type: 'hello',
      client: 'c',
      token: 'secret',
    });
    expect(session.phase).toBe('welcoming');
    expect(session.receive(WELCOME)).toMatchObject({ type: 'welcome', session: 's' });
    expect(session.phase).toBe('open');
    session.close();
    expect(session.phase).toBe('closed');
  });

  test('HF-3.1: hello comes first and once', () => {
    const early = protocolErrorOf(() => session.send({ type: 'ping' }));
    expect(early).toMatchObject({ side: 'local', code: 'HELLO_REQUIRED', name: 'ProtocolError' });
    expect(early).toBeInstanceOf(HoldfastError);
    session.hello({ type: 'hello', client: 'c' });
    expect(protocolErrorOf(() => session.hello({ type: 'hello', client: 'c' }))).toMatchObject({ side: 'local', code: 'HELLO_TWICE' });
    expect(session.phase).toBe('welcoming');
  });

  test('HF-3.7: a client may send before welcome, and nothing after the end', () => {
    session.hello({ type: 'hello', client: 'c' });
    expect(session.send({ type: 'ping', id: 1 })).toBe('{"type":"ping","id":1}');
    session.close();
    expect(protocolErrorOf(() => session.send({ type: 'ping' }))).toMatchObject({
      side: 'local',
      code: 'HELLO_REQUIRED',
      message: '"ping" in phase closed',
    });
  });

  test.each(['error', 'ping', 'goaway'] as const)('HF-2.3: "%s" may come before welcome', (type) => {
    const frames = {
      error: encodeServerMessage({ type: 'error', code: 'UNAUTHENTICATED', message: 'no', retryable: false }),
      ping: encodeServerMessage({ type: 'ping' }),
      goaway: encodeServerMessage({ type: 'goaway', reason: 'deploy', spreadMs: 1 }),
    };
    expect(session.receive(frames[type])).toMatchObject({ type });
    session.hello({ type: 'hello', client: 'c' });
    expect(session.receive(frames[type])).toMatchObject({ type });
    expect(session.phase).toBe('welcoming');
  });

  test.each(['subscribed', 'entry', 'skip', 'gap', 'ack', 'reply', 'signal', 'presence', 'register', 'pong'])(
    'HF-4: "%s" may not come before welcome',
    (type) => {
      const frames: Readonly<Record<string, string>> = {
        subscribed: subscribed(position(0)),
        entry: entry(1),
        skip: skip(1, 1),
        gap: gap(position(0), position(1)),
        ack: encodeServerMessage({ type: 'ack', topic: 't', producer: 'p', seq: 1, offset: 1, epoch: 'k1' }),
        reply: encodeServerMessage({ type: 'reply', id: 1, data: null }),
        signal: encodeServerMessage({ type: 'signal', topic: 't', from: 'a', client: 'c', data: null }),
        presence: encodeServerMessage({ type: 'presence', topic: 't', event: 'members', members: [] }),
        register: register(1),
        pong: encodeServerMessage({ type: 'pong' }),
      };
      session.hello({ type: 'hello', client: 'c' });
      expectBreak(frames[type]!, 'OUT_OF_ORDER', `"${type}" in phase welcoming`);
    },
  );

  test('HF-4: welcome before hello', () => {
    expectBreak(WELCOME, 'OUT_OF_ORDER', '"welcome" in phase greeting');
  });

  test('HF-4: welcome comes once', () => {
    openAt(position(0));
    expectBreak(WELCOME, 'OUT_OF_ORDER', '"welcome" in phase open');
  });
});

describe('HF-4.1: what cannot be understood ends the session', () => {
  test.each([
    ['BAD_JSON', '{'],
    ['BAD_FRAME', '[]'],
    ['BAD_FRAME', '{"type":"ack"}'],
    ['FORBIDDEN_KEY', '{"type":"reply","id":1,"data":{"__proto__":1}}'],
    ['BAD_BINARY', Uint8Array.of(9)],
  ])('%s for %s', (code, frame) => {
    openAt(position(0));
    const { cause } = protocolErrorOf(() => session.receive(frame));
    expect(cause).toBeInstanceOf(HoldfastError);
    expect(cause).toMatchObject({ code });
    expect(session.phase).toBe('closed');
    expect(session.receive(entry(1))).toBeUndefined();
  });

  test('HF-1.5: a type that is not known is ignored', () => {
    openAt(position(0));
    expect(session.receive('{"type":"snapshot","topic":"t","offset":50}')).toBeUndefined();
    expect(session.phase).toBe('open');
    expect(session.receive(entry(1))).toMatchObject({ offset: 1 });
  });

  test('HF-9.1: a binary entry with a number that is not known', () => {
    openAt(position(0));
    expectBreak(binaryEntry(1, 8), 'BAD_BINARY', 'no topic has the number 8');
  });
});

describe('HF-5.3: entries in their order', () => {
  test('text and binary entries, skips and gaps follow each other', () => {
    openAt(position(118));
    expect(session.receive(entry(119))).toMatchObject({ type: 'entry', topic: 't', offset: 119, data: { text: 'hello' } });
    expect(session.receive(binaryEntry(120))).toMatchObject({ type: 'entry', topic: 't', offset: 120, data: Uint8Array.of(1) });
    expect(session.receive(skip(121, 130))).toMatchObject({ type: 'skip' });
    expect(session.receive(entry(131))).toMatchObject({ offset: 131 });
    expect(session.receive(gap(position(131), position(500)))).toMatchObject({ type: 'gap' });
    expect(session.receive(entry(501))).toMatchObject({ offset: 501 });
  });

  test.each([
    ['a hole', entry(12), 'entry 12 of "t" where 11 is next'],
    ['the same again', entry(10), 'entry 10 of "t" where 11 is next'],
    ['an earlier one', entry(3), 'entry 3 of "t" where 11 is next'],
    ['a binary hole', binaryEntry(12), 'entry 12 of "t" where 11 is next'],
    ['a skip past a hole', skip(12, 13), 'skip 12 to 13 of "t" where 11 is next'],
    ['a skip of the past', skip(10, 13), 'skip 10 to 13 of "t" where 11 is next'],
    ['a skip of nothing', skip(11, 10), 'skip 11 to 10 of "t" where 11 is next'],
    ['an entry of another topic', entry(11, 'u'), 'an entry of "u" before "subscribed"'],
  ])('HF-5.8: %s ends the session and is not delivered', (_what, frame, message) => {
    openAt(position(9));
    session.receive(entry(10));
    expectBreak(frame, 'OUT_OF_ORDER', message);
  });

  test.each([
    ['a skip', skip(1, 1)],
    ['a gap', gap(position(0), position(1))],
    ['a register', register(1)],
    ['an entry', entry(1)],
  ])('HF-5.8: %s before "subscribed"', (what, frame) => {
    session.hello({ type: 'hello', client: 'c' });
    session.receive(WELCOME);
    expectBreak(frame, 'OUT_OF_ORDER', `${what} of "t" before "subscribed"`);
  });

  test('topics have places of their own', () => {
    openAt(position(5));
    session.receive(subscribed(position(90), { topic: 'u', id: 2, number: 8 }));
    expect(session.receive(entry(6))).toMatchObject({ topic: 't', offset: 6 });
    expect(session.receive(binaryEntry(91, 8))).toMatchObject({ topic: 'u', offset: 91 });
    expect(session.receive(binaryEntry(7))).toMatchObject({ topic: 't', offset: 7 });
  });

  test('HF-5.1: a new subscription to the topic begins anew where it says', () => {
    openAt(position(5));
    session.receive(entry(6));
    session.receive(subscribed(position(2), { id: 2 }));
    expect(session.receive(entry(3))).toMatchObject({ offset: 3 });
  });
});

describe('HF-5.2: a stream begins where it was asked for', () => {
  const asked = { id: 1, topic: 't', position: position(118, { epoch: 'k2', revision: 4 }) };

  test('in the hello, and in a message of its own', () => {
    openAt(position(118, { epoch: 'k2', revision: 4 }), [asked]);
    expect(session.receive(entry(119))).toMatchObject({ offset: 119 });
    session.send({ type: 'subscribe', ...asked, id: 'again', position: position(119, { epoch: 'k2' }) });
    expect(session.receive(subscribed(position(119, { epoch: 'k2' }), { id: 'again' }))).toMatchObject({ type: 'subscribed' });
  });

  test.each([
    ['further on, which would be a silent hole', position(120, { epoch: 'k2' })],
    ['further back, which would repeat', position(117, { epoch: 'k2' })],
    ['in another log', position(118, { epoch: 'k3' })],
  ])('%s', (_what, at) => {
    session.hello({ type: 'hello', client: 'c', subscribe: [asked] });
    session.receive(WELCOME);
    expectBreak(subscribed(at), 'OUT_OF_ORDER', 'where k2:118:4 was asked for');
  });

  test('in another place than a message of its own asked for', () => {
    openAt(position(0));
    session.send({ type: 'subscribe', id: 2, topic: 'u', position: position(30) });
    expectBreak(subscribed(position(31), { topic: 'u', id: 2, number: 8 }), 'OUT_OF_ORDER', 'where k1:30:0 was asked for');
  });

  test('what cannot be had is said by a gap', () => {
    openAt(position(118, { epoch: 'k2', revision: 4 }), [asked]);
    expect(session.receive(gap(position(118, { epoch: 'k2', revision: 4 }), position(0, { epoch: 'k3' }), 'epoch'))).toMatchObject({
      type: 'gap',
    });
    expect(session.receive(register(1))).toMatchObject({ revision: 1 });
    expect(session.receive(entry(1))).toMatchObject({ offset: 1 });
  });

  test('without a position the server says where', () => {
    openAt(position(77), [{ id: 1, topic: 't', last: 5 }]);
    expect(session.receive(entry(78))).toMatchObject({ offset: 78 });
  });

  test('a refused subscription leaves nothing behind: its id may be used again', () => {
    openAt(position(118, { epoch: 'k2' }), [asked]);
    session.send({ type: 'subscribe', id: 2, topic: 'u', position: position(3) });
    session.receive(encodeServerMessage({ type: 'error', code: 'FORBIDDEN', message: 'no', retryable: false, id: 2 }));
    session.send({ type: 'subscribe', id: 2, topic: 'u' });
    expect(session.receive(subscribed(position(50), { topic: 'u', id: 2, number: 8 }))).toMatchObject({ topic: 'u' });
  });
});

describe('HF-5.7: gaps', () => {
  beforeEach(() => openAt(position(10, { revision: 5 })));

  test.each<[string, Position]>([
    ['forward in the same log', position(500, { revision: 5 })],
    ['to the place itself, which says nothing', position(10, { revision: 5 })],
    ['forward with newer registers', position(500, { revision: 9 })],
    ['to another log, from its beginning', position(0, { epoch: 'k2' })],
    ['to another log, further on', position(600, { epoch: 'k2', revision: 2 })],
  ])('%s', (_what, after) => {
    expect(session.receive(gap(position(10, { revision: 5 }), after, 'epoch'))).toMatchObject({ type: 'gap', after });
    expect(session.receive(entry(after.offset + 1))).toMatchObject({ offset: after.offset + 1 });
    expect(session.receive(register(after.revision + 1))).toMatchObject({ revision: after.revision + 1 });
  });

  test('back in the same log only if the place was ahead of it', () => {
    expect(session.receive(gap(position(10), position(0), 'ahead'))).toMatchObject({ type: 'gap', reason: 'ahead' });
    expect(session.receive(entry(1))).toMatchObject({ offset: 1 });
    expect(session.receive(register(1))).toMatchObject({ revision: 1 });
  });

  test.each<[string, Position, Position, string]>([
    ['back in the same log', position(10), position(9, { revision: 5 }), 'leads back to k1:9:5 from k1:10:5'],
    ['back to older registers', position(10), position(20, { revision: 4 }), 'leads back to k1:20:4 from k1:10:5'],
    ['from further on, which hides a hole', position(12), position(20, { revision: 5 }), 'from k1:12:0 where the place is k1:10:5'],
    ['from further back', position(8), position(20, { revision: 5 }), 'from k1:8:0 where the place is k1:10:5'],
    ['from another log', position(10, { epoch: 'k0' }), position(20), 'from k0:10:0 where the place is k1:10:5'],
  ])('HF-5.8: a gap %s ends the session', (_what, before, after, message) => {
    expectBreak(gap(before, after), 'OUT_OF_ORDER', message);
  });
});

describe('HF-7.8: registers in order of their revisions', () => {
  beforeEach(() => openAt(position(10, { revision: 5 })));

  test('each change is newer than the one before; some may be missing', () => {
    expect(session.receive(register(6))).toMatchObject({ type: 'register', revision: 6 });
    expect(session.receive(register(9))).toMatchObject({ revision: 9 });
    expect(session.receive(entry(11))).toMatchObject({ offset: 11 });
    expect(session.receive(register(10))).toMatchObject({ revision: 10 });
  });

  test.each([5, 4, 1])('HF-5.8: revision %d after 5 ends the session', (revision) => {
    expectBreak(register(revision), 'OUT_OF_ORDER', `register revision ${revision} of "t" after 5`);
  });
});

describe('HF-9.1: numbers of topics', () => {
  const publish: Publish = { type: 'publish', topic: 't', producer: 'p', seq: 1, items: [Uint8Array.of(1)] };

  function named(frame: string | Uint8Array): 'by number' | 'by name' {
    const asked: number[] = [];
    parseClientFrame(frame, DEFAULT_LIMITS, (number) => {
      asked.push(number);
      return 't';
    });
    // The default parameter asks for a name only where the frame has a number.
    return asked.length > 0 && asked[0] !== 0 ? 'by number' : 'by name';
  }

  test('a publish of bytes uses the number of a subscribed topic', () => {
    session.hello({ type: 'hello', client: 'c' });
    session.receive(WELCOME);
    expect(named(session.send(publish))).toBe('by name');
    session.receive(subscribed(position(0)));
    expect(named(session.send(publish))).toBe('by number');
    expect(named(session.send({ ...publish, topic: 'u' }))).toBe('by name');
    expect(typeof session.send({ ...publish, items: [{ text: 'hello' }] })).toBe('string');
  });

  test('HF-5.11: entries may come until the reply to unsubscribe, but the number is not used any more', () => {
    openAt(position(0));
    session.send({ type: 'unsubscribe', topic: 't', id: 2 });
    expect(named(session.send(publish))).toBe('by name');
    expect(session.receive(binaryEntry(1))).toMatchObject({ offset: 1 });
    session.receive(encodeServerMessage({ type: 'reply', id: 2, data: null }));
    expectBreak(binaryEntry(2), 'BAD_BINARY', 'no topic has the number 7');
  });

  test('HF-5.11: nothing of the topic comes after the reply', () => {
    openAt(position(0));
    session.send({ type: 'unsubscribe', topic: 't', id: 2 });
    session.receive(encodeServerMessage({ type: 'reply', id: 2, data: null }));
    expectBreak(entry(1), 'OUT_OF_ORDER', 'an entry of "t" before "subscribed"');
  });

  test('a subscription that was begun anew survives the reply to the older unsubscribe, in whichever order they come', () => {
    openAt(position(0));
    session.send({ type: 'unsubscribe', topic: 't', id: 2 });
    session.send({ type: 'subscribe', topic: 't', id: 3 });
    session.receive(subscribed(position(40), { id: 3 }));
    session.receive(encodeServerMessage({ type: 'reply', id: 2, data: null }));
    expect(session.receive(binaryEntry(41))).toMatchObject({ offset: 41 });
    expect(named(session.send(publish))).toBe('by number');
  });

  test('a subscription that was ended before its answer came ends with it: its number is never used', () => {
    openAt(position(0));
    session.send({ type: 'subscribe', topic: 't', id: 2 });
    session.send({ type: 'unsubscribe', topic: 't', id: 3 });
    session.receive(subscribed(position(40), { id: 2 }));
    expect(named(session.send(publish))).toBe('by name');
    expect(session.receive(binaryEntry(41))).toMatchObject({ offset: 41 });
    session.receive(encodeServerMessage({ type: 'reply', id: 3, data: null }));
    expectBreak(binaryEntry(42), 'BAD_BINARY', 'no topic has the number 7');
  });

  test('a number is not used while its subscription is being replaced, nor after that was refused', () => {
    openAt(position(0));
    expect(named(session.send(publish))).toBe('by number');
    session.send({ type: 'subscribe', topic: 't', id: 2 });
    expect(named(session.send(publish))).toBe('by name');
    session.receive(encodeServerMessage({ type: 'error', id: 2, code: 'STORE_UNAVAILABLE', message: 'm', retryable: true }));
    expect(named(session.send(publish))).toBe('by name');
    session.send({ type: 'subscribe', topic: 't', id: 3 });
    session.receive(subscribed(position(1), { id: 3 }));
    expect(named(session.send(publish))).toBe('by number');
  });

  test('the reply to an older unsubscribe leaves a newer subscription alone that is ended as well', () => {
    openAt(position(0));
    session.send({ type: 'unsubscribe', topic: 't', id: 2 });
    session.send({ type: 'subscribe', topic: 't', id: 3 });
    session.send({ type: 'unsubscribe', topic: 't', id: 4 });
    session.receive(subscribed(position(40), { id: 3 }));
    session.receive(encodeServerMessage({ type: 'reply', id: 2, data: null }));
    expect(session.receive(binaryEntry(41))).toMatchObject({ offset: 41 });
  });

  test('unsubscribing without an id, or from what is not subscribed, changes nothing', () => {
    openAt(position(0));
    session.send({ type: 'unsubscribe', topic: 'u', id: 2 });
    session.send({ type: 'unsubscribe', topic: 't' });
    session.receive(encodeServerMessage({ type: 'reply', id: 2, data: null }));
    expect(session.receive(entry(1))).toMatchObject({ offset: 1 });
  });
});

type Item = EntryMessage | Extract<ServerMessage, { type: 'skip' }> | Gap;

/** What a correct server sends from offset 0 on: entries, skips and gaps of random lengths, each where the last ended. */
const streams: fc.Arbitrary<Item[]> = fc
  .array(fc.tuple(fc.constantFrom('entry', 'entry', 'entry', 'skip', 'gap'), fc.integer({ min: 1, max: 5 })), {
    minLength: 2,
    maxLength: 20,
  })
  .map((steps) => {
    let offset = 0;
    return steps.map(([kind, length]): Item => {
      const first = offset + 1;
      offset = kind === 'entry' ? first : offset + length;
      if (kind === 'skip') return { type: 'skip', topic: 't', first, last: offset };
      if (kind === 'gap') return { type: 'gap', topic: 't', reason: 'retention', before: position(first - 1), after: position(offset) };
      return { type: 'entry', topic: 't', offset, producer: 'p', seq: 1, from: 'alice', at: 0, data: null };
    });
  });

function span(item: Item): readonly [first: number, last: number] {
  if (item.type === 'entry') return [item.offset, item.offset];
  return item.type === 'skip' ? [item.first, item.last] : [item.before.offset + 1, item.after.offset];
}

function frameOf(item: Item): string {
  return item.type === 'entry' ? entry(item.offset) : encodeServerMessage(item);
}

/** Sends the items to a fresh session; the ones that it delivered before it refused one. */
function deliver(items: readonly Item[]): { readonly delivered: readonly Item[]; readonly isBroken: boolean } {
  session = new ClientSession();
  openAt(position(0));
  const delivered: Item[] = [];
  try {
    for (const item of items) delivered.push(session.receive(frameOf(item)) as Item);
  } catch (error) {
    expect(error).toMatchObject({ side: 'remote', code: 'OUT_OF_ORDER' });
    return { delivered, isBroken: true };
  }
  return { delivered, isBroken: false };
}

describe('HF-5.8: never past a hole', () => {
  test('a correct stream is delivered whole', () => {
    fc.assert(
      fc.property(streams, (items) => {
        expect(deliver(items).delivered.map(span)).toEqual(items.map(span));
      }),
    );
  });

  test('a stream with an item lost, repeated or moved is delivered up to there, and no further', () => {
    fc.assert(
      fc.property(streams, fc.nat(), fc.constantFrom('lost', 'repeated', 'moved'), (items, where, what) => {
        const at = where % (items.length - 1);
        const [item, next] = [items[at]!, items[at + 1]!];
        const replaced = { lost: [next], repeated: [item, item, next], moved: [next, item] }[what]!;
        const { delivered, isBroken } = deliver(items.toSpliced(at, 2, ...replaced));
        expect(isBroken).toBe(true);
        let place = 0;
        for (const [first, last] of delivered.map(span)) {
          expect(first).toBe(place + 1);
          place = last;
        }
        expect(delivered).toHaveLength(what === 'repeated' ? at + 1 : at);
      }),
      { numRuns: 500 },
    );
  });

  test('whatever a server sends, nothing is thrown but a remote ProtocolError, and nothing is delivered after it', () => {
    const frames = fc.oneof(
      serverMessages.map(encodeServerMessage),
      fc.integer({ min: 1, max: 3 }).map((offset) => entry(offset)),
      fc.string(),
      fc.uint8Array(),
      fc.constant(WELCOME),
    );
    fc.assert(
      fc.property(fc.array(frames, { maxLength: 10 }), fc.boolean(), (sequence, isOpen) => {
        session = new ClientSession();
        if (isOpen) openAt(position(0));
        for (const frame of sequence) {
          const wasClosed = session.phase === 'closed';
          try {
            const message = session.receive(frame);
            if (wasClosed) expect(message).toBeUndefined();
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
            expect(error).toMatchObject({ side: 'remote' });
            expect([wasClosed, session.phase]).toEqual([false, 'closed']);
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

test('every request of a client can be sent when open', () => {
  openAt(position(0));
  const messages: readonly Exclude<ClientMessage, { type: 'hello' }>[] = [
    { type: 'auth', id: 1, token: 'secret' },
    { type: 'read', id: 2, topic: 't', after: 0 },
    { type: 'signal', topic: 't', data: 1 },
    { type: 'presence', topic: 't', state: null },
    { type: 'register', id: 3, topic: 't', key: 'k', merge: 'max', value: 1 },
    { type: 'call', id: 4, method: 'm' },
    { type: 'credit', topic: 't', upTo: 5 },
    { type: 'pong', id: 5 },
  ];
  for (const message of messages) expect(parseClientFrame(session.send(message), DEFAULT_LIMITS, () => undefined)).toEqual(message);
});
