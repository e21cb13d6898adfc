import { HoldfastError } from '@holdfast/wire';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryOutbox } from './outbox-memory.ts';
import type { OutboxStore } from './outbox.ts';
import { outcome, persistent, rows, T, World } from './world.testing.ts';

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(async () => {
  await world.close();
});

describe('the store (HF-6.12)', () => {
  it('a row and the next seq are durable before the row is sent', async () => {
    const store = createMemoryOutbox();
    const applied: string[] = [];
    const client = await world.connected({
      store: {
        ...persistent(store),
        apply: async (changes) => {
          await store.apply(changes);
          for (const row of changes.rows ?? []) applied.push(`stored ${row.seq} next ${changes.producers?.[0]?.nextSeq}`);
        },
      },
    });
    world.server.onPublish = ({ seq }) => {
      applied.push(`sent ${seq}`);
      return undefined;
    };
    void client.topic(T).publish('a');
    void client.topic(T).publish('b');
    await world.clock.advance(10);
    expect(applied).toEqual(['stored 1 next 3', 'stored 2 next 3', 'sent 1', 'sent 2']);
  });

  it('a reload goes on with the same name and producer: nothing lost, nothing twice', async () => {
    const store = persistent();
    const first = await world.connected({ store });
    world.server.onMessage = (message, connection) => {
      if (message.type !== 'publish') return false;
      // The first arrives, and its acknowledgement is lost.
      if (message.seq === 1) world.server.handle(message, connection);
      else world.network.cut();
      return true;
    };
    const results = ['a', 'b'].map((text) => outcome(first.topic(T).publish(text)));
    await world.clock.advance(1);
    const closing = first.close();
    await world.clock.advance(10);
    await closing;
    expect(results.map(({ code }) => code)).toEqual(['PENDING', 'PENDING']);
    world.server.onMessage = () => false;
    const second = world.client({ store });
    const later = outcome(second.topic(T).publish('c'));
    await world.open(second);
    expect([world.stored(), later.value?.offset]).toEqual([['a', 'b', 'c'], 3]);
    expect(new Set(world.server.hellos.map(({ client }) => client)).size).toBe(1);
    expect(new Set(world.server.published.map(({ producer }) => producer)).size).toBe(1);
  });

  it('flush() and a draining close() wait for what the record holds, also when they are called at once', async () => {
    const store = persistent();
    const { onConnect } = world.network;
    world.network.onConnect = () => {};
    for (const text of ['a', 'b']) {
      const client = world.client({ store });
      void outcome(client.topic(T).publish(text));
      await world.clock.advance(10);
      await Promise.all([client.close(), world.clock.advance(10)]);
    }
    const offline = world.client({ store });
    const flushed = outcome(offline.flush({ timeoutMs: 1_000 }));
    await world.clock.advance(2_000);
    expect(flushed.code).toBe('PENDING');
    await Promise.all([offline.close(), world.clock.advance(10)]);
    world.network.onConnect = onConnect;
    await Promise.all([world.client({ store }).close({ drainMs: 5_000 }), world.clock.advance(6_000)]);
    expect(world.stored()).toEqual(['a', 'b']);
  });

  it('a new store means a producer that nobody ever had, also under the same client name', async () => {
    for (let n = 0; n < 2; n++) {
      const client = await world.connected({ client: 'same' });
      const sent = outcome(client.topic(T).publish('hi'));
      await world.clock.advance(10);
      expect(sent.value).toMatchObject({ offset: n + 1, duplicate: false });
      const closing = client.close();
      await world.clock.advance(5);
      await closing;
    }
    expect(world.stored()).toEqual(['hi', 'hi']);
  });

  it('what is withdrawn while the record is still being read takes nothing of the record with it', async () => {
    const store = persistent();
    world.network.isUnreachable = true;
    const first = world.client({ store });
    void first.topic(T).publish('a');
    await world.clock.advance(10);
    const closing = first.close();
    await world.clock.advance(5);
    await closing;
    const second = world.client({ store });
    const early = outcome(second.topic(T).publish('b'));
    expect(second.discard(second.outbox.getSnapshot()[0]!.id)).toBe(true);
    await world.clock.advance(10);
    expect([early.code, rows(second)]).toEqual(['ABORTED', [{ items: ['a'], state: 'queued' }]]);
    const again = second.close();
    await world.clock.advance(5);
    await again;
    world.network.isUnreachable = false;
    await world.open(world.client({ store }));
    expect(world.stored()).toEqual(['a']);
  });

  it('one that fails stops the sending, says so, and is tried again', async () => {
    const store = createMemoryOutbox();
    let isBroken = false;
    const client = await world.connected({
      store: {
        ...persistent(store),
        apply: (changes) => (isBroken ? Promise.reject(new Error('disk full')) : store.apply(changes)),
      },
    });
    isBroken = true;
    const sent = outcome(client.topic(T).publish('a'));
    await world.clock.advance(1_000);
    expect([sent.value, world.seqs(), client.status.getSnapshot().lastError?.code]).toEqual([undefined, [], 'STORE_UNAVAILABLE']);
    isBroken = false;
    await world.clock.advance(20_000);
    expect([sent.value?.offset, client.status.getSnapshot().lastError]).toEqual([1, undefined]);
  });

  it('one that fails does not keep close() waiting', async () => {
    const client = await world.connected({ store: { ...persistent(), apply: () => Promise.reject(new Error('disk')) } });
    const sent = outcome(client.topic(T).publish('a'));
    await world.clock.advance(1_000);
    const closed = outcome(client.close());
    await world.clock.advance(1);
    expect(['value' in closed, sent.code]).toEqual([true, 'CLOSED']);
  });

  it('one that never answers does not keep close() waiting, nor anybody else', async () => {
    for (const hung of ['load', 'apply'] as const) {
      const client = world.client({ store: { ...persistent(), [hung]: () => new Promise(() => {}) } });
      const sent = outcome(client.topic(T).publish('a'));
      await world.clock.advance(100);
      const closed = outcome(client.close());
      await world.clock.advance(9_000);
      expect('value' in closed).toBe(false);
      await world.clock.advance(1_000);
      expect(['value' in closed, sent.code]).toEqual([true, 'CLOSED']);
    }
  });

  it('forgets what expired while nobody was there', async () => {
    const kept = createMemoryOutbox();
    const store = persistent(kept);
    world.network.isUnreachable = true;
    for (let n = 0; n < 2; n++) {
      const client = world.client({ store });
      if (n === 0) void client.topic(T).publish('a', { ttlMs: 50 });
      await world.clock.advance(10);
      const closing = client.close();
      await world.clock.advance(5);
      await closing;
      await world.clock.advance(100);
    }
    expect((await kept.load()).rows).toEqual([]);
  });

  it('one that cannot be loaded yet is tried again with growing waits, and says so', async () => {
    const store = createMemoryOutbox();
    const times: number[] = [];
    let isBlocked = true;
    const load = (): ReturnType<OutboxStore['load']> => {
      times.push(world.clock.now());
      return isBlocked ? Promise.reject(new Error('blocked')) : store.load();
    };
    const client = world.client({ store: { ...persistent(store), load } });
    const sent = outcome(client.topic(T).publish('a'));
    const expiring = outcome(client.topic(T).publish('b', { ttlMs: 500 }));
    await world.clock.advance(5_000);
    const { phase, retryAtMs, lastError } = client.status.getSnapshot();
    expect([phase, lastError?.code, retryAtMs! > world.clock.now()]).toEqual(['idle', 'STORE_UNAVAILABLE', true]);
    expect([sent, expiring, world.network.connectCount]).toEqual([{}, { code: 'EXPIRED' }, 0]);
    const waits = times.slice(1).map((time, at) => time - times[at]!);
    expect(Math.max(...waits)).toBeGreaterThan(4 * Math.max(waits[0]!, 25));
    isBlocked = false;
    client.retryNow();
    await world.clock.advance(20);
    expect([sent.value?.offset, client.status.getSnapshot()]).toMatchObject([
      1,
      { phase: 'open', retryAtMs: undefined, lastError: undefined },
    ]);
  });

  it('one that another client owns is taken over when that one is gone', async () => {
    const store = persistent();
    const first = await world.connected({ store });
    const second = world.client({ store });
    const sent = outcome(second.topic(T).publish('a'));
    await world.clock.advance(5_000);
    expect([sent, second.status.getSnapshot().lastError?.code]).toEqual([{}, 'STORE_UNAVAILABLE']);
    await Promise.all([first.close(), world.clock.advance(1)]);
    await world.clock.advance(20_000);
    expect(sent.value?.offset).toBe(1);
  });

  it('close() ends the waiting for one that cannot be loaded', async () => {
    const client = world.client({ store: { ...persistent(), load: () => Promise.reject(new Error('blocked')) } });
    const sent = outcome(client.topic(T).publish('a'));
    await world.clock.advance(5_000);
    const closed = outcome(client.close());
    await world.clock.advance(1);
    expect(['value' in closed, sent.code]).toEqual([true, 'CLOSED']);
  });

  it('one that can never be loaded closes the client with its reason, and settles everything with it', async () => {
    const damaged = new HoldfastError('STORE_CORRUPT', 'damaged');
    const client = world.client({ store: { ...persistent(), load: () => Promise.reject(damaged) } });
    const [sent, flushed] = [outcome(client.topic(T).publish('a')), outcome(client.flush())];
    await world.clock.advance(100);
    const later = outcome(client.topic(T).publish('b'));
    await world.clock.advance(1);
    client.retryNow();
    await world.clock.advance(1_000);
    expect(client.status.getSnapshot()).toMatchObject({ phase: 'closed', queuedCount: 0, lastError: { code: 'STORE_CORRUPT' } });
    expect([sent.code, flushed.code, later.code, world.network.connectCount]).toEqual([...Array<string>(3).fill('STORE_CORRUPT'), 0]);
  });

  it('rows of an earlier process expire, and those that may have been sent do not', async () => {
    const store = persistent();
    const first = world.client({ store });
    world.server.onMessage = (message) => message.type === 'publish';
    void first.topic(T).publish('sent', { ttlMs: 50 });
    await world.open(first);
    world.network.isUnreachable = true;
    world.network.cut();
    await world.clock.advance(1);
    void first.topic(T).publish('queued', { ttlMs: 5_000 });
    void first.topic(T).publish('expired', { ttlMs: 50 });
    await world.clock.advance(10);
    const closing = first.close();
    await world.clock.advance(5);
    await closing;
    await world.clock.advance(1_000);
    world.server.onMessage = () => false;
    world.network.isUnreachable = false;
    const second = world.client({ store });
    await world.open(second);
    expect(world.stored()).toEqual(['sent', 'queued']);
  });
});

