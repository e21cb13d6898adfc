import { HoldfastError, type Json } from '@holdfast/wire';
import { beforeEach, describe, expect, test } from 'vitest';
import { Endpoint, type EndpointOptions } from './endpoint.ts';
import { MemorySocket } from './memory-socket.testing.ts';
import type { PlainClient, PlainHandler, PlainItem } from './plain.ts';
import { Stage } from './stage.testing.ts';

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

/** A connection without the subprotocol. */
function open(plain: PlainHandler, options: EndpointOptions = {}): MemorySocket {
  const socket = new MemorySocket();
  const endpoint = new Endpoint({ authenticate: () => ({ subject: 'alice' }), ...options, plain });
  stage.hub.accept(socket, {
    endpoint,
    address: '127.0.0.1',
    headers: { cookie: 'session=1' },
    url: '/',
    protocols: [],
    isProtocol: false,
  });
  return socket;
}

async function sent(socket: MemorySocket): Promise<unknown[]> {
  await stage.clock.settle();
  return socket.sent
    .splice(0)
    .map((frame) => (typeof frame === 'string' && frame.startsWith('{') ? (JSON.parse(frame) as unknown) : frame));
}

/** Opens a session and hands its client to the test. */
async function clientOf(handler: PlainHandler = {}, options: EndpointOptions = {}): Promise<{ client: PlainClient; socket: MemorySocket }> {
  let found: PlainClient | undefined;
  const socket = open({ ...handler, opened: (client) => void (found = client), text: handler.text ?? ((): void => {}) }, options);
  socket.receive('hello');
  await stage.clock.settle();
  return { client: found!, socket };
}

async function fill(count: number, topic = 't'): Promise<void> {
  for (let made = 1; made <= count; made++) void stage.hub.publish(topic, made);
  await stage.clock.settle();
}

function offsets(items: readonly PlainItem[]): (number | string)[] {
  return items.map((item) => (item.type === 'entry' ? item.offset : item.reason));
}

describe('HF-2.4, HF-13: who is a plain client', () => {
  const plain: PlainHandler = { text: (text, client) => client.send(`plain ${text}`) };

  test('one without the subprotocol whose first frame is no hello', async () => {
    const socket = open(plain);
    socket.receive('{"a":{"type":"hello"}}');
    socket.receive('{"type":"hello","client":"c"}');
    expect(socket.sent.splice(0)).toEqual([]);
    await stage.clock.settle();
    expect(socket.sent).toEqual(['plain {"a":{"type":"hello"}}', 'plain {"type":"hello","client":"c"}']);
  });

  test('one without the subprotocol whose first frame is a hello speaks the protocol', async () => {
    const socket = open(plain);
    socket.receive(' { "client" : "c" , "type" : "hello" } ');
    expect(await sent(socket)).toMatchObject([{ type: 'welcome', subject: 'alice' }]);
  });

  test('a hello that is none costs what HF-3.1 says', async () => {
    const socket = open(plain);
    socket.receive('{"type":"hello"}');
    expect(await sent(socket)).toMatchObject([{ type: 'error', code: 'BAD_FRAME' }]);
    expect(socket.closed?.code).toBe(4000);
  });

  test('HF-13.3: on a path without a handler, nobody', async () => {
    const client = stage.open(stage.endpoint, false);
    client.raw('hi');
    expect(client.take('error')).toMatchObject([{ code: 'HELLO_REQUIRED' }]);
    expect(client.closed?.code).toBe(4000);
  });

  test('with the subprotocol, nobody', () => {
    const client = stage.open(new Endpoint({ plain }), true);
    client.raw('hi');
    expect(client.take('error')).toMatchObject([{ code: 'HELLO_REQUIRED' }]);
  });

  test('it may keep silent for as long as it likes, before and after its first frame, and is never sent a word of the protocol', async () => {
    const early = open(plain);
    const socket = open({ text: () => {} });
    socket.receive('x');
    await stage.clock.advance(10 * 60_000);
    expect([early.closed, socket.closed, await sent(early), await sent(socket)]).toEqual([undefined, undefined, [], []]);
    early.receive('{"type":"hello","client":"c"}');
    expect(await sent(early)).toEqual(['plain {"type":"hello","client":"c"}']);
  });

  test('what it showed in the upgrade is examined at the deadline of a hello, even if it says nothing', async () => {
    const refuse = (): never => {
      throw new HoldfastError('UNAUTHENTICATED', 'no cookie');
    };
    const socket = open(plain, { authenticate: refuse });
    await stage.clock.advance(10_000);
    expect(await sent(socket)).toEqual([{ type: 'error', code: 'UNAUTHENTICATED', message: 'no cookie' }]);
    expect(socket.closed?.code).toBe(4300);
  });
});

