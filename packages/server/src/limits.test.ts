/**
 * Every limit of both tables is reached here, by name, against a real hub: what the client is told, what is counted, that
 * an honest client goes on afterwards with nothing lost, and that nobody else suffers.
 */

import type { ClientMessage, Hello, ServerMessage } from '@holdfast/wire';
import { afterEach, describe, expect, test } from 'vitest';
import { Endpoint } from './endpoint.ts';
import { MemorySocket } from './memory-socket.testing.ts';
import { LIMIT_NAMES, NODE_LIMITS, type LimitChanges, type LimitName } from './node-limits.ts';
import { endAll, newHub, Peer, start, welcomed } from './real-peer.testing.ts';
import { Stage, StageClient, type StageOptions } from './stage.testing.ts';

type Sendable = Exclude<ClientMessage, Hello>;

const ALICE = '192.0.2.1';
const BOB = '198.51.100.1';

let stage: Stage;

afterEach(endAll);

function set(limits: LimitChanges, more: Omit<StageOptions, 'limits'> = {}): void {
  // Time passes in leaps here, and nobody answers pings.
  stage = new Stage({ limits, heartbeatMs: 36_000_000, ...more });
}

/** A connection from an address, which has said its hello. */
async function enter(token = 'alice', address = ALICE, client = 'tab', endpoint: Endpoint = stage.endpoint): Promise<StageClient> {
  const socket = new MemorySocket();
  const entered = new StageClient(socket);
  stage.hub.accept(socket, { endpoint, address, headers: {}, url: '/', protocols: [], isProtocol: true });
  entered.hello({ client, token });
  await stage.clock.settle();
  return entered;
}

/** The same, welcomed; with empty buckets, for the hello has cost something. */
async function welcome(...whom: Parameters<typeof enter>): Promise<StageClient> {
  const client = await enter(...whom);
  expect(client.take().map(({ type }) => type)).toEqual(['welcome']);
  await stage.clock.advance(5_000);
  return client;
}

async function happened(client: StageClient): Promise<ServerMessage[]> {
  await stage.clock.settle();
  return client.take();
}

/** What was counted, limits that were not reached left out. */
function counted(): Partial<Record<LimitName, number>> {
  return Object.fromEntries(stage.hub.counters.limits);
}

/** What the server itself publishes. */
async function say(topic: string, data: number): Promise<void> {
  void stage.hub.publish(topic, data);
  await stage.clock.settle();
}

/** A topic that is there before anything is held up. */
async function found(topic: string): Promise<void> {
  void stage.hub.services.openTopic(topic);
  await stage.clock.settle();
}

function publishes(count: number, data: string = 'x'): Sendable[] {
  return Array.from({ length: count }, (_, at) => ({
    type: 'publish',
    topic: 't',
    producer: 'p',
    seq: at + 1,
    items: [`${data}${at + 1}`],
  }));
}

function stored(topic = 't'): unknown[] {
  return (stage.disk.topics.get(topic)?.entries ?? []).map(({ payload }) =>
    typeof payload === 'string' ? (JSON.parse(payload) as unknown) : payload,
  );
}

/** Sends all, and what is refused as retryable again after the time that was told, in order, until all of it is done. Resolves with the refusals. */
async function insist(client: StageClient, messages: readonly Sendable[]): Promise<Extract<ServerMessage, { type: 'error' }>[]> {
  const refusals: Extract<ServerMessage, { type: 'error' }>[] = [];
  let left = messages;
  for (let round = 0; left.length > 0; round++) {
    expect(round).toBeLessThan(200);
    for (const message of left) client.send(message);
    const errors = (await happened(client)).filter((message) => message.type === 'error');
    refusals.push(...errors);
    left = left.filter((message) =>
      errors.some(({ id, seq }) => (message.type === 'publish' ? seq === message.seq : 'id' in message && id === message.id)),
    );
    expect([left.length, client.closed]).toEqual([errors.length, undefined]);
    if (errors.length > 0) await stage.clock.advance(errors[0]!.retryAfterMs ?? 250);
  }
  return refusals;
}

