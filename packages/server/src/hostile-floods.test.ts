/**
 * Clients that keep to the protocol and do too much of it: over real sockets, each with the number that it is held to, and
 * with somebody beside it who goes on. Each limit by its name is in `limits.test.ts`.
 */

import type { Json } from '@holdfast/wire';
import { afterEach, describe, expect, test } from 'vitest';
import type { Hub } from './hub.ts';
import type { EndpointOptions } from './endpoint.ts';
import type { LimitChanges } from './node-limits.ts';
import { RawClient } from './raw-client.testing.ts';
import { endAll, newHub, start, welcomed, type Peer } from './real-peer.testing.ts';
import { createMemoryDisk, createMemoryStore, type MemoryDisk } from './store-memory.ts';

afterEach(endAll);

interface Scene {
  readonly hub: Hub;
  readonly port: number;
  readonly url: string;
  readonly disk: MemoryDisk;
}

async function begin(limits: LimitChanges = {}, endpoint: EndpointOptions = {}): Promise<Scene> {
  const disk = createMemoryDisk();
  const hub = newHub({ limits, store: createMemoryStore({ disk }) });
  const { port, url } = await start({ hub, paths: { '/': endpoint } });
  return { hub, port, url, disk };
}

/** Who keeps to the rules: is told at once what is published. */
async function follower(url: string, topic = 'quiet'): Promise<Peer> {
  const peer = await welcomed(url, `{"type":"hello","client":"f","token":"follower","subscribe":[{"id":1,"topic":"${topic}"}]}`);
  expect(await peer.message()).toMatchObject({ type: 'subscribed' });
  return peer;
}

async function expectServed(hub: Hub, peer: Peer, topic = 'quiet'): Promise<void> {
  await hub.publish(topic, 'on');
  expect(await peer.message()).toMatchObject({ type: 'entry', data: 'on' });
}

/** All answers up to the one to a last ping. */
async function answers(client: RawClient): Promise<{ readonly [key: string]: Json }[]> {
  client.send('{"type":"ping","id":"last"}');
  const all: { readonly [key: string]: Json }[] = [];
  for (let message = await client.message(); message['id'] !== 'last'; message = await client.message()) all.push(message);
  return all;
}

/** The next answers, so many. */
async function take(client: RawClient, count: number): Promise<{ readonly [key: string]: Json }[]> {
  const all: { readonly [key: string]: Json }[] = [];
  while (all.length < count) all.push(await client.message());
  return all;
}

/** How many there are of each code, or of each type where there is none. */
function tally(messages: readonly { readonly [key: string]: Json }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { type, code } of messages) counts[(code ?? type) as string] = (counts[(code ?? type) as string] ?? 0) + 1;
  return counts;
}

describe('hellos', () => {
  test('1,000 on one connection: the second ends it with 4000, and credentials are examined once', async () => {
    let examined = 0;
    const { hub, port } = await begin({}, { authenticate: ({ client }) => ((examined += 1), { subject: client }) });
    const client = await RawClient.upgraded(port);
    client.send(...Array.from({ length: 1_000 }, (_, at) => `{"type":"hello","client":"c${at}"}`));
    expect(await client.closeCode()).toBe(4000);
    expect([examined, hub.counters.errors.get('HELLO_TWICE')]).toEqual([1, 1]);
  });

  test('300 frames behind a hello that is still examined: 64 are held, then 4100', async () => {
    const { port, hub } = await begin({}, { authenticate: () => new Promise(() => undefined) });
    const client = await RawClient.upgraded(port);
    client.send('{"type":"hello","client":"c"}', ...Array<string>(300).fill('{"type":"ping"}'));
    expect(await client.closeCode()).toBe(4100);
    expect(hub.counters.errors.get('TOO_MANY_IN_FLIGHT')).toBe(1);
  });

  test('20 connections of one name fence each other: one is left, and one seat of its subject is used', async () => {
    const { hub, port } = await begin();
    const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.welcomed(port)));
    await expect.poll(() => hub.connectionCount).toBe(1);
    expect([hub.counters.closed.get(4001), clients.length]).toEqual([19, 20]);
  });

  test('auth 500 times at once: 256 are asked for, one after the other, and the rest refused', async () => {
    let atOnce = 0;
    let most = 0;
    const authenticate: EndpointOptions['authenticate'] = async ({ token = 'none' }) => {
      most = Math.max(most, (atOnce += 1));
      await new Promise<void>((resolve) => void setImmediate(resolve));
      atOnce -= 1;
      return { subject: token };
    };
    const { port } = await begin({}, { authenticate });
    const client = await RawClient.welcomed(port);
    client.send(...Array.from({ length: 500 }, (_, id) => `{"type":"auth","id":${id},"token":"alice"}`));
    const refused: unknown[] = [];
    for (let at = 0; at < 500; at++) {
      const { type, code } = await client.message();
      if (type === 'error') refused.push(code);
    }
    expect([most, refused]).toEqual([1, Array<string>(244).fill('TOO_MANY_IN_FLIGHT')]);
  });
});

