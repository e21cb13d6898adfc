import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collect, outcome, payloads, World } from './world.testing.ts';

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(async () => {
  await world.close();
});

describe('a client', () => {
  it('publishes and reads its own entries back, from connecting to order', async () => {
    const client = world.client();
    const topic = client.topic('chat/1');
    const items = collect(topic.items());
    const first = outcome(topic.publish({ text: 'a' }));
    const second = outcome(topic.publish(new Uint8Array([1, 2])));
    await world.clock.advance(20);
    expect(first.value).toEqual({ offset: 1, epoch: 'e1', duplicate: false });
    expect(second.value).toMatchObject({ offset: 2 });
    expect(payloads(items)).toEqual([{ text: 'a' }, new Uint8Array([1, 2])]);
  });

  it('HF-3.6: gives a fresh token to the live connection', async () => {
    let asked = 0;
    const client = await world.connected({ token: () => `token-${++asked}` });
    const view = client.topic('chat/1').view();
    await world.clock.advance(10);
    world.server.refuse(world.server.connection, { topic: 'chat/1' }, { code: 'FORBIDDEN' });
    await world.clock.advance(10);
    expect(view.getSnapshot().phase).toBe('stale');
    const renewed = outcome(client.authenticate());
    await world.clock.advance(10);
    expect(world.server.connection.received.at(-1)).toMatchObject({ type: 'auth', token: 'token-2' });
    expect(['value' in renewed, view.getSnapshot().phase]).toEqual([true, 'live']);
    const other = world.client({ token: 'fixed' });
    expect(() => other.authenticate()).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  it('is the same topic for the same name', () => {
    const client = world.client();
    expect(client.topic('chat/1')).toBe(client.topic('chat/1'));
    expect(client.topic('chat/1').name).toBe('chat/1');
  });

  it('goes on after a cut with nothing lost and nothing twice', async () => {
    const client = await world.connected();
    const topic = client.topic('chat/1');
    const items = collect(topic.items());
    await world.clock.advance(10);
    for (let n = 0; n < 5; n++) world.server.append('chat/1', n);
    world.network.cut();
    const sent = outcome(topic.publish('mine'));
    world.server.append('chat/1', 5);
    await world.clock.advance(1_000);
    expect(payloads(items)).toEqual([0, 1, 2, 3, 4, 5, 'mine']);
    expect(sent.value).toMatchObject({ offset: 7 });
    expect(world.network.connectCount).toBe(2);
  });
});
