import type { ClientMessage } from '@holdfast/wire';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Client } from './client.ts';
import type { GapItem, Item } from './item.ts';
import { Requests } from './requests.ts';
import { Subscription } from './subscription.ts';
import { collect, outcome, payloads, World } from './world.testing.ts';

const T = 'chat/1';
let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(async () => {
  await world.close();
});

function fill(count: number): void {
  for (let n = 1; n <= count; n++) world.server.log(T).append(n);
}
function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, at) => from + at);
}
/** What the client sent of a type, over all connections that are open. */
function sent<K extends ClientMessage['type']>(type: K): Extract<ClientMessage, { type: K }>[] {
  const all = [...world.server.connections].flatMap(({ received }) => received);
  return all.filter((message): message is Extract<ClientMessage, { type: K }> => message.type === type);
}
function gaps(items: readonly Item[]): GapItem[] {
  return items.filter((item) => item.type === 'gap');
}
async function reconnect(client: Client): Promise<void> {
  world.network.cut();
  await world.clock.advance(0);
  while (client.status.getSnapshot().phase !== 'open') await world.clock.advance(50);
  await world.clock.advance(20);
}

describe('where a reader begins', () => {
  it('HF-5.1: at the head, and misses nothing from there', async () => {
    fill(3);
    const client = await world.connected();
    const items = collect(client.topic(T).items());
    await world.clock.advance(10);
    world.server.append(T, 4);
    await world.clock.advance(10);
    expect(items).toEqual([{ type: 'entry', offset: 4, producer: 'other', seq: 4, from: 'other', at: 1, data: 4 }]);
  });

  it('after a position', async () => {
    fill(5);
    const items = collect(
      world
        .client()
        .topic(T)
        .items({ position: { epoch: 'e1', offset: 2, revision: 0 } }),
    );
    await world.clock.advance(10);
    expect(payloads(items)).toEqual([3, 4, 5]);
  });

  it('with the newest entries', async () => {
    fill(5);
    const items = collect(world.client().topic(T).items({ last: 2 }));
    await world.clock.advance(10);
    expect(payloads(items)).toEqual([4, 5]);
  });

  it('HF-3.2: within the first frame', async () => {
    const client = world.client({ client: 'c' });
    client.topic(T).items({ last: 2 });
    client.topic('chat/2').items();
    await world.clock.advance(10);
    expect(world.server.hellos[0]?.subscribe).toEqual([
      { id: 1, topic: T, last: 2, credit: 256 },
      { id: 2, topic: 'chat/2', credit: 256 },
    ]);
    expect(sent('subscribe')).toEqual([]);
  });

  it('HF-3.2: those beyond the bound follow, each once', async () => {
    const client = world.client();
    const lists = range(1, 70).map((n) => collect(client.topic(`t/${n}`).items()));
    world.server.limits = { ...world.server.limits, topicsPerFrameMax: 65 };
    await world.clock.advance(20);
    expect(world.server.hellos[0]?.subscribe).toHaveLength(64);
    expect(sent('subscribe')).toHaveLength(6);
    for (let n = 1; n <= 70; n++) world.server.append(`t/${n}`, n);
    await world.clock.advance(20);
    expect(lists.map(payloads)).toEqual(range(1, 70).map((n) => [n]));
    await reconnect(client);
    expect(world.server.hellos[1]?.subscribe).toHaveLength(65);
  });

  it('refuses both, and what is no count', async () => {
    const topic = world.client().topic(T);
    expect(() => topic.items({ last: 1, position: { epoch: 'e', offset: 0, revision: 0 } })).toThrow('either');
    expect(() => topic.items({ last: -1 })).toThrow('last');
    expect(() => topic.items({ window: 0 })).toThrow('window');
  });
});

