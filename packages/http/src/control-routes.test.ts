import { Endpoint, type Identity } from '@holdfast/server';
import { HoldfastError, type Json } from '@holdfast/wire';
import { afterEach, describe, expect, test } from 'vitest';
import type { RevocationRecord } from './index.ts';
import { MemoryClient, serveApi, type ApiServer, type ServerOptions } from './rest-api.testing.ts';

let api: ApiServer;
let issued: Identity[];
let revoked: RevocationRecord[];

async function start(options: ServerOptions = {}): Promise<void> {
  issued = [];
  revoked = [];
  api = await serveApi({
    tickets: { issue: (identity) => (issued.push(identity), { ticket: `hft_${issued.length}`, expiresAtMs: 5_000 }) },
    revocations: { revoke: (record) => void revoked.push(record) },
    ...options,
  });
}

afterEach(() => api.close());

const BACK_END = 'server.one';
const post = (path: string, json?: Json, as = BACK_END): ReturnType<ApiServer['ask']> =>
  api.ask('POST', path, { as, ...(json === undefined ? {} : { json }) });

async function connected(name: string): Promise<MemoryClient> {
  const client = new MemoryClient(
    api.hub,
    new Endpoint({ authenticate: ({ token }) => ({ subject: token!, credentialId: `jti-${token}`, issuedAtMs: 1_000 }) }),
    name,
  );
  await client.until('welcome');
  return client;
}

describe('HF-3.10: tickets', () => {
  test('for oneself, without a body', async () => {
    await start();
    const { status, body, headers } = await post('/v1/tickets', undefined, 'alice');
    expect({ status, body }).toEqual({ status: 201, body: { ticket: 'hft_1', expiresAt: 5_000 } });
    expect(headers.get('cache-control')).toBe('no-store');
    expect(issued).toEqual([{ subject: 'alice' }]);
  });

  test('for somebody else: back ends only', async () => {
    await start();
    const request = { subject: 'bob', expiresAt: 9_000, credentialId: 'c-1', claims: { role: 'member' } };
    expect(await post('/v1/tickets', request, 'alice')).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
    expect((await post('/v1/tickets', request)).status).toBe(201);
    expect(issued).toEqual([
      { subject: 'bob', expiresAtMs: 9_000, credentialId: 'c-1', claims: { role: 'member' }, issuedAtMs: expect.any(Number) },
    ]);
  });

  test('a back end makes nobody a back end', async () => {
    await start();
    expect(await post('/v1/tickets', { subject: 'server:two' })).toMatchObject({ status: 403 });
    expect(issued).toEqual([]);
  });

  test('claims without a subject are refused: they would be those of the asker', async () => {
    await start();
    expect(await post('/v1/tickets', { claims: { role: 'admin' } }, 'alice')).toMatchObject({ status: 400, body: { code: 'BAD_FRAME' } });
    expect(issued).toEqual([]);
  });

  test('what the issuer throws is told', async () => {
    await start({ tickets: { issue: () => Promise.reject(new HoldfastError('OVERLOADED', 'full', { retryAfterMs: 30_000 })) } });
    const { status, headers } = await post('/v1/tickets', undefined, 'alice');
    expect({ status, retryAfter: headers.get('retry-after') }).toEqual({ status: 503, retryAfter: '30' });
  });
});

describe('HF-3.9: revocations', () => {
  test('are kept, and their connections closed', async () => {
    await start();
    const [alice, bob] = [await connected('alice'), await connected('bob')];
    const { status, body } = await post('/v1/revocations', { subject: 'alice', issuedBefore: 2_000, until: 9_999_999_999_999 });
    expect({ status, body }).toEqual({ status: 200, body: { connections: 1 } });
    expect(revoked).toEqual([{ subject: 'alice', issuedBeforeMs: 2_000, untilMs: 9_999_999_999_999 }]);
    expect(alice.received.at(-1)).toMatchObject({ type: 'error', code: 'REVOKED' });
    expect([alice.closeCode, bob.closeCode]).toEqual([4300, undefined]);
  });

  test('what was issued later stands', async () => {
    await start();
    const alice = await connected('alice');
    expect((await post('/v1/revocations', { subject: 'alice', issuedBefore: 1_000 })).body).toEqual({ connections: 0 });
    expect(alice.closeCode).toBeUndefined();
  });

  test('one that has ended gives back, and closes nothing', async () => {
    await start();
    const alice = await connected('alice');
    expect((await post('/v1/revocations', { subject: 'alice', until: 1 })).body).toEqual({ connections: 0 });
    expect(revoked).toEqual([{ subject: 'alice', untilMs: 1 }]);
    expect(alice.closeCode).toBeUndefined();
  });

  test.each<Json>([
    {},
    { until: 1 },
    { subjekt: 'alice' },
    { subject: 'alice', issuedbefore: 1 },
    { subject: 7 },
    { issuedBefore: 1.5 },
    { subject: '' },
    [],
  ])('what could mean everybody is refused: %j', async (request) => {
    await start();
    const alice = await connected('alice');
    expect(await post('/v1/revocations', request)).toMatchObject({ status: 400, body: { code: 'BAD_FRAME' } });
    expect(revoked).toEqual([]);
    expect(alice.closeCode).toBeUndefined();
  });

  test('what the sink refuses closes nothing', async () => {
    await start({ revocations: { revoke: () => Promise.reject(new HoldfastError('OVERLOADED')) } });
    const alice = await connected('alice');
    expect((await post('/v1/revocations', { subject: 'alice' })).status).toBe(503);
    expect(alice.closeCode).toBeUndefined();
  });
});

