import { HoldfastError } from '@holdfast/wire';
import { beforeEach, describe, expect, test } from 'vitest';
import { Endpoint } from './endpoint.ts';
import { createHub } from './hub.ts';
import { Stage, type StageClient } from './stage.testing.ts';
import { createMemoryStore } from './store-memory.ts';

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

const SUBSCRIBE = [{ id: 1, topic: 't' }];

/** A promise's state, after everything that can happen now has happened. */
async function stateOf(promise: Promise<unknown>): Promise<string> {
  let state = 'pending';
  promise.then(
    () => (state = 'resolved'),
    () => (state = 'rejected'),
  );
  await stage.clock.settle();
  return state;
}

function offsets(client: StageClient): number[] {
  return client.take('entry').map(({ offset }) => offset);
}

describe('options', () => {
  test('W cannot be more than what the store remembers (HF-6.3)', () => {
    const store = createMemoryStore({ outcomesMax: 8 });
    expect(() => createHub({ store, limits: { inFlightMax: 9 }, maintainIntervalMs: 0 })).toThrow(
      /inFlightMax is 9, and the store keeps 8/,
    );
    expect(createHub({ store, maintainIntervalMs: 0 }).services.limits.inFlightMax).toBe(8);
    expect(createHub({ store, limits: { inFlightMax: 4 }, maintainIntervalMs: 0 }).services.limits.inFlightMax).toBe(4);
  });

  test.each([{ frameBytesMax: 0 }, { depthMax: 7 }, { inFlightMax: 1.5 }, { surprises: 1 }])('limits %j are refused at once', (limits) => {
    expect(() => createHub({ store: createMemoryStore(), limits, maintainIntervalMs: 0 })).toThrow(HoldfastError);
  });

  test('a limit that is undefined is the default', () => {
    const { limits } = createHub({
      store: createMemoryStore(),
      limits: { readCountMax: undefined as unknown as number },
      maintainIntervalMs: 0,
    }).services;
    expect(limits.readCountMax).toBe(1_000);
  });

  test('a pattern that can match nothing', () => {
    expect(() => createHub({ store: createMemoryStore(), topics: [{ pattern: 'a//b' }], maintainIntervalMs: 0 })).toThrow(/"a\/\/b"/);
  });

  test('the first rule that matches counts', async () => {
    const refuse = (): never => {
      throw new HoldfastError('REFUSED');
    };
    stage = new Stage({ topics: [{ pattern: 'news/:id' }, { pattern: 'news/*', beforePublish: refuse }] });
    const client = await stage.join();
    client.publish('news/1', 1, 'x');
    client.publish('news/1/2', 1, 'x');
    client.publish('olds/1', 1, 'x');
    await stage.clock.settle();
    expect(client.take('ack')).toMatchObject([{ topic: 'news/1' }]);
    expect(
      client
        .take('error')
        .map(({ topic, code }) => `${topic} ${code}`)
        .sort(),
    ).toEqual(['news/1/2 REFUSED', 'olds/1 UNKNOWN_TOPIC']);
  });
});