/** Frames of each kind that a rate counts, with room for so many in a burst of one second. */
const RATE_FRAMES: Record<string, (count: number) => Sendable[]> = {
  Publishes: (count) => publishes(count),
  Bytes: (count) => publishes(count, 'x'.repeat(400)),
  Subscribes: (count) => Array.from({ length: count }, (_, at) => ({ type: 'subscribe', id: at + 1, topic: `t/${at}` })),
  Requests: (count) => Array.from({ length: count }, (_, at) => ({ type: 'read', id: at + 1, topic: 't', after: 0 })),
};

/** In a burst there is room for 5 of what the rate counts, with bytes for 3 frames; the scopes decide who else is held up. */
async function reachRate(limit: LimitName, scope: string, rate: string): Promise<void> {
  set({ [limit]: rate === 'Bytes' ? 1_200 : 5, burstMs: 1_000 });
  const frames = RATE_FRAMES[rate]!;
  const alice = await welcome();
  const again = await welcome('alice', scope === 'address' ? ALICE : BOB, 'phone');
  const neighbour = await welcome('carol', ALICE);
  const bob = await welcome('bob', BOB);
  for (const message of frames(20)) alice.send(message);
  const answers = await happened(alice);
  const refused = answers.filter((message) => message.type === 'error');
  expect(refused.length).toBeGreaterThanOrEqual(15);
  for (const error of refused) {
    expect(['RATE_LIMITED', 'PIPELINE_STOPPED']).toContain(error.code);
    if (error.code === 'RATE_LIMITED')
      expect([error.retryable, error.retryAfterMs! > 0, error.message.includes(`limits.${limit}`)]).toEqual([true, true, true]);
  }
  expect(counted()).toEqual({ [limit]: 15 + (rate === 'Bytes' ? 2 : 0) });
  const others = { again, neighbour, bob };
  const passed: Record<string, boolean> = {};
  for (const [name, client] of Object.entries(others)) {
    // Another producer: a resend of what was stored gets its answer, whatever was used up.
    client.send({ ...frames(1)[0]!, producer: name } as Sendable);
    passed[name] = (await happened(client)).every(({ type }) => type !== 'error');
  }
  expect(passed).toEqual({ again: scope === 'connection', neighbour: scope !== 'address', bob: true });
  await stage.clock.advance(20_000);
  await insist(neighbour, frames(1));
  const before = stored().length;
  const left = rate === 'Publishes' || rate === 'Bytes' ? frames(20).slice(20 - refused.length) : frames(20);
  const refusals = await insist(alice, left);
  expect(refusals.length).toBeGreaterThan(0);
  if (left.length < 20) {
    const own = stage.disk.topics.get('t')!.entries.filter(({ from, seq }) => from === 'alice' && seq > 20 - refused.length);
    expect(own.map(({ seq }) => seq)).toEqual(left.map((message) => (message as { readonly seq: number }).seq));
    expect(stored()).toHaveLength(before + left.length);
  }
}

/** Before the upgrade (HF-2.6): so many are let in, the next is not; and once more over a real socket. */
async function refuseUpgrade(limit: LimitName, code: string, reach: () => Promise<() => Promise<void>>): Promise<void> {
  const relieve = await reach();
  const refusal = stage.hub.admit(ALICE);
  expect(refusal).toMatchObject({ code, retryable: true });
  expect(refusal?.message).toContain(`limits.${limit}`);
  expect(counted()).toEqual({ [limit]: 1 });
  await stage.clock.advance(Math.max(1_000, refusal!.retryAfterMs!));
  await relieve();
  expect(stage.hub.admit(ALICE)).toBeUndefined();
}

const nothing = async (): Promise<void> => undefined;