describe('subscriptions', () => {
  test('to 5,000 topics: 1,024 stand, 3,976 are refused, and none but those that stand is founded', async () => {
    const { hub, port, url, disk } = await begin({
      requestsMax: 10_000,
      connectionSubscribesPerSecond: 10_000,
      subjectSubscribesPerSecond: 10_000,
    });
    const peer = await follower(url);
    const client = await RawClient.welcomed(port);
    client.send(...Array.from({ length: 5_000 }, (_, id) => `{"type":"subscribe","id":${id},"topic":"flood/${id}"}`));
    expect(tally(await take(client, 5_000))).toEqual({ subscribed: 1_024, TOO_MANY_SUBSCRIPTIONS: 3_976 });
    expect([hub.stats().subscriptions, disk.topics.size]).toEqual([1_025, 1_025]);
    await expectServed(hub, peer);
  });

  test('to topics without end, each given up again: founded at the rate of subscriptions and no faster, 8 of 1,000 in a burst', async () => {
    const { hub, port, url, disk } = await begin({ connectionSubscribesPerSecond: 1, burstMs: 8_000 });
    const peer = await follower(url);
    const client = await RawClient.welcomed(port);
    for (let id = 0; id < 1_000; id++) {
      client.send(`{"type":"subscribe","id":${id},"topic":"flood/${id}"}`, `{"type":"unsubscribe","topic":"flood/${id}"}`);
    }
    const { RATE_LIMITED: refused = 0, ...others } = tally(await take(client, 1_000));
    // One more for each second that this took.
    expect([refused > 950, refused + (others['NOT_SUBSCRIBED'] ?? 0) + (others['subscribed'] ?? 0)]).toEqual([true, 1_000]);
    await expect.poll(() => disk.topics.size).toBe(1_001 - refused);
    expect(hub.stats().subscriptions).toBe(1);
    await expectServed(hub, peer);
  });

  test('and again and again to one topic: 2,000 turns leave one subscription, one cursor, and each entry once', async () => {
    const { hub, port, url } = await begin({
      connectionSubscribesPerSecond: 10_000,
      subjectSubscribesPerSecond: 10_000,
      requestsMax: 10_000,
    });
    const peer = await follower(url, 't');
    const client = await RawClient.welcomed(port);
    for (let id = 0; id < 2_000; id++) client.send(`{"type":"unsubscribe","topic":"t"}`, `{"type":"subscribe","id":${id},"topic":"t"}`);
    const { subscribed = 0, NOT_SUBSCRIBED: overtaken = 0 } = tally(await take(client, 2_000));
    expect([subscribed + overtaken, subscribed > 0]).toEqual([2_000, true]);
    expect(hub.stats().subscriptions).toBe(2);
    await expectServed(hub, peer, 't');
    expect(tally(await answers(client))).toEqual({ entry: 1 });
  });

  test('topics that no rule knows, and topics that may not be followed, are not founded: 0 of 2,000', async () => {
    const { port, disk } = await begin({ requestsMax: 10_000 }, { topics: ['chat/*'], authorize: () => false });
    const client = await RawClient.welcomed(port);
    client.send(...Array.from({ length: 1_000 }, (_, id) => `{"type":"subscribe","id":${id},"topic":"other/${id}"}`));
    client.send(...Array.from({ length: 1_000 }, (_, id) => `{"type":"publish","topic":"chat/${id}","producer":"p","seq":1,"data":1}`));
    expect(tally(await take(client, 2_000))).toEqual({ UNKNOWN_TOPIC: 1_000, FORBIDDEN: 1_000 });
    expect(disk.topics.size).toBe(0);
  });
});

describe('what is carried out without room', () => {
  test('credit and pings against an empty allowance count as refusals: closed with 4100 at the refusalsPerSecond', async () => {
    const { hub, port, url } = await begin({ connectionBytesPerSecond: 1_024, burstMs: 1_000, refusalsPerSecond: 100 });
    const peer = await follower(url);
    const client = await RawClient.welcomed(port);
    client.send(...Array.from({ length: 400 }, (_, upTo) => `{"type":"credit","topic":"t","upTo":${upTo}}`));
    expect(await client.closeCode()).toBe(4100);
    expect(hub.counters.limits.get('refusalsPerSecond')).toBe(1);
    await expectServed(hub, peer);
  });
});

