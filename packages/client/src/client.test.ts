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