describe('subjects (HF-6.11, HF-6.12)', () => {
  it('rows of one are never sent as another, and go on when the one is back', async () => {
    const store = persistent();
    const alice = await world.connected({ store });
    world.network.cut();
    const own = outcome(alice.topic(T).publish('alice’s'));
    world.server.subject = 'bob';
    await world.open(alice);
    expect([own.code, world.stored()]).toEqual(['PENDING', []]);
    expect(rows(alice)).toEqual([{ items: ['alice’s'], state: 'held' }]);
    const bobs = outcome(alice.topic(T).publish('bob’s'));
    await world.clock.advance(10);
    expect([bobs.value?.offset, world.stored()]).toEqual([1, ['bob’s']]);
    expect(alice.status.getSnapshot()).toMatchObject({ queuedCount: 0, subject: 'bob' });
    world.server.subject = 'alice';
    world.network.cut();
    await world.open(alice);
    expect([world.stored(), rows(alice)]).toEqual([['bob’s', 'alice’s'], []]);
    expect(new Set(world.server.published.map(({ producer }) => producer)).size).toBe(2);
  });

  it('what an earlier process left for alice is not sent when bob logs in', async () => {
    const store = persistent();
    const alice = await world.connected({ store });
    world.network.isUnreachable = true;
    world.network.cut();
    void alice.topic(T).publish('alice’s');
    await world.clock.advance(1);
    const closing = alice.close();
    await world.clock.advance(5);
    await closing;
    world.network.isUnreachable = false;
    world.server.subject = 'bob';
    const bob = world.client({ store });
    const early = outcome(bob.topic(T).publish('bob’s'));
    await world.open(bob);
    expect([world.stored(), early.value?.offset]).toEqual([['bob’s'], 1]);
    expect(rows(bob)).toEqual([{ items: ['alice’s'], state: 'held' }]);
    const [held] = bob.outbox.getSnapshot();
    expect(held).toMatchObject({ subject: 'alice' });
    expect(bob.discard(held!.id)).toBe(true);
    expect(rows(bob)).toEqual([]);
  });

  it('a held row that was sent before can be discarded, and is never sent again', async () => {
    const client = await world.connected();
    world.server.onMessage = (message) => message.type === 'publish';
    const results = ['a', 'b'].map((text) => outcome(client.topic(T).publish(text)));
    await world.clock.advance(10);
    world.server.onMessage = () => false;
    world.server.subject = 'bob';
    world.network.cut();
    await world.open(client);
    expect(client.discard(client.outbox.getSnapshot()[0]!.id)).toBe(true);
    world.server.subject = 'alice';
    world.network.cut();
    await world.open(client);
    await world.clock.advance(1_000);
    expect([results[0]!.code, world.stored(), rows(client)]).toEqual(['PENDING', [], [{ items: ['b'], state: 'uncertain' }]]);
  });

  it('what was published before anybody was ever known goes to whoever logs in first', async () => {
    const store = persistent();
    world.network.isUnreachable = true;
    const first = world.client({ store });
    void first.topic(T).publish('a');
    await world.clock.advance(10);
    const closing = first.close();
    await world.clock.advance(5);
    await closing;
    world.network.isUnreachable = false;
    await world.open(world.client({ store }));
    expect(world.stored()).toEqual(['a']);
  });
});
