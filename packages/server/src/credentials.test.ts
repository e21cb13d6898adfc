/** Credentials that end, are renewed, are taken back; what they may see of others (PROTOCOL.md HF-3.8 to HF-3.9, HF-5.10, HF-7.6). */

import { HoldfastError } from '@holdfast/wire';
import { beforeEach, describe, expect, test } from 'vitest';
import { Endpoint, type EndpointOptions } from './endpoint.ts';
import type { HubEvent } from './events.ts';
import { MemorySocket } from './memory-socket.testing.ts';
import type { Action, Identity } from './rights.ts';
import { Stage, type StageClient } from './stage.testing.ts';

let stage: Stage;
const events: HubEvent[] = [];

beforeEach(() => {
  events.length = 0;
  stage = new Stage({ heartbeatMs: 86_400_000, onEvent: (event) => events.push(event) });
});

const SUBSCRIBE = [{ id: 1, topic: 't' }];

/** A token is `subject lifetimeMs`, and names itself. */
function endpointOf(options: EndpointOptions = {}): Endpoint {
  return new Endpoint({
    authenticate: ({ token = '' }): Identity => {
      const [subject = '', lifetime] = token.split(' ');
      const now = stage.clock.now();
      const expiry = lifetime === undefined ? {} : { expiresAtMs: now + Number(lifetime) };
      return { subject, credentialId: token, issuedAtMs: now, ...expiry };
    },
    ...options,
  });
}

function codes(client: StageClient): string[] {
  return client.take('error').map(({ code }) => code);
}

describe('HF-3.8: credentials that end', () => {
  test('are announced in welcome, warned of 30 s ahead, and end the connection with 4300', async () => {
    const client = stage.connect({ token: 'alice 3600000', subscribe: SUBSCRIBE }, endpointOf());
    await stage.clock.settle();
    const expiresAt = stage.clock.now() + 3_600_000;
    expect(client.take('welcome')).toMatchObject([{ expiresAt }]);
    await stage.clock.advance(3_569_999);
    expect(client.take('expiring')).toEqual([]);
    await stage.clock.advance(1);
    expect(client.take('expiring')).toEqual([{ type: 'expiring', expiresAt }]);
    await stage.clock.advance(29_999);
    expect([codes(client), client.closed]).toEqual([[], undefined]);
    await stage.clock.advance(1);
    expect([codes(client), client.closed]).toEqual([['TOKEN_EXPIRED'], { code: 4300, reason: 'TOKEN_EXPIRED' }]);
    expect(events).toContainEqual(expect.objectContaining({ type: 'refused', code: 'TOKEN_EXPIRED', subject: 'alice' }));
  });

  test('a short life is warned of when a fifth of it is left, once', async () => {
    const client = await stage.join({ token: 'alice 10000' }, endpointOf());
    await stage.clock.advance(8_000);
    expect(client.take('expiring')).toHaveLength(1);
    await stage.clock.advance(1_999);
    expect([client.take('expiring'), client.closed]).toEqual([[], undefined]);
  });

  test('auth in time goes on without a word lost, and says when the new ones end', async () => {
    const client = stage.connect({ token: 'alice 10000', subscribe: SUBSCRIBE }, endpointOf());
    await stage.clock.settle();
    void stage.hub.publish('t', 1);
    await stage.clock.advance(9_000);
    client.send({ type: 'auth', id: 'again', token: 'alice 60000' });
    void stage.hub.publish('t', 2);
    await stage.clock.settle();
    expect(client.take('reply')).toEqual([
      { type: 'reply', id: 'again', data: { subject: 'alice', expiresAt: stage.clock.now() + 60_000 } },
    ]);
    await stage.clock.advance(20_000);
    void stage.hub.publish('t', 3);
    await stage.clock.settle();
    expect([client.take('entry').map(({ offset }) => offset), client.closed]).toEqual([[1, 2, 3], undefined]);
    await stage.clock.advance(40_000);
    expect(client.closed?.code).toBe(4300);
  });

  test('auth with what has ended is refused, and so is a hello', async () => {
    const client = await stage.join({ token: 'alice 10000' }, endpointOf());
    client.send({ type: 'auth', id: 1, token: 'alice 0' });
    const late = stage.connect({ client: 'other', token: 'alice -1' }, endpointOf());
    await stage.clock.settle();
    expect([codes(client), client.closed?.code]).toEqual([['TOKEN_EXPIRED'], 4300]);
    expect([codes(late), late.closed?.code]).toEqual([['TOKEN_EXPIRED'], 4300]);
  });

  test('auth without an end takes the end away', async () => {
    const client = await stage.join({ token: 'alice 10000' }, endpointOf());
    client.send({ type: 'auth', id: 1, token: 'alice' });
    await stage.clock.advance(60_000);
    expect(client.closed).toBeUndefined();
  });

  test('an end further off than a timer can reach is no end now', async () => {
    const client = await stage.join({ token: `alice ${90 * 86_400_000}` }, endpointOf());
    await stage.clock.advance(7_200_000);
    expect([client.take('expiring'), client.closed]).toEqual([[], undefined]);
  });

  test('a plain client is told in its own words', async () => {
    const socket = new MemorySocket();
    const endpoint = endpointOf({
      authenticate: () => ({ subject: 'p', expiresAtMs: stage.clock.now() + 5_000 }),
      plain: { text: () => {} },
    });
    stage.hub.accept(socket, { endpoint, address: '', headers: {}, url: '/', protocols: [], isProtocol: false });
    socket.receive('hi');
    await stage.clock.advance(5_000);
    expect(socket.sent.map((frame) => JSON.parse(frame as string) as unknown)).toMatchObject([{ type: 'error', code: 'TOKEN_EXPIRED' }]);
    expect(socket.closed?.code).toBe(4300);
  });
});