const admissionCases = {
  acceptsPerSecond: () =>
    refuseUpgrade('acceptsPerSecond', 'OVERLOADED', async () => {
      set({ acceptsPerSecond: 2, burstMs: 1_000 });
      expect([stage.hub.admit(ALICE), stage.hub.admit(BOB)]).toEqual([undefined, undefined]);
      return nothing;
    }),
  addressAcceptsPerSecond: () =>
    refuseUpgrade('addressAcceptsPerSecond', 'OVERLOADED', async () => {
      set({ addressAcceptsPerSecond: 2, burstMs: 1_000 });
      expect([stage.hub.admit(ALICE), stage.hub.admit(ALICE), stage.hub.admit(BOB)]).toEqual([undefined, undefined, undefined]);
      return nothing;
    }),
  connectionsMax: () =>
    refuseUpgrade('connectionsMax', 'TOO_MANY_CONNECTIONS', async () => {
      set({ connectionsMax: 1 });
      const bob = await welcome('bob', BOB);
      return async () => bob.socket.drop();
    }),
  pendingConnectionsMax: () =>
    refuseUpgrade('pendingConnectionsMax', 'OVERLOADED', async () => {
      set({ pendingConnectionsMax: 1 });
      const bob = await welcome('bob', BOB);
      const silent = stage.open();
      return async () => {
        bob.publish('t', 1, 'x');
        expect(await happened(bob)).toMatchObject([{ type: 'ack' }]);
        silent.hello({ client: 'late', token: 'carol' });
        await stage.clock.settle();
      };
    }),
};

const connectionCases = {
  addressConnectionsMax: async () => {
    set({ addressConnectionsMax: 1 });
    const first = await welcome();
    const second = await enter('carol', ALICE);
    expect(second.take()).toMatchObject([{ type: 'error', code: 'TOO_MANY_CONNECTIONS', retryable: true }]);
    expect([second.closed?.code, first.closed, counted()]).toEqual([4100, undefined, { addressConnectionsMax: 1 }]);
    await welcome('bob', BOB);
    first.socket.drop();
    await welcome('carol', ALICE);
  },
  subjectConnectionsMax: async () => {
    set({ subjectConnectionsMax: 1 });
    const first = await welcome();
    const second = await enter('alice', BOB, 'phone');
    expect(second.take()).toMatchObject([{ type: 'error', code: 'TOO_MANY_CONNECTIONS', retryable: true }]);
    expect([second.closed?.code, first.closed, counted()]).toEqual([4100, undefined, { subjectConnectionsMax: 1 }]);
    await welcome('bob', ALICE);
    // HF-3.5: who comes back under its own name takes its own place.
    await welcome();
    expect(first.closed?.code).toBe(4001);
  },
  helloTimeoutMs: async () => {
    set({});
    const bob = await welcome('bob', BOB);
    const silent = stage.open();
    await stage.clock.advance(NODE_LIMITS.helloTimeoutMs.default);
    expect(silent.take()).toMatchObject([{ type: 'error', code: 'HELLO_TIMEOUT' }]);
    expect([silent.closed?.code, bob.closed, counted()]).toEqual([4203, undefined, { helloTimeoutMs: 1 }]);
    await welcome();
  },
  helloBytesMax: async () => {
    const hub = newHub({ limits: { helloBytesMax: 4_096 } });
    const { url } = await start({ hub });
    const bob = await welcomed(url);
    const peer = new Peer(url);
    await peer.opened;
    peer.send(`{"type":"hello","client":"phone","token":"${'x'.repeat(5_000)}"}`);
    expect(await peer.closed).toMatchObject({ code: 1009 });
    expect(Object.fromEntries(hub.counters.limits)).toEqual({ helloBytesMax: 1 });
    // Who is known may send more than that.
    bob.send(`{"type":"ping","id":1,"pad":"${'x'.repeat(5_000)}"}`);
    expect(await bob.message()).toEqual({ type: 'pong', id: 1 });
    await welcomed(url, '{"type":"hello","client":"phone"}');
  },
  refusalsPerSecond: async () => {
    set({ refusalsPerSecond: 3, connectionRequestsPerSecond: 1, burstMs: 1_000 });
    const alice = await welcome();
    const bob = await welcome('bob', ALICE);
    for (const read of RATE_FRAMES['Requests']!(6)) alice.send(read);
    expect((await happened(alice)).map((message) => (message.type === 'error' ? message.code : message.type))).toEqual([
      ...Array<string>(4).fill('RATE_LIMITED'),
    ]);
    expect([alice.closed, counted()]).toEqual([
      { code: 4100, reason: 'RATE_LIMITED' },
      { connectionRequestsPerSecond: 4, refusalsPerSecond: 1 },
    ]);
    await insist(bob, RATE_FRAMES['Requests']!(1));
    await insist(await welcome(), RATE_FRAMES['Requests']!(3));
  },
};