describe('resuming (HF-5)', () => {
  it('goes on after what was received, whether or not it was processed', async () => {
    fill(3);
    const client = await world.connected();
    const reader = client.topic(T).items({ last: 3 });
    await world.clock.advance(10);
    await reader.next();
    world.server.log(T).append(4);
    await reconnect(client);
    expect(world.server.hellos.at(-1)?.subscribe?.[0]?.position).toEqual({ epoch: 'e1', offset: 3, revision: 0 });
    const rest = collect(reader);
    await world.clock.advance(10);
    expect(payloads(rest)).toEqual([2, 3, 4]);
  });

  it('HF-5.9: the position is that of the last item that was processed: the next one was asked for', async () => {
    fill(3);
    const client = await world.connected();
    const reader = client.topic(T).items({ last: 3 });
    expect(reader.position).toBeUndefined();
    const first = reader.next();
    await world.clock.advance(10);
    await first;
    expect(reader.position).toEqual({ epoch: 'e1', offset: 0, revision: 0 });
    await reader.next();
    expect(reader.position?.offset).toBe(1);
    await reader.next();
    const fourth = outcome(reader.next());
    expect(reader.position?.offset).toBe(3);
    reader.close();
    await world.clock.advance(0);
    expect(fourth.value).toEqual({ done: true, value: undefined });
    expect(reader.position?.offset).toBe(3);
  });

  it('a break leaves the item in hand unprocessed', async () => {
    fill(3);
    const client = await world.connected();
    const reader = client.topic(T).items({ last: 3 });
    await world.clock.advance(10);
    for await (const item of reader) if (item.type === 'entry' && item.offset === 2) break;
    expect(reader.position?.offset).toBe(1);
    await expect(reader.next()).resolves.toEqual({ done: true, value: undefined });
  });

  it('loses nothing and repeats nothing through many cuts', async () => {
    const client = await world.connected();
    const items = collect(client.topic(T).items());
    await world.clock.advance(10);
    for (let n = 1; n <= 40; n++) {
      world.server.append(T, n);
      if (n % 3 === 0) await world.clock.advance(1);
      if (n % 7 === 0) await reconnect(client);
    }
    await world.clock.advance(10);
    expect(payloads(items)).toEqual(range(1, 40));
  });

  it('HF-5.6: a skip moves the position without an item', async () => {
    fill(2);
    const client = await world.connected();
    const reader = client.topic(T).items({ last: 2 });
    const items = collect(reader);
    await world.clock.advance(10);
    const { connection } = world.server;
    connection.send({ type: 'skip', topic: T, first: 3, last: 5 });
    connection.cursors.get(T)!.offset = 5;
    fill(4);
    world.server.pump();
    await world.clock.advance(10);
    expect(items.map((item) => item.type === 'entry' && item.offset)).toEqual([1, 2, 6]);
    expect(reader.position?.offset).toBe(6);
  });

  it('after a skip with nothing in hand the position stands behind it', async () => {
    fill(1);
    const client = await world.connected();
    const reader = client.topic(T).items({ last: 1 });
    collect(reader);
    await world.clock.advance(10);
    world.server.connection.send({ type: 'skip', topic: T, first: 2, last: 9 });
    await world.clock.advance(10);
    expect(reader.position?.offset).toBe(9);
  });
});