describe('publish', () => {
  test('in the order of the calls, from whom it is said, to everybody', async () => {
    const client = await stage.join({ subscribe: SUBSCRIBE });
    const results = Promise.all([stage.hub.publish('t', { a: 1 }), stage.hub.publish('t', Uint8Array.of(1, 2), { from: 'clock' })]);
    await stage.clock.settle();
    expect(await results).toMatchObject([{ offset: 1 }, { offset: 2 }]);
    expect(client.take('entry')).toMatchObject([
      { from: 'server', data: { a: 1 } },
      { from: 'clock', data: Uint8Array.of(1, 2) },
    ]);
  });

  test('as many at a time as one likes: W is for those who send again', async () => {
    const all = Promise.all(Array.from({ length: 300 }, (_, at) => stage.hub.publish('t', at)));
    await stage.clock.settle();
    expect((await all).map(({ offset }) => offset)).toEqual(Array.from({ length: 300 }, (_, at) => at + 1));
  });

  test('HF-6.9: goes on when its own producer was forgotten', async () => {
    stage = new Stage({ limits: { producerSilenceMs: 60_000 } });
    for (const data of [1, 2]) {
      const publishing = stage.hub.publish('t', data);
      await stage.clock.advance(120_000);
      expect(await publishing).toMatchObject({ offset: data });
    }
  });

  test('keeps a copy of bytes', async () => {
    const buffer = Buffer.from([1, 2, 3]);
    const publishing = stage.hub.publish('t', buffer);
    buffer.fill(0);
    await stage.clock.settle();
    await publishing;
    expect(stage.disk.topics.get('t')!.entries[0]!.payload).toEqual(Uint8Array.of(1, 2, 3));
  });

  test.each<[string, unknown, string]>([
    ['t', undefined, 'USAGE'],
    ['t', () => 1, 'USAGE'],
    ['t', 10n, 'USAGE'],
    ['t', Number.NaN, 'USAGE'],
    ['t', new Date(0), 'USAGE'],
    ['t', Array(16_385).fill(0), 'TOO_MANY_KEYS'],
    ['no topic', 1, 'USAGE'],
    ['x/y', 1, 'UNKNOWN_TOPIC'],
  ])('%s, %o: refused at once, and the next one goes on', async (topic, data, code) => {
    stage = new Stage({ topics: [{ pattern: 't' }] });
    expect(() => stage.hub.publish(topic, data as string)).toThrow(expect.objectContaining({ code }) as Error);
    const next = stage.hub.publish('t', 1);
    await stage.clock.settle();
    expect(await next).toMatchObject({ offset: 1 });
  });

  test('a retryable refusal is the caller’s to repeat; the order of what he repeats is his', async () => {
    stage.store.fail('apply');
    const results = Promise.allSettled([stage.hub.publish('t', 1), stage.hub.publish('t', 2)]);
    await stage.clock.settle();
    expect((await results).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const again = stage.hub.publish('t', 1);
    await stage.clock.settle();
    expect(await again).toMatchObject({ offset: 1 });
  });

  test('beforePublish is not asked', async () => {
    stage = new Stage({ topics: [{ pattern: '*', beforePublish: () => [] }] });
    const publishing = stage.hub.publish('t', 1);
    await stage.clock.settle();
    expect(await publishing).toMatchObject({ offset: 1 });
  });
});

describe('HF-5.7, decision 11: deleteTopic', () => {
  test('subscribers go on in the new log, after a gap', async () => {
    await Promise.all([stage.hub.publish('t', 1), stage.clock.settle()]);
    const client = await stage.join();
    client.send({ type: 'subscribe', id: 1, topic: 't', last: 1 });
    await stage.clock.settle();
    await Promise.all([stage.hub.deleteTopic('t'), stage.clock.settle()]);
    await Promise.all([stage.hub.publish('t', 'new'), stage.clock.settle()]);
    const [subscribed, first, gap, second] = client.take();
    expect([subscribed?.type, first, gap, second]).toMatchObject([
      'subscribed',
      { offset: 1, data: 1 },
      { type: 'gap', reason: 'epoch' },
      { offset: 1, data: 'new' },
    ]);
  });

  test('refuses what is no name', async () => {
    await expect(stage.hub.deleteTopic('a b')).rejects.toMatchObject({ code: 'USAGE' });
  });
});

describe('maintain', () => {
  const minutes = 60_000;

  async function fill(topic: string, count: number): Promise<void> {
    for (let made = 0; made < count; made++) void stage.hub.publish(topic, 'x');
    await stage.clock.settle();
  }

  const firstOf = (topic: string): number => stage.disk.topics.get(topic)!.cut + 1;

  test('cuts by count, bytes and age, where a rule says so', async () => {
    stage = new Stage({
      topics: [
        { pattern: 'count', retention: { countMax: 2 } },
        { pattern: 'bytes', retention: { bytesMax: 10 } },
        { pattern: 'age', retention: { ageMaxMs: 5 * minutes } },
        { pattern: '*' },
      ],
    });
    for (const topic of ['count', 'bytes', 'age', 'all']) await fill(topic, 4);
    await stage.clock.advance(6 * minutes);
    await fill('age', 1);
    await stage.hub.maintain();
    expect(['count', 'bytes', 'age', 'all'].map(firstOf)).toEqual([3, 2, 5, 1]);
    const trims = stage.store.countOf('trim');
    await stage.hub.maintain();
    // By size and age only the store knows.
    expect(stage.store.countOf('trim')).toBe(trims + 2);
  });

  test('walks through all topics, some at each step', async () => {
    stage = new Stage({ topics: [{ pattern: '*', retention: { countMax: 1 } }] });
    for (let topic = 0; topic < 300; topic++) void stage.hub.publish(`t/${String(topic).padStart(3, '0')}`, 1);
    for (let topic = 0; topic < 300; topic++) void stage.hub.publish(`t/${String(topic).padStart(3, '0')}`, 2);
    await stage.clock.settle();
    await stage.hub.maintain();
    expect([firstOf('t/000'), firstOf('t/299')]).toEqual([2, 1]);
    await stage.hub.maintain();
    expect(firstOf('t/299')).toBe(2);
  });

  test('HF-6.9: forgets producers after their silence', async () => {
    stage = new Stage({ limits: { producerSilenceMs: 2 * 60 * minutes } });
    const client = await stage.join();
    client.publish('t', 1, 'x');
    await stage.clock.settle();
    await stage.clock.advance(60 * minutes);
    await stage.hub.maintain();
    expect(stage.disk.topics.get('t')!.producers.size).toBe(1);
    await stage.clock.advance(61 * minutes);
    await stage.hub.maintain();
    expect(stage.disk.topics.get('t')!.producers.size).toBe(0);
  });

  test('runs by itself, and goes on after a failure', async () => {
    stage = new Stage({ maintainIntervalMs: 1_000, topics: [{ pattern: '*', retention: { countMax: 1 } }] });
    await fill('t', 3);
    stage.store.fail('topics');
    await stage.clock.advance(1_000);
    expect(firstOf('t')).toBe(1);
    expect(stage.errors).toHaveLength(1);
    await stage.clock.advance(1_000);
    expect(firstOf('t')).toBe(3);
    await stage.hub.close();
    expect(stage.clock.alarmCount).toBe(0);
  });

  test('forgets topics that nobody uses, even while the store is away, and numbers are never given twice', async () => {
    stage = new Stage({ heartbeatMs: 1e9 });
    const client = await stage.join({ subscribe: SUBSCRIBE });
    expect(client.session.phase).toBe('open');
    const number = (await stage.hub.services.openTopic('t')).topic.number;
    client.send({ type: 'unsubscribe', topic: 't' });
    const other = await stage.join({ client: 'other', subscribe: [{ id: 1, topic: 'u' }] });
    await stage.clock.advance(11 * minutes);
    stage.store.down();
    await expect(stage.hub.maintain()).rejects.toThrow('scripted');
    stage.store.up();
    const heads = stage.store.countOf('head');
    const again = (await stage.hub.services.openTopic('t')).topic.number;
    expect(again).toBeGreaterThan(number + 1);
    expect(stage.store.countOf('head')).toBe(heads + 1);
    // The other topic is followed, and stays as it is.
    await Promise.all([stage.hub.publish('u', 1), stage.clock.settle()]);
    expect(offsets(other)).toEqual([1]);
    expect(stage.store.countOf('head')).toBe(heads + 1);
  });
});

describe('HF-8.3, decision 19: close', () => {
  test('goaway to all, then what still comes is carried out and acknowledged, then 4200', async () => {
    const client = await stage.join({ subscribe: SUBSCRIBE });
    const closing = stage.hub.close({ reason: 'deploy', drainMs: 5_000 });
    await stage.clock.settle();
    expect(client.take()).toEqual([{ type: 'goaway', reason: 'deploy', spreadMs: 100 }]);
    client.publish('t', 1, 'x');
    await stage.clock.settle();
    expect(client.take().map(({ type }) => type)).toEqual(['entry', 'ack']);
    await stage.clock.advance(5_000);
    expect(client.closed).toEqual({ code: 4200, reason: 'GOING_AWAY' });
    await closing;
    expect(stage.clock.alarmCount).toBe(0);
  });

  test('ends as soon as everybody has left', async () => {
    const client = await stage.join();
    const closing = stage.hub.close({ drainMs: 60_000 });
    await stage.clock.settle();
    client.socket.drop();
    expect(await stateOf(closing)).toBe('resolved');
    expect(stage.clock.alarmCount).toBe(0);
  });

  test('what was published before is committed and acknowledged first', async () => {
    const gate = stage.store.hold('apply', 'after');
    const client = await stage.join();
    client.publish('t', 1, 'x');
    await stage.clock.settle();
    const closing = stage.hub.close();
    client.publish('t', 2, 'y');
    expect(await stateOf(closing)).toBe('pending');
    expect(client.take('error')).toMatchObject([{ seq: 2, code: 'GOING_AWAY', retryable: true }]);
    gate.pass();
    await closing;
    expect(client.take('ack')).toMatchObject([{ seq: 1, offset: 1 }]);
    expect(client.closed?.code).toBe(4200);
  });

  test.each(['a hook', 'the disk'])('does not wait for ever for %s', async (what) => {
    if (what === 'the disk') stage.store.hold('apply');
    const endpoint = new Endpoint({ authorize: () => what === 'the disk' || new Promise(() => undefined) });
    const client = await stage.join({}, endpoint);
    client.publish('t', 1, 'x');
    client.send({ type: 'read', id: 1, topic: 't', after: 0 });
    const closing = stage.hub.close();
    expect(await stateOf(closing)).toBe('pending');
    await stage.clock.advance(10_000);
    await closing;
    expect(client.closed?.code).toBe(4200);
  });

  test('who comes meanwhile is told so, and who was being examined too', async () => {
    const admit: (() => void)[] = [];
    const endpoint = new Endpoint({ authenticate: () => new Promise((resolve) => admit.push(() => resolve({ subject: 'a' }))) });
    const examined = stage.connect({}, endpoint);
    const closing = stage.hub.close({ reason: 'deploy', drainMs: 5_000 });
    const late = stage.open();
    expect(late.take()).toMatchObject([{ type: 'error', code: 'GOING_AWAY' }]);
    expect(late.closed?.code).toBe(4200);
    admit[0]!();
    await stage.clock.settle();
    expect(examined.take().map(({ type }) => type)).toEqual(['welcome', 'goaway']);
    await stage.clock.advance(5_000);
    await closing;
    expect(stage.hub.connectionCount).toBe(0);
  });

  test('every call waits for the end', async () => {
    const gate = stage.store.hold('apply');
    void stage.hub.publish('t', 1);
    await stage.clock.settle();
    const both = Promise.all([stage.hub.close(), stage.hub.close()]);
    expect(await stateOf(both)).toBe('pending');
    gate.pass();
    expect(await stateOf(both)).toBe('resolved');
  });

  test('everything asked of it afterwards is refused', async () => {
    await stage.hub.close();
    await expect(stage.hub.publish('t', 1)).rejects.toMatchObject({ code: 'GOING_AWAY' });
    await expect(stage.hub.deleteTopic('t')).rejects.toMatchObject({ code: 'GOING_AWAY' });
    await stage.hub.recheck();
  });

  test('members leave no timer behind', async () => {
    const client = await stage.join({ subscribe: SUBSCRIBE });
    client.send({ type: 'presence', topic: 't', state: 1 });
    await stage.clock.settle();
    await stage.hub.close();
    expect(stage.clock.alarmCount).toBe(0);
  });
});

test('HF-3.4, HF-11.3: the spread grows with the number of connections, within bounds', async () => {
  expect(stage.hub.spreadMs()).toBe(100);
  for (let count = 0; count < 250; count++) stage.open();
  expect(stage.hub.spreadMs()).toBe(250);
  await stage.clock.settle();
});

test('HF-3.4: the spread that is announced is the one of the option, a figure or a function of the number of connections', async () => {
  stage = new Stage({ spreadMs: 2_000 });
  const client = stage.connect();
  await stage.clock.settle();
  expect(client.take('welcome')).toMatchObject([{ spreadMs: 2_000 }]);
  stage = new Stage({ spreadMs: (connections) => 500 + connections });
  const other = stage.connect();
  await stage.clock.settle();
  expect(other.take('welcome')).toMatchObject([{ spreadMs: 501 }]);
});

test('decision 11: memory stores that begin anew are another log, disks that stay are the same', async () => {
  await Promise.all([stage.hub.publish('t', 1), stage.clock.settle()]);
  const { epoch } = stage.disk.topics.get('t')!;
  stage.restart();
  const client = await stage.join();
  client.send({ type: 'subscribe', id: 1, topic: 't', position: { epoch, offset: 1, revision: 0 } });
  await stage.clock.settle();
  expect(client.take()).toMatchObject([{ type: 'subscribed', position: { epoch, offset: 1 } }]);
  stage = new Stage();
  const other = await stage.join();
  other.send({ type: 'subscribe', id: 1, topic: 't', position: { epoch, offset: 1, revision: 0 } });
  await stage.clock.settle();
  expect(other.take()).toMatchObject([{ type: 'subscribed' }, { type: 'gap', reason: 'epoch' }]);
});

test('an operator’s error hook that fails harms nobody', async () => {
  stage = new Stage({
    onError: () => {
      throw new Error('the logger');
    },
  });
  const client = await stage.join({}, new Endpoint({ methods: { fail: () => Promise.reject(new Error('x')) } }));
  client.send({ type: 'call', id: 1, method: 'fail' });
  await stage.clock.settle();
  expect(client.take()).toMatchObject([{ type: 'error', id: 1, code: 'INTERNAL' }]);
});
