import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Client } from './client.ts';
import type { TopicView } from './view.ts';
import { outcome, World } from './world.testing.ts';

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
function shown(view: TopicView): unknown[] {
  return view.getSnapshot().entries.map(({ data }) => data);
}
function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, at) => from + at);
}
async function open(client: Client): Promise<void> {
  await world.clock.advance(0);
  while (client.status.getSnapshot().phase !== 'open') await world.clock.advance(50);
  await world.clock.advance(10);
}

describe('a view', () => {
  it('loads the newest entries, then follows', async () => {
    fill(10);
    const view = world.client().topic(T).view({ last: 3 });
    expect(view.getSnapshot()).toMatchObject({ phase: 'loading', entries: [], hasMore: false, firstOffset: undefined });
    await world.clock.advance(20);
    expect([shown(view), view.getSnapshot()]).toMatchObject([
      [8, 9, 10],
      { phase: 'live', firstOffset: 8, hasMore: true, gap: undefined, problem: undefined },
    ]);
    world.server.append(T, 11);
    await world.clock.advance(10);
    expect(shown(view)).toEqual([8, 9, 10, 11]);
  });

  it('is live at once on an empty topic', async () => {
    const view = world.client().topic(T).view();
    await world.clock.advance(20);
    expect(view.getSnapshot()).toMatchObject({ phase: 'live', entries: [], hasMore: false });
  });

  it('is loading until it has caught up with the head', async () => {
    fill(1_000);
    const client = await world.connected({ window: 10 });
    world.network.delayMs = () => 10;
    const view = client.topic(T).view({ last: 100 });
    await world.clock.advance(60);
    expect(view.getSnapshot().phase).toBe('loading');
    expect(shown(view).length).toBeGreaterThan(0);
    await world.clock.advance(5_000);
    expect([view.getSnapshot().phase, shown(view)]).toEqual(['live', range(901, 1_000)]);
  });

  it('keeps one snapshot until something changes, and calls back once for a page', async () => {
    fill(100);
    const client = await world.connected();
    const view = client.topic(T).view({ last: 100 });
    let calls = 0;
    view.subscribe(() => (calls += 1));
    await world.clock.advance(20);
    const snapshot = view.getSnapshot();
    expect(view.getSnapshot()).toBe(snapshot);
    expect(calls).toBeLessThan(110);
    world.server.append(T, 101);
    await world.clock.advance(10);
    expect(view.getSnapshot()).not.toBe(snapshot);
    expect(snapshot.entries).toHaveLength(100);
  });

  it('is stale without a connection, and live again without losing or repeating anything', async () => {
    fill(3);
    const client = await world.connected();
    const view = client.topic(T).view({ last: 3 });
    await world.clock.advance(10);
    world.network.cut();
    await world.clock.advance(1);
    expect([view.getSnapshot().phase, shown(view)]).toEqual(['stale', [1, 2, 3]]);
    world.server.log(T).append(4);
    await open(client);
    expect([view.getSnapshot().phase, shown(view)]).toEqual(['live', [1, 2, 3, 4]]);
  });

  it('keeps at most its limit, and brings back what it dropped', async () => {
    const client = await world.connected();
    const view = client.topic(T).view({ last: 5, limit: 10 });
    await world.clock.advance(10);
    for (let n = 1; n <= 40; n++) world.server.append(T, n);
    await world.clock.advance(10);
    expect([shown(view), view.getSnapshot().hasMore]).toEqual([range(31, 40), true]);
    const older = outcome(view.loadOlder(20));
    await world.clock.advance(10);
    expect(['value' in older, shown(view)]).toEqual([true, range(11, 40)]);
    void view.loadOlder(20);
    await world.clock.advance(10);
    expect([shown(view), view.getSnapshot().hasMore]).toEqual([range(1, 40), false]);
    void view.loadOlder(20);
    world.server.append(T, 41);
    await world.clock.advance(10);
    expect(shown(view)).toEqual(range(2, 41));
  });

  it('asks once for older entries however often it is told to', async () => {
    fill(100);
    const client = await world.connected();
    const view = client.topic(T).view({ last: 10 });
    await world.clock.advance(10);
    const [first, second] = [view.loadOlder(10), view.loadOlder(10)];
    expect(first).toBe(second);
    await world.clock.advance(10);
    expect(shown(view)).toEqual(range(81, 100));
    expect(world.server.connection.received.filter(({ type }) => type === 'read')).toHaveLength(1);
  });

  it('says that there is no more where history was cut', async () => {
    fill(20);
    world.server.log(T).trim(8);
    const client = await world.connected();
    const view = client.topic(T).view({ last: 5 });
    await world.clock.advance(10);
    expect(view.getSnapshot().hasMore).toBe(true);
    void view.loadOlder(50);
    await world.clock.advance(10);
    expect([shown(view), view.getSnapshot().hasMore]).toEqual([range(8, 20), false]);
  });

  it('a gap clears the list, so that it has never a hole', async () => {
    fill(5);
    const client = await world.connected();
    const view = client.topic(T).view({ last: 5 });
    await world.clock.advance(10);
    world.server.log(T).restart('e2');
    fill(2);
    world.network.cut();
    await open(client);
    expect([shown(view), view.getSnapshot()]).toMatchObject([
      [1, 2],
      { phase: 'live', hasMore: false, gap: { reason: 'epoch', before: { offset: 5 } } },
    ]);
  });

  it('drops an older page that belongs to another log', async () => {
    fill(50);
    const client = await world.connected();
    const view = client.topic(T).view({ last: 5 });
    await world.clock.advance(10);
    const older = outcome(view.loadOlder(5));
    world.server.log(T).restart('e2');
    fill(3);
    world.network.cut();
    await open(client);
    await world.clock.advance(100);
    expect(['value' in older, shown(view)]).toEqual([true, [1, 2, 3]]);
  });

  it('shows registers, also those of before', async () => {
    const client = await world.connected();
    world.server.register(T, 'read/a', 1);
    world.server.register(T, 'read/b', 2);
    const view = client.topic(T).view();
    await world.clock.advance(20);
    world.server.register(T, 'read/a', 3);
    await world.clock.advance(10);
    expect([...view.getSnapshot().registers]).toEqual([
      ['read/a', { value: 3, revision: 3 }],
      ['read/b', { value: 2, revision: 2 }],
    ]);
  });

  it('HF-5.10: is stale with its problem when the right ends, and live when entries come again', async () => {
    fill(1);
    const client = await world.connected();
    const view = client.topic(T).view();
    await world.clock.advance(10);
    world.server.refuse(world.server.connection, { topic: T }, { code: 'FORBIDDEN' });
    await world.clock.advance(10);
    expect(view.getSnapshot()).toMatchObject({ phase: 'stale', problem: { code: 'FORBIDDEN' } });
    world.server.append(T, 2);
    await world.clock.advance(10);
    expect([view.getSnapshot(), shown(view)]).toMatchObject([{ phase: 'live', problem: undefined }, [1, 2]]);
  });

  it('is stale with its problem where the subscription is refused', async () => {
    world.server.onMessage = (message, connection) => {
      if (message.type !== 'subscribe') return false;
      world.server.refuse(connection, { id: message.id }, { code: 'FORBIDDEN' });
      return true;
    };
    const client = await world.connected();
    const view = client.topic(T).view();
    await world.clock.advance(10);
    expect(view.getSnapshot()).toMatchObject({ phase: 'stale', problem: { code: 'FORBIDDEN' } });
  });

  it('close() ends the subscription and keeps the last state', async () => {
    fill(2);
    const client = await world.connected();
    const view = client.topic(T).view();
    await world.clock.advance(10);
    view.close();
    await world.clock.advance(10);
    world.server.append(T, 3);
    await world.clock.advance(10);
    expect([shown(view), world.server.connection.cursors.size]).toEqual([[1, 2], 0]);
  });
});
