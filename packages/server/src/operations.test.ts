import { HoldfastError, type Json } from '@holdfast/wire';
import { beforeEach, describe, expect, test } from 'vitest';
import { Endpoint } from './endpoint.ts';
import type { Action, Authorize } from './rights.ts';
import { Stage, type StageClient } from './stage.testing.ts';

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

async function fill(count: number): Promise<void> {
  for (let made = 0; made < count; made++) void stage.hub.publish('t', made);
  await stage.clock.settle();
}

async function happened(client: StageClient): Promise<unknown[]> {
  await stage.clock.settle();
  return client.take();
}

/** An endpoint whose rights for one action are given by hand: `next()` answers the oldest question. */
function slow(action: Action): { endpoint: Endpoint; next: (isAllowed?: boolean) => Promise<void> } {
  const waiting: ((isAllowed: boolean) => void)[] = [];
  const endpoint = new Endpoint({
    authorize: (question) => question.action !== action || new Promise<boolean>((resolve) => waiting.push(resolve)),
  });
  return {
    endpoint,
    next: async (isAllowed = true) => {
      await stage.clock.settle();
      waiting.shift()!(isAllowed);
      await stage.clock.settle();
    },
  };
}

describe('HF-6: publish', () => {
  test('HF-6.7: acknowledged after the commit, with its id, count and epoch', async () => {
    const client = await stage.join();
    client.send({ type: 'publish', topic: 't', producer: 'p', seq: 1, items: ['a', Uint8Array.of(1)], id: 'x' });
    const answers = await happened(client);
    const { epoch } = stage.disk.topics.get('t')!;
    expect(answers).toEqual([{ type: 'ack', topic: 't', producer: 'p', seq: 1, offset: 1, epoch, count: 2, id: 'x' }]);
    client.send({ type: 'publish', topic: 't', producer: 'p', seq: 1, items: ['a', Uint8Array.of(1)] });
    expect(await happened(client)).toEqual([
      { type: 'ack', topic: 't', producer: 'p', seq: 1, offset: 1, epoch, count: 2, duplicate: true },
    ]);
  });

  test('HF-10.1: a refusal carries topic, producer, seq and id', async () => {
    const client = await stage.join();
    client.send({ type: 'publish', topic: 't', producer: 'p', seq: 3, items: [1], id: 9 });
    expect(await happened(client)).toMatchObject([
      { type: 'error', code: 'PRODUCER_UNKNOWN', topic: 't', producer: 'p', seq: 3, id: 9, retryable: false },
    ]);
  });

  test('HF-6.1: ifHead, and decision 1: the refusal is spent', async () => {
    const client = await stage.join();
    client.publish('t', 1, 'a', { ifHead: 0 });
    client.publish('t', 2, 'b', { ifHead: 0 });
    client.publish('t', 3, 'c', { ifHead: 1 });
    expect(await happened(client)).toMatchObject([
      { seq: 1, offset: 1 },
      { seq: 2, code: 'HEAD_MISMATCH' },
      { seq: 3, offset: 2 },
    ]);
  });

  test('HF-6.8: the epoch that it was meant for', async () => {
    const client = await stage.join();
    await fill(1);
    client.publish('t', 1, 'a', { epoch: 'another' });
    client.publish('t', 1, 'a', { epoch: stage.disk.topics.get('t')!.epoch });
    expect(await happened(client)).toMatchObject([{ code: 'EPOCH_CHANGED' }, { offset: 2 }]);
  });

  test('HF-5.10: a right that has ended allows no action any more', async () => {
    const untilMs = stage.clock.now() + 1_000;
    const authorize: Authorize = ({ action }) => action === 'subscribe' || { untilMs };
    const client = await stage.join({ subscribe: [{ id: 0, topic: 't' }] }, new Endpoint({ authorize, methods: { m: () => 1 } }));
    await stage.clock.advance(1_000);
    client.take();
    client.publish('t', 1, 'a');
    client.send({ type: 'read', id: 1, topic: 't', after: 0 });
    client.send({ type: 'register', id: 2, topic: 't', key: 'k', merge: 'replace', value: 1 });
    client.send({ type: 'call', id: 3, method: 'm', data: null });
    client.send({ type: 'presence', id: 4, topic: 't', state: {} });
    client.send({ type: 'signal', topic: 't', data: 1 });
    const codes = (await happened(client)).map((message) => (message as { readonly code?: string }).code);
    expect(codes).toEqual(Array.from({ length: 6 }, () => 'FORBIDDEN'));
  });

  test('HF-6.4: rights that are not given spend the seq; the same after a restart', async () => {
    const endpoint = new Endpoint({ topics: ['locked'], authorize: ({ topic }) => topic !== 'locked' });
    void stage.hub.publish('locked', 'there');
    const client = await stage.join({}, endpoint);
    client.publish('locked', 1, 'a');
    expect(await happened(client)).toMatchObject([{ topic: 'locked', code: 'FORBIDDEN' }]);
    stage.restart();
    const later = await stage.join();
    later.publish('locked', 1, 'a');
    expect(await happened(later)).toMatchObject([{ topic: 'locked', code: 'FORBIDDEN' }]);
  });

  test('HF-6.4: a refusal founds no topic, and its seq is spent as long as the node remembers', async () => {
    const rights = new Set<string>();
    const endpoint = new Endpoint({ authorize: ({ action }) => rights.has(action) });
    const client = await stage.join({}, endpoint);
    client.publish('new', 1, 'a');
    client.publish('new', 2, 'b');
    client.publish('new', 1, 'a');
    expect(await happened(client)).toMatchObject([
      { seq: 1, code: 'FORBIDDEN' },
      { seq: 2, code: 'FORBIDDEN' },
      { seq: 1, code: 'FORBIDDEN' },
    ]);
    expect(await stage.store.topics(undefined, 10)).toEqual([]);
    rights.add('publish');
    client.publish('new', 1, 'a');
    client.publish('new', 3, 'c');
    client.publish('new', 3, 'c');
    expect(await happened(client)).toMatchObject([
      { seq: 1, code: 'FORBIDDEN' },
      { type: 'ack', seq: 3, offset: 1 },
      { type: 'ack', seq: 3, offset: 1, duplicate: true },
    ]);
    stage.restart();
    const later = await stage.join({ subscribe: [{ id: 1, topic: 'new', last: 5 }] });
    later.publish('new', 4, 'd');
    later.publish('new', 3, 'c');
    expect(await happened(later)).toMatchObject(
      expect.arrayContaining([
        expect.objectContaining({ type: 'ack', seq: 4, offset: 2 }),
        expect.objectContaining({ type: 'ack', seq: 3, offset: 1, duplicate: true }),
      ]),
    );
  });

  test('HF-6.6: what is refused at the door founds no topic either, and stops its producer all the same', async () => {
    stage = new Stage({ limits: { connectionPublishesPerSecond: 2, burstMs: 1_000 } });
    const client = await stage.join({}, new Endpoint({ topics: ['a', 'b'] }));
    client.publish('elsewhere', 1, 'x');
    client.publish('a', 1, '1');
    client.publish('b', 1, '1');
    client.publish('b', 2, '2');
    client.publish('elsewhere', 2, 'x');
    const codes = ((await happened(client)) as { topic: string; type: string; code?: string }[]).map(
      ({ topic, type, code }) => `${topic} ${code ?? type}`,
    );
    expect(codes.sort()).toEqual(['a ack', 'b PIPELINE_STOPPED', 'b RATE_LIMITED', 'elsewhere UNKNOWN_TOPIC', 'elsewhere UNKNOWN_TOPIC']);
    expect((await stage.store.topics(undefined, 10)).map(({ topic }) => topic)).toEqual(['a']);
    await stage.clock.advance(2_000);
    client.publish('b', 1, '1');
    expect(await happened(client)).toMatchObject([{ type: 'ack', topic: 'b', seq: 1, offset: 1 }]);
  });

  test('HF-6.4: a topic that is not here spends nothing, and is not founded', async () => {
    const client = await stage.join({}, new Endpoint({ topics: ['t'] }));
    client.publish('x', 1, 'a');
    client.publish('x', 1, 'a');
    client.publish('holdfast/secrets', 1, 'a');
    expect(await happened(client)).toMatchObject([
      { topic: 'x', seq: 1, code: 'UNKNOWN_TOPIC', retryable: false },
      { topic: 'x', seq: 1, code: 'UNKNOWN_TOPIC' },
      { topic: 'holdfast/secrets', code: 'UNKNOWN_TOPIC' },
    ]);
    expect(await stage.store.topics(undefined, 10)).toEqual([]);
  });

  test('HF-6.6, decision 7: a slow right holds back what comes after it', async () => {
    const { endpoint, next } = slow('publish');
    const client = await stage.join({}, endpoint);
    client.publish('t', 1, 'a');
    client.publish('t', 2, 'b');
    client.publish('t', 1, 'other producer', { producer: 'q' });
    await next();
    await next(false);
    expect(client.take()).toMatchObject([
      { producer: 'p', seq: 1, offset: 1 },
      { producer: 'q', code: 'FORBIDDEN' },
    ]);
    await next();
    expect(client.take()).toMatchObject([{ producer: 'p', seq: 2, offset: 2 }]);
  });

  test('beforePublish refuses, replaces, or lets pass; a fault of it is reported', async () => {
    stage = new Stage({
      topics: [
        {
          pattern: '*',
          beforePublish: ({ items: [item], identity, topic }) => {
            if (item === 'bad') throw new HoldfastError('REFUSED', 'no bad words');
            if (item === 'bug') throw new Error('bug');
            return item === 'stamp' ? [{ by: identity.subject, in: topic }] : undefined;
          },
        },
      ],
    });
    const client = await stage.join();
    ['bad', 'stamp', 'plain', 'bug'].forEach((data, index) => client.publish('t', index + 1, data));
    expect(await happened(client)).toMatchObject([
      { code: 'INTERNAL', seq: 4, retryable: true },
      { code: 'REFUSED', message: 'no bad words', seq: 1 },
      { seq: 2, offset: 1 },
      { seq: 3, offset: 2 },
    ]);
    expect(stage.disk.topics.get('t')!.entries.map(({ payload }) => payload)).toEqual(['{"by":"alice","in":"t"}', '"plain"']);
    expect(stage.errors).toEqual([new Error('bug')]);
  });

  test('a kind that throws refuses as retryable, and harms nobody', async () => {
    stage = new Stage({
      topics: [
        {
          pattern: 'broken',
          kind: {
            name: 'broken',
            admit: () => {
              throw new Error('admit');
            },
          },
        },
        { pattern: 'empty', kind: { name: 'empty', admit: () => [] } },
        { pattern: '*' },
      ],
    });
    const client = await stage.join();
    for (const topic of ['broken', 'empty', 't']) client.publish(topic, 1, 'x');
    expect(await happened(client)).toMatchObject([
      { topic: 'broken', code: 'INTERNAL', retryable: true },
      { topic: 'empty', code: 'INTERNAL', retryable: true },
      { topic: 't', offset: 1 },
    ]);
    expect(stage.errors).toEqual([new Error('admit'), expect.objectContaining({ message: expect.stringContaining('"empty"') as string })]);
  });

  test('HF-6.14, decision 8: a commit that fails is told to those who wait, and to subscribers not at all', async () => {
    const client = await stage.join({ subscribe: [{ id: 1, topic: 't' }] });
    stage.store.fail('apply');
    client.publish('t', 1, 'a');
    expect(await happened(client)).toMatchObject([{ type: 'error', code: 'STORE_UNAVAILABLE', seq: 1, retryable: true }]);
    client.publish('t', 1, 'a');
    expect(await happened(client)).toMatchObject([
      { type: 'entry', offset: 1 },
      { type: 'ack', offset: 1 },
    ]);
  });

  test('HF-5.9, decision 14: the acknowledgement of one’s own publish moves no position', async () => {
    const client = await stage.join({ subscribe: [{ id: 1, topic: 't', credit: 0 }] });
    client.publish('t', 1, 'a');
    expect(await happened(client)).toMatchObject([{ type: 'ack', offset: 1 }]);
    client.send({ type: 'credit', topic: 't', upTo: 1 });
    expect(await happened(client)).toMatchObject([{ type: 'entry', offset: 1 }]);
  });
});