describe('HF-13.1: authentication comes with the upgrade', () => {
  test('the hook sees the headers, and the handler who it is', async () => {
    const { client } = await clientOf(
      {},
      {
        authenticate: ({ headers, token, client: name }) => ({
          subject: `${String(headers['cookie'])} ${String(token)} ${name.slice(0, 6)}`,
        }),
      },
    );
    expect(client.identity.subject).toBe('session=1 undefined plain-');
  });

  test.each<[Error, number, string]>([
    [new HoldfastError('UNAUTHENTICATED', 'no cookie'), 4300, 'UNAUTHENTICATED'],
    [new HoldfastError('FORBIDDEN'), 4002, 'FORBIDDEN'],
    [new Error('secret'), 4100, 'INTERNAL'],
  ])('%s is said, and closes', async (error, code, reason) => {
    let closed = 0;
    const socket = open({ text: () => {}, closed: () => void (closed += 1) }, { authenticate: () => Promise.reject(error) });
    socket.receive('x');
    expect(await sent(socket)).toMatchObject([{ type: 'error', code: reason }]);
    expect(socket.closed).toEqual({ code, reason });
    expect(closed).toBe(0);
  });
});

describe('HF-13.2: the handlers', () => {
  test('by type, text and bytes, in order, one after the other', async () => {
    const log: string[] = [];
    const release: (() => void)[] = [];
    const socket = open({
      messages: {
        slow: async () => {
          log.push('slow begins');
          await new Promise<void>((resolve) => release.push(resolve));
          log.push('slow ends');
        },
        quick: ({ n }) => void log.push(`quick ${n as number}`),
      },
      text: (text) => void log.push(`text ${text}`),
      bytes: (bytes) => void log.push(`bytes ${bytes.join()}`),
    });
    socket.receive('{"type":"slow"}');
    socket.receive('{"type":"quick","n":1}');
    socket.receive('{"type":"other"}');
    socket.receive('words');
    socket.receive(Uint8Array.of(1, 2));
    await stage.clock.settle();
    expect(log.splice(0)).toEqual(['slow begins']);
    release[0]!();
    await stage.clock.settle();
    expect(log).toEqual(['slow ends', 'quick 1', 'text {"type":"other"}', 'text words', 'bytes 1,2']);
  });

  test.each<[string | Uint8Array, string]>([
    ['words', 'BAD_FRAME'],
    ['[1]', 'BAD_FRAME'],
    ['{"type":"toString"}', 'UNKNOWN_TYPE'],
    ['{"type":1}', 'UNKNOWN_TYPE'],
    ['{"type":"known","__proto__":1}', 'FORBIDDEN_KEY'],
    [`{"type":"known","a":${'['.repeat(50)}${']'.repeat(50)}}`, 'TOO_DEEP'],
    [`{"type":"known","a":[${'0,'.repeat(17_000)}0]}`, 'TOO_MANY_KEYS'],
    [Uint8Array.of(1), 'BAD_FRAME'],
  ])('%s, for which there is none: %s', async (frame, code) => {
    const socket = open({ messages: { known: () => {} } });
    socket.receive(frame);
    expect(await sent(socket)).toMatchObject([{ type: 'error', code }]);
    expect(socket.closed).toBeUndefined();
  });

  test('one that fails is INTERNAL for the client, and the next frame goes on', async () => {
    const socket = open({
      messages: {
        fail: () => {
          throw new Error('secret');
        },
        refuse: () => Promise.reject(new HoldfastError('REFUSED', 'no')),
        ok: (_message, client) => client.send({ ok: true }),
        wrong: (_message, client) => client.send(undefined as unknown as Json),
      },
    });
    for (const type of ['fail', 'refuse', 'wrong', 'ok']) socket.receive(`{"type":"${type}"}`);
    expect(await sent(socket)).toEqual([
      { type: 'error', code: 'INTERNAL', message: expect.not.stringContaining('secret') as string },
      { type: 'error', code: 'REFUSED', message: 'no' },
      { type: 'error', code: 'INTERNAL', message: expect.any(String) as string },
      { ok: true },
    ]);
    expect(stage.errors).toHaveLength(2);
  });

  test('a handler that is too slow for what comes is not waited for', async () => {
    const socket = open({ text: () => new Promise(() => undefined) });
    for (let count = 0; count < 256; count++) socket.receive('x');
    await stage.clock.settle();
    expect(socket.closed).toBeUndefined();
    socket.receive('x');
    socket.receive('x');
    expect(socket.closed).toEqual({ code: 4100, reason: 'OVERLOADED' });
  });
});

