import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { World } from './world.testing.ts';

const T = 'chat/1';
let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(async () => {
  await world.close();
});

/** Members need a subscription, as on a real server. */
function needSubscription(): void {
  world.server.onMessage = (message, connection) => {
    if (message.type !== 'presence' || connection.cursors.has(message.topic)) return false;
    world.server.refuse(connection, { id: message.id! }, { code: 'NOT_SUBSCRIBED' });
    return true;
  };
}

it('HF-7.6: entering while the hello is on its way waits for the subscription that goes after it', async () => {
  const client = world.client({ client: 'a' });
  needSubscription();
  world.network.delayMs = () => 100;
  while (world.server.hellos.length < 1) await world.clock.advance(10);
  const entered = client.topic(T).enter({ n: 1 });
  await Promise.all([entered, world.clock.advance(2_000)]);
  expect(world.server.log(T).members.get('a')?.state).toEqual({ n: 1 });
});

describe('a membership that was refused for want of its subscription (HF-7.6)', () => {
  it('is said again when the subscription stands', async () => {
    const client = await world.connected({ client: 'a' });
    needSubscription();
    const handle = world.server.onMessage;
    let isRefused = false;
    world.server.onMessage = (message, connection) => {
      if (message.type !== 'subscribe' || isRefused) return handle(message, connection);
      isRefused = true;
      world.server.refuse(connection, { id: message.id }, { code: 'STORE_UNAVAILABLE', retryable: true });
      return true;
    };
    client
      .topic(T)
      .enter({ n: 1 })
      .catch(() => {});
    await world.clock.advance(20);
    expect(isRefused).toBe(true);
    expect(world.server.log(T).members.size).toBe(0);
    await world.clock.advance(30_000);
    expect(world.server.log(T).members.get('a')?.state).toEqual({ n: 1 });
  });

  it('also if it had been known once, and left since', async () => {
    const client = await world.connected({ client: 'a' });
    await Promise.all([client.topic(T).enter({ n: 1 }), world.clock.advance(20)]);
    await Promise.all([client.topic(T).leave(), world.clock.advance(20)]);
    needSubscription();
    world.network.delayMs = () => 100;
    world.network.cut();
    while (world.server.hellos.length < 2) await world.clock.advance(10);
    // The hello is gone without this topic.
    client
      .topic(T)
      .enter({ n: 2 })
      .catch(() => {});
    await world.clock.advance(30_000);
    expect(world.server.log(T).members.get('a')?.state).toEqual({ n: 2 });
  });
});

it('HF-3.6, HF-7.6: a subscription that was refused is asked for again with new credentials, though nobody reads', async () => {
  const client = await world.connected({ client: 'a', token: () => 'token' });
  needSubscription();
  const handle = world.server.onMessage;
  let mayRead = false;
  world.server.onMessage = (message, connection) => {
    if (message.type !== 'subscribe' || mayRead) return handle(message, connection);
    world.server.refuse(connection, { id: message.id }, { code: 'FORBIDDEN' });
    return true;
  };
  const topic = client.topic(T);
  topic.members.subscribe(() => {});
  topic.enter({ n: 1 }).catch(() => {});
  await world.clock.advance(30_000);
  expect(world.server.log(T).members.size).toBe(0);
  mayRead = true;
  await Promise.all([client.authenticate(), world.clock.advance(1_000)]);
  expect(world.server.log(T).members.get('a')?.state).toEqual({ n: 1 });
  expect(topic.members.getSnapshot()).toMatchObject([{ client: 'a' }]);
});

describe('members that may not be seen (HF-7.6)', () => {
  it('are a problem of their own: the subscription stands, and a new right shows them', async () => {
    world.server.showsMembers = false;
    const client = await world.connected({ client: 'a' });
    const topic = client.topic(T);
    const view = topic.view();
    const changes: unknown[] = [];
    topic.membersProblem.subscribe(() => changes.push(topic.membersProblem.getSnapshot()?.code));
    await Promise.all([topic.enter({ n: 1 }), world.clock.advance(20)]);
    world.server.append(T, 'x');
    await world.clock.advance(20);
    expect([changes, topic.members.getSnapshot()]).toEqual([['FORBIDDEN'], []]);
    expect(view.getSnapshot()).toMatchObject({ phase: 'live', problem: undefined, entries: [{ data: 'x' }] });
    // The right comes: all members, and nothing else changes.
    world.server.connection.send({ type: 'presence', topic: T, event: 'members', members: [...world.server.log(T).members.values()] });
    await world.clock.advance(20);
    expect([changes, topic.members.getSnapshot().map(({ state }) => state)]).toEqual([['FORBIDDEN', undefined], [{ n: 1 }]]);
    void topic.publish('y');
    topic.items();
    await world.clock.advance(20);
    expect(topic.membersProblem.getSnapshot()).toBeUndefined();
    // It is gone at the next connection, and those who were seen with it.
    world.network.cut();
    await world.open(client);
    expect([topic.membersProblem.getSnapshot()?.code, topic.members.getSnapshot()]).toEqual(['FORBIDDEN', []]);
  });
});