describe('disconnections, rechecks, deletions', () => {
  test('connections that fit all fields are closed', async () => {
    await start();
    const [alice, bob] = [await connected('alice'), await connected('bob')];
    expect((await post('/v1/disconnections', { subject: 'bob', client: 'tab-alice' })).body).toEqual({ connections: 0 });
    expect((await post('/v1/disconnections', { credentialId: 'jti-bob' })).body).toEqual({ connections: 1 });
    expect([alice.closeCode, bob.closeCode]).toEqual([undefined, 4300]);
    expect((await post('/v1/disconnections', {})).status).toBe(400);
  });

  test('HF-5.10: a recheck asks the rights of subscriptions again, after who keeps grants was told', async () => {
    let isAllowed = true;
    const order: string[] = [];
    await start({ onRecheck: (subject) => order.push(`told of ${subject}`) });
    const authorize = (): boolean => (order.push('asked'), isAllowed);
    const client = new MemoryClient(api.hub, new Endpoint({ authorize }), 'alice', [{ id: 1, topic: 't' }]);
    await client.until('subscribed');
    isAllowed = false;
    order.length = 0;
    expect((await post('/v1/rechecks', { subject: 'bob' })).status).toBe(204);
    expect(order).toEqual(['told of bob']);
    expect((await post('/v1/rechecks', { subject: 'alice' })).status).toBe(204);
    expect(order).toEqual(['told of bob', 'told of alice', 'asked']);
    expect(await client.until('error')).toMatchObject({ code: 'FORBIDDEN', topic: 't' });
    expect((await post('/v1/rechecks')).status).toBe(204);
  });

  test('a deleted topic begins anew', async () => {
    await start();
    const { epoch } = await api.hub.publish('t', 1);
    expect((await api.ask('DELETE', '/v1/topics/t', { as: BACK_END })).status).toBe(204);
    const after = await api.hub.publish('t', 2);
    expect(after.offset).toBe(1);
    expect(after.epoch).not.toBe(epoch);
  });
});

describe('who may', () => {
  const requests = [
    ['POST', '/v1/revocations', { subject: 'bob' }, 'revocations'],
    ['POST', '/v1/disconnections', { subject: 'bob' }, 'disconnections'],
    ['POST', '/v1/rechecks', {}, 'rechecks'],
    ['POST', '/v1/tickets', { subject: 'bob' }, 'tickets'],
    ['DELETE', '/v1/topics/t', undefined, 'topics'],
  ] as const;
  const ask = (method: string, path: string, json: Json | undefined, as: string): Promise<number> =>
    api.ask(method, path, { as, ...(json === undefined ? {} : { json }) }).then(({ status }) => status);

  test.each(requests)('%s %s: no user, whatever his rights say', async (method, path, json) => {
    await start({ authorize: () => true });
    expect(await ask(method, path, json, 'alice')).toBe(403);
  });

  test.each(requests)('%s %s: a back end with that right alone', async (method, path, json, right) => {
    await start({ authorize: ({ action, topic }) => (action === 'call' && topic === `holdfast/${right}`) || action === 'publish' });
    const statuses = await Promise.all(requests.map((one) => ask(one[0], one[1], one[2], BACK_END)));
    expect(requests.filter((_one, at) => statuses[at]! < 300).map(([, other]) => other)).toEqual([path]);
    expect(await ask(method, path, json, BACK_END)).toBeLessThan(300);
  });

  test('to delete a topic it takes the right to publish to it, too', async () => {
    await start({ authorize: ({ action }) => action === 'call' });
    expect(await ask('DELETE', '/v1/topics/t', undefined, BACK_END)).toBe(403);
  });

  test.each(requests)('%s %s: nobody, unless the server says who is a back end', async (method, path, json) => {
    await start({ isBackEnd: () => false });
    expect(await ask(method, path, json, BACK_END)).toBe(403);
  });
});