describe('gaps (HF-5.7)', () => {
  it('come in their place, with this reader’s own position', async () => {
    fill(3);
    const client = await world.connected();
    const items = collect(client.topic(T).items({ last: 3 }));
    await world.clock.advance(10);
    for (let n = 4; n <= 9; n++) world.server.log(T).append(n);
    world.server.log(T).trim(8);
    await reconnect(client);
    expect(payloads(items)).toEqual([1, 2, 3, 8, 9]);
    expect(items[3]).toEqual({
      type: 'gap',
      reason: 'retention',
      before: { epoch: 'e1', offset: 3, revision: 0 },
      after: { epoch: 'e1', offset: 7, revision: 0 },
    });
  });

  it('a new epoch reaches every reader, each with its own place, and the new log from its first entry', async () => {
    fill(6);
    const client = await world.connected();
    const topic = client.topic(T);
    const [early, late] = [collect(topic.items({ last: 6 })), collect(topic.items())];
    await world.clock.advance(20);
    world.server.log(T).restart('e2');
    fill(2);
    await reconnect(client);
    expect([payloads(early), payloads(late)]).toEqual([
      [1, 2, 3, 4, 5, 6, 1, 2],
      [1, 2],
    ]);
    expect(gaps(early)).toEqual([
      { type: 'gap', reason: 'epoch', before: { epoch: 'e1', offset: 6, revision: 0 }, after: { epoch: 'e2', offset: 0, revision: 0 } },
    ]);
    expect(gaps(late)).toHaveLength(1);
  });

  it('a head that went back is a gap of ahead, also within the epoch', async () => {
    fill(6);
    const client = await world.connected();
    const items = collect(client.topic(T).items({ last: 1 }));
    await world.clock.advance(20);
    world.server.log(T).entries.length = 4;
    await reconnect(client);
    expect(gaps(items)).toEqual([
      { type: 'gap', reason: 'ahead', before: { epoch: 'e1', offset: 6, revision: 0 }, after: { epoch: 'e1', offset: 0, revision: 0 } },
    ]);
    expect(payloads(items)).toEqual([6, 1, 2, 3, 4]);
  });

  it('a head that went back is told to a reader that had nothing yet, too', async () => {
    fill(6);
    const client = await world.connected();
    const items = collect(client.topic(T).items());
    await world.clock.advance(20);
    world.server.log(T).entries.length = 4;
    await reconnect(client);
    expect([gaps(items).map(({ reason }) => reason), payloads(items)]).toEqual([['ahead'], [1, 2, 3, 4]]);
  });

  it('a head that went back is told to the readers beyond it, while another one behind it reads on', async () => {
    for (const order of [0, 1]) {
      world.server.log(T).entries.length = 0;
      fill(12);
      const client = await world.connected({ window: 4 });
      const topic = client.topic(T);
      const starts = [2, 10, 12].map((offset) => ({ epoch: 'e1', offset, revision: 0 }));
      const readers = (order === 0 ? starts : [...starts].reverse()).map((position) => topic.items({ position }));
      await world.clock.advance(20);
      world.server.log(T).entries.length = 8;
      await reconnect(client);
      const lists = readers.map((reader) => collect(reader));
      await world.clock.advance(100);
      const [behind, beyond, farBeyond] = order === 0 ? lists : [...lists].reverse();
      expect([payloads(behind!), gaps(behind!)]).toEqual([range(3, 8), []]);
      expect([payloads(beyond!), gaps(beyond!).map(({ reason, before }) => [reason, before.offset])]).toEqual([
        range(1, 8),
        [['ahead', 10]],
      ]);
      expect([payloads(farBeyond!), gaps(farBeyond!).map(({ before }) => before.offset)]).toEqual([range(1, 8), [12]]);
      await client.close();
    }
  });

  it('a reader that lies behind the cut gets the gap, one before it does not', async () => {
    fill(10);
    const client = await world.connected();
    const topic = client.topic(T);
    const near = collect(topic.items({ position: { epoch: 'e1', offset: 8, revision: 0 } }));
    await world.clock.advance(10);
    world.server.log(T).trim(6);
    const far = collect(topic.items({ position: { epoch: 'e1', offset: 2, revision: 0 } }));
    await world.clock.advance(20);
    expect([payloads(near), gaps(near)]).toEqual([[9, 10], []]);
    expect([payloads(far), gaps(far).map(({ before }) => before.offset)]).toEqual([[6, 7, 8, 9, 10], [2]]);
  });

  it('is not told to who asked for the newest entries and can have fewer', async () => {
    fill(10);
    const client = await world.connected();
    const topic = client.topic(T);
    collect(topic.items());
    await world.clock.advance(10);
    world.server.log(T).trim(8);
    const items = collect(topic.items({ last: 8 }));
    await world.clock.advance(20);
    expect([payloads(items), gaps(items)]).toEqual([[8, 9, 10], []]);
  });

  it('two readers of different epochs on one topic: the old one learns, the other is not disturbed', async () => {
    world.server.log(T).restart('e2');
    fill(4);
    for (const order of [0, 1]) {
      const client = await world.connected();
      const topic = client.topic(T);
      const starts = [
        { epoch: 'e1', offset: 50, revision: 3 },
        { epoch: 'e2', offset: 2, revision: 0 },
      ];
      const lists = (order === 0 ? starts : [...starts].reverse()).map((position) => collect(topic.items({ position })));
      const [old, present] = order === 0 ? lists : [...lists].reverse();
      await world.clock.advance(50);
      expect([payloads(old!), gaps(old!).map(({ before }) => before.offset)]).toEqual([[1, 2, 3, 4], [50]]);
      expect([payloads(present!), gaps(present!)]).toEqual([[3, 4], []]);
      await client.close();
      await world.clock.advance(5);
    }
  });
});