describe('requests that end late, or never', () => {
  test('1,000 calls of a method that never returns: 256 are under way, 744 refused, and entries still come', async () => {
    let called = 0;
    const { hub, port } = await begin({}, { methods: { wait: () => ((called += 1), new Promise(() => undefined)) } });
    const client = await RawClient.welcomed(port, '{"type":"hello","client":"c","token":"c","subscribe":[{"id":1,"topic":"t"}]}');
    expect(await client.message()).toMatchObject({ type: 'subscribed' });
    client.send(...Array.from({ length: 1_000 }, (_, id) => `{"type":"call","id":${id},"method":"wait"}`));
    expect(tally(await answers(client))).toEqual({ TOO_MANY_IN_FLIGHT: 744 });
    expect(called).toBe(256);
    await hub.publish('t', 1);
    expect(await client.message()).toMatchObject({ type: 'entry' });
    client.socket.destroy();
    await expect.poll(() => hub.connectionCount).toBe(0);
  });

  test('20 resumes of 64 topics each by one subject: 1,280 pages are read 16 at a time, and a live entry of another topic waits for none', async () => {
    const topics = Array.from({ length: 64 }, (_, at) => `old/${at}`);
    const before = await begin();
    for (const topic of topics) await before.hub.publish(topic, 'x');
    await before.hub.close();
    // Of another life, so that no tail in memory has it.
    const { disk } = before;
    const store = createMemoryStore({ disk });
    const read = store.read.bind(store);
    const reads = { now: 0, most: 0, all: 0 };
    store.read = async (...asked) => {
      reads.all += 1;
      reads.most = Math.max(reads.most, (reads.now += 1));
      await new Promise<void>((resolve) => void setImmediate(resolve));
      reads.now -= 1;
      return await read(...asked);
    };
    const hub = newHub({ store });
    const { port, url } = await start({ hub });
    const peer = await follower(url);
    const hello = (client: number): string =>
      JSON.stringify({
        type: 'hello',
        client: `c${client}`,
        token: 'stormy',
        subscribe: topics.map((topic, id) => ({ id, topic, last: 1_000 })),
      });
    const storm = await Promise.all(Array.from({ length: 20 }, () => RawClient.upgraded(port)));
    for (const [at, client] of storm.entries()) client.send(hello(at));
    await expectServed(hub, peer);
    for (const client of storm) {
      expect(tally(await take(client, 129))).toEqual({ welcome: 1, subscribed: 64, entry: 64 });
    }
    expect([reads, hub.stats().waitingReads]).toEqual([{ now: 0, most: 16, all: 1_280 }, 0]);
  });
});

describe('signals and states', () => {
  test('5,000 signals to a stalled reader: 1 is held, the newest, and is what it gets', async () => {
    const { hub, port } = await begin({
      requestsMax: 10_000,
      connectionRequestsPerSecond: 10_000,
      subjectRequestsPerSecond: 10_000,
      queueBytesMax: 4_096,
    });
    const stalled = await RawClient.welcomed(
      port,
      '{"type":"hello","client":"s","token":"s","subscribe":[{"id":1,"topic":"t","credit":0}]}',
    );
    expect(await stalled.message()).toMatchObject({ type: 'subscribed' });
    await hub.publish('t', 'in the way');
    const client = await RawClient.welcomed(port, '{"type":"hello","client":"c","token":"c","subscribe":[{"id":1,"topic":"t"}]}');
    expect(await client.message()).toMatchObject({ type: 'subscribed' });
    client.send(...Array.from({ length: 5_000 }, (_, data) => `{"type":"signal","topic":"t","data":${data}}`));
    expect(tally(await answers(client))).toEqual({});
    stalled.send('{"type":"credit","topic":"t","upTo":1}');
    expect(await stalled.message()).toMatchObject({ type: 'entry', data: 'in the way' });
    expect(tally(await answers(stalled))).toEqual({ signal: 1 });
  });

  test('1,000 changes of a state: those within the rate are told, the others refused, and the member is one', async () => {
    const { hub, port, url } = await begin({ connectionRequestsPerSecond: 50, burstMs: 1_000 });
    const watcher = await welcomed(url, '{"type":"hello","client":"w","token":"w","subscribe":[{"id":1,"topic":"t","presence":true}]}');
    expect(await watcher.message()).toMatchObject({ type: 'subscribed' });
    expect(await watcher.message()).toMatchObject({ event: 'members' });
    const client = await RawClient.welcomed(port, '{"type":"hello","client":"c","token":"c","subscribe":[{"id":1,"topic":"t"}]}');
    client.send(...Array.from({ length: 1_000 }, (_, state) => `{"type":"presence","topic":"t","id":${state},"state":${state}}`));
    const seen = await take(client, 1_001);
    const { reply = 0, RATE_LIMITED: refused = 0 } = tally(seen);
    // And one that it is subscribed.
    expect([reply + refused, reply < 100, hub.stats().members]).toEqual([1_000, true, 1]);
    const last = seen.filter(({ type }) => type === 'reply').at(-1)!['id']!;
    let told = 0;
    for (let state: Json = null; state !== last; told++) {
      const { member } = await watcher.message();
      ({ state } = member as { readonly state: Json });
    }
    expect(told).toBe(reply);
  });
});
