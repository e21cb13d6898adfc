import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Client } from './client.ts';
import type { Signal } from './topic.ts';
import { collect, outcome, payloads, World } from './world.testing.ts';

const T = 'chat/1';
let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(async () => {
  await world.close();
});

async function open(client: Client): Promise<void> {
  await world.clock.advance(0);
  while (client.status.getSnapshot().phase !== 'open') await world.clock.advance(50);
  await world.clock.advance(10);
}

describe('call (HF-7.9)', () => {
  it('gets the reply or the refusal', async () => {
    const client = await world.connected();
    const reply = outcome(client.call('sum', [1, 2]));
    const bare = outcome(client.call('now'));
    await world.clock.advance(10);
    expect([reply.value, bare.value]).toEqual([
      { method: 'sum', data: [1, 2] },
      { method: 'now', data: null },
    ]);
    world.server.onMessage = (message, connection) => {
      if (message.type !== 'call') return false;
      world.server.refuse(connection, { id: message.id }, { code: 'UNKNOWN_METHOD' });
      return true;
    };
    const refused = outcome(client.call('nope'));
    await world.clock.advance(10);
    expect(refused.code).toBe('UNKNOWN_METHOD');
  });

  it('waits for a connection within its deadline, and is OFFLINE after it', async () => {
    world.network.isUnreachable = true;
    const client = world.client();
    const [short, long, none] = [
      outcome(client.call('a', null, { deadlineMs: 100 })),
      outcome(client.call('b', null, { deadlineMs: 60_000 })),
      outcome(client.call('c', null, { deadlineMs: 0 })),
    ];
    await world.clock.advance(100);
    expect([short.code, long.code, none.code]).toEqual(['OFFLINE', undefined, 'OFFLINE']);
    world.network.isUnreachable = false;
    await open(client);
    expect(long.value).toEqual({ method: 'b', data: null });
  });

  it('is never sent again: a cut is UNKNOWN_OUTCOME, and so is a missing answer', async () => {
    const client = await world.connected();
    let calls = 0;
    world.server.onMessage = (message) => {
      if (message.type === 'call') calls += 1;
      return message.type === 'call';
    };
    const cut = outcome(client.call('pay'));
    await world.clock.advance(5);
    world.network.cut();
    await open(client);
    expect([cut.code, calls]).toEqual(['UNKNOWN_OUTCOME', 1]);
    const mute = outcome(client.call('pay'));
    await world.clock.advance(10_000);
    expect([mute.code, calls]).toEqual(['UNKNOWN_OUTCOME', 2]);
  });

  it('an abort is ABORTED before it was sent, UNKNOWN_OUTCOME after', async () => {
    const abort = new AbortController();
    const client = world.client();
    const early = outcome(client.call('a', null, { signal: abort.signal }));
    abort.abort();
    const late = outcome(client.call('b', null, { signal: abort.signal }));
    await open(client);
    expect([early.code, late.code, world.server.connection.received.length]).toEqual(['ABORTED', 'ABORTED', 1]);
    const second = new AbortController();
    world.server.onMessage = (message) => message.type === 'call';
    const sent = outcome(client.call('c', null, { signal: second.signal }));
    await world.clock.advance(5);
    second.abort();
    await world.clock.advance(5);
    expect(sent.code).toBe('UNKNOWN_OUTCOME');
  });

  it('no more than requestsMax are unanswered, in the order of the calls', async () => {
    world.server.limits = { ...world.server.limits, requestsMax: 3 };
    let unanswered = 0;
    let peak = 0;
    const order: unknown[] = [];
    world.server.onMessage = (message, connection) => {
      if (message.type !== 'call') return false;
      unanswered += 1;
      peak = Math.max(peak, unanswered);
      order.push(message.data);
      world.clock.setTimeout(() => {
        unanswered -= 1;
        world.server.handle(message, connection);
      }, 5);
      return true;
    };
    const client = await world.connected();
    const calls = Array.from({ length: 10 }, (_, n) => outcome(client.call('m', n)));
    await world.clock.advance(100);
    expect(calls.every(({ value }) => value !== undefined)).toBe(true);
    expect([peak, order]).toEqual([3, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]);
  });

  it('throws at once for what is no JSON', async () => {
    const client = await world.connected();
    expect(() => client.call('m', new Uint8Array(1) as never)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    expect(() => client.call('m', 'ü'.repeat(140_000))).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }));
    expect(() => client.topic(T).enter('x'.repeat(260_000))).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }));
  });
});

