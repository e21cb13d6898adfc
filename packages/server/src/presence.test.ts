/** HF-7.6, decision 18: a member is (subject, client), replaced atomically, kept for a grace time after a drop. */

import type { PresenceMessage } from '@holdfast/wire';
import { beforeEach, describe, expect, test } from 'vitest';
import { Endpoint } from './endpoint.ts';
import { Presence } from './presence.ts';
import { Stage, type StageClient } from './stage.testing.ts';

const GRACE_MS = 10_000;
const SUBSCRIBE = [{ id: 1, topic: 't' }];

let stage: Stage;
let watcher: StageClient;
let alice: StageClient;

beforeEach(async () => {
  stage = new Stage();
  watcher = await stage.join({ client: 'w', token: 'watcher', subscribe: [{ id: 1, topic: 't', presence: true }] });
  alice = await stage.join({ client: 'a', token: 'alice', subscribe: SUBSCRIBE });
});

function show(client: StageClient, state: string | null, id?: number): void {
  client.send({ type: 'presence', topic: 't', state, ...(id === undefined ? {} : { id }) });
}

/** Such as `members alice/a=x`, `enter alice/a=x`. */
async function seen(client: StageClient = watcher): Promise<string[]> {
  await stage.clock.settle();
  return client.take('presence').map((message: PresenceMessage) => {
    const members = message.event === 'members' ? message.members : [message.member];
    return [message.event, ...members.map(({ subject, client: name, state }) => `${subject}/${name}=${state as string}`)].join(' ');
  });
}

describe('HF-7.6, decision 18: members', () => {
  test('enter, update, leave; the list comes once after subscribed, and only where it was asked for', async () => {
    show(alice, 'x', 2);
    await stage.clock.settle();
    expect(alice.take()).toEqual([{ type: 'reply', id: 2, data: null }]);
    const since = stage.clock.now();
    await stage.clock.advance(5);
    show(alice, 'y');
    show(alice, 'y');
    const late = await stage.join({ client: 'l', token: 'late' });
    late.send({ type: 'subscribe', id: 1, topic: 't', presence: true });
    await stage.clock.settle();
    expect(late.take()).toMatchObject([
      { type: 'subscribed' },
      { type: 'presence', event: 'members', members: [{ subject: 'alice', client: 'a', state: 'y', since }] },
    ]);
    show(alice, null);
    expect(await seen()).toEqual(['enter alice/a=x', 'update alice/a=y', 'leave alice/a=y']);
    expect(await seen(late)).toEqual(['leave alice/a=y']);
    expect(alice.take()).toEqual([]);
  });

  test('needs a subscription', async () => {
    const bob = await stage.join({ client: 'b', token: 'bob' });
    show(bob, 'x', 1);
    await stage.clock.settle();
    expect(bob.take()).toMatchObject([{ type: 'error', id: 1, code: 'NOT_SUBSCRIBED' }]);
    bob.send({ type: 'subscribe', id: 2, topic: 't' });
    show(bob, 'x', 3);
    expect(await seen()).toEqual(['enter bob/b=x']);
  });

  test('needs the right, and keeps the order of its states whatever that takes', async () => {
    const waiting: ((isAllowed: boolean) => void)[] = [];
    const endpoint = new Endpoint({ authorize: ({ action }) => action !== 'presence' || new Promise((resolve) => waiting.push(resolve)) });
    const bob = await stage.join({ client: 'b', token: 'bob', subscribe: SUBSCRIBE }, endpoint);
    show(bob, 'x', 1);
    show(bob, 'y', 2);
    show(bob, 'z', 3);
    for (const isAllowed of [true, false, true]) {
      await stage.clock.settle();
      expect(waiting).toHaveLength(1);
      waiting.pop()!(isAllowed);
    }
    expect(await seen()).toEqual(['enter bob/b=x', 'update bob/b=z']);
    expect(bob.take('error')).toMatchObject([{ id: 2, code: 'FORBIDDEN' }]);
  });

  test('a right that comes after the end of the subscription, or of the connection, makes no member', async () => {
    const waiting: ((isAllowed: boolean) => void)[] = [];
    const endpoint = new Endpoint({ authorize: ({ action }) => action !== 'presence' || new Promise((resolve) => waiting.push(resolve)) });
    const bob = await stage.join({ client: 'b', token: 'bob', subscribe: SUBSCRIBE }, endpoint);
    const carol = await stage.join({ client: 'c', token: 'carol', subscribe: SUBSCRIBE }, endpoint);
    show(bob, 'x', 1);
    show(carol, 'x', 1);
    await stage.clock.settle();
    bob.send({ type: 'unsubscribe', topic: 't' });
    carol.socket.drop();
    for (const allow of waiting) allow(true);
    expect(await seen()).toEqual([]);
    expect(bob.take('error')).toMatchObject([{ id: 1, code: 'NOT_SUBSCRIBED' }]);
  });

  test('unsubscribing leaves', async () => {
    show(alice, 'x');
    await stage.clock.settle();
    alice.send({ type: 'unsubscribe', topic: 't' });
    expect(await seen()).toEqual(['enter alice/a=x', 'leave alice/a=x']);
  });

  test('subscribing anew does not, but a refusal of it does', async () => {
    let isAllowed = true;
    const bob = await stage.join({ client: 'b', token: 'bob', subscribe: SUBSCRIBE }, new Endpoint({ authorize: () => isAllowed }));
    show(bob, 'x');
    bob.send({ type: 'subscribe', id: 2, topic: 't' });
    expect(await seen()).toEqual(['enter bob/b=x']);
    isAllowed = false;
    bob.send({ type: 'subscribe', id: 3, topic: 't' });
    expect(await seen()).toEqual(['leave bob/b=x']);
  });

  test('a state is small', async () => {
    show(alice, 'x'.repeat(5_000), 1);
    await stage.clock.settle();
    expect(alice.take()).toMatchObject([{ type: 'error', id: 1, code: 'TOO_LARGE' }]);
    expect(await seen()).toEqual([]);
  });
});