const workCases = {
  burstMs: async () => {
    for (const burstMs of [1_000, 2_000]) {
      set({ burstMs, connectionPublishesPerSecond: 5 });
      const alice = await welcome();
      for (const message of publishes(20)) alice.send(message);
      await stage.clock.settle();
      expect([stored().length, counted()]).toEqual([burstMs / 200, { connectionPublishesPerSecond: 20 - burstMs / 200 }]);
    }
  },
  membersMax: async () => {
    set({ membersMax: 1 });
    const [alice, bob] = [await welcome(), await welcome('bob', BOB)];
    for (const client of [alice, bob]) {
      client.send({ type: 'subscribe', id: 1, topic: 't' });
      client.send({ type: 'presence', id: 2, topic: 't', state: { is: 'here' } });
    }
    expect(await happened(alice)).toMatchObject([{ type: 'subscribed' }, { type: 'reply', id: 2 }]);
    expect(await happened(bob)).toMatchObject([
      { type: 'subscribed' },
      { type: 'error', id: 2, code: 'TOO_MANY_MEMBERS', retryable: true },
    ]);
    expect(counted()).toEqual({ membersMax: 1 });
    alice.send({ type: 'presence', id: 3, topic: 't', state: { is: 'busy' } });
    expect(await happened(alice)).toMatchObject([{ type: 'reply', id: 3 }]);
    alice.send({ type: 'presence', topic: 't', state: null });
    await insist(bob, [{ type: 'presence', id: 4, topic: 't', state: 1 }]);
  },
  registersMax: () => reachRegisters('registersMax', { registersMax: 2 }, [1, 2, 3]),
  registersBytesMax: () => reachRegisters('registersBytesMax', { registersBytesMax: 1_024 }, ['x'.repeat(500), 1, 'x'.repeat(600)]),
  replayPagesMax: async () => {
    set({ replayPagesMax: 1 });
    const [alice, bob] = [await welcome(), await welcome('bob', BOB)];
    await insist(alice, publishes(2));
    const page = stage.store.hold('read');
    alice.send({ type: 'read', id: 1, topic: 't', after: 0 });
    await stage.clock.settle();
    bob.send({ type: 'read', id: 1, topic: 't', after: 0 });
    // Nobody is told, and nobody but who reads history waits.
    expect([await happened(bob), stage.hub.stats().waitingReads, counted()]).toEqual([[], 1, {}]);
    await insist(bob, [{ type: 'publish', topic: 't', producer: 'p', seq: 1, items: ['bob'] }]);
    page.pass();
    expect(await happened(alice)).toMatchObject([{ type: 'reply', data: { entries: [{ offset: 1 }, { offset: 2 }, { offset: 3 }] } }]);
    expect(await happened(bob)).toMatchObject([{ type: 'reply', id: 1 }]);
  },
  unansweredPublishesMax: () => reachUnanswered('unansweredPublishesMax', { unansweredPublishesMax: 3 }, 'x'),
  unansweredBytesMax: () => reachUnanswered('unansweredBytesMax', { unansweredBytesMax: 1_500 }, 'x'.repeat(450)),
  hookTimeoutMs: async () => {
    let isSlow = true;
    const slow = (): Promise<undefined> | undefined => (isSlow ? new Promise<undefined>(() => undefined) : undefined);
    set({}, { topics: [{ pattern: 'slow', beforePublish: slow }, { pattern: '*' }] });
    const [alice, bob] = [await welcome(), await welcome('bob', BOB)];
    const late: Sendable[] = publishes(3).map((message) => ({ ...message, topic: 'slow' }) as Sendable);
    for (const message of late) alice.send(message);
    await stage.clock.advance(NODE_LIMITS.hookTimeoutMs.default - 1);
    await insist(bob, publishes(1));
    expect(alice.take('error')).toEqual([]);
    isSlow = false;
    await stage.clock.advance(1);
    expect(alice.take('error')).toMatchObject([
      { seq: 1, code: 'INTERNAL', retryable: true },
      { code: 'PIPELINE_STOPPED' },
      { code: 'PIPELINE_STOPPED' },
    ]);
    expect(counted()).toEqual({ hookTimeoutMs: 1 });
    await insist(alice, late);
    expect(stored('slow')).toEqual(['x1', 'x2', 'x3']);
  },
  memoryBytesMax: async () => {
    let bytes = 0;
    set({ memoryBytesMax: 2_000_000 }, { memory: () => bytes });
    const alice = await welcome();
    bytes = 2_000_000;
    await stage.clock.advance(1_000);
    for (const message of publishes(3)) alice.send(message);
    alice.send({ type: 'subscribe', id: 1, topic: 't' });
    alice.send({ type: 'read', id: 2, topic: 't', after: 0 });
    alice.send({ type: 'ping', id: 3 });
    const answers = await happened(alice);
    const told = answers.map((message) => (message.type === 'error' ? `${message.code} ${message.retryAfterMs}` : message.type));
    expect(told.toSorted()).toEqual([
      ...Array<string>(3).fill('OVERLOADED 1000'),
      ...Array<string>(2).fill('PIPELINE_STOPPED undefined'),
      'pong',
    ]);
    expect(stage.hub.admit(BOB)).toMatchObject({ code: 'OVERLOADED' });
    expect(counted()).toEqual({ memoryBytesMax: 6 });
    bytes = 0;
    await stage.clock.advance(1_000);
    await insist(alice, [...publishes(3), { type: 'subscribe', id: 4, topic: 't' }]);
    expect([stored(), stage.hub.admit(BOB)]).toEqual([['x1', 'x2', 'x3'], undefined]);
  },
};