describe('several readers of one topic', () => {
  it('each has every entry after its own place, over one subscription', async () => {
    fill(10);
    const client = await world.connected();
    const topic = client.topic(T);
    const head = collect(topic.items());
    await world.clock.advance(10);
    const far = collect(topic.items({ position: { epoch: 'e1', offset: 0, revision: 0 } }));
    const near = collect(topic.items({ position: { epoch: 'e1', offset: 7, revision: 0 } }));
    await world.clock.advance(20);
    world.server.append(T, 11);
    await world.clock.advance(10);
    expect([payloads(head), payloads(far), payloads(near)]).toEqual([[11], range(1, 11), range(8, 11)]);
    expect(world.server.connection.cursors.size).toBe(1);
  });

  it('one that joins a live stream at the head costs no frame', async () => {
    const client = await world.connected();
    const topic = client.topic(T);
    collect(topic.items());
    await world.clock.advance(10);
    const before = world.server.connection.received.length;
    const second = collect(topic.items());
    await world.clock.advance(10);
    expect(world.server.connection.received).toHaveLength(before);
    world.server.append(T, 'x');
    await world.clock.advance(10);
    expect(payloads(second)).toEqual(['x']);
  });

  it('one that joins at the head of a stream that lags asks for the head, and still sees an own publish', async () => {
    fill(20);
    const client = await world.connected({ window: 4 });
    const topic = client.topic(T);
    const slow = topic.items({ position: { epoch: 'e1', offset: 0, revision: 0 } });
    await world.clock.advance(10);
    // The answer comes after the publish was stored.
    world.server.onMessage = (message, connection) => {
      if (message.type === 'read') world.clock.setTimeout(() => world.server.handle(message, connection), 5);
      return message.type === 'read';
    };
    const head = collect(topic.items());
    const published = outcome(topic.publish('mine'));
    await world.clock.advance(20);
    expect(published.value?.offset).toBe(21);
    expect(sent('read')).toHaveLength(1);
    expect(payloads(head)).toEqual([]);
    const all = collect(slow);
    await world.clock.advance(100);
    expect([payloads(head), payloads(all)]).toEqual([['mine'], [...range(1, 20), 'mine']]);
  });

  it('HF-4.1: an answer that is no page places it where the stream is known to be', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    fill(20);
    const client = await world.connected({ window: 4 });
    const topic = client.topic(T);
    topic.items({ position: { epoch: 'e1', offset: 0, revision: 0 } });
    await world.clock.advance(10);
    world.server.onMessage = (message, connection) => {
      if (message.type === 'read') connection.send({ type: 'reply', id: message.id, data: { last: 'none' } });
      return message.type === 'read';
    };
    const head = topic.items();
    await world.clock.advance(20);
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
    expect(head.position).toEqual({ epoch: 'e1', offset: 20, revision: 0 });
  });

  it('HF-1.3: a server that skips to the end of all numbers gets no credit beyond them', async () => {
    const client = await world.connected();
    void client.topic(T).enter({});
    await world.clock.advance(10);
    const last = Number.MAX_SAFE_INTEGER;
    world.server.connection.send({ type: 'skip', topic: T, first: 1, last });
    await world.clock.advance(10);
    expect(sent('credit').map(({ upTo }) => upTo)).toEqual([last]);
  });

  it('unsubscribes when the last one leaves, and not between two of one turn', async () => {
    const client = await world.connected();
    const topic = client.topic(T);
    const first = topic.items();
    await world.clock.advance(10);
    first.close();
    const second = topic.items();
    await world.clock.advance(10);
    expect(sent('unsubscribe')).toEqual([]);
    second.close();
    await world.clock.advance(10);
    expect(sent('unsubscribe')).toHaveLength(1);
    const third = collect(topic.items());
    await world.clock.advance(10);
    world.server.append(T, 1);
    await world.clock.advance(10);
    expect(payloads(third)).toEqual([1]);
  });

  it('takes no answer for an older question', async () => {
    const client = await world.connected();
    const topic = client.topic(T);
    fill(3);
    const first = topic.items();
    await world.clock.advance(0);
    first.close();
    await world.clock.advance(0);
    const items = collect(topic.items({ position: { epoch: 'e1', offset: 1, revision: 0 } }));
    await world.clock.advance(20);
    expect(payloads(items)).toEqual([2, 3]);
    expect([sent('subscribe').length, sent('unsubscribe').length, world.network.connectCount]).toEqual([2, 1, 1]);
  });
});