describe('HF-7.3: read', () => {
  test('both ways, ascending, clipped, with the log’s own bounds', async () => {
    await fill(5);
    await stage.hub.services.sequencer.trim('t', { countMax: 4 });
    const client = await stage.join();
    const ask = async (range: { after?: number; before?: number; limit?: number }): Promise<Json> => {
      client.send({ type: 'read', id: 1, topic: 't', ...range });
      await stage.clock.settle();
      const { data } = client.take('reply')[0]!;
      const { entries, ...bounds } = data as { entries: { offset: number }[] };
      return { ...bounds, offsets: entries.map(({ offset }) => offset) };
    };
    const { epoch } = stage.disk.topics.get('t')!;
    expect(await ask({ after: 0 })).toEqual({ epoch, first: 2, last: 5, offsets: [2, 3, 4, 5] });
    expect(await ask({ after: 3, limit: 1 })).toMatchObject({ offsets: [4] });
    expect(await ask({ after: 5 })).toMatchObject({ offsets: [] });
    expect(await ask({ before: 5, limit: 2 })).toMatchObject({ offsets: [3, 4] });
    expect(await ask({ before: 3 })).toMatchObject({ offsets: [2] });
    expect(await ask({ before: 1_000, limit: 1 })).toMatchObject({ offsets: [5] });
  });

  test('the answers of one connection come in order, and the next is not read while it cannot take it', async () => {
    await fill(2);
    const client = await stage.join();
    const reads = stage.store.countOf('read');
    const gate = stage.store.hold('read', 'after');
    for (const id of [1, 2, 3]) client.send({ type: 'read', id, topic: 't', after: 0 });
    await stage.clock.settle();
    expect(stage.store.countOf('read')).toBe(reads + 1);
    client.socket.bufferedBytes = stage.hub.services.limits.queueBytesMax;
    gate.pass();
    expect(await happened(client)).toMatchObject([{ type: 'reply', id: 1 }]);
    expect(stage.store.countOf('read')).toBe(reads + 1);
    client.socket.drain();
    expect(await happened(client)).toMatchObject([{ id: 2 }, { id: 3 }]);
  });

  test('of a topic that is not here, or not for this client', async () => {
    const endpoint = new Endpoint({ topics: ['t'], authorize: ({ action }) => action !== 'read' });
    const client = await stage.join({}, endpoint);
    client.send({ type: 'read', id: 1, topic: 'x', after: 0 });
    client.send({ type: 'read', id: 2, topic: 't', after: 0 });
    expect(await happened(client)).toMatchObject([
      { id: 1, code: 'UNKNOWN_TOPIC' },
      { id: 2, code: 'FORBIDDEN' },
    ]);
  });
});