/** Of three keys with these values there is room for two; those that there are go on, and so do other topics. */
async function reachRegisters(limit: LimitName, limits: LimitChanges, values: readonly (string | number)[]): Promise<void> {
  set(limits);
  const [alice, bob] = [await welcome(), await welcome('bob', BOB)];
  const write = (key: string, value: string | number, topic = 't'): Sendable => {
    return { type: 'register', id: `${topic}${key}`, topic, key, merge: 'replace', value };
  };
  for (const [at, value] of values.entries()) alice.send(write(`k${at}`, value));
  expect(await happened(alice)).toMatchObject([
    { type: 'error', id: 'tk2', code: 'TOO_LARGE', retryable: false },
    { type: 'reply', id: 'tk0' },
    { type: 'reply', id: 'tk1' },
  ]);
  expect(counted()).toEqual({ [limit]: 1 });
  await insist(bob, [write('k1', 7), write('k2', values[2]!, 'u')]);
  expect([...stage.disk.topics.get('t')!.registers.keys()]).toEqual(['k0', 'k1']);
}

async function reachUnanswered(limit: LimitName, limits: LimitChanges, data: string): Promise<void> {
  set(limits);
  const [alice, bob] = [await welcome(), await welcome('bob', BOB)];
  await found('t');
  const commit = stage.store.hold('apply');
  for (const message of publishes(5, data)) alice.send(message);
  expect(await happened(alice)).toMatchObject(
    [4, 5].map((seq) => ({ seq, code: seq === 4 ? 'OVERLOADED' : expect.stringMatching(/OVERLOADED|STOPPED/) })),
  );
  expect(counted()[limit]).toBeGreaterThan(0);
  commit.pass();
  expect(await happened(alice)).toMatchObject([1, 2, 3].map((seq) => ({ type: 'ack', seq })));
  await insist(alice, publishes(5, data).slice(3));
  await insist(bob, publishes(3, data));
  expect(stored().map((text) => (text as string).at(-1))).toEqual(['1', '2', '3', '4', '5', '1', '2', '3']);
}