describe('registers (HF-7.8)', () => {
  it('come as items, in order of revision, and resume', async () => {
    const client = await world.connected();
    const items = collect(client.topic(T).items());
    await world.clock.advance(10);
    world.server.register(T, 'read/a', 1);
    await world.clock.advance(10);
    world.network.cut();
    world.server.register(T, 'read/b', 2);
    world.server.register(T, 'read/a', 3);
    await world.clock.advance(1_000);
    expect(items).toEqual([
      { type: 'register', key: 'read/a', value: 1, revision: 1 },
      { type: 'register', key: 'read/b', value: 2, revision: 2 },
      { type: 'register', key: 'read/a', value: 3, revision: 3 },
    ]);
  });

  it('only the newest of a key waits for a slow reader', async () => {
    const client = await world.connected();
    const reader = client.topic(T).items();
    await world.clock.advance(10);
    for (let n = 1; n <= 100; n++) world.server.register(T, `k${n % 3}`, n);
    await world.clock.advance(10);
    const items = collect(reader);
    await world.clock.advance(0);
    expect(items).toEqual([98, 99, 100].map((n) => ({ type: 'register', key: `k${n % 3}`, value: n, revision: n })));
    expect(reader.position?.revision).toBe(100);
  });

  it('a reader with an older revision gets what it missed, the others nothing twice', async () => {
    const client = await world.connected();
    const topic = client.topic(T);
    const first = collect(topic.items());
    await world.clock.advance(10);
    world.server.register(T, 'a', 1);
    world.server.register(T, 'b', 2);
    await world.clock.advance(10);
    const second = collect(topic.items({ position: { epoch: 'e1', offset: 0, revision: 1 } }));
    const newest = collect(topic.items({ last: 5 }));
    await world.clock.advance(20);
    expect(first).toHaveLength(2);
    expect(second.map((item) => item.type === 'register' && item.key)).toEqual(['b']);
    expect(newest.map((item) => item.type === 'register' && item.key)).toEqual(['a', 'b']);
  });
});

describe('the epoch (HF-6.8)', () => {
  it('of a publish is that of this connection’s log, not of the last one’s', async () => {
    const client = await world.connected();
    const topic = client.topic(T);
    collect(topic.items());
    await world.clock.advance(10);
    world.server.log(T).restart('e2');
    world.network.isUnreachable = true;
    world.network.cut();
    await world.clock.advance(1);
    const sentFor = outcome(topic.publish('a'));
    world.network.isUnreachable = false;
    await reconnect(client);
    expect([sentFor.value, world.server.published.length]).toMatchObject([{ offset: 1, epoch: 'e2' }, 1]);
  });
});

