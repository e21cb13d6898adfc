/** HF-7.4 and HF-7.5: signals are ephemeral, conflated for the slow, and never ahead of entries that were ordered before them. */

import { beforeEach, describe, expect, test } from 'vitest';
import { Endpoint } from './endpoint.ts';
import { SharedFrame } from './shared-frame.ts';
import { Stage, type StageClient } from './stage.testing.ts';

let stage: Stage;
let alice: StageClient;
let bob: StageClient;

const SUBSCRIBE = [{ id: 1, topic: 't' }];

beforeEach(async () => {
  await begin();
});

async function begin(endpoint?: Endpoint): Promise<void> {
  stage = new Stage();
  alice = await stage.join({ client: 'a', token: 'alice', subscribe: SUBSCRIBE }, endpoint ?? stage.endpoint);
  bob = await stage.join({ client: 'b', token: 'bob', subscribe: SUBSCRIBE });
}

function signal(client: StageClient, data: number | string): void {
  client.send({ type: 'signal', topic: 't', data });
}

/** What came, in order: `1` for an entry's offset, `~x` for a signal's data. */
async function got(client: StageClient): Promise<string[]> {
  await stage.clock.settle();
  return client
    .take('entry', 'signal')
    .map((message) => (message.type === 'entry' ? String(message.offset) : `~${message.data as string}`));
}

async function fill(count: number): Promise<void> {
  for (let made = 0; made < count; made++) void stage.hub.publish('t', made);
  await stage.clock.settle();
}

describe('HF-7.4: a signal', () => {
  test('goes to the other subscribers with who sent it, and is not stored', async () => {
    const carol = await stage.join({ client: 'c', token: 'carol' });
    signal(alice, 'x');
    await stage.clock.settle();
    expect(bob.take()).toEqual([{ type: 'signal', topic: 't', from: 'alice', client: 'a', data: 'x' }]);
    expect(alice.take()).toEqual([]);
    expect(carol.take()).toEqual([]);
    expect(stage.disk.topics.get('t')!.entries).toEqual([]);
  });

  test('does not come back over a subscription that was renewed meanwhile', async () => {
    signal(alice, 'x');
    alice.send({ type: 'subscribe', id: 2, topic: 't' });
    expect(await got(alice)).toEqual([]);
    expect(await got(bob)).toEqual(['~x']);
  });

  test('HF-7.5: needs a subscription of its sender', async () => {
    const carol = await stage.join({ client: 'c', token: 'carol' });
    signal(carol, 'x');
    await stage.clock.settle();
    const errors = carol.take('error');
    expect(errors).toMatchObject([{ code: 'NOT_SUBSCRIBED' }]);
    expect(errors[0]!.topic).toBeUndefined();
    expect(await got(bob)).toEqual([]);
  });

  test('that would fit into no frame is refused', async () => {
    const { frameBytesMax } = stage.hub.services.limits;
    const room = frameBytesMax - '{"type":"signal","topic":"t","from":"alice","client":"a","data":""}'.length;
    signal(alice, 'x'.repeat(room + 1));
    await stage.clock.settle();
    expect(alice.take('error')).toMatchObject([{ code: 'TOO_LARGE' }]);
    signal(alice, 'x'.repeat(room));
    expect(await got(bob)).toHaveLength(1);
  });

  test('may be sent before the subscription stands', async () => {
    const carol = await stage.join({ client: 'c', token: 'carol' });
    carol.send({ type: 'subscribe', id: 1, topic: 't' });
    signal(carol, 'x');
    expect(await got(bob)).toEqual(['~x']);
  });

  test('of one client keeps its order, whatever the rights take', async () => {
    const waiting: (() => void)[] = [];
    await begin(
      new Endpoint({ authorize: ({ action }) => action !== 'signal' || new Promise((resolve) => waiting.push(() => resolve(true))) }),
    );
    signal(alice, 1);
    signal(alice, 2);
    await stage.clock.settle();
    expect(waiting).toHaveLength(1);
    waiting[0]!();
    await stage.clock.settle();
    waiting[1]!();
    expect(await got(bob)).toEqual(['~1', '~2']);
  });
});