/** Those that a client knows from `welcome`: who keeps to them never reaches one. */
const announcedCases = {
  frameBytesMax: async () => {
    const hub = newHub({ limits: { frameBytesMax: 4_096 } });
    const { url } = await start({ hub });
    const [alice, bob] = [await welcomed(url), await welcomed(url, '{"type":"hello","client":"b","token":"bob"}')];
    alice.send(`{"type":"ping","pad":"${'x'.repeat(4_096)}"}`);
    expect(await alice.closed).toMatchObject({ code: 1009 });
    expect(Object.fromEntries(hub.counters.limits)).toEqual({ frameBytesMax: 1 });
    bob.send('{"type":"ping","id":1}');
    expect(await bob.message()).toEqual({ type: 'pong', id: 1 });
    await welcomed(url);
  },
  inFlightMax: async () => {
    set({ inFlightMax: 2 });
    const [alice, bob] = [await welcome(), await welcome('bob', BOB)];
    await found('t');
    const commit = stage.store.hold('apply');
    for (const message of publishes(4)) alice.send(message);
    bob.send(publishes(1)[0]!);
    expect(await happened(alice)).toMatchObject([
      { seq: 3, code: 'TOO_MANY_IN_FLIGHT', retryable: true },
      { seq: 4, retryable: true },
    ]);
    expect(counted()['inFlightMax']).toBeGreaterThan(0);
    commit.pass();
    expect(await happened(alice)).toMatchObject([{ type: 'ack' }, { type: 'ack' }]);
    expect(await happened(bob)).toMatchObject([{ type: 'ack' }]);
    await insist(alice, publishes(4).slice(2));
    expect(stored()).toEqual(['x1', 'x2', 'x1', 'x3', 'x4']);
  },
  topicsPerFrameMax: async () => {
    set({ topicsPerFrameMax: 64 });
    const subscribe = Array.from({ length: 65 }, (_, at) => ({ id: at, topic: `t/${at}` }));
    const many = await stage.join({ subscribe });
    expect([many.closed, counted()]).toEqual([{ code: 4000, reason: 'BAD_FRAME' }, {}]);
    const fewer = await enter();
    for (const one of subscribe) fewer.send({ type: 'subscribe', ...one });
    await stage.clock.settle();
    expect(fewer.take('subscribed')).toHaveLength(65);
  },
  subscriptionsMax: async () => {
    set({ subscriptionsMax: 2 });
    const [alice, bob] = [await welcome(), await welcome('bob', BOB)];
    for (const message of RATE_FRAMES['Subscribes']!(3)) alice.send(message);
    expect((await happened(alice)).filter(({ type }) => type === 'error')).toMatchObject([
      { id: 3, code: 'TOO_MANY_SUBSCRIPTIONS', retryable: false },
    ]);
    expect(counted()).toEqual({ subscriptionsMax: 1 });
    await insist(bob, RATE_FRAMES['Subscribes']!(2));
    alice.send({ type: 'unsubscribe', topic: 't/0' });
    await insist(alice, RATE_FRAMES['Subscribes']!(3).slice(2));
    await say('t/1', 1);
    expect((await happened(alice)).map(({ type }) => type)).toEqual(['entry']);
  },
  entriesPerPublishMax: async () => {
    set({ entriesPerPublishMax: 2 });
    const alice = await welcome();
    alice.raw('{"type":"publish","topic":"t","producer":"p","seq":1,"entries":[{"data":1},{"data":2},{"data":3}]}');
    expect(await happened(alice)).toMatchObject([{ type: 'error', code: 'BAD_FRAME', seq: 1, retryable: false }]);
    await insist(alice, [{ type: 'publish', topic: 't', producer: 'p', seq: 1, items: [1, 2] }]);
    expect([stored(), counted()]).toEqual([[1, 2], {}]);
  },
  readCountMax: async () => {
    set({ readCountMax: 2 });
    const alice = await welcome();
    await insist(alice, publishes(3));
    const seen: unknown[] = [];
    for (const after of [0, 2]) {
      alice.send({ type: 'read', id: 1, topic: 't', after, limit: 100 });
      seen.push(...(await happened(alice)));
    }
    expect(seen).toMatchObject([{ data: { last: 3, entries: [{ offset: 1 }, { offset: 2 }] } }, { data: { entries: [{ offset: 3 }] } }]);
    expect(counted()).toEqual({});
  },
  requestsMax: async () => {
    const answers: (() => void)[] = [];
    const wait = (): Promise<null> => new Promise((resolve) => answers.push(() => resolve(null)));
    set({ requestsMax: 2 }, { endpoint: { methods: { wait } } });
    const [alice, bob] = [await welcome(), await welcome('bob', BOB)];
    const calls: Sendable[] = [1, 2, 3].map((id) => ({ type: 'call', id, method: 'wait' }));
    for (const call of calls) alice.send(call);
    expect(await happened(alice)).toMatchObject([{ type: 'error', id: 3, code: 'TOO_MANY_IN_FLIGHT', retryable: true }]);
    expect(counted()).toEqual({ requestsMax: 1 });
    await insist(bob, RATE_FRAMES['Requests']!(2));
    for (const answer of answers) answer();
    expect(await happened(alice)).toMatchObject([{ type: 'reply' }, { type: 'reply' }]);
    alice.send(calls[2]!);
    await stage.clock.settle();
    answers[2]!();
    expect(await happened(alice)).toMatchObject([{ id: 3 }]);
  },
  depthMax: () => reachShape({ depthMax: 8 }, 'TOO_DEEP', '[[[[[[[[1]]]]]]]]'),
  keysMax: () => reachShape({ keysMax: 1_024 }, 'TOO_MANY_KEYS', JSON.stringify(Array<number>(1_024).fill(0))),
  queueBytesMax: async () => {
    set({ queueBytesMax: 10_000 });
    const [alice, bob] = [await welcome(), await welcome('bob', BOB)];
    for (const client of [alice, bob]) await insist(client, [{ type: 'subscribe', id: 1, topic: 't' }]);
    alice.socket.bufferedBytes = 10_000;
    for (let at = 0; at < 5; at++) await say('t', at);
    expect([await happened(alice), (await happened(bob)).length, stage.hub.stats().slowConnections, counted()]).toEqual([[], 5, 1, {}]);
    alice.socket.drain();
    expect(await happened(alice)).toMatchObject([0, 1, 2, 3, 4].map((data) => ({ type: 'entry', data })));
    // Who asks on and on without reading is another matter.
    alice.socket.bufferedBytes = 80_001;
    alice.send({ type: 'ping' });
    expect([alice.closed?.code, bob.closed]).toEqual([4100, undefined]);
  },
  producerSilenceMs: async () => {
    set({ producerSilenceMs: 60_000 });
    const alice = await welcome();
    await insist(alice, publishes(1));
    await stage.clock.advance(7_200_000);
    stage.hub.services.sequencer.forgetIdle(Infinity, () => false);
    await stage.store.expireProducers(stage.clock.now() - 60_000);
    alice.take();
    alice.send(publishes(2)[1]!);
    expect(await happened(alice)).toMatchObject([{ type: 'error', seq: 2, code: 'PRODUCER_UNKNOWN', retryable: false }]);
    await insist(alice, [{ type: 'publish', topic: 't', producer: 'p2', seq: 1, items: ['x2'] }]);
    expect([stored(), counted()]).toEqual([['x1', 'x2'], {}]);
  },
};