describe('HF-7.7, HF-7.8, decision 13: registers', () => {
  const write = (
    client: StageClient,
    id: number,
    value: Json,
    more: { merge?: 'max' | 'replace'; key?: string; ifRevision?: number } = {},
  ): void => client.send({ type: 'register', id, topic: 't', key: 'k', merge: 'replace', value, ...more });

  test('are answered with what stands and told to subscribers, by revision', async () => {
    const client = await stage.join({ subscribe: [{ id: 1, topic: 't' }] });
    write(client, 2, { a: [1] });
    write(client, 3, 7, { merge: 'max', key: 'read/alice' });
    write(client, 4, 5, { merge: 'max', key: 'read/alice' });
    write(client, 5, 'x', { ifRevision: 9 });
    expect(await happened(client)).toEqual([
      { type: 'register', topic: 't', key: 'k', value: { a: [1] }, revision: 1 },
      { type: 'register', topic: 't', key: 'read/alice', value: 7, revision: 2 },
      { type: 'reply', id: 2, data: { key: 'k', value: { a: [1] }, revision: 1 } },
      { type: 'reply', id: 3, data: { key: 'read/alice', value: 7, revision: 2 } },
      { type: 'reply', id: 4, data: { key: 'read/alice', value: 7, revision: 2 } },
      expect.objectContaining({ type: 'error', id: 5, code: 'REVISION_MISMATCH' }),
    ]);
  });

  test('resume: only what changed after the position’s revision', async () => {
    const writer = await stage.join();
    for (const [id, key] of [
      [1, 'a'],
      [2, 'b'],
      [3, 'a'],
    ] as const)
      write(writer, id, id, { key });
    await stage.clock.settle();
    const { epoch } = stage.disk.topics.get('t')!;
    const client = await stage.join({ client: 'other' });
    client.send({ type: 'subscribe', id: 1, topic: 't', position: { epoch, offset: 0, revision: 2 } });
    await stage.clock.settle();
    expect(client.take('register')).toMatchObject([{ key: 'a', value: 3, revision: 3 }]);
  });

  test('keep the order of the requests, whatever the rights take', async () => {
    const { endpoint, next } = slow('register');
    const client = await stage.join({}, endpoint);
    write(client, 1, 'first');
    write(client, 2, 'second');
    await next();
    await next();
    expect(client.take('reply').map(({ data }) => data)).toMatchObject([{ revision: 1 }, { value: 'second', revision: 2 }]);
  });

  test('a value that fits into no frame', async () => {
    stage = new Stage({ limits: { frameBytesMax: 4_096 } });
    const client = await stage.join();
    write(client, 1, 'x'.repeat(3_000));
    expect(await happened(client)).toMatchObject([{ id: 1, code: 'TOO_LARGE' }]);
  });

  test('the right names the key', async () => {
    const endpoint = new Endpoint({ authorize: ({ action, key }) => action !== 'register' || key === 'mine' });
    const client = await stage.join({}, endpoint);
    write(client, 1, 1, { key: 'mine' });
    write(client, 2, 1, { key: 'yours' });
    await stage.clock.settle();
    expect(client.take('error')).toMatchObject([{ id: 2, code: 'FORBIDDEN' }]);
    expect(client.take('reply')).toMatchObject([{ id: 1 }]);
  });
});