describe('read (HF-7.3)', () => {
  it('reads pages in both directions', async () => {
    for (let n = 1; n <= 9; n++) world.server.log(T).append(n);
    const client = await world.connected();
    const topic = client.topic(T);
    const [after, before] = [outcome(topic.read({ after: 2, limit: 3 })), outcome(topic.read({ before: 9, limit: 2 }))];
    await world.clock.advance(10);
    expect([after.value?.entries.map(({ data }) => data), before.value?.entries.map(({ data }) => data)]).toEqual([
      [3, 4, 5],
      [7, 8],
    ]);
    expect(after.value).toMatchObject({ epoch: 'e1', first: 1, last: 9 });
    expect(() => topic.read({})).toThrow('either');
    expect(() => topic.read({ after: 1, before: 2 })).toThrow('either');
  });

  it('is asked again after a cut, until its deadline', async () => {
    world.server.log(T).append('x');
    const client = await world.connected();
    let isMute = true;
    world.server.onMessage = (message) => message.type === 'read' && isMute;
    const page = outcome(client.topic(T).read({ after: 0 }));
    await world.clock.advance(5);
    isMute = false;
    world.network.cut();
    await open(client);
    expect(page.value?.entries).toHaveLength(1);
    isMute = true;
    const late = outcome(client.topic(T).read({ after: 0, deadlineMs: 50 }));
    await world.clock.advance(50);
    expect(late.code).toBe('OFFLINE');
  });
});

