import type { ClientMessage } from '@holdfast/wire';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Client } from './client.ts';
import { collect, payloads, World } from './world.testing.ts';

const T = 'chat/1';
let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(async () => {
  await world.close();
});

function fill(count: number): void {
  for (let n = 1; n <= count; n++) world.server.log(T).append(n);
}
function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, at) => from + at);
}
/** What the client sent of a type, over all connections that are open. */
function sent<K extends ClientMessage['type']>(type: K): Extract<ClientMessage, { type: K }>[] {
  const all = [...world.server.connections].flatMap(({ received }) => received);
  return all.filter((message): message is Extract<ClientMessage, { type: K }> => message.type === type);
}
async function reconnect(client: Client): Promise<void> {
  world.network.cut();
  await world.clock.advance(0);
  while (client.status.getSnapshot().phase !== 'open') await world.clock.advance(50);
  await world.clock.advance(20);
}

describe('credit (HF-7.1)', () => {
  it('holds the server to the window of a reader that does not read', async () => {
    fill(100);
    const client = await world.connected({ window: 10 });
    const reader = client.topic(T).items({ position: { epoch: 'e1', offset: 0, revision: 0 } });
    await world.clock.advance(100);
    expect(world.server.connection.cursors.get(T)?.offset).toBe(10);
    for (let n = 1; n <= 5; n++) await reader.next();
    await world.clock.advance(100);
    expect([reader.position?.offset, world.server.connection.cursors.get(T)?.offset]).toEqual([4, 10]);
    await reader.next();
    await world.clock.advance(100);
    expect([reader.position?.offset, world.server.connection.cursors.get(T)?.offset]).toEqual([5, 15]);
  });

  it('is renewed when half of the window is processed, and everything comes', async () => {
    fill(100);
    const client = await world.connected({ window: 10 });
    const items = collect(client.topic(T).items({ position: { epoch: 'e1', offset: 0, revision: 0 } }));
    await world.clock.advance(200);
    expect(payloads(items)).toEqual(range(1, 100));
    const credits = sent('credit').map(({ upTo }) => upTo);
    expect(credits.length).toBeLessThanOrEqual(20);
    expect(credits).toEqual([...credits].sort((a, b) => a - b));
  });

  it('works with a window of one', async () => {
    fill(5);
    const client = await world.connected();
    const items = collect(client.topic(T).items({ position: { epoch: 'e1', offset: 0, revision: 0 }, window: 1 }));
    await world.clock.advance(200);
    expect(payloads(items)).toEqual([1, 2, 3, 4, 5]);
  });

  it('is what the slowest reader has room for', async () => {
    fill(100);
    const client = await world.connected({ window: 10 });
    const topic = client.topic(T);
    const position = { epoch: 'e1', offset: 0, revision: 0 };
    const stalled = topic.items({ position });
    const quick = collect(topic.items({ position }));
    await world.clock.advance(100);
    expect(payloads(quick)).toEqual(range(1, 10));
    stalled.close();
    await world.clock.advance(200);
    expect(payloads(quick)).toEqual(range(1, 100));
  });

  it('starts anew in a new log that is shorter than the old one', async () => {
    fill(100);
    const client = await world.connected({ window: 4 });
    const items = collect(client.topic(T).items({ last: 2 }));
    await world.clock.advance(50);
    world.server.log(T).restart('e2');
    fill(30);
    await reconnect(client);
    await world.clock.advance(100);
    expect(payloads(items)).toEqual([99, 100, ...range(1, 30)]);
  });

  it('bounds what a reader that stands still must hold, whatever is cut under it, and goes on when it reads', async () => {
    fill(10);
    const client = await world.connected({ window: 4 });
    const reader = client.topic(T).items({ position: { epoch: 'e1', offset: 0, revision: 0 } });
    await world.clock.advance(10);
    world.server.log(T).trim(8);
    world.server.append(T, 11);
    await world.clock.advance(10);
    world.server.log(T).trim(10);
    world.server.append(T, 12);
    await world.clock.advance(10);
    world.server.log(T).restart('e2');
    fill(10);
    await reconnect(client);
    expect(world.server.connection.cursors.get(T)).toMatchObject({ epoch: 'e2', offset: 0 });
    const items = collect(reader);
    await world.clock.advance(100);
    expect(items.map((item) => (item.type === 'gap' ? `${item.reason} ${item.before.offset}` : payloads([item])[0]))).toEqual([
      ...range(1, 4),
      'retention 4',
      'retention 7',
      'epoch 9',
      ...range(1, 10),
    ]);
  });

  it('names the log for which it is given', async () => {
    fill(10);
    const client = await world.connected({ window: 4 });
    collect(client.topic(T).items({ position: { epoch: 'e1', offset: 0, revision: 0 } }));
    await world.clock.advance(100);
    expect(new Set(sent('credit').map(({ epoch }) => epoch))).toEqual(new Set(['e1']));
  });

  it('after a gap of retention goes on from there', async () => {
    fill(50);
    const client = await world.connected({ window: 4 });
    const reader = client.topic(T).items({ position: { epoch: 'e1', offset: 0, revision: 0 } });
    await world.clock.advance(10);
    world.server.log(T).trim(40);
    await reconnect(client);
    const items = collect(reader);
    await world.clock.advance(100);
    expect(payloads(items)).toEqual([1, 2, 3, 4, ...range(40, 50)]);
  });
});
