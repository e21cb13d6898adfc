import type { ErrorMessage, HoldfastError, SubscribeRequest } from '@holdfast/wire';
import { beforeEach, describe, expect, test } from 'vitest';
import { Endpoint } from './endpoint.ts';
import type { Grant, Question } from './rights.ts';
import { Stage, type StageClient } from './stage.testing.ts';

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

async function fill(count: number, topic = 't'): Promise<void> {
  for (let made = 0; made < count; made++) void stage.hub.publish(topic, made);
  await stage.clock.settle();
}

async function subscribe(client: StageClient, request: Partial<SubscribeRequest> = {}): Promise<void> {
  client.send({ type: 'subscribe', id: 1, topic: 't', ...request });
  await stage.clock.settle();
}

function epochOf(topic = 't'): string {
  return stage.disk.topics.get(topic)!.epoch;
}

/** What came of the stream, such as `1`, `gap retention`, `skip 2-3`, `error FORBIDDEN`. */
function stream(client: StageClient): string[] {
  return client.take('entry', 'gap', 'skip', 'error').map((message) => {
    if (message.type === 'entry') return String(message.offset);
    if (message.type === 'gap') return `gap ${message.reason}`;
    if (message.type === 'skip') return `skip ${message.first}-${message.last}`;
    return `error ${message.code}`;
  });
}