describe('HF-7.9: call', () => {
  const methods = {
    echo: (data: Json): Json => data,
    later: async (data: Json): Promise<Json> => [data],
    nothing: (): Json => undefined as unknown as Json,
    refuse: (): Json => {
      throw new HoldfastError('REFUSED', 'closed on Sundays');
    },
    fail: (): Promise<Json> => Promise.reject(new Error('secret')),
    cycle: (): Json => {
      const loop: Json[] = [];
      loop.push(loop);
      return loop;
    },
    big: (): Json => 'x'.repeat(5_000),
    who: (_data: Json, { identity, client }: { identity: { subject: string }; client: string }): Json => [identity.subject, client],
  };

  test.each<[string, object]>([
    ['echo', { type: 'reply', data: { a: 1 } }],
    ['later', { type: 'reply', data: [{ a: 1 }] }],
    ['nothing', { type: 'reply', data: null }],
    ['who', { type: 'reply', data: ['alice', 'tab'] }],
    ['refuse', { type: 'error', code: 'REFUSED', message: 'closed on Sundays' }],
    ['fail', { type: 'error', code: 'INTERNAL', message: 'The server failed at this request.' }],
    ['cycle', { type: 'error', code: 'INTERNAL' }],
    ['big', { type: 'error', code: 'TOO_LARGE' }],
    ['absent', { type: 'error', code: 'UNKNOWN_METHOD' }],
    ['toString', { type: 'error', code: 'UNKNOWN_METHOD' }],
  ])('%s', async (method, answer) => {
    stage = new Stage({ limits: { frameBytesMax: 4_096 } });
    const client = await stage.join({}, new Endpoint({ methods }));
    client.send({ type: 'call', id: 1, method, data: { a: 1 } });
    expect(await happened(client)).toMatchObject([{ id: 1, ...answer }]);
    expect(stage.errors).toHaveLength(method === 'fail' || method === 'cycle' ? 1 : 0);
  });

  test('needs the right', async () => {
    const client = await stage.join({}, new Endpoint({ methods, authorize: ({ action, topic }) => action !== 'call' || topic === 'echo' }));
    client.send({ type: 'call', id: 1, method: 'echo' });
    client.send({ type: 'call', id: 2, method: 'who' });
    await stage.clock.settle();
    expect(client.take('reply')).toEqual([{ type: 'reply', id: 1, data: null }]);
    expect(client.take('error')).toMatchObject([{ id: 2, code: 'FORBIDDEN' }]);
  });

  test('decision 9: one that is under way when the connection breaks is carried out once, and answered to nobody', async () => {
    let count = 0;
    const release: (() => void)[] = [];
    const endpoint = new Endpoint({
      methods: {
        pay: async () => {
          count += 1;
          await new Promise<void>((resolve) => release.push(resolve));
          return 'paid';
        },
      },
    });
    const client = await stage.join({}, endpoint);
    client.send({ type: 'call', id: 1, method: 'pay' });
    await stage.clock.settle();
    client.socket.drop();
    const newer = await stage.join({}, endpoint);
    release[0]!();
    expect(await happened(newer)).toEqual([]);
    expect(client.take()).toEqual([]);
    expect(count).toBe(1);
  });
});