describe('what a handler can do', () => {
  test('publish: with rights and hooks, in the order of the calls', async () => {
    stage = new Stage({
      topics: [{ pattern: '*', beforePublish: ({ items: [item], identity }) => [{ by: identity.subject, item: item as Json }] }],
    });
    const { client } = await clientOf({}, { topics: ['t', 'u'], authorize: ({ topic }) => topic === 't' });
    const results = Promise.allSettled([client.publish('t', 1), client.publish('u', 2), client.publish('x', 3), client.publish('t', 4)]);
    await stage.clock.settle();
    expect(
      (await results).map((result) => (result.status === 'fulfilled' ? result.value.offset : (result.reason as HoldfastError).code)),
    ).toEqual([1, 'FORBIDDEN', 'UNKNOWN_TOPIC', 2]);
    expect(stage.disk.topics.get('t')!.entries.map(({ payload, from }) => [payload, from])).toEqual([
      ['{"by":"alice","item":1}', 'alice'],
      ['{"by":"alice","item":4}', 'alice'],
    ]);
  });

  test('follow: from now on, from a position, from the newest; and publish what others see', async () => {
    await fill(3);
    const { epoch } = stage.disk.topics.get('t')!;
    const { client } = await clientOf();
    const items: PlainItem[] = [];
    const collect = (item: PlainItem): void => void items.push(item);
    await Promise.all([client.follow('t', { position: { epoch, offset: 1, revision: 0 } }, collect), stage.clock.settle()]);
    await Promise.all([client.follow('t', { last: 3 }, collect), stage.clock.settle()]);
    await fill(1);
    expect(offsets(items.splice(0))).toEqual([2, 3, 4]);
    client.unfollow('t');
    await fill(1);
    expect(items).toEqual([]);
    await Promise.all([client.follow('t', {}, collect), stage.clock.settle()]);
    await fill(1);
    expect(items).toMatchObject([{ type: 'entry', offset: 6, data: 1, from: 'server' }]);
    client.unfollow('t');
    items.length = 0;
    await Promise.all([client.follow('t', { position: { epoch: 'old', offset: 9, revision: 0 } }, collect), stage.clock.settle()]);
    expect(offsets(items)).toEqual(['epoch', 1, 2, 3, 4, 5, 6]);
  });

  test('HF-1.1: a topic name that is none, handed on as the client sent it, founds nothing', async () => {
    const { client } = await clientOf();
    for (const name of ['', 'a b', 'a//b', 'x'.repeat(201), undefined, {}, { toString: '' }] as string[]) {
      await expect(client.publish(name, 1)).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' });
      await expect(client.follow(name, {}, () => {})).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' });
    }
    await stage.clock.settle();
    expect([...stage.disk.topics.keys()]).toEqual([]);
    expect(stage.errors).toEqual([]);
  });

  test('bytes that it is given are its own', async () => {
    const { client } = await clientOf();
    let got: Uint8Array | undefined;
    await Promise.all([client.follow('t', {}, (item) => item.type === 'entry' && (got = item.data as Uint8Array)), stage.clock.settle()]);
    void stage.hub.publish('t', Uint8Array.of(1, 2));
    await stage.clock.settle();
    got!.fill(9);
    expect(stage.disk.topics.get('t')!.entries[0]!.payload).toEqual(Uint8Array.of(1, 2));
  });

  test('HF-7.2: a slow reader is waited for, and misses nothing', async () => {
    const { client, socket } = await clientOf();
    const items: PlainItem[] = [];
    await Promise.all([client.follow('t', {}, (item) => void items.push(item)), stage.clock.settle()]);
    socket.bufferedBytes = stage.hub.services.limits.queueBytesMax;
    await fill(3);
    expect(items).toEqual([]);
    socket.drain();
    await stage.clock.settle();
    expect(offsets(items)).toEqual([1, 2, 3]);
  });

  test('HF-5.10: what may not be followed, or no more', async () => {
    let isAllowed = false;
    const { client, socket } = await clientOf({}, { topics: ['t'], authorize: () => isAllowed });
    const items: PlainItem[] = [];
    const follow = (topic: string): Promise<void> => client.follow(topic, {}, (item) => void items.push(item));
    await expect(follow('x')).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' });
    await expect(follow('t')).rejects.toMatchObject({ code: 'FORBIDDEN' });
    isAllowed = true;
    await Promise.all([follow('t'), stage.clock.settle()]);
    await fill(1);
    isAllowed = false;
    await Promise.all([stage.hub.recheck('alice'), stage.clock.settle()]);
    await fill(1);
    expect(offsets(items)).toEqual([1]);
    expect(await sent(socket)).toEqual([{ type: 'error', code: 'FORBIDDEN', message: '"alice" may not subscribe "t"' }]);
    isAllowed = true;
    await Promise.all([stage.hub.recheck(), stage.clock.settle()]);
    expect(offsets(items)).toEqual([1, 2]);
  });

  test('an item handler that fails is reported, and the next item comes', async () => {
    const { client } = await clientOf();
    const seen: number[] = [];
    const items = client.follow('t', {}, (async (item: PlainItem) => {
      if (item.type === 'entry') seen.push(item.offset);
      if (seen.length === 1) throw new Error('later');
      if (seen.length === 2) await Promise.reject(new Error('asynchronous'));
    }) as (item: PlainItem) => void);
    await Promise.all([items, stage.clock.settle()]);
    const other = await clientOf();
    await Promise.all([
      other.client.follow('t', {}, () => {
        throw new Error('at once');
      }),
      stage.clock.settle(),
    ]);
    await fill(3);
    expect(seen).toEqual([1, 2, 3]);
    expect(stage.errors.map((error) => (error as Error).message).sort()).toEqual([
      'asynchronous',
      'at once',
      'at once',
      'at once',
      'later',
    ]);
  });

  test('close, with a reason that is cut to what fits (HF-11.1)', async () => {
    const { client, socket } = await clientOf();
    client.close(4_999, 'é'.repeat(100));
    expect(socket.closed?.code).toBe(4_999);
    expect(new TextEncoder().encode(socket.closed!.reason)).toHaveLength(122);
  });

  test('HF-8.3: a hub that closes says nothing of it to a plain client but the close', async () => {
    const { socket } = await clientOf();
    await stage.hub.close();
    expect(await sent(socket)).toEqual([]);
    expect(socket.closed?.code).toBe(4200);
  });
});