/** Rights that a test gives and takes, answered when it says so where it wants to. */
class Rights {
  answer: boolean | Grant | HoldfastError | Error = true;
  isSlow = false;
  readonly asked: Question[] = [];
  #waiting: (() => void)[] = [];
  readonly endpoint: Endpoint = new Endpoint({
    authorize: async (question) => {
      this.asked.push(question);
      const { answer } = this;
      if (this.isSlow) await new Promise<void>((resolve) => this.#waiting.push(resolve));
      if (answer instanceof Error) throw answer;
      return answer;
    },
    authenticate: ({ token = '' }) => ({ subject: token.split(':')[0]!, claims: token }),
  });

  release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

describe('HF-5.1, HF-5.2: where a subscription begins', () => {
  test('without anything: at the head', async () => {
    await fill(3);
    const client = await stage.join();
    await subscribe(client);
    expect(client.take()).toEqual([
      { type: 'subscribed', id: 1, topic: 't', number: 1, position: { epoch: epochOf(), offset: 3, revision: 0 }, head: 3 },
    ]);
    await fill(1);
    expect(client.take('entry')).toMatchObject([{ topic: 't', offset: 4, from: 'server', data: 0 }]);
  });

  test('last: with the newest entries, and all registers', async () => {
    await fill(5);
    const client = await stage.join();
    client.send({ type: 'register', id: 2, topic: 't', key: 'k', merge: 'max', value: 1 });
    await stage.clock.settle();
    client.take();
    await subscribe(client, { last: 2 });
    expect(client.take('subscribed')).toMatchObject([{ position: { offset: 3, revision: 0 }, head: 5 }]);
    expect(stream(client)).toEqual(['4', '5']);
    expect(client.take('register')).toHaveLength(1);
    await subscribe(client, { last: 100 });
    expect(stream(client)).toEqual(['1', '2', '3', '4', '5']);
  });

  test('a position: after it, and it counts more than last', async () => {
    await fill(5);
    const client = await stage.join();
    const position = { epoch: epochOf(), offset: 1, revision: 0 };
    await subscribe(client, { position, last: 1 });
    expect(client.take('subscribed')).toMatchObject([{ position, head: 5 }]);
    expect(stream(client)).toEqual(['2', '3', '4', '5']);
  });

  test.each<[string, { epoch?: string; offset: number }, string[]]>([
    ['ahead', { offset: 50 }, ['gap ahead', '1', '2']],
    ['of another log', { epoch: 'old', offset: 50 }, ['gap epoch', '1', '2']],
  ])('HF-5.2, HF-5.7: a position %s is said back as it is, and a gap comes after it', async (_what, place, expected) => {
    await fill(2);
    const client = await stage.join();
    const position = { epoch: epochOf(), revision: 0, ...place };
    await subscribe(client, { position });
    expect(client.take('subscribed')).toMatchObject([{ position }]);
    expect(stream(client)).toEqual(expected);
  });

  test('HF-3.2: in the hello, each by itself', async () => {
    stage = new Stage({ topics: [{ pattern: 't/:id' }] });
    const client = stage.connect({
      subscribe: [
        { id: 1, topic: 't/1' },
        { id: 'b', topic: 'x' },
        { id: 3, topic: 't/2' },
      ],
    });
    await stage.clock.settle();
    expect(client.take('welcome')).toHaveLength(1);
    expect(new Set(client.take('subscribed').map(({ id }) => id))).toEqual(new Set([1, 3]));
    expect(client.take()).toEqual([expect.objectContaining({ type: 'error', id: 'b', code: 'UNKNOWN_TOPIC' })]);
  });

  test('HF-3.2: those of a hello are bounded by the frame, not by requestsMax', async () => {
    stage = new Stage({ limits: { requestsMax: 2 } });
    const subscribe = Array.from({ length: 64 }, (_, id) => ({ id, topic: `t/${id}` }));
    const client = stage.connect({ subscribe });
    await stage.clock.settle();
    expect(client.take('subscribed')).toHaveLength(64);
  });

  test('subscriptionsMax', async () => {
    stage = new Stage({ limits: { subscriptionsMax: 2 } });
    const client = await stage.join({
      subscribe: [
        { id: 1, topic: 'a' },
        { id: 2, topic: 'b' },
      ],
    });
    await subscribe(client, { id: 3, topic: 'c' });
    expect(client.take()).toMatchObject([{ type: 'error', id: 3, code: 'TOO_MANY_SUBSCRIPTIONS' }]);
    await subscribe(client, { id: 4, topic: 'a' });
    expect(client.take('subscribed')).toMatchObject([{ id: 4 }]);
    client.send({ type: 'unsubscribe', topic: 'b' });
    await subscribe(client, { id: 5, topic: 'c' });
    expect(client.take('subscribed')).toMatchObject([{ id: 5 }]);
  });

  test('a store that is away refuses as retryable', async () => {
    stage.store.down();
    const client = await stage.join();
    await subscribe(client);
    expect(client.take()).toMatchObject([{ type: 'error', id: 1, code: 'STORE_UNAVAILABLE', retryable: true }]);
    stage.store.up();
    await stage.clock.advance(500);
    await subscribe(client);
    expect(client.take('subscribed')).toHaveLength(1);
  });
});

describe('a subscription that is replaced or ended', () => {
  test('HF-5.1: a second one replaces the first', async () => {
    await fill(2);
    const client = await stage.join({ subscribe: [{ id: 1, topic: 't' }] });
    const position = { epoch: epochOf(), offset: 0, revision: 0 };
    await subscribe(client, { id: 2, position });
    expect(stream(client)).toEqual(['1', '2']);
    await fill(1);
    expect(stream(client)).toEqual(['3']);
  });

  test('one that came before the first stood: that one is refused, once', async () => {
    const client = await stage.join();
    client.send({ type: 'subscribe', id: 1, topic: 't' });
    client.send({ type: 'subscribe', id: 2, topic: 't' });
    await stage.clock.settle();
    expect(client.take('error')).toMatchObject([{ id: 1, code: 'NOT_SUBSCRIBED' }]);
    expect(client.take()).toMatchObject([{ type: 'subscribed', id: 2 }]);
    await fill(1);
    expect(stream(client)).toEqual(['1']);
  });

  test('HF-5.11: nothing of the topic after the reply, whatever was under way', async () => {
    await fill(3);
    const gate = stage.store.hold('read', 'after');
    const client = await stage.join();
    await subscribe(client, { last: 3, presence: true });
    client.take();
    client.send({ type: 'unsubscribe', topic: 't', id: 'bye' });
    gate.pass();
    await fill(1);
    expect(client.take()).toEqual([{ type: 'reply', id: 'bye', data: null }]);
    client.send({ type: 'unsubscribe', topic: 't' });
    await stage.clock.settle();
    expect(client.take()).toEqual([]);
  });

  test('HF-5.11: before it stood', async () => {
    const client = await stage.join();
    client.send({ type: 'subscribe', id: 1, topic: 't' });
    client.send({ type: 'unsubscribe', id: 2, topic: 't' });
    await stage.clock.settle();
    expect(client.take()).toMatchObject([
      { type: 'reply', id: 2 },
      { type: 'error', id: 1, code: 'NOT_SUBSCRIBED' },
    ]);
    await fill(1);
    expect(client.take()).toEqual([]);
  });

  test('a connection that is gone before it stood leaves nothing in the topic', async () => {
    const rights = new Rights();
    rights.isSlow = true;
    const client = stage.connect({ subscribe: [{ id: 1, topic: 't', presence: true }] }, rights.endpoint);
    await stage.clock.settle();
    client.socket.drop();
    rights.release();
    await fill(1);
    expect(client.take('subscribed', 'entry', 'presence')).toEqual([]);
    const { topic } = await stage.hub.services.openTopic('t');
    expect(topic.subscribers.size).toBe(0);
  });

  test('a connection that is gone leaves nothing in the topic', async () => {
    const client = await stage.join({ subscribe: [{ id: 1, topic: 't' }] });
    const { topic } = await stage.hub.services.openTopic('t');
    expect(topic.subscribers.size).toBe(1);
    client.socket.drop();
    expect(topic.subscribers.size).toBe(0);
  });
});

describe('HF-7.1, HF-7.2, decision 17: credit and drain', () => {
  test('credit as a count in subscribe, cumulative after it', async () => {
    await fill(6);
    const client = await stage.join();
    await subscribe(client, { last: 6, credit: 2 });
    expect(stream(client)).toEqual(['1', '2']);
    client.send({ type: 'credit', topic: 't', upTo: 4 });
    client.send({ type: 'credit', topic: 't', upTo: 3 });
    await stage.clock.settle();
    expect(stream(client)).toEqual(['3', '4']);
  });

  test('credit that comes before the subscription stands is not lost', async () => {
    await fill(4);
    const client = await stage.join();
    client.send({ type: 'subscribe', id: 1, topic: 't', last: 4, credit: 0 });
    client.send({ type: 'credit', topic: 't', upTo: 3 });
    await stage.clock.settle();
    expect(stream(client)).toEqual(['1', '2', '3']);
  });

  test('and counts only for the log that it names', async () => {
    await fill(4);
    const client = await stage.join();
    const { epoch } = (await stage.hub.services.openTopic('t')).head;
    client.send({ type: 'subscribe', id: 1, topic: 't', last: 4, credit: 0 });
    client.send({ type: 'credit', topic: 't', upTo: 4, epoch: 'another' });
    client.send({ type: 'credit', topic: 't', upTo: 2, epoch });
    client.send({ type: 'credit', topic: 't', upTo: 1, epoch });
    await stage.clock.settle();
    expect(stream(client)).toEqual(['1', '2']);
    client.send({ type: 'credit', topic: 't', upTo: 4, epoch: 'another' });
    client.send({ type: 'credit', topic: 't', upTo: 3, epoch });
    await stage.clock.settle();
    expect(stream(client)).toEqual(['3']);
  });

  test('HF-4: credit without a subscription is ignored', async () => {
    const client = await stage.join();
    client.send({ type: 'credit', topic: 't', upTo: 3 });
    await stage.clock.settle();
    expect(client.take()).toEqual([]);
  });

  test('without credit the socket’s drain paces: the cursor stops at queueBytesMax and nothing is lost', async () => {
    const client = await stage.join({ subscribe: [{ id: 1, topic: 't' }] });
    client.socket.bufferedBytes = stage.hub.services.limits.queueBytesMax;
    await fill(3);
    expect(stream(client)).toEqual([]);
    client.socket.drain();
    await stage.clock.settle();
    expect(stream(client)).toEqual(['1', '2', '3']);
    await fill(1);
    expect(stream(client)).toEqual(['4']);
  });
});

describe('HF-5.10, decision 15: rights', () => {
  test('refused at subscribing, with the id and without the topic: that would be a pause', async () => {
    const rights = new Rights();
    rights.answer = false;
    const client = await stage.join({}, rights.endpoint);
    await subscribe(client);
    const [error] = client.take('error') as [ErrorMessage];
    expect(error).toMatchObject({ id: 1, code: 'FORBIDDEN', message: '"alice" may not subscribe "t"' });
    expect(error.topic).toBeUndefined();
    expect(stage.disk.topics.size).toBe(0);
  });

  test('end at their time: a pause that is said with the topic, and signals and members stop too', async () => {
    const rights = new Rights();
    rights.answer = { untilMs: stage.clock.now() + 1_000 };
    const client = await stage.join({}, rights.endpoint);
    await subscribe(client, { presence: true });
    const other = await stage.join({ client: 'other', subscribe: [{ id: 1, topic: 't' }] });
    await fill(1);
    expect(stream(client)).toEqual(['1']);
    await stage.clock.advance(1_000);
    client.take();
    other.send({ type: 'signal', topic: 't', data: 1 });
    other.send({ type: 'presence', topic: 't', state: {} });
    await fill(1);
    expect(client.take()).toMatchObject([{ type: 'error', code: 'FORBIDDEN', topic: 't' }]);
  });

  test('HF-3.6: auth lets a paused subscription go on from the same place', async () => {
    const rights = new Rights();
    rights.answer = { untilMs: stage.clock.now() + 1_000 };
    const client = await stage.join({ token: 'alice:1' }, rights.endpoint);
    await subscribe(client);
    await stage.clock.advance(1_000);
    await fill(2);
    expect(stream(client)).toEqual(['error FORBIDDEN']);
    rights.answer = true;
    client.send({ type: 'auth', id: 7, token: 'alice:2' });
    await stage.clock.settle();
    expect(client.take('reply')).toEqual([{ type: 'reply', id: 7, data: { subject: 'alice' } }]);
    expect(stream(client)).toEqual(['1', '2']);
    expect(rights.asked.at(-1)!.identity.claims).toBe('alice:2');
  });

  test('taken away by recheck, for one subject or all', async () => {
    const rights = new Rights();
    const alice = await stage.join({ token: 'alice', subscribe: [{ id: 1, topic: 't' }] }, rights.endpoint);
    const bob = await stage.join({ token: 'bob', subscribe: [{ id: 1, topic: 't' }] }, rights.endpoint);
    rights.answer = false;
    await Promise.all([stage.hub.recheck('bob'), stage.clock.settle()]);
    await fill(1);
    expect([stream(alice), stream(bob)]).toEqual([['1'], ['error FORBIDDEN']]);
    await Promise.all([stage.hub.recheck(), stage.clock.settle()]);
    expect([stream(alice), stream(bob)]).toEqual([['error FORBIDDEN'], []]);
  });

  test('taken away while the subscription is being opened: it does not slip through', async () => {
    const rights = new Rights();
    rights.isSlow = true;
    const client = await stage.join({}, rights.endpoint);
    await subscribe(client);
    rights.answer = false;
    const checking = stage.hub.recheck();
    rights.release();
    await stage.clock.settle();
    rights.release();
    await Promise.all([checking, stage.clock.settle()]);
    expect(client.take()).toMatchObject([{ type: 'error', id: 1, code: 'FORBIDDEN' }]);
  });

  test('given while the old credentials are being refused: the refusal does not count', async () => {
    const rights = new Rights();
    rights.isSlow = true;
    rights.answer = false;
    const client = await stage.join({}, rights.endpoint);
    await subscribe(client);
    rights.answer = true;
    rights.isSlow = false;
    const checking = stage.hub.recheck();
    rights.release();
    await Promise.all([checking, stage.clock.settle()]);
    expect(client.take()).toMatchObject([{ type: 'subscribed', id: 1 }]);
  });

  test('HF-7.6: of two askings that overlap the later one counts, for members too', async () => {
    const answers: ((may: boolean) => void)[] = [];
    let isHeld = false;
    const endpoint = new Endpoint({
      authorize: ({ action }) => (action === 'members' && isHeld ? new Promise<boolean>((resolve) => answers.push(resolve)) : true),
    });
    const client = await stage.join({ subscribe: [{ id: 1, topic: 't', presence: true }] }, endpoint);
    client.take();
    isHeld = true;
    const askings = [stage.hub.recheck()];
    await stage.clock.settle();
    askings.push(stage.hub.recheck());
    await stage.clock.settle();
    answers[1]!(true);
    await stage.clock.settle();
    answers[0]!(false);
    await Promise.all([...askings, stage.clock.settle()]);
    expect(client.take()).toEqual([]);
    isHeld = false;
    client.send({ type: 'presence', topic: 't', state: 1, id: 2 });
    await stage.clock.settle();
    expect(client.take('presence')).toMatchObject([{ event: 'enter' }]);
  });

  test('HF-5.11: what is learnt of members after the end is told nobody', async () => {
    const answers: ((may: boolean) => void)[] = [];
    let isHeld = false;
    const endpoint = new Endpoint({
      authorize: ({ action }) => (action === 'members' && isHeld ? new Promise<boolean>((resolve) => answers.push(resolve)) : true),
    });
    const client = await stage.join({ subscribe: [{ id: 1, topic: 't', presence: true }] }, endpoint);
    isHeld = true;
    const asking = stage.hub.recheck();
    await stage.clock.settle();
    client.take();
    client.send({ type: 'unsubscribe', topic: 't', id: 2 });
    answers[0]!(false);
    await Promise.all([asking, stage.clock.settle()]);
    expect(client.take()).toEqual([{ type: 'reply', id: 2, data: null }]);
  });

  test('a hook that fails with anything: INTERNAL for who asks, a report for the operator, and no promise left alone', async () => {
    const rights = new Rights();
    const client = await stage.join({}, rights.endpoint);
    await subscribe(client);
    client.take();
    rights.answer = new TypeError('rights database');
    client.send({ type: 'read', id: 2, topic: 't', after: 0 });
    await stage.clock.settle();
    expect(client.take()).toMatchObject([{ type: 'error', id: 2, code: 'INTERNAL', retryable: true }]);
    await stage.hub.recheck();
    await fill(1);
    expect(stream(client)).toEqual([]);
    rights.answer = true;
    await stage.clock.advance(500);
    expect(stream(client)).toEqual(['1']);
    expect(stage.errors.length).toBeGreaterThanOrEqual(2);
  });

  test('a slow auth does not answer twice when the recheck after it fails', async () => {
    const rights = new Rights();
    const client = await stage.join({}, rights.endpoint);
    await subscribe(client);
    client.take();
    rights.answer = new TypeError('rights database');
    client.send({ type: 'auth', id: 3, token: 'alice:3' });
    await stage.clock.settle();
    expect(client.take()).toEqual([{ type: 'reply', id: 3, data: { subject: 'alice' } }]);
  });

  test('decision 12: what is visible is asked of who it is now', async () => {
    const rights = new Rights();
    stage = new Stage({
      topics: [{ pattern: '*', kind: { name: 'claims', isVisible: (_entry, { claims }) => claims === 'alice:adult' } }],
    });
    const client = await stage.join({ token: 'alice:child' }, rights.endpoint);
    await subscribe(client);
    await fill(1);
    expect(stream(client)).toEqual(['skip 1-1']);
    client.send({ type: 'auth', id: 2, token: 'alice:adult' });
    await stage.clock.settle();
    await fill(1);
    expect(stream(client)).toEqual(['2']);
  });

  test('a kind that cannot say what is visible shows nothing, and harms nobody', async () => {
    stage = new Stage({
      topics: [
        {
          pattern: '*',
          kind: {
            name: 'broken',
            isVisible: () => {
              throw new Error('isVisible');
            },
          },
        },
      ],
    });
    const client = await stage.join({ subscribe: [{ id: 1, topic: 't' }] });
    client.publish('t', 1, 'x');
    await stage.clock.settle();
    expect(client.take()).toMatchObject([{ type: 'skip', first: 1, last: 1 }, { type: 'ack' }]);
    expect(stage.errors).toEqual([new Error('isVisible')]);
  });
});

describe('HF-3.6: auth', () => {
  test('another subject is refused, and the connection closed', async () => {
    const client = await stage.join();
    client.send({ type: 'auth', id: 1, token: 'bob' });
    await stage.clock.settle();
    expect(client.take()).toMatchObject([{ type: 'error', id: 1, code: 'UNAUTHENTICATED' }]);
    expect(client.closed).toEqual({ code: 4300, reason: 'UNAUTHENTICATED' });
  });

  test('a hook that fails costs an error, not the connection', async () => {
    let isFirst = true;
    const endpoint = new Endpoint({
      authenticate: () => {
        if (!isFirst) throw new Error('directory');
        isFirst = false;
        return { subject: 'alice' };
      },
    });
    const client = await stage.join({}, endpoint);
    client.send({ type: 'auth', id: 1, token: 'x' });
    await stage.clock.settle();
    expect(client.take()).toMatchObject([{ type: 'error', id: 1, code: 'INTERNAL' }]);
    expect(client.closed).toBeUndefined();
  });

  test('two at a time: the one that came last stands', async () => {
    const waiting: (() => void)[] = [];
    const rights = new Rights();
    const endpoint = new Endpoint({
      authenticate: async ({ token = '' }) => {
        if (token !== 'alice:0') await new Promise<void>((resolve) => waiting.push(resolve));
        return { subject: 'alice', claims: token };
      },
      authorize: (question) => {
        rights.asked.push(question);
        return true;
      },
    });
    const client = await stage.join({ token: 'alice:0' }, endpoint);
    client.send({ type: 'auth', id: 1, token: 'alice:1' });
    client.send({ type: 'auth', id: 2, token: 'alice:2' });
    await stage.clock.settle();
    while (waiting.length > 0) {
      waiting.pop()!();
      await stage.clock.settle();
    }
    expect(client.take('reply').map(({ id }) => id)).toEqual([1, 2]);
    client.publish('t', 1, 'x');
    expect(rights.asked.at(-1)!.identity.claims).toBe('alice:2');
  });
});

describe('HF-9.1: numbers', () => {
  const bytes = (number: number): Uint8Array => Uint8Array.of(1, number, 1, 112, 1, 0, 0, 42);

  test('stand for the topic where it was told, while the subscription stands', async () => {
    const client = await stage.join({ subscribe: [{ id: 1, topic: 't' }] });
    client.raw(bytes(1));
    await stage.clock.settle();
    expect(client.take('ack')).toMatchObject([{ topic: 't', offset: 1 }]);
    expect(client.take('entry')).toMatchObject([{ offset: 1, data: Uint8Array.of(42) }]);
    client.send({ type: 'unsubscribe', topic: 't' });
    client.raw(bytes(1));
    expect(client.take('error')).toMatchObject([{ code: 'BAD_BINARY' }]);
  });

  test('tell a stranger nothing of what other topics there are', async () => {
    await stage.join({ subscribe: [{ id: 1, topic: 'secret' }] });
    const client = await stage.join({ client: 'stranger', token: 'mallory' });
    client.raw(bytes(1));
    const [error] = client.take('error') as [ErrorMessage];
    expect(error.code).toBe('BAD_BINARY');
    expect(JSON.stringify(error)).not.toContain('secret');
  });

  test('go on while a subscription is being replaced', async () => {
    const client = await stage.join({ subscribe: [{ id: 1, topic: 't' }] });
    client.send({ type: 'subscribe', id: 2, topic: 't' });
    client.raw(bytes(1));
    await stage.clock.settle();
    expect(client.take('ack')).toHaveLength(1);
  });
});