describe('HF-12: requestsMax', () => {
  test('unanswered requests of one connection', async () => {
    stage = new Stage({ limits: { requestsMax: 2 } });
    const release: (() => void)[] = [];
    const endpoint = new Endpoint({ methods: { wait: () => new Promise((resolve) => release.push(() => resolve(1))) } });
    const client = await stage.join({}, endpoint);
    for (const id of [1, 2, 3]) client.send({ type: 'call', id, method: 'wait' });
    expect(await happened(client)).toMatchObject([{ id: 3, code: 'TOO_MANY_IN_FLIGHT', retryable: true }]);
    client.send({ type: 'ping', id: 4 });
    client.publish('t', 1, 'x');
    expect(await happened(client)).toMatchObject([{ type: 'pong' }, { type: 'ack' }]);
    release[0]!();
    expect(await happened(client)).toMatchObject([{ type: 'reply', id: 1 }]);
    client.send({ type: 'call', id: 5, method: 'wait' });
    await stage.clock.settle();
    release[2]!();
    expect(await happened(client)).toMatchObject([{ type: 'reply', id: 5 }]);
  });
});

describe('HF-8.1: ping and pong', () => {
  test('with an id or without', async () => {
    const client = await stage.join();
    client.send({ type: 'ping' });
    client.send({ type: 'ping', id: 'a' });
    client.send({ type: 'pong' });
    expect(await happened(client)).toEqual([{ type: 'pong' }, { type: 'pong', id: 'a' }]);
  });
});