describe('the end of a session', () => {
  test('is told once, and what was followed ends', async () => {
    let closed = 0;
    const { client, socket } = await clientOf({ closed: () => void (closed += 1) });
    await Promise.all([client.follow('t', {}, () => undefined), stage.clock.settle()]);
    const { topic } = await stage.hub.services.openTopic('t');
    expect(topic.subscribers.size).toBe(1);
    socket.drop();
    socket.drop();
    expect([closed, topic.subscribers.size]).toEqual([1, 0]);
  });

  test('while it is being opened: it was never there', async () => {
    const log: string[] = [];
    const admit: (() => void)[] = [];
    const socket = open(
      { opened: () => void log.push('opened'), closed: () => void log.push('closed'), text: () => void log.push('text') },
      { authenticate: () => new Promise((resolve) => admit.push(() => resolve({ subject: 'a' }))) },
    );
    socket.receive('x');
    await stage.clock.settle();
    socket.drop();
    admit[0]!();
    await stage.clock.settle();
    expect(log).toEqual([]);
  });

  test('while a topic is being followed, or before: nothing stays behind', async () => {
    const { client, socket } = await clientOf();
    const following = client.follow('t', {}, () => undefined);
    socket.drop();
    await Promise.all([following, stage.clock.settle()]);
    await expect(client.follow('t', {}, () => undefined)).rejects.toMatchObject({ code: 'CLOSED' });
    const { topic } = await stage.hub.services.openTopic('t');
    expect(topic.subscribers.size).toBe(0);
  });

  test('following, unfollowing and following again at once follows once', async () => {
    const { client } = await clientOf();
    const first: PlainItem[] = [];
    const second: PlainItem[] = [];
    const one = client.follow('t', {}, (item) => void first.push(item));
    client.unfollow('t');
    const two = client.follow('t', {}, (item) => void second.push(item));
    await Promise.all([one, two, stage.clock.settle()]);
    await fill(1);
    expect([offsets(first), offsets(second)]).toEqual([[], [1]]);
  });

  test('a handler that fails at it harms nobody', async () => {
    const { socket } = await clientOf({
      closed: () => {
        throw new Error('closed');
      },
    });
    socket.drop();
    expect(stage.errors).toEqual([new Error('closed')]);
    expect(stage.hub.connectionCount).toBe(0);
  });
});