describe('HF-3.9: credentials that are taken back', () => {
  test.each([
    ['of a subject', { subject: 'alice' }, [true, true, false]],
    ['of one token', { credentialId: 'alice 2000' }, [false, true, false]],
    ['of a client', { subject: 'alice', client: 'phone' }, [true, false, false]],
    ['older than', { issuedBeforeMs: 1 }, [false, false, false]],
    ['of everybody', {}, [true, true, true]],
  ])('%s', async (_what, filter, expected) => {
    const endpoint = endpointOf();
    const clients = [
      await stage.join({ client: 'phone', token: 'alice 1000' }, endpoint),
      await stage.join({ client: 'laptop', token: 'alice 2000' }, endpoint),
      await stage.join({ client: 'phone', token: 'bob 1000' }, endpoint),
    ];
    expect(stage.hub.disconnect(filter)).toBe(expected.filter(Boolean).length);
    expect(clients.map((client) => client.closed?.code === 4300)).toEqual(expected);
    expect(clients.map((client) => codes(client).includes('REVOKED'))).toEqual(expected);
  });

  test('for another reason', async () => {
    const client = await stage.join({ token: 'alice' }, endpointOf());
    stage.hub.disconnect({ subject: 'alice' }, new HoldfastError('REFUSED', 'closed for the night'));
    expect([client.take('error'), client.closed?.code]).toMatchObject([[{ message: 'closed for the night' }], 4002]);
  });
});

describe('HF-2.5: an arrival that is refused', () => {
  test('is told why, and closed with 4002 before anything of it is read', async () => {
    const asked: string[] = [];
    const endpoint = new Endpoint({ authenticate: () => ({ subject: String(asked.push('authenticate')) }) });
    const socket = new MemorySocket();
    const refusal = new HoldfastError('ORIGIN_REFUSED', 'pages of https://evil.example may not connect here');
    stage.hub.accept(socket, { endpoint, address: '', headers: {}, url: '/x?y=z', protocols: [], isProtocol: true, refusal });
    socket.receive('{"type":"hello","client":"c"}');
    await stage.clock.settle();
    expect(socket.sent.map((frame) => JSON.parse(frame as string) as unknown)).toMatchObject([{ type: 'error', code: 'ORIGIN_REFUSED' }]);
    expect([socket.closed, asked]).toEqual([{ code: 4002, reason: 'ORIGIN_REFUSED' }, []]);
    expect(events[0]).toMatchObject({ type: 'refused', code: 'ORIGIN_REFUSED', path: '/x' });
  });
});

