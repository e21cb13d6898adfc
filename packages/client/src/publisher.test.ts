import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryOutbox } from './outbox-memory.ts';
import type { OutboxStore } from './outbox.ts';
import { FRAME_KEYS } from './payload.ts';
import { outcome, persistent, rows, T, World } from './world.testing.ts';

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(async () => {
  await world.close();
});

describe('publishing (HF-6)', () => {
  it('settles with where it stands, and leaves the outbox', async () => {
    const client = await world.connected();
    const published = outcome(client.topic(T).publish('a'));
    expect(rows(client)).toEqual([{ items: ['a'], state: 'sending' }]);
    expect(client.status.getSnapshot().queuedCount).toBe(1);
    await world.clock.advance(10);
    expect(published.value).toEqual({ offset: 1, epoch: 'e1', duplicate: false });
    expect([rows(client), client.status.getSnapshot().queuedCount]).toEqual([[], 0]);
  });

  it('sends a snapshot: what the caller changes later is not sent', async () => {
    const client = world.client();
    const message = { text: 'a', tags: ['x'], none: undefined };
    const bytes = Buffer.from([1, 2, 3]);
    const { none: _none, ...json } = message;
    void client.topic(T).publish(json);
    void client.topic(T).publish(bytes);
    json.text = 'b';
    json.tags.push('y');
    bytes[0] = 9;
    await world.open(client);
    expect(world.stored()).toEqual([{ text: 'a', tags: ['x'] }, new Uint8Array([1, 2, 3])]);
  });

  it('throws at once for what is no payload, and changes nothing', () => {
    const client = world.client();
    const topic = client.topic(T);
    const deep = JSON.parse('['.repeat(40) + ']'.repeat(40)) as never;
    for (const [bad, code] of [
      [Number.NaN, 'USAGE'],
      [undefined, 'USAGE'],
      [() => 1, 'USAGE'],
      [new Date(), 'USAGE'],
      [{ a: [new Map()] }, 'USAGE'],
      [JSON.parse('{"__proto__":1}'), 'FORBIDDEN_KEY'],
      [deep, 'TOO_DEEP'],
      [Array(16_384 - FRAME_KEYS + 1).fill(0), 'TOO_MANY_KEYS'],
    ] as const) {
      expect(() => topic.publish(bad as never)).toThrow(expect.objectContaining({ code }));
    }
    // The keys of an atomic publish count together: half of them each, and two for each entry.
    const half = (16_384 - FRAME_KEYS) / 2;
    const list = (count: number): never => Array(count).fill(0) as never;
    expect(() => topic.publishAll([list(half - 1), list(half - 2)])).toThrow(expect.objectContaining({ code: 'TOO_MANY_KEYS' }));
    expect(() => topic.publishAll([])).toThrow('at least one');
    expect(() => client.topic('a b')).toThrow(expect.objectContaining({ code: 'USAGE' }));
    expect(rows(client)).toEqual([]);
  });

  it('HF-6.1: an atomic publish is one row under one seq', async () => {
    const client = await world.connected();
    const published = outcome(client.topic(T).publishAll([1, new Uint8Array([2]), { three: 3 }]));
    const next = outcome(client.topic(T).publish(4));
    await world.clock.advance(10);
    expect([published.value?.offset, next.value?.offset, world.seqs()]).toEqual([1, 4, [1, 2]]);
    expect(world.stored()).toEqual([1, new Uint8Array([2]), { three: 3 }, 4]);
  });

  it('HF-6.1: ifHead is refused when the head is another', async () => {
    world.server.log(T).append('x');
    const client = await world.connected();
    const topic = client.topic(T);
    const results = [outcome(topic.publish('a', { ifHead: 0 })), outcome(topic.publish('b', { ifHead: 1 })), outcome(topic.publish('c'))];
    await world.clock.advance(10);
    expect(results.map(({ code, value }) => code ?? value?.offset)).toEqual(['HEAD_MISMATCH', 2, 3]);
    expect(world.seqs()).toEqual([1, 2, 3]);
  });

  it('HF-6.3: keeps at most W in flight', async () => {
    world.server.limits = { ...world.server.limits, inFlightMax: 4 };
    let peak = 0;
    const held: (() => void)[] = [];
    world.server.onMessage = (message, connection) => {
      if (message.type !== 'publish') return false;
      held.push(() => world.server.handle(message, connection));
      peak = Math.max(peak, held.length);
      return true;
    };
    const client = await world.connected();
    const all = Array.from({ length: 20 }, (_, n) => outcome(client.topic(T).publish(n)));
    while (all.some(({ value }) => value === undefined)) {
      await world.clock.advance(10);
      expect(rows(client).filter(({ state }) => state === 'sending').length).toBeLessThanOrEqual(4);
      held.shift()?.();
    }
    expect(peak).toBe(4);
    expect(world.stored()).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });

  it('HF-6.5: sends nothing so far ahead that the server could forget the lowest seq without an answer', async () => {
    world.server.limits = { ...world.server.limits, inFlightMax: 4 };
    const held: (() => void)[] = [];
    world.server.onMessage = (message, connection) => {
      if (message.type !== 'publish') return false;
      world.server.published.push(message);
      const { topic, producer, seq } = message;
      const answer = (): void => connection.send({ type: 'ack', topic, producer, seq, offset: seq, epoch: 'e1' });
      if (seq === 1) held.push(answer);
      else answer();
      return true;
    };
    const client = await world.connected();
    const all = Array.from({ length: 8 }, (_, n) => outcome(client.topic(T).publish(n)));
    await world.clock.advance(100);
    expect(world.seqs()).toEqual([1, 2, 3, 4]);
    held[0]!();
    await world.clock.advance(100);
    expect(all.map(({ value }) => value?.offset)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('refuses what no server would take, without spending a seq', async () => {
    world.server.limits = { ...world.server.limits, frameBytesMax: 10_000, entriesPerPublishMax: 2 };
    const client = await world.connected();
    const topic = client.topic(T);
    const results = [topic.publish('x'.repeat(8_000)), topic.publishAll([1, 2, 3]), topic.publish('ok')].map(outcome);
    await world.clock.advance(10);
    expect(results.map(({ code, value }) => code ?? value?.offset)).toEqual(['TOO_LARGE', 'TOO_LARGE', 1]);
    expect(world.seqs()).toEqual([1]);
  });

  it('holds no more than outboxCountMax', async () => {
    const client = world.client({ outboxCountMax: 2 });
    const results = [1, 2, 3].map((n) => outcome(client.topic(T).publish(n)));
    await world.open(client);
    expect(results.map(({ code, value }) => code ?? value?.offset)).toEqual([1, 2, 'OUTBOX_FULL']);
  });
});

describe('a cut (HF-6.5)', () => {
  it('sends again from the lowest unacknowledged, in order, and is told of duplicates', async () => {
    const client = await world.connected();
    const topic = client.topic(T);
    // The first two arrive, their acknowledgements do not.
    world.server.onMessage = (message, connection) => {
      if (message.type !== 'publish') return false;
      if (message.seq === 3) world.network.cut();
      else world.server.handle(message, connection);
      return true;
    };
    const results = ['a', 'b', 'c'].map((text) => outcome(topic.publish(text)));
    await world.clock.advance(1);
    world.server.onMessage = () => false;
    await world.open(client);
    expect(world.stored()).toEqual(['a', 'b', 'c']);
    expect(results.map(({ value }) => value?.duplicate)).toEqual([true, true, false]);
  });

  it('what was never sent goes on in its order', async () => {
    const client = await world.connected();
    world.network.cut();
    const results = ['a', 'b'].map((text) => outcome(client.topic(T).publish(text)));
    await world.open(client);
    expect([world.stored(), results.map(({ value }) => value?.offset)]).toEqual([
      ['a', 'b'],
      [1, 2],
    ]);
    expect(world.server.published.map(({ seq }) => seq)).toEqual([1, 2]);
  });
});

describe('refusals', () => {
  it('HF-6.4: a terminal one spends its seq, and the others go on', async () => {
    world.server.onPublish = ({ items }) => (items[0] === 'bad' ? { code: 'REFUSED' } : undefined);
    const client = await world.connected();
    const results = ['a', 'bad', 'c'].map((text) => outcome(client.topic(T).publish(text)));
    await world.clock.advance(10);
    expect(results.map(({ code, value }) => code ?? value?.offset)).toEqual([1, 'REFUSED', 2]);
    expect(world.seqs()).toEqual([1, 2, 3]);
  });

  it('HF-6.6: a retryable one stops the pipeline, and nothing overtakes', async () => {
    let refusals = 3;
    world.server.onPublish = ({ items }) =>
      items[0] === 'b' && refusals-- > 0 ? { code: 'OVERLOADED', retryable: true, retryAfterMs: 300 } : undefined;
    const client = await world.connected();
    const results = ['a', 'b', 'c', 'd'].map((text) => outcome(client.topic(T).publish(text)));
    await world.clock.advance(200);
    expect(results.map(({ value }) => value?.offset)).toEqual([1, undefined, undefined, undefined]);
    const other = outcome(client.topic('chat/2').publish('x'));
    await world.clock.advance(10);
    expect(other.value?.offset).toBe(1);
    await world.clock.advance(60_000);
    expect(results.map(({ value }) => value?.offset)).toEqual([1, 2, 3, 4]);
    expect(world.stored()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('waits at least retryAfterMs, and longer with every refusal', async () => {
    const times: number[] = [];
    world.server.onPublish = () => {
      times.push(world.clock.now());
      return times.length <= 6 ? { code: 'OVERLOADED', retryable: true, retryAfterMs: 500 } : undefined;
    };
    const client = await world.connected();
    const sent = outcome(client.topic(T).publish('a'));
    await world.clock.advance(60_000);
    expect(sent.value?.offset).toBe(1);
    const waits = times.slice(1).map((time, at) => time - times[at]!);
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(500);
    expect(Math.max(...waits)).toBeGreaterThan(1_000);
  });

  it('HF-6.6: the window is sent again from the first refused one, after its retryAfterMs', async () => {
    const arrivals: { seq: number; atMs: number }[] = [];
    let refusals = 2;
    world.server.onPublish = () => (refusals-- > 0 ? { code: 'RATE_LIMITED', retryable: true, retryAfterMs: 5_000 } : undefined);
    const client = await world.connected();
    const startMs = world.clock.now();
    world.server.onMessage = (message) => {
      if (message.type === 'publish') arrivals.push({ seq: message.seq, atMs: world.clock.now() - startMs });
      return false;
    };
    const results = ['a', 'b', 'c'].map((text) => outcome(client.topic(T).publish(text)));
    await world.clock.advance(60_000);
    expect(results.map(({ value }) => value?.offset)).toEqual([1, 2, 3]);
    expect(arrivals.map(({ seq }) => seq)).toEqual([1, 2, 3, 1, 2, 3, 1, 2, 3]);
    const [first, second] = [arrivals[3]!.atMs, arrivals[6]!.atMs - arrivals[3]!.atMs];
    expect(first).toBeGreaterThanOrEqual(5_000);
    expect(first).toBeLessThan(5_300);
    expect(second).toBeGreaterThanOrEqual(5_000);
    expect(second).toBeLessThan(5_500);
  });

  it('HF-6.6: a reconnection does not shorten that wait, and a later refusal that asks for more prolongs it', async () => {
    let refusals = 1;
    world.server.onPublish = () => (refusals-- > 0 ? { code: 'OVERLOADED', retryable: true, retryAfterMs: 1_000 } : undefined);
    const client = await world.connected();
    world.server.onMessage = (message, connection) => {
      const { server } = world;
      if (message.type !== 'publish' || server.published.length === 0 || server.published.length > 2) return false;
      server.published.push(message);
      const { topic, producer, seq } = message;
      // The third is not answered before the cut.
      if (seq === 2) server.refuse(connection, { topic, producer, seq }, { code: 'RATE_LIMITED', retryable: true, retryAfterMs: 30_000 });
      return true;
    };
    const results = ['a', 'b', 'c'].map((text) => outcome(client.topic(T).publish(text)));
    await world.clock.advance(5);
    expect(world.seqs()).toEqual([1, 2, 3]);
    world.network.cut();
    await world.clock.advance(29_000);
    expect([world.seqs(), client.status.getSnapshot().phase]).toEqual([[1, 2, 3], 'open']);
    await world.clock.advance(2_000);
    expect(results.map(({ value }) => value?.offset)).toEqual([1, 2, 3]);
  });

  it('HF-6.4: UNKNOWN_TOPIC spends no seq, so that the next one begins a new producer: nothing is lost or doubled', async () => {
    world.server.unknownTopics.add(T);
    const client = await world.connected();
    const refused = ['a', 'b'].map((text) => outcome(client.topic(T).publish(text)));
    await world.clock.advance(10);
    world.server.unknownTopics.clear();
    const stored = ['c', 'd'].map((text) => outcome(client.topic(T).publish(text)));
    await world.clock.advance(10_000);
    expect(refused.map(({ code }) => code)).toEqual(['UNKNOWN_TOPIC', 'UNKNOWN_TOPIC']);
    expect(stored.map(({ value }) => value?.offset)).toEqual([1, 2]);
    expect([world.stored(), client.outbox.getSnapshot()]).toEqual([['c', 'd'], []]);
    // Refused in the midst of a log that stands: a hole for the server.
    world.server.unknownTopics.add(T);
    const third = outcome(client.topic(T).publish('e'));
    await world.clock.advance(10);
    world.server.unknownTopics.clear();
    const fourth = outcome(client.topic(T).publish('f'));
    await world.clock.advance(10_000);
    expect([third.code, fourth.value?.offset, world.stored()]).toEqual(['UNKNOWN_TOPIC', 3, ['c', 'd', 'f']]);
  });

  it('HF-6.4: after a lost acknowledgement UNKNOWN_TOPIC does not say that nothing was stored: the row is uncertain', async () => {
    const client = await world.connected();
    world.server.onMessage = (message, connection) => {
      if (message.type !== 'publish') return false;
      world.server.handle(message, connection);
      world.network.cut();
      return true;
    };
    const sent = outcome(client.topic(T).publish('a'));
    await world.clock.advance(1);
    world.server.onMessage = () => false;
    world.server.unknownTopics.add(T);
    await world.open(client);
    expect([sent.code, world.stored(), rows(client)]).toEqual(['UNCERTAIN', ['a'], [{ items: ['a'], state: 'uncertain' }]]);
  });

  it('HF-6.14: a refusal after a commit that happened is healed by the resend', async () => {
    let refusals = 1;
    world.server.onPublish = () => (refusals-- > 0 ? { code: 'STORE_UNAVAILABLE', retryable: true, store: true } : undefined);
    const client = await world.connected();
    const results = ['a', 'b'].map((text) => outcome(client.topic(T).publish(text)));
    await world.clock.advance(10_000);
    expect(world.stored()).toEqual(['a', 'b']);
    expect(results.map(({ value }) => value?.duplicate)).toEqual([true, false]);
  });

  it('HF-10.1: an unknown code is judged by its retryable', async () => {
    const codes = ['NEW_TROUBLE', 'NEW_NO'];
    world.server.onPublish = ({ items }) => {
      if (items[0] === 'no') return { code: 'NEW_NO' as never };
      return codes.shift() === 'NEW_TROUBLE' ? { code: 'NEW_TROUBLE' as never, retryable: true } : undefined;
    };
    const client = await world.connected();
    const results = ['a', 'no'].map((text) => outcome(client.topic(T).publish(text)));
    await world.clock.advance(10_000);
    expect(results.map(({ code, value }) => code ?? value?.offset)).toEqual([1, 'REFUSED']);
  });
});

describe('a producer that cannot go on (HF-6.10)', () => {
  it('a new log: what was sent and not answered is uncertain, what never was goes on under a new producer', async () => {
    world.server.limits = { ...world.server.limits, inFlightMax: 2 };
    const client = await world.connected();
    const topic = client.topic(T);
    void topic.publish('known');
    await world.clock.advance(10);
    const mute = { isOn: true };
    world.server.onMessage = (message) => message.type === 'publish' && mute.isOn;
    const results = ['a', 'b', 'c', 'd'].map((text) => outcome(topic.publish(text)));
    await world.clock.advance(10);
    mute.isOn = false;
    world.network.cut();
    world.server.log(T).restart('e2');
    await world.open(client);
    await world.clock.advance(10_000);
    expect(results.map(({ code, value }) => code ?? value?.offset)).toEqual(['UNCERTAIN', 'UNCERTAIN', 1, 2]);
    expect(world.stored()).toEqual(['c', 'd']);
    expect(rows(client)).toEqual([
      { items: ['a'], state: 'uncertain' },
      { items: ['b'], state: 'uncertain' },
    ]);
    expect(client.status.getSnapshot()).toMatchObject({ queuedCount: 0, uncertainCount: 2 });
    expect(new Set(world.server.published.map(({ producer }) => producer)).size).toBe(2);
  });

  it('HF-6.9: a forgotten producer: what was refused at its first sending was certainly not stored, and goes on', async () => {
    const client = await world.connected();
    const topic = client.topic(T);
    void topic.publish('a');
    await world.clock.advance(10);
    world.server.log(T).producers.clear();
    const results = ['b', 'c'].map((text) => outcome(topic.publish(text)));
    await world.clock.advance(1_000);
    expect(results.map(({ value }) => value?.offset)).toEqual([2, 3]);
    expect(world.stored()).toEqual(['a', 'b', 'c']);
  });

  it('does not ask a server in a tight loop that voids every producer', async () => {
    world.server.onMessage = (message, connection) => {
      if (message.type !== 'publish') return false;
      world.server.published.push(message);
      const { topic, producer, seq } = message;
      world.server.refuse(connection, { topic, producer, seq }, { code: 'SEQ_GAP' });
      return true;
    };
    const client = await world.connected();
    void client.topic(T).publish('a');
    await world.clock.advance(60_000);
    expect(world.server.published.length).toBeLessThan(40);
    expect(rows(client)).toMatchObject([{ items: ['a'] }]);
  });

  it('a frame that a new server finds too large is not sent again', async () => {
    const client = await world.connected();
    world.server.onMessage = (message) => message.type === 'publish';
    const sent = outcome(client.topic(T).publish('x'.repeat(20_000)));
    await world.clock.advance(10);
    world.server.onMessage = () => false;
    world.server.limits = { ...world.server.limits, frameBytesMax: 10_000 };
    world.network.cut();
    await world.open(client);
    expect([sent.code, world.stored()]).toEqual(['UNCERTAIN', []]);
  });

  it('what an earlier process may have sent is uncertain too', async () => {
    const store = persistent();
    const first = await world.connected({ store });
    void first.topic(T).publish('known');
    await world.clock.advance(10);
    world.server.onMessage = (message) => message.type === 'publish';
    void first.topic(T).publish('a');
    await world.clock.advance(10);
    const closing = first.close();
    await world.clock.advance(10);
    await closing;
    world.server.onMessage = () => false;
    world.server.log(T).restart('e2');
    const second = world.client({ store });
    const later = outcome(second.topic(T).publish('b'));
    await world.open(second);
    await world.clock.advance(1_000);
    expect([world.stored(), rows(second), later.value?.offset]).toEqual([['b'], [{ items: ['a'], state: 'uncertain' }], 1]);
  });

  it('a cut while the answers are coming in leaves what had none uncertain', async () => {
    const client = await world.connected();
    world.server.onMessage = (message, connection) => {
      if (message.type !== 'publish') return false;
      const { topic, producer, seq } = message;
      if (seq === 1) world.server.refuse(connection, { topic, producer, seq }, { code: 'PRODUCER_UNKNOWN' });
      return true;
    };
    const results = ['a', 'b'].map((text) => outcome(client.topic(T).publish(text)));
    await world.clock.advance(10);
    world.server.onMessage = () => false;
    world.network.cut();
    await world.open(client);
    expect([world.stored(), results.map(({ code, value }) => code ?? value?.offset)]).toEqual([['a'], [1, 'UNCERTAIN']]);
  });

  it('after a refusal that may have come after a commit, a void producer leaves it uncertain', async () => {
    let refusals = 1;
    world.server.onPublish = () => (refusals-- > 0 ? { code: 'STORE_UNAVAILABLE', retryable: true, store: true } : undefined);
    const client = await world.connected();
    const sent = outcome(client.topic(T).publish('a'));
    await world.clock.advance(10);
    world.server.onMessage = (message, connection) => {
      if (message.type !== 'publish') return false;
      const { topic, producer, seq } = message;
      world.server.refuse(connection, { topic, producer, seq }, { code: 'STALE_SEQ' });
      return true;
    };
    await world.clock.advance(2_000);
    expect([sent.code, world.stored()]).toEqual(['UNCERTAIN', ['a']]);
  });

  it('an uncertain row is published anew, or discarded', async () => {
    const client = await world.connected({ outboxCountMax: 2 });
    const topic = client.topic(T);
    void topic.publish('known');
    await world.clock.advance(10);
    world.server.onMessage = (message) => message.type === 'publish';
    void topic.publish('a');
    void topic.publish('b');
    await world.clock.advance(10);
    world.server.onMessage = () => false;
    world.server.log(T).restart('e2');
    world.network.cut();
    await world.open(client);
    const [a, b] = client.outbox.getSnapshot();
    void client.republish(a!.id, { signal: AbortSignal.abort() });
    expect(client.outbox.getSnapshot()[0]).toMatchObject({ id: a!.id, state: 'uncertain' });
    const again = outcome(client.republish(a!.id));
    expect(client.discard(b!.id)).toBe(true);
    expect(client.discard(b!.id)).toBe(false);
    expect(() => client.republish(b!.id)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    await world.clock.advance(10);
    expect([again.value?.offset, world.stored(), rows(client)]).toEqual([1, ['a'], []]);
  });
});

describe('deadlines (HF-6.13)', () => {
  it('a passed deadline rejects with PENDING and keeps the row', async () => {
    world.network.isUnreachable = true;
    const client = world.client();
    const late = outcome(client.topic(T).publish('a', { deadlineMs: 100 }));
    await world.clock.advance(200);
    expect([late.code, rows(client)]).toEqual(['PENDING', [{ items: ['a'], state: 'queued' }]]);
    world.network.isUnreachable = false;
    await world.open(client);
    expect(world.stored()).toEqual(['a']);
  });

  it('time to live withdraws what was never sent, and leaves no hole', async () => {
    world.network.isUnreachable = true;
    const client = world.client();
    const results = [
      outcome(client.topic(T).publish('a')),
      outcome(client.topic(T).publish('b', { ttlMs: 100 })),
      outcome(client.topic(T).publish('c')),
    ];
    await world.clock.advance(100);
    expect(results[1]!.code).toBe('EXPIRED');
    world.network.isUnreachable = false;
    await world.open(client);
    expect(results.map(({ code, value }) => code ?? value?.offset)).toEqual([1, 'EXPIRED', 2]);
    expect(world.seqs()).toEqual([1, 2]);
  });

  it('time to live and abort do nothing once it was sent', async () => {
    const client = await world.connected();
    world.server.onMessage = (message) => message.type === 'publish';
    const abort = new AbortController();
    const results = [
      outcome(client.topic(T).publish('a', { ttlMs: 100 })),
      outcome(client.topic(T).publish('b', { signal: abort.signal })),
    ];
    await world.clock.advance(50);
    abort.abort();
    await world.clock.advance(200);
    world.server.onMessage = () => false;
    world.network.cut();
    await world.open(client);
    expect(results.map(({ value }) => value?.offset)).toEqual([1, 2]);
  });

  it('abort withdraws what was never sent', async () => {
    const client = world.client();
    const abort = new AbortController();
    const results = [outcome(client.topic(T).publish('a', { signal: abort.signal })), outcome(client.topic(T).publish('b'))];
    abort.abort();
    const after = outcome(client.topic(T).publish('c', { signal: abort.signal }));
    await world.open(client);
    expect([...results, after].map(({ code, value }) => code ?? value?.offset)).toEqual(['ABORTED', 1, 'ABORTED']);
    expect(world.stored()).toEqual(['b']);
  });

  it('a row that had a seq and was not sent when the link broke can expire again', async () => {
    let isSlow = true;
    const store = createMemoryOutbox();
    const slow: OutboxStore = {
      ...persistent(store),
      apply: async (changes) => {
        if (isSlow && (changes.rows?.length ?? 0) > 0) await new Promise<void>((resolve) => world.clock.setTimeout(resolve, 1_000));
        return store.apply(changes);
      },
    };
    const client = await world.connected({ store: slow });
    const sent = outcome(client.topic(T).publish('a', { ttlMs: 3_000 }));
    await world.clock.advance(500);
    world.network.isUnreachable = true;
    world.network.cut();
    await world.clock.advance(5_000);
    expect([sent.code, rows(client)]).toEqual(['EXPIRED', []]);
    isSlow = false;
    world.network.isUnreachable = false;
    const next = outcome(client.topic(T).publish('b'));
    await world.open(client);
    expect([next.value?.offset, world.seqs()]).toEqual([1, [1]]);
  });

  it('discard() withdraws what is queued, not what is under way', async () => {
    const client = world.client();
    const results = ['a', 'b'].map((text) => outcome(client.topic(T).publish(text)));
    await world.clock.advance(0);
    expect(client.discard(client.outbox.getSnapshot()[0]!.id)).toBe(true);
    world.server.onMessage = (message) => message.type === 'publish';
    await world.open(client);
    expect(client.discard(client.outbox.getSnapshot()[0]!.id)).toBe(false);
    expect(results.map(({ code }) => code)).toEqual(['ABORTED', undefined]);
  });
});

describe('waiting for the outbox', () => {
  it('flush() resolves when everything is acknowledged', async () => {
    const client = world.client();
    for (let n = 0; n < 200; n++) void client.topic(`chat/${n % 3}`).publish(n);
    const flushed = outcome(client.flush());
    await world.clock.advance(100);
    expect('value' in flushed).toBe(true);
    expect(rows(client)).toEqual([]);
    await expect(client.flush()).resolves.toBeUndefined();
  });

  it('flush() rejects with PENDING after its time', async () => {
    world.network.isUnreachable = true;
    const client = world.client();
    void client.topic(T).publish('a');
    const flushed = outcome(client.flush({ timeoutMs: 100 }));
    await world.clock.advance(100);
    expect(flushed.code).toBe('PENDING');
  });

  it('close({ drainMs }) waits for it, but not longer', async () => {
    const client = await world.connected();
    const sent = outcome(client.topic(T).publish('a'));
    const closing = outcome(client.close({ drainMs: 1_000 }));
    await world.clock.advance(10);
    expect([sent.value?.offset, 'value' in closing]).toEqual([1, true]);
    world.server.onMessage = (message) => message.type === 'publish';
    const other = await world.connected();
    const mute = outcome(other.topic(T).publish('b'));
    const slow = outcome(other.close({ drainMs: 1_000 }));
    await world.clock.advance(999);
    expect('value' in slow).toBe(false);
    await world.clock.advance(10);
    expect([mute.code, 'value' in slow]).toEqual(['CLOSED', true]);
  });

  it('after close() a publish is refused', async () => {
    const client = await world.connected();
    await client.close();
    await expect(client.topic(T).publish('a')).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(client.call('m')).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(client.topic(T).read({ after: 0 })).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(client.flush()).rejects.toMatchObject({ code: 'CLOSED' });
  });
});