/** What cannot be understood costs its error and nothing else (HF-4.1). */
async function reachShape(limits: LimitChanges, code: string, data: string): Promise<void> {
  set(limits);
  const alice = await welcome();
  alice.raw(`{"type":"publish","topic":"t","producer":"p","seq":1,"data":${data}}`);
  expect(await happened(alice)).toMatchObject([{ type: 'error', code, seq: 1, retryable: false }]);
  await insist(alice, publishes(2));
  expect([stored(), counted(), stage.hub.counters.errors.get(code as 'TOO_DEEP')]).toEqual([['x1', 'x2'], {}, 1]);
}

const rateCases = Object.fromEntries(
  ['connection', 'subject', 'address'].flatMap((scope) =>
    Object.keys(RATE_FRAMES).map((rate) => {
      const limit = `${scope}${rate}PerSecond` as LimitName;
      return [limit, () => reachRate(limit, scope, rate)];
    }),
  ),
);

const CASES: Readonly<Record<string, () => Promise<void>>> = {
  ...admissionCases,
  ...connectionCases,
  ...rateCases,
  ...workCases,
  ...announcedCases,
};

test('each limit of both tables has its case here, and nothing else', () => {
  expect(Object.keys(CASES).toSorted()).toEqual([...LIMIT_NAMES].toSorted());
});