describe('HF-7.4: never ahead of entries that were ordered before it', () => {
  test('that are under way to the disk', async () => {
    const gate = stage.store.hold('apply', 'after');
    void stage.hub.publish('t', 1);
    await stage.clock.settle();
    void stage.hub.publish('t', 2);
    signal(alice, 'x');
    expect(await got(bob)).toEqual([]);
    gate.pass();
    expect(await got(bob)).toEqual(['1', '2', '~x']);
  });

  test('that the reader has not read yet', async () => {
    bob.socket.bufferedBytes = stage.hub.services.limits.queueBytesMax;
    await fill(2);
    signal(alice, 'x');
    expect(await got(bob)).toEqual([]);
    (await stage.hub.services.openTopic('t')).topic.tail.clear();
    const gate = stage.store.hold('read', 'after');
    bob.socket.drain();
    expect(await got(bob)).toEqual([]);
    signal(alice, 'y');
    gate.pass();
    expect(await got(bob)).toEqual(['1', '2', '~y']);
  });

  test('for which the reader has given no credit yet', async () => {
    bob.send({ type: 'subscribe', id: 2, topic: 't', credit: 1 });
    await stage.clock.settle();
    await fill(2);
    signal(alice, 'x');
    expect(await got(bob)).toEqual(['1']);
    bob.send({ type: 'credit', topic: 't', upTo: 2 });
    expect(await got(bob)).toEqual(['2', '~x']);
  });

  test('that its own sender published before it, though a hook still holds them', async () => {
    const waiting: (() => void)[] = [];
    await begin(
      new Endpoint({ authorize: ({ action }) => action !== 'publish' || new Promise((resolve) => waiting.push(() => resolve(true))) }),
    );
    alice.publish('t', 1, 'a');
    alice.publish('t', 1, 'b', { producer: 'q' });
    signal(alice, 'x');
    expect(await got(bob)).toEqual([]);
    waiting[1]!();
    expect(await got(bob)).toEqual(['1']);
    alice.publish('t', 2, 'later');
    waiting[0]!();
    expect(await got(bob)).toEqual(['2', '~x']);
  });

  test('goes on when they were refused', async () => {
    stage.store.fail('apply');
    alice.publish('t', 1, 'a');
    signal(alice, 'x');
    expect(await got(bob)).toEqual(['~x']);
  });
});

describe('HF-7.4: a slow subscriber gets the newest of each sender', () => {
  test('when it can take more', async () => {
    const carol = await stage.join({ client: 'c', token: 'carol', subscribe: SUBSCRIBE });
    bob.socket.bufferedBytes = stage.hub.services.limits.queueBytesMax;
    for (const data of [1, 2, 3]) signal(alice, data);
    signal(carol, 'c');
    signal(alice, 4);
    expect(await got(bob)).toEqual([]);
    bob.socket.drain();
    expect(await got(bob)).toEqual(['~c', '~4']);
    bob.socket.drain();
    expect(await got(bob)).toEqual([]);
  });

  test('and none that is older than one it has', async () => {
    bob.socket.bufferedBytes = stage.hub.services.limits.queueBytesMax;
    signal(alice, 'old');
    await stage.clock.settle();
    // There is room again before the socket says so.
    bob.socket.bufferedBytes = 0;
    signal(alice, 'new');
    expect(await got(bob)).toEqual(['~new']);
    bob.socket.drain();
    expect(await got(bob)).toEqual([]);
  });

  test('of 1,024 senders at the most', async () => {
    const { topic } = await stage.hub.services.openTopic('t');
    bob.socket.bufferedBytes = stage.hub.services.limits.queueBytesMax;
    for (let sender = 0; sender < 1_030; sender++) {
      const frame = JSON.stringify({ type: 'signal', topic: 't', from: 's', client: 'c', data: sender });
      for (const subscriber of topic.subscribers) subscriber.onSignal(`sender ${sender}`, new SharedFrame(frame));
    }
    bob.socket.drain();
    const data = await got(bob);
    expect(data).toHaveLength(1_024);
    expect(data[0]).toBe('~6');
  });
});
