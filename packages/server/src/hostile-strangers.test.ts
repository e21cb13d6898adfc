/**
 * What belongs to somebody else: producers, names of clients, topics that were taken away, positions that never were. Over
 * real sockets, with what the server says compared word by word.
 */

import type { Json } from '@holdfast/wire';
import { afterEach, describe, expect, test } from 'vitest';
import type { EndpointOptions } from './endpoint.ts';
import type { Hub } from './hub.ts';
import { RawClient } from './raw-client.testing.ts';
import { endAll, newHub, start } from './real-peer.testing.ts';

afterEach(endAll);

type Message = { readonly [key: string]: Json };

async function begin(endpoint: EndpointOptions = {}): Promise<{ readonly hub: Hub; readonly port: number }> {
  const hub = newHub({ presenceGraceMs: 60_000 });
  const { port } = await start({ hub, paths: { '/': endpoint } });
  return { hub, port };
}

function enter(port: number, token: string, client: string, subscribe: Json = []): Promise<RawClient> {
  return RawClient.welcomed(port, JSON.stringify({ type: 'hello', client, token, subscribe }));
}

/** What came up to the answer to a last ping. */
async function answers(client: RawClient): Promise<Message[]> {
  client.send('{"type":"ping","id":"last"}');
  const all: Message[] = [];
  for (let message = await client.message(); message['id'] !== 'last'; message = await client.message()) all.push(message);
  return all;
}

async function take(client: RawClient, count: number): Promise<Message[]> {
  const all: Message[] = [];
  while (all.length < count) all.push(await client.message());
  return all;
}

const publish = (seq: number, data: Json, more: Message = {}): Message => ({
  type: 'publish',
  topic: 't',
  producer: 'phone-7f3a',
  seq,
  data,
  ...more,
});

describe('HF-6.11: the producer of somebody else', () => {
  test('is another one under the same name: no seq of his is spent, no answer of his is told, and entries say who sent them', async () => {
    const { hub, port } = await begin();
    const alice = await enter(port, 'alice', 'a');
    const mallory = await enter(port, 'mallory', 'm');
    alice.send(publish(1, 'one'), publish(2, 'two'));
    expect(await take(alice, 2)).toMatchObject([
      { type: 'ack', offset: 1 },
      { type: 'ack', offset: 2 },
    ]);
    // To go on where she is; to ask for her outcome; to spend the next one ahead of her.
    mallory.send(publish(3, 'forged'), publish(1, 'one'));
    expect(await take(mallory, 2)).toMatchObject([
      { type: 'error', code: 'PRODUCER_UNKNOWN', seq: 3 },
      { type: 'ack', seq: 1, offset: 3 },
    ]);
    alice.send(publish(3, 'three'));
    expect(await alice.message()).toMatchObject({ type: 'ack', seq: 3, offset: 4 });
    const page = await hub.services.store.read('t', { after: 0 }, { countMax: 10, bytesMax: 10_000 });
    expect(page?.entries.map(({ from, seq }) => [from, seq])).toEqual([
      ['alice', 1],
      ['alice', 2],
      ['mallory', 1],
      ['alice', 3],
    ]);
  });
});