describe('is reached, told and counted, and an honest client goes on', () => {
  test.each(Object.entries(CASES))('%s', async (_name, reach) => {
    await reach();
    expect.hasAssertions();
  });
});

test('what a hello brings is counted and never refused, so a client that resumes is held up a burst at the most', async () => {
  set({ subjectSubscribesPerSecond: 5, burstMs: 1_000 });
  const subscribe = Array.from({ length: 200 }, (_, at) => ({ id: at, topic: `t/${at}` }));
  const alice = stage.connect({ subscribe });
  expect((await happened(alice)).filter(({ type }) => type === 'subscribed')).toHaveLength(200);
  alice.send({ type: 'subscribe', id: 'more', topic: 'u' });
  expect(await happened(alice)).toMatchObject([{ code: 'RATE_LIMITED', retryAfterMs: 1_126 }]);
  await stage.clock.advance(1_126);
  await insist(alice, [{ type: 'subscribe', id: 'more', topic: 'u' }]);
});

test('credit, pings and ends of subscriptions are carried out whatever was used up', async () => {
  set({ connectionBytesPerSecond: 1_024, burstMs: 1_000 });
  const alice = await welcome();
  alice.send({ type: 'subscribe', id: 1, topic: 't', credit: 1 });
  for (let at = 0; at < 3; at++) await say('t', at);
  expect((await happened(alice)).map(({ type }) => type)).toEqual(['subscribed', 'entry']);
  await insist(
    alice,
    publishes(1, 'x'.repeat(3_000)).map((message) => ({ ...message, topic: 'u' }) as Sendable),
  );
  alice.send({ type: 'read', id: 2, topic: 't', after: 0 });
  alice.send({ type: 'credit', topic: 't', upTo: 3 });
  alice.send({ type: 'ping', id: 3 });
  alice.send({ type: 'unsubscribe', id: 4, topic: 'u' });
  expect((await happened(alice)).map((message) => (message.type === 'error' ? message.code : message.type)).toSorted()).toEqual([
    'RATE_LIMITED',
    'entry',
    'entry',
    'pong',
    'reply',
  ]);
});

test('plain clients are told as well, and go on', async () => {
  set({ connectionRequestsPerSecond: 2, burstMs: 1_000 });
  const endpoint = new Endpoint({ plain: { text: (text, client) => client.send(text.toUpperCase()) } });
  const plain = stage.open(endpoint, false);
  plain.socket.onSend = undefined;
  for (const text of ['a', 'b', 'c']) plain.raw(text);
  await stage.clock.settle();
  expect(plain.socket.sent.map((frame) => (frame as string).slice(0, 36)).toSorted()).toEqual([
    'A',
    'B',
    '{"type":"error","code":"RATE_LIMITED',
  ]);
  await stage.clock.advance(1_000);
  plain.raw('d');
  await stage.clock.settle();
  expect([plain.socket.sent.at(-1), plain.closed]).toEqual(['D', undefined]);
});