describe('HF-7.6: the right to see members', () => {
  test('without it the subscription stands, and says that members are not shown', async () => {
    const endpoint = new Endpoint({ authorize: ({ action }) => action !== 'members' });
    const client = stage.connect({ subscribe: [{ id: 1, topic: 't', presence: true }] }, endpoint);
    const seen = await stage.join({ client: 'b', token: 'bob', subscribe: SUBSCRIBE });
    seen.send({ type: 'presence', topic: 't', state: 'here' });
    void stage.hub.publish('t', 1);
    await stage.clock.settle();
    expect(client.take('subscribed')).toMatchObject([{ topic: 't', presence: false }]);
    expect([client.take('presence'), client.take('entry')]).toMatchObject([[], [{ offset: 1 }]]);
  });

  test('given and taken in mid-stream', async () => {
    const rights = new Set<Action>(['subscribe', 'presence']);
    const endpoint = new Endpoint({ authorize: ({ action }) => rights.has(action) });
    const client = stage.connect({ subscribe: [{ id: 1, topic: 't', presence: true }] }, endpoint);
    await stage.clock.settle();
    client.send({ type: 'presence', topic: 't', state: 'here' });
    await stage.clock.settle();
    expect(client.take('presence')).toEqual([]);
    rights.add('members');
    await Promise.all([stage.hub.recheck(), stage.clock.settle()]);
    expect(client.take('presence')).toMatchObject([{ event: 'members', members: [{ subject: 'alice', state: 'here' }] }]);
    rights.delete('members');
    await Promise.all([stage.hub.recheck(), stage.clock.settle()]);
    client.send({ type: 'presence', topic: 't', state: 'still here' });
    await stage.clock.settle();
    expect(client.take('presence')).toMatchObject([{ event: 'members', members: [] }]);
  });
});

test('HF-5.10, HF-7.6: the right to see members ends at its time: none is told after it, until it is given anew', async () => {
  let untilMs = stage.clock.now() + 10_000;
  const endpoint = new Endpoint({ authorize: ({ action }) => (action === 'members' ? { untilMs } : true) });
  const client = stage.connect({ subscribe: [{ id: 1, topic: 't', presence: true }] }, endpoint);
  const seen = await stage.join({ client: 'b', token: 'bob', subscribe: SUBSCRIBE });
  const show = async (state: string): Promise<void> => {
    seen.send({ type: 'presence', topic: 't', state });
    await stage.clock.settle();
  };
  await stage.clock.advance(9_999);
  await show('here');
  expect(client.take('presence')).toMatchObject([
    { event: 'members', members: [] },
    { event: 'enter', member: { state: 'here' } },
  ]);
  await stage.clock.advance(1);
  await show('still here');
  await show('and here');
  expect(client.take('presence')).toMatchObject([{ event: 'members', members: [] }]);
  untilMs = stage.clock.now() + 10_000;
  await Promise.all([stage.hub.recheck(), stage.clock.settle()]);
  expect(client.take('presence')).toMatchObject([{ event: 'members', members: [{ subject: 'bob', state: 'and here' }] }]);
});

describe('hooks that do not answer', () => {
  test('a right that is never said is a fault that can be tried again, not a wait for ever', async () => {
    const endpoint = new Endpoint({ authorize: () => new Promise(() => undefined) });
    const client = await stage.join({}, endpoint);
    client.send({ type: 'read', id: 1, topic: 't', after: 0 });
    client.send({ type: 'subscribe', id: 2, topic: 't' });
    await stage.clock.advance(30_000);
    expect(client.take('error')).toMatchObject([
      { id: 1, code: 'INTERNAL', retryable: true },
      { id: 2, code: 'INTERNAL', retryable: true },
    ]);
    expect(stage.errors.map(String)).toEqual([
      'Error: authorize (read "t") did not answer within 30000 ms',
      'Error: authorize (subscribe "t") did not answer within 30000 ms',
    ]);
    expect(stage.hub.counters.limits.get('hookTimeoutMs')).toBe(2);
  });
});

describe('what the operator is told', () => {
  test('who came and went, without the query of the upgrade', async () => {
    const socket = new MemorySocket();
    const arrival = { address: '192.0.2.7', headers: {}, url: '/live?token=secret', protocols: [], isProtocol: true };
    stage.hub.accept(socket, { endpoint: stage.endpoint, ...arrival });
    socket.receive('{"type":"hello","client":"c","token":"alice"}');
    await stage.clock.settle();
    await stage.clock.advance(1_500);
    socket.drop();
    const facts = { address: '192.0.2.7', path: '/live', subject: 'alice', client: 'c', session: expect.any(String) as string };
    expect(events).toEqual([
      { type: 'welcomed', ...facts },
      { type: 'closed', code: 1006, reason: '', durationMs: 1_500, ...facts },
    ]);
    expect(stage.hub.stats()).toMatchObject({ connections: 0, pendingConnections: 0 });
  });

  test('what throws there harms nobody', async () => {
    stage = new Stage({
      onEvent: () => {
        throw new Error('the log is full');
      },
    });
    const client = await stage.join();
    client.publish('t', 1, 'x');
    await stage.clock.settle();
    expect(client.take('ack')).toHaveLength(1);
    expect(stage.errors.map(String)).toContain('Error: the log is full');
  });
});