describe('registers (HF-7.7)', () => {
  it('raise() takes the larger, set() replaces under a condition', async () => {
    const client = await world.connected();
    const topic = client.topic(T);
    const results = [
      topic.raise('read/a', 5),
      topic.raise('read/a', 3),
      topic.set('pin', { at: 1 }, { ifRevision: 0 }),
      topic.set('pin', null, { ifRevision: 0 }),
    ].map(outcome);
    await world.clock.advance(10);
    expect(results.map(({ code, value }) => code ?? value)).toEqual([
      { key: 'read/a', value: 5, revision: 1 },
      { key: 'read/a', value: 5, revision: 1 },
      { key: 'pin', value: { at: 1 }, revision: 2 },
      'REVISION_MISMATCH',
    ]);
    expect(() => topic.set('a b', 1)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    expect(() => topic.raise('k', Number.NaN)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  it('a cut: raise() is asked again, set() is not', async () => {
    const client = await world.connected();
    let isMute = true;
    world.server.onMessage = (message) => message.type === 'register' && isMute;
    const [raised, set] = [outcome(client.topic(T).raise('read/a', 5)), outcome(client.topic(T).set('pin', 1))];
    await world.clock.advance(5);
    isMute = false;
    world.network.cut();
    await open(client);
    expect([raised.value?.value, set.code]).toEqual([5, 'UNKNOWN_OUTCOME']);
  });
});

describe('signals (HF-7.4)', () => {
  it('go to the other subscribers, and to nobody without a subscription of one’s own', async () => {
    const [a, b] = [await world.connected({ client: 'a' }), await world.connected({ client: 'b' })];
    const heard: Signal[] = [];
    const end = b.topic(T).onSignal((signal) => heard.push(signal));
    await world.clock.advance(10);
    expect(a.topic(T).signal({ typing: true })).toBe(false);
    a.topic(T).items();
    expect(a.topic(T).signal({ typing: true })).toBe(true);
    await world.clock.advance(10);
    expect(heard).toEqual([{ from: 'alice', client: 'a', data: { typing: true } }]);
    end();
    await world.clock.advance(10);
    a.topic(T).signal('again');
    await world.clock.advance(10);
    expect(heard).toHaveLength(1);
    expect(() => a.topic(T).signal(undefined as never)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  it('are dropped without a connection', async () => {
    const client = await world.connected();
    client.topic(T).items();
    await world.clock.advance(10);
    world.network.isUnreachable = true;
    world.network.cut();
    await world.clock.advance(5);
    expect(client.topic(T).signal(1)).toBe(false);
  });

  it('listening keeps the credit flowing, so that signals never wait behind entries', async () => {
    const client = await world.connected({ window: 4 });
    client.topic(T).onSignal(() => {});
    await world.clock.advance(10);
    for (let n = 0; n < 50; n++) world.server.append(T, n);
    await world.clock.advance(100);
    expect(world.server.connection.cursors.get(T)?.offset).toBe(50);
  });
});

describe('presence (HF-7.6)', () => {
  const names = (client: Client): string[] =>
    client
      .topic(T)
      .members.getSnapshot()
      .map(({ client: name }) => name);

  it('enter() makes a member that the others see, with its state, until leave()', async () => {
    const [a, b] = [await world.connected({ client: 'a' }), await world.connected({ client: 'b' })];
    const end = b.topic(T).members.subscribe(() => {});
    const entered = outcome(a.topic(T).enter({ mood: 'good' }));
    await world.clock.advance(20);
    expect(['value' in entered, b.topic(T).members.getSnapshot()]).toEqual([
      true,
      [{ subject: 'alice', client: 'a', state: { mood: 'good' }, since: 1 }],
    ]);
    const before = b.topic(T).members.getSnapshot();
    expect(b.topic(T).members.getSnapshot()).toBe(before);
    void a.topic(T).enter({ mood: 'better' });
    await world.clock.advance(20);
    expect(b.topic(T).members.getSnapshot()[0]?.state).toEqual({ mood: 'better' });
    const left = outcome(a.topic(T).leave());
    await world.clock.advance(20);
    expect(['value' in left, names(b)]).toEqual([true, []]);
    expect(world.server.connections.size).toBe(2);
    end();
    expect(() => a.topic(T).enter(null)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  it('is said again after a reconnection, behind the subscription', async () => {
    const client = await world.connected({ client: 'a' });
    void client.topic(T).enter({ n: 1 });
    await world.clock.advance(20);
    world.server.log(T).members.clear();
    world.network.cut();
    await open(client);
    expect([...world.server.log(T).members.values()]).toMatchObject([{ client: 'a', state: { n: 1 } }]);
    expect(world.server.hellos[1]?.subscribe).toHaveLength(1);
  });

  it('waits for a subscription that was refused at first', async () => {
    let refusals = 1;
    world.server.onMessage = (message, connection) => {
      if (message.type === 'presence' && !connection.cursors.has(message.topic)) {
        world.server.refuse(connection, { id: message.id! }, { code: 'NOT_SUBSCRIBED' });
        return true;
      }
      if (message.type !== 'subscribe' || refusals-- <= 0) return false;
      world.server.refuse(connection, { id: message.id }, { code: 'OVERLOADED', retryable: true, retryAfterMs: 100 });
      return true;
    };
    const client = await world.connected({ client: 'a' });
    void client.topic(T).enter({ n: 1 });
    await world.clock.advance(2_000);
    expect(world.server.log(T).members.get('a')?.state).toEqual({ n: 1 });
  });

  it('the newest state wins when it was entered while offline', async () => {
    const client = world.client({ client: 'a' });
    const first = outcome(client.topic(T).enter(1));
    const second = outcome(client.topic(T).enter(2));
    await open(client);
    expect(['value' in first, 'value' in second]).toEqual([true, true]);
    expect(world.server.log(T).members.get('a')?.state).toBe(2);
    void client.topic(T).leave();
    await world.clock.advance(10);
    expect(world.server.log(T).members.size).toBe(0);
    await world.clock.advance(10);
    expect(world.server.connection.cursors.size).toBe(0);
  });

  it('watching members asks for them, also on a topic that is read already', async () => {
    const client = await world.connected();
    const items = collect(client.topic(T).items());
    await world.clock.advance(10);
    world.server.log(T).members.set('z', { subject: 'zoe', client: 'z', state: 1, since: 1 });
    const end = client.topic(T).members.subscribe(() => {});
    await world.clock.advance(10);
    expect(names(client)).toEqual(['z']);
    world.server.append(T, 'x');
    await world.clock.advance(10);
    expect(payloads(items)).toEqual(['x']);
    end();
  });
});

describe('promises that nobody awaits', () => {
  it('are never an unhandled rejection', async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', note);
    try {
      world.network.isUnreachable = true;
      const client = world.client({ outboxCountMax: 3, token: () => Promise.reject(new Error('no token')) });
      const topic = client.topic(T);
      void topic.publish(1, { deadlineMs: 1 });
      void topic.publish(2, { ttlMs: 1 });
      void topic.publish(3, { signal: AbortSignal.abort() });
      void topic.publish(4);
      void topic.publish(5);
      const deadline = { deadlineMs: 1 };
      void topic.read({ after: 0, ...deadline });
      void topic.raise('a', 1, deadline);
      void topic.set('a', 1, deadline);
      void topic.enter(1);
      void topic.leave();
      void topic.view().loadOlder();
      void client.call('m', null, deadline);
      void client.flush({ timeoutMs: 1 });
      const view = topic.view();
      await world.clock.advance(20_000);
      void topic.publish(6);
      void topic.enter(2);
      void client.call('m');
      void client.flush();
      void view.loadOlder();
      const closing = client.close();
      await world.clock.advance(1);
      await closing;
      void topic.publish(7);
      void client.call('m');
      await world.clock.advance(60_000);
      expect(unhandled).toEqual([]);
    } finally {
      process.off('unhandledRejection', note);
    }
  });
});