describe('HF-3.5: the name of somebody else’s client', () => {
  test('fences nobody of another subject, and takes over no member of his', async () => {
    const { hub, port } = await begin();
    const subscribe = [{ id: 1, topic: 't', presence: true }];
    const alice = await enter(port, 'alice', 'tab-1', subscribe);
    alice.send({ type: 'presence', id: 2, topic: 't', state: 'here' });
    expect(await take(alice, 4)).toMatchObject([{ type: 'subscribed' }, { event: 'members', members: [] }, { event: 'enter' }, { id: 2 }]);
    const mallory = await enter(port, 'mallory', 'tab-1', subscribe);
    mallory.send({ type: 'presence', id: 2, topic: 't', state: 'I am alice' }, { type: 'presence', id: 3, topic: 't', state: null });
    expect(await take(mallory, 6)).toMatchObject([
      { type: 'subscribed' },
      { event: 'members', members: [{ subject: 'alice', client: 'tab-1', state: 'here' }] },
      { event: 'enter', member: { subject: 'mallory' } },
      { id: 2 },
      { event: 'leave', member: { subject: 'mallory' } },
      { id: 3 },
    ]);
    expect(await answers(alice)).toMatchObject([
      { event: 'enter', member: { subject: 'mallory' } },
      { event: 'leave', member: { subject: 'mallory' } },
    ]);
    expect([hub.connectionCount, hub.stats().members]).toEqual([2, 1]);
  });

  test('a signal says who sent it, whatever it claims', async () => {
    const { port } = await begin();
    const alice = await enter(port, 'alice', 'a', [{ id: 1, topic: 't' }]);
    expect(await alice.message()).toMatchObject({ type: 'subscribed' });
    const mallory = await enter(port, 'mallory', 'm', [{ id: 1, topic: 't' }]);
    mallory.send({ type: 'signal', topic: 't', data: 'x', from: 'alice', client: 'a' });
    expect(await alice.message()).toEqual({ type: 'signal', topic: 't', from: 'mallory', client: 'm', data: 'x' });
  });
});

describe('HF-5.10: a topic that was taken away while its reader was away', () => {
  const SECRET = 's3cret-word';

  /** Everything that a client can ask of a topic; each with its id, so that the answers can be told apart. */
  function questions(topic: string, position: Json): Message[] {
    return [
      { type: 'subscribe', id: 'resume', topic, position, presence: true, credit: 100 },
      { type: 'read', id: 'after', topic, after: 0 },
      { type: 'read', id: 'before', topic, before: 1_000 },
      { type: 'register', id: 'write', topic, key: 'read/bob', merge: 'max', value: 1 },
      { type: 'register', id: 'guess', topic, key: 'read/bob', merge: 'replace', value: 1, ifRevision: 0 },
      { type: 'signal', topic, data: 'anybody there?' },
      { type: 'presence', id: 'show', topic, state: 'hello' },
      { type: 'credit', topic, upTo: 1_000 },
      { type: 'unsubscribe', id: 'end', topic },
      { type: 'publish', topic, producer: 'p', seq: 1, data: 'x', ifHead: 0 },
      { type: 'publish', topic, producer: 'q', seq: 1, data: 'x', epoch: 'forged' },
      { type: 'publish', topic, producer: 'r', seq: 5, data: 'x' },
    ];
  }

  async function ask(client: RawClient, topic: string, position: Json): Promise<string[]> {
    client.send(...questions(topic, position));
    // All but the credit are answered.
    const all = await take(client, 11);
    const told: string[] = all.map((message) => JSON.stringify(message).replaceAll(topic, 'TOPIC'));
    return told.sort();
  }

  test('12 ways to ask tell nothing of it, not even whether it is there: the same words as for one that never was', async () => {
    let isMember = true;
    const { hub, port } = await begin({ authorize: ({ identity }) => identity.subject !== 'bob' || isMember });
    const before = await enter(port, 'bob', 'b', [{ id: 1, topic: 'room/1', last: 10 }]);
    expect(await before.message()).toMatchObject({ type: 'subscribed' });
    await hub.publish('room/1', 'for bob as well');
    const { offset } = await before.message();
    expect(offset).toBe(1);
    before.socket.destroy();
    await expect.poll(() => hub.connectionCount).toBe(0);
    isMember = false;
    const alice = await enter(port, 'alice', 'a', [{ id: 1, topic: 'room/1', presence: true }]);
    const { position } = await alice.message();
    const { epoch } = position as { readonly epoch: string };
    const say = async (): Promise<void> => {
      alice.send({ type: 'presence', topic: 'room/1', state: SECRET }, { type: 'signal', topic: 'room/1', data: SECRET });
      alice.send({ type: 'register', id: 9, topic: 'room/1', key: 'read/alice', merge: 'replace', value: SECRET });
      for (let message = await alice.message(); message['id'] !== 9;) message = await alice.message();
      await hub.publish('room/1', SECRET);
    };
    await say();
    const bob = await enter(port, 'bob', 'b');
    const resumed = { epoch, offset: 1, revision: 0 };
    const told = await ask(bob, 'room/1', resumed);
    // What goes on there does not come to him, asked or not.
    await say();
    expect(await answers(bob)).toEqual([]);
    const all = told.join('\n');
    for (const secret of [SECRET, epoch, 'alice', '"head"', '"offset"', '"number"', '"revision"']) expect(all).not.toContain(secret);
    expect(await ask(bob, 'room/2', resumed)).toEqual(told);
    expect(hub.stats().subscriptions).toBe(1);
    // Given back, it goes on from where he was.
    isMember = true;
    bob.send({ type: 'subscribe', id: 1, topic: 'room/1', position: resumed });
    expect(await take(bob, 3)).toMatchObject([{ type: 'subscribed' }, { type: 'register' }, { type: 'entry', offset: 2, data: SECRET }]);
  });

  test('while he is there: after the recheck not an entry, a register, a signal or a member more, and one word that it is so', async () => {
    let isMember = true;
    const { hub, port } = await begin({ authorize: ({ identity }) => identity.subject !== 'bob' || isMember });
    const bob = await enter(port, 'bob', 'b', [{ id: 1, topic: 'room/1', presence: true }]);
    expect(await take(bob, 2)).toMatchObject([{ type: 'subscribed' }, { event: 'members' }]);
    const alice = await enter(port, 'alice', 'a', [{ id: 1, topic: 'room/1' }]);
    expect(await alice.message()).toMatchObject({ type: 'subscribed' });
    isMember = false;
    await hub.recheck('bob');
    alice.send({ type: 'presence', topic: 'room/1', state: SECRET }, { type: 'signal', topic: 'room/1', data: SECRET });
    alice.send({ type: 'register', id: 9, topic: 'room/1', key: 'k', merge: 'replace', value: SECRET });
    for (let message = await alice.message(); message['id'] !== 9;) message = await alice.message();
    await hub.publish('room/1', SECRET);
    const told = await answers(bob);
    expect(told.map(({ type, code, event, members }) => code ?? [type, event, members])).toEqual([
      'FORBIDDEN',
      ['presence', 'members', []],
    ]);
    expect(JSON.stringify(told)).not.toContain(SECRET);
  });
});

