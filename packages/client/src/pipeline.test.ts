import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { outcome, World } from './world.testing.ts';

const T = 'chat/1';
const DAY_MS = 86_400_000;
let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(async () => {
  await world.close();
});

/** Publishes as the first of a new producer, and loses the answer and the connection. */
async function publishUnanswered(): Promise<{ settled: { value?: { offset: number }; code?: string } }> {
  const client = await world.connected();
  world.server.onMessage = (message) => message.type === 'publish';
  const settled = outcome(client.topic(T).publish('a'));
  await world.clock.advance(10);
  world.server.onMessage = () => false;
  return { settled };
}

describe('a first publish that stays unanswered for long (HF-6.9)', () => {
  it('is uncertain when its producer may be forgotten by now: as seq 1 it would be stored again', async () => {
    const { settled } = await publishUnanswered();
    world.clock.sleep(28 * DAY_MS);
    world.network.cut();
    await world.clock.advance(60_000);
    expect(settled).toEqual({ code: 'UNCERTAIN' });
    expect(world.server.log(T).entries).toEqual([]);
  });

  it('is sent again before that', async () => {
    const { settled } = await publishUnanswered();
    world.clock.sleep(26 * DAY_MS);
    world.network.cut();
    await world.clock.advance(60_000);
    expect(settled).toMatchObject({ value: { offset: 1 } });
  });
});