describe('HF-7.6, decision 18: a drop', () => {
  test('leaves after the grace time', async () => {
    show(alice, 'x');
    await stage.clock.settle();
    alice.socket.drop();
    await stage.clock.advance(GRACE_MS - 1);
    expect(await seen()).toEqual(['enter alice/a=x']);
    await stage.clock.advance(1);
    expect(await seen()).toEqual(['leave alice/a=x']);
  });

  test('and a return within it change nothing for the others', async () => {
    show(alice, 'x');
    await stage.clock.settle();
    alice.socket.drop();
    await stage.clock.advance(GRACE_MS / 2);
    const again = await stage.join({ client: 'a', token: 'alice', subscribe: SUBSCRIBE });
    show(again, 'x');
    await stage.clock.advance(GRACE_MS * 2);
    expect(await seen()).toEqual(['enter alice/a=x']);
    again.socket.drop();
    await stage.clock.advance(GRACE_MS);
    expect(await seen()).toEqual(['leave alice/a=x']);
  });

  test('HF-3.5, decision 16: a fence takes the member over without leaving', async () => {
    show(alice, 'x');
    await stage.clock.settle();
    const newer = await stage.join({ client: 'a', token: 'alice', subscribe: SUBSCRIBE });
    show(newer, 'y');
    await stage.clock.advance(GRACE_MS * 2);
    expect(await seen()).toEqual(['enter alice/a=x', 'update alice/a=y']);
    expect(alice.closed?.code).toBe(4001);
  });

  test('while the subscription is being renewed does not leave a ghost', async () => {
    show(alice, 'x');
    await stage.clock.settle();
    alice.send({ type: 'subscribe', id: 2, topic: 't' });
    alice.socket.drop();
    await stage.clock.advance(GRACE_MS);
    expect(await seen()).toEqual(['enter alice/a=x', 'leave alice/a=x']);
  });

  test('of one of two tabs concerns that tab', async () => {
    const tab = await stage.join({ client: 'a2', token: 'alice', subscribe: SUBSCRIBE });
    show(alice, 'x');
    show(tab, 'x');
    await stage.clock.settle();
    alice.socket.drop();
    await stage.clock.advance(GRACE_MS);
    expect(await seen()).toEqual(['enter alice/a=x', 'enter alice/a2=x', 'leave alice/a=x']);
  });
});

test('decision 18: a member that has another holder by now is not dropped or released by the former one', async () => {
  const changes: string[] = [];
  const presence = new Presence({ clock: stage.clock, graceMs: GRACE_MS, onChange: (event) => changes.push(event) });
  const [former, present] = [{}, {}];
  presence.enter('alice', 'a', 1, former);
  presence.enter('alice', 'a', 1, present);
  presence.drop('alice', 'a', former);
  presence.release('alice', 'a', former);
  await stage.clock.advance(GRACE_MS);
  expect([changes, presence.members().length]).toEqual([['enter'], 1]);
  presence.release('alice', 'a', present);
  expect(changes).toEqual(['enter', 'leave']);
});

describe('a slow watcher', () => {
  beforeEach(async () => {
    show(alice, 'x');
    await stage.clock.settle();
    watcher.take();
    watcher.socket.bufferedBytes = stage.hub.services.limits.queueBytesMax;
  });

  async function join(name: string): Promise<StageClient> {
    const client = await stage.join({ client: name, token: name, subscribe: SUBSCRIBE });
    show(client, '1');
    await stage.clock.settle();
    return client;
  }

  test('gets the net change of each member, in no more frames than there are members', async () => {
    const bob = await join('bob');
    const carol = await join('carol');
    show(bob, '2');
    show(carol, null);
    show(alice, null);
    show(alice, 'back');
    for (let state = 0; state < 50; state++) show(alice, String(state));
    expect(await seen()).toEqual([]);
    watcher.socket.drain();
    expect((await seen()).sort()).toEqual(['enter bob/bob=2', 'update alice/a=49']);
  });

  test('who leaves and stays away has left', async () => {
    show(alice, 'y');
    show(alice, null);
    await stage.clock.settle();
    watcher.socket.drain();
    expect(await seen()).toEqual(['leave alice/a=y']);
  });
});

test('one subject under many names of clients does not fill a room', async () => {
  const room = new Stage({ limits: { subjectConnectionsMax: 100 } });
  const answers: string[] = [];
  for (let at = 0; at < 34; at++) {
    const client = await room.join({ client: `c${at}`, token: 'mallory', subscribe: [{ id: 1, topic: 't' }] });
    client.send({ type: 'presence', topic: 't', state: at, id: at });
    await room.clock.settle();
    answers.push(...client.take('reply', 'error').map((answer) => (answer.type === 'error' ? answer.code : 'ok')));
    client.socket.drop();
  }
  const honest = await room.join({ client: 'x', token: 'alice', subscribe: [{ id: 1, topic: 't' }] });
  honest.send({ type: 'presence', topic: 't', state: 'here', id: 1 });
  await room.clock.settle();
  expect([answers.filter((answer) => answer === 'ok').length, answers.slice(-2)]).toEqual([32, ['TOO_MANY_MEMBERS', 'TOO_MANY_MEMBERS']]);
  expect(honest.take('reply')).toHaveLength(1);
});