describe('positions that never were', () => {
  test.each<[string, Json, Json[]]>([
    [
      'far beyond the head',
      { offset: 9_007_199_254_740_991, revision: 0 },
      [
        { type: 'gap', reason: 'ahead' },
        { type: 'gap', reason: 'floor' },
      ],
    ],
    [
      'a revision far beyond the last',
      { offset: 6, revision: 1_000_000 },
      [
        { type: 'gap', reason: 'ahead' },
        { type: 'gap', reason: 'floor' },
      ],
    ],
    [
      'a forged epoch',
      { epoch: 'forged', offset: 6, revision: 0 },
      [
        { type: 'gap', reason: 'epoch' },
        { type: 'gap', reason: 'floor' },
      ],
    ],
    ['the very first', { offset: 0, revision: 0 }, [{ type: 'gap', reason: 'floor' }]],
  ])('%s: a gap says so, and nothing below the floor of the right comes', async (_name, forged, gaps) => {
    const { hub, port } = await begin({ authorize: () => ({ floor: 5 }) });
    for (let at = 1; at <= 6; at++) await hub.publish('t', at);
    const { epoch } = (await hub.services.openTopic('t')).head;
    const client = await enter(port, 'mallory', 'm', [{ id: 1, topic: 't', position: { epoch, ...(forged as Message) } }]);
    expect(await client.message()).toMatchObject({ type: 'subscribed' });
    expect(await take(client, gaps.length + 2)).toMatchObject([
      ...(gaps as object[]),
      { type: 'entry', offset: 5 },
      { type: 'entry', offset: 6 },
    ]);
    expect(await answers(client)).toEqual([]);
  });
});