describe('a hole that nobody else noticed (HF-5.8)', () => {
  it('is never delivered past', () => {
    const { clock } = world;
    const resyncs: string[] = [];
    const ids: number[] = [];
    const requests = new Requests(clock, (message) => ids.push((message as { id: number }).id));
    const subscription = new Subscription(T, 8, {
      clock,
      random: () => 0,
      requests,
      isOpen: () => true,
      send: () => {},
      resync: ({ code }) => resyncs.push(code),
    });
    requests.open(8, () => {});
    const position = { epoch: 'e1', offset: 0, revision: 0 };
    const reader = subscription.read({ position });
    requests.answer({ type: 'subscribed', id: ids[0]!, topic: T, number: 1, position, head: 9 });
    const fields = { topic: T, producer: 'p', seq: 1, from: 'x', at: 1, data: 1 };
    subscription.entry({ type: 'entry', offset: 1, ...fields });
    expect([reader.received?.offset, resyncs]).toEqual([1, []]);
    subscription.entry({ type: 'entry', offset: 3, ...fields });
    subscription.skip({ type: 'skip', topic: T, first: 4, last: 5 });
    expect([reader.received?.offset, resyncs]).toEqual([1, ['OUT_OF_ORDER', 'OUT_OF_ORDER']]);
  });
});

describe('refusals', () => {
  it('a terminal one ends the readers with it', async () => {
    world.server.onMessage = (message, connection) => {
      if (message.type !== 'subscribe') return false;
      world.server.refuse(connection, { id: message.id }, { code: 'UNKNOWN_TOPIC' });
      return true;
    };
    const client = await world.connected();
    const reader = client.topic(T).items();
    const first = outcome(reader.next());
    await world.clock.advance(10);
    expect(first.code).toBe('UNKNOWN_TOPIC');
    await expect(reader.next()).resolves.toEqual({ done: true, value: undefined });
    const late = client.topic(T).items();
    await world.clock.advance(10);
    await expect(late.next()).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' });
  });

  it('a retryable one is asked again', async () => {
    let refusals = 3;
    world.server.onMessage = (message, connection) => {
      if (message.type !== 'subscribe' || refusals-- <= 0) return false;
      world.server.refuse(connection, { id: message.id }, { code: 'OVERLOADED', retryable: true, retryAfterMs: 100 });
      return true;
    };
    fill(1);
    const client = await world.connected();
    const items = collect(client.topic(T).items({ last: 1 }));
    await world.clock.advance(10_000);
    expect(payloads(items)).toEqual([1]);
  });
});

describe('the end', () => {
  it('close() ends every iteration, also those to come', async () => {
    const client = await world.connected();
    const topic = client.topic(T);
    const seen: Item[] = [];
    let isOver = false;
    const loop = async (): Promise<void> => {
      for await (const item of topic) seen.push(item);
      isOver = true;
    };
    const running = loop();
    await world.clock.advance(10);
    world.server.append(T, 1);
    await world.clock.advance(10);
    await client.close();
    await running;
    expect([isOver, payloads(seen)]).toEqual([true, [1]]);
    await expect(topic.items().next()).resolves.toEqual({ done: true, value: undefined });
    await expect(client.topic('other').items().next()).resolves.toEqual({ done: true, value: undefined });
  });

  it('what was received before the end can still be read', async () => {
    fill(2);
    const client = await world.connected();
    const reader = client.topic(T).items({ last: 2 });
    await world.clock.advance(10);
    await client.close();
    expect((await reader.next()).value).toMatchObject({ data: 1 });
    expect((await reader.next()).value).toMatchObject({ data: 2 });
    expect((await reader.next()).done).toBe(true);
  });
});
