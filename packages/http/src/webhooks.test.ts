import { createHub, createMemoryStore, Endpoint, type Action, type Credentials, type Identity } from '@holdfast/server';
import { HoldfastError, type Json } from '@holdfast/wire';
import { afterEach, describe, expect, test } from 'vitest';
import { SECRET, serveBackEnd, signatureOf, type BackEnd, type Received, type Reply } from './back-end.testing.ts';
import { createWebhooks, verifyWebhook, type WebhookFaultFacts, type Webhooks, type WebhooksOptions } from './index.ts';
import { MemoryClient } from './rest-api.testing.ts';

let backEnd: BackEnd;
let hooks: Webhooks;
let faults: WebhookFaultFacts[];

async function start(reply: (received: Received) => Reply | Promise<Reply>, options: Partial<WebhooksOptions> = {}): Promise<void> {
  faults = [];
  backEnd = await serveBackEnd(reply);
  hooks = createWebhooks({ url: backEnd.url, secret: SECRET, onFault: (facts) => faults.push(facts), ...options });
}

afterEach(() => backEnd.close());

const alice: Identity = { subject: 'alice', claims: { role: 'member' }, credentialId: 'c-1', expiresAtMs: 9_000 };
const credentials: Credentials = {
  token: 's3cret-token',
  client: 'tab-1',
  address: '203.0.113.7',
  headers: { 'x-tenant': 'acme', cookie: 'sid=1' },
  url: '/live?ticket=hidden',
  protocols: [],
};
const authorize = async (action: Action = 'subscribe', topic = 'chat/42', identity = alice): Promise<unknown> =>
  hooks.authorize({ identity, action, topic });
const publish = async (items: readonly (Json | Uint8Array)[] = ['hello']): Promise<unknown> =>
  hooks.beforePublish({ topic: 'chat/42', identity: alice, items });
const connect = async (): Promise<Identity> => hooks.authenticate(credentials);

/** What a promise is refused with. */
async function refusal(promise: Promise<unknown>): Promise<HoldfastError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof HoldfastError) return error;
  throw new Error(`no refusal: ${String(error)}`);
}

describe('a request', () => {
  test('is signed as Standard Webhooks has it, and verifies with the function for back ends', async () => {
    await start(() => ({ allow: true }));
    await authorize();
    const [received] = backEnd.received;
    expect(received!.headers['webhook-signature']).toBe(signatureOf(SECRET, received!));
    expect(received!.headers['webhook-id']).toMatch(/^msg_[0-9a-f]{32}$/);
    const { headers, text } = received!;
    expect(verifyWebhook({ secret: SECRET, headers, body: text })).toEqual({
      type: 'subscribe',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      data: { identity: { subject: 'alice', claims: { role: 'member' }, credentialId: 'c-1', expiresAt: 9_000 }, topic: 'chat/42' },
    });
  });

  test('each has an id of its own', async () => {
    await start(() => ({ allow: true }));
    await publish();
    await publish();
    const [one, other] = backEnd.received;
    expect(one!.headers['webhook-id']).not.toBe(other!.headers['webhook-id']);
  });

  test('each event may have an address of its own', async () => {
    await start(() => ({ allow: true }), {});
    hooks = createWebhooks({ url: { read: `${backEnd.url}/read`, publish: `${backEnd.url}/publish` }, secret: SECRET });
    await authorize('read');
    await publish();
    expect(backEnd.received.map(({ path }) => path)).toEqual(['/hooks/read', '/hooks/publish']);
  });
});

describe('connect', () => {
  test('tells what it was told to, and no token, cookie or query', async () => {
    await start(() => ({ subject: 'alice' }), { headers: ['X-Tenant', 'X-Other'] });
    await connect();
    expect(backEnd.received[0]!.data).toEqual({ client: 'tab-1', address: '203.0.113.7', path: '/live', headers: { 'x-tenant': 'acme' } });
    for (const secret of ['s3cret-token', 'sid=1', 'hidden']) expect(backEnd.received[0]!.text).not.toContain(secret);
  });

  test('tells the token if it shall', async () => {
    await start(() => ({ subject: 'alice' }), { sendToken: true });
    await connect();
    expect(backEnd.received[0]!.data).toMatchObject({ token: 's3cret-token' });
  });

  test('the answer is the identity', async () => {
    await start(() => ({ subject: 'alice', claims: { role: 'x' }, expiresAt: 9_000, credentialId: 'c', issuedAt: 5, other: 1 }));
    expect(await connect()).toEqual({ subject: 'alice', claims: { role: 'x' }, expiresAtMs: 9_000, credentialId: 'c', issuedAtMs: 5 });
  });

  test.each([
    [401, { message: 'sign in first' }, 'UNAUTHENTICATED', 'sign in first'],
    [403, { message: 'banned' }, 'FORBIDDEN', 'banned'],
    [401, undefined, 'UNAUTHENTICATED', 'The credentials are missing or not valid.'],
    [403, 'not an object', 'FORBIDDEN', 'The identity may not do this on this topic.'],
  ])('%i refuses for good', async (status, body, code, message) => {
    await start(() => ({ status, ...(body === undefined ? {} : { body }) }));
    const error = await refusal(connect());
    expect(error).toMatchObject({ code, message, retryable: false });
    expect(faults).toEqual([]);
  });

  test('cannot be let pass without an answer, and needs its event', async () => {
    await start(() => ({ subject: 'alice' }));
    const options = { url: backEnd.url, secret: SECRET };
    expect(() => createWebhooks({ ...options, onFailure: 'open' })).toThrow(/cannot be "open"/);
    hooks = createWebhooks({ ...options, events: ['publish'], onFailure: 'open' });
    expect(await refusal(connect())).toMatchObject({ code: 'USAGE' });
  });
});

describe('an action', () => {
  test.each<[Json, unknown]>([
    [{ allow: true }, {}],
    [
      { allow: true, floor: 7, until: 9_000 },
      { floor: 7, untilMs: 9_000 },
    ],
    [{ allow: false }, false],
  ])('%j', async (answer, grant) => {
    await start(() => answer);
    expect(await authorize()).toEqual(grant);
  });

  test('a refusal says why, if the back end does', async () => {
    await start(({ data }) =>
      data['topic'] === 'a' ? { allow: false, message: 'members only' } : { status: 403, body: { message: 'no' } },
    );
    expect(await refusal(authorize('subscribe', 'a'))).toMatchObject({ code: 'FORBIDDEN', message: 'members only' });
    expect(await refusal(authorize('subscribe', 'b'))).toMatchObject({ code: 'FORBIDDEN', message: 'no' });
  });

  test('what is not among the events is allowed without asking, and to publish is asked with its payloads', async () => {
    await start(() => ({ allow: false }));
    expect([await authorize('read'), await authorize('publish'), await authorize('call')]).toEqual([true, true, true]);
    expect(backEnd.received).toEqual([]);
    expect(await authorize('subscribe')).toBe(false);
  });

  test('registers are told with their key', async () => {
    await start(() => ({ allow: true }), { events: ['register'] });
    await hooks.authorize({ identity: alice, action: 'register', topic: 't', key: 'read/alice' });
    expect(backEnd.received[0]!.data).toMatchObject({ topic: 't', key: 'read/alice' });
  });
});

describe('grants', () => {
  const virtual = (): { now: () => number; advance: (ms: number) => void } & WebhooksOptions['clock'] => {
    let nowMs = 1_000_000;
    const noTimer = { setTimeout: () => 0, clearTimeout: () => {}, defer: () => {} };
    return { ...noTimer, now: () => nowMs, advance: (ms: number) => void (nowMs += ms) };
  };

  test('are kept for their time, and given at once', async () => {
    const clock = virtual();
    await start(() => ({ allow: true }), { clock, grantMs: 5_000 });
    await authorize();
    clock.advance(4_999);
    expect(hooks.authorize({ identity: alice, action: 'subscribe', topic: 'chat/42' })).toEqual({});
    expect(backEnd.received).toHaveLength(1);
    clock.advance(1);
    await authorize();
    expect(backEnd.received).toHaveLength(2);
  });

  test('with an end are kept until then', async () => {
    const clock = virtual();
    await start(() => ({ allow: true, until: 1_020_000 }), { clock, grantMs: 5_000 });
    await authorize();
    clock.advance(19_999);
    expect(await authorize()).toEqual({ untilMs: 1_020_000 });
    expect(backEnd.received).toHaveLength(1);
    clock.advance(1);
    await authorize();
    expect(backEnd.received).toHaveLength(2);
  });

  test('belong to one identity, action and topic', async () => {
    await start(() => ({ allow: true }), { events: ['subscribe', 'read'] });
    await authorize();
    await authorize('read');
    await authorize('subscribe', 'chat/43');
    await authorize('subscribe', 'chat/42', { ...alice, subject: 'bob' });
    await authorize('subscribe', 'chat/42', { ...alice, claims: { role: 'guest' } });
    expect(backEnd.received).toHaveLength(5);
    await authorize();
    expect(backEnd.received).toHaveLength(5);
  });

  test('refusals are not kept', async () => {
    await start(() => ({ allow: false }));
    await authorize();
    await authorize();
    expect(backEnd.received).toHaveLength(2);
  });

  test('the same question at the same time is asked once', async () => {
    await start(() => ({ allow: true }), { grantMs: 0 });
    expect(await Promise.all([authorize(), authorize(), authorize()])).toEqual([{}, {}, {}]);
    expect(backEnd.received).toHaveLength(1);
  });

  test('no more are kept than may be: the oldest go', async () => {
    await start(() => ({ allow: true }), { grantsMax: 2 });
    for (const topic of ['a', 'b', 'c', 'b', 'a']) await authorize('subscribe', topic);
    expect(backEnd.received.map(({ data }) => data['topic'])).toEqual(['a', 'b', 'c', 'a']);
  });

  test('are forgotten by subject, also those whose answers are under way', async () => {
    let answer = (): void => {};
    await start(({ data }) =>
      data['topic'] === 'slow' ? new Promise<Reply>((resolve) => (answer = (): void => resolve({ allow: true }))) : { allow: true },
    );
    await authorize('subscribe', 'chat/42', { subject: 'bob' });
    await authorize();
    const slow = authorize('subscribe', 'slow');
    await backEnd.came(3);
    hooks.forget('alice');
    answer();
    expect(await slow).toEqual({});
    await authorize('subscribe', 'chat/42', { subject: 'bob' });
    expect(backEnd.received).toHaveLength(3);
    await authorize();
    const again = authorize('subscribe', 'slow');
    await backEnd.came(5);
    answer();
    await again;
    hooks.forget();
    await authorize('subscribe', 'chat/42', { subject: 'bob' });
    expect(backEnd.received).toHaveLength(6);
  });
});

describe('publish', () => {
  test('passes, changes or refuses', async () => {
    await start(({ data }) => {
      const [item] = data['items'] as unknown as [{ data?: string }];
      if (item.data === 'swap') return { allow: true, items: [{ data: 'x' }, { bytes: 'AAEC' }] };
      if (item.data === 'bad') return { allow: false, message: 'mind your language' };
      return item.data === 'worse' ? { status: 403 } : { allow: true };
    });
    expect(await publish(['fine', Uint8Array.of(1, 2)])).toBeUndefined();
    expect(backEnd.received[0]!.data).toMatchObject({
      topic: 'chat/42',
      identity: { subject: 'alice' },
      items: [{ data: 'fine' }, { bytes: 'AQI=' }],
    });
    expect(await publish(['swap'])).toEqual(['x', Uint8Array.of(0, 1, 2)]);
    expect(await refusal(publish(['bad']))).toMatchObject({ code: 'REFUSED', message: 'mind your language', retryable: false });
    expect(await refusal(publish(['worse']))).toMatchObject({ code: 'REFUSED', retryable: false });
  });

  test('without its event nothing is asked', async () => {
    await start(() => ({ allow: false }), { events: ['subscribe'] });
    expect(await publish()).toBeUndefined();
    expect(backEnd.received).toEqual([]);
  });
});

/** Everything that is no answer, and what is made of it. */
const FAULTY: readonly [string, Reply, WebhookFaultFacts['kind'], Partial<WebhooksOptions>?][] = [
  ['500', { status: 500 }, 'unreachable'],
  ['404', { status: 404 }, 'answer'],
  ['a redirection, which is not followed', { status: 302, headers: { location: '/elsewhere' } }, 'answer'],
  ['a redirection that would send the body on', { status: 307, headers: { location: '/elsewhere' } }, 'answer'],
  ['204', { status: 204 }, 'answer'],
  ['no JSON', (response): void => void response.writeHead(200).end('<html>'), 'answer'],
  ['an empty body', (response): void => void response.writeHead(200).end(), 'answer'],
  ['__proto__', (response): void => void response.writeHead(200).end('{"allow":true,"__proto__":{"a":1}}'), 'answer'],
  ['no verdict', { other: true }, 'answer'],
  ['a verdict that is none', { allow: 'true' }, 'answer'],
  ['a list', [{ allow: true }], 'answer'],
  ['too much', { allow: true, filler: 'x'.repeat(2_000) }, 'answer', { answerBytesMax: 1_000 }],
  ['a connection that breaks', (response): void => void response.destroy(), 'unreachable'],
  [
    'half an answer',
    (response): void => void response.writeHead(200, { 'content-length': '100' }).write('{"al', () => void response.destroy()),
    'unreachable',
  ],
  ['silence', (): void => {}, 'timeout', { timeoutMs: 30 }],
  ['headers and then silence', (response): void => void response.writeHead(200).write('{'), 'timeout', { timeoutMs: 30 }],
];

describe('what is no answer', () => {
  test.each(FAULTY)('closed: %s is refused as retryable', async (_name, reply, kind, options = {}) => {
    await start(() => reply, options);
    const code = kind === 'answer' ? 'INTERNAL' : 'OVERLOADED';
    for (const asked of [authorize(), publish(), connect()]) {
      const error = await refusal(asked);
      expect(error).toMatchObject({ code, retryable: true, retryAfterMs: 1_000 });
      for (const secret of ['s3cret-token', 'hello', 'whsec', '127.0.0.1']) expect(`${error.message} ${error.hint}`).not.toContain(secret);
    }
    expect(faults).toMatchObject(['subscribe', 'publish', 'connect'].map((event) => ({ event, kind, mode: 'closed' })));
    expect(JSON.stringify(faults)).not.toMatch(/s3cret-token|hello|whsec|127\.0\.0\.1/);
    expect(backEnd.received.map(({ path }) => path)).toEqual(['/hooks', '/hooks', '/hooks']);
  });

  test.each(FAULTY)('open: %s lets pass, for this once', async (_name, reply, kind, options = {}) => {
    await start(() => reply, { ...options, onFailure: { subscribe: 'open', publish: 'open' } });
    expect(await authorize()).toEqual({});
    expect(await publish()).toBeUndefined();
    expect(await authorize()).toEqual({});
    expect(backEnd.received).toHaveLength(3);
    expect(faults).toMatchObject([
      { kind, mode: 'open' },
      { kind, mode: 'open' },
      { kind, mode: 'open' },
    ]);
    expect(await refusal(connect())).toMatchObject({ retryable: true });
  });

  test('open lets nothing pass that was refused', async () => {
    await start(() => ({ allow: false }), { events: ['subscribe', 'publish'], onFailure: 'open' });
    expect(await authorize()).toBe(false);
    expect(await refusal(publish())).toMatchObject({ code: 'REFUSED' });
  });

  test('nobody at the address', async () => {
    await start(() => null);
    await backEnd.close();
    expect(await refusal(publish())).toMatchObject({ code: 'OVERLOADED', retryable: true });
    expect(faults).toMatchObject([{ kind: 'unreachable', message: expect.stringContaining('ECONNREFUSED') }]);
    backEnd = await serveBackEnd(() => null);
  });

  test.each([
    ['connect', { subject: '' }],
    ['connect', { subject: 7 }],
    ['connect', { subject: 'a', expiresAt: 'soon' }],
    ['connect', { subject: 'a', credentialId: 1 }],
    ['subscribe', { allow: true, floor: -1 }],
    ['subscribe', { allow: true, until: '2030' }],
    ['publish', { allow: true, items: [] }],
    ['publish', { allow: true, items: [{}] }],
    ['publish', { allow: true, items: [{ data: 1, bytes: 'AA==' }] }],
    ['publish', { allow: true, items: [{ bytes: '?' }] }],
    ['publish', { status: 401 }],
    ['subscribe', { status: 401 }],
  ])('%s: a field that is wrong: %j', async (event, reply) => {
    await start(() => reply as Reply);
    const asked = { connect, subscribe: authorize, publish }[event as 'connect']();
    expect(await refusal(asked)).toMatchObject({ code: 'INTERNAL', retryable: true });
  });

  test('a back end that is busy says when to come again', async () => {
    await start(() => ({ status: 503, headers: { 'retry-after': '7' } }));
    expect(await refusal(publish())).toMatchObject({ code: 'OVERLOADED', retryAfterMs: 7_000 });
  });
});

describe('bounds', () => {
  test('so many at a time, so many in line, and the rest fail at once', async () => {
    const answers: (() => void)[] = [];
    await start(() => new Promise<Reply>((resolve) => answers.push(() => resolve({ allow: true }))), { concurrencyMax: 2, waitingMax: 1 });
    const asked = [publish(), publish(), publish()];
    await backEnd.came(2);
    expect(await refusal(publish())).toMatchObject({ code: 'OVERLOADED', retryable: true });
    expect(faults).toMatchObject([{ kind: 'busy' }]);
    expect(backEnd.received).toHaveLength(2);
    answers.shift()!();
    await backEnd.came(3);
    for (const answer of answers) answer();
    expect(await Promise.all(asked)).toEqual([undefined, undefined, undefined]);
  });

  test('questions about who connects have places of their own: a flood of them holds up nobody who is in', async () => {
    const answers: (() => void)[] = [];
    const reply = ({ type }: Received): Promise<Reply> =>
      new Promise((resolve) => answers.push(() => resolve(type === 'connect' ? { subject: 'alice' } : { allow: true })));
    await start(reply, { concurrencyMax: 4, waitingMax: 2 });
    const connecting = [connect(), connect(), connect()];
    await backEnd.came(2);
    for (let more = 0; more < 10; more++) expect(await refusal(connect())).toMatchObject({ code: 'OVERLOADED', retryable: true });
    expect([backEnd.received.length, faults.length]).toEqual([2, 10]);
    const publishing = [publish(), publish(), publish(), publish()];
    await backEnd.came(6);
    expect(backEnd.received.map(({ type }) => type)).toEqual([...Array<string>(2).fill('connect'), ...Array<string>(4).fill('publish')]);
    for (const answer of answers.splice(0)) answer();
    expect(await Promise.all(publishing)).toEqual(Array(4).fill(undefined));
    await backEnd.came(7);
    for (const answer of answers) answer();
    expect(await Promise.all(connecting)).toMatchObject([{ subject: 'alice' }, { subject: 'alice' }, { subject: 'alice' }]);
  });

  test('who waits in line for too long is refused, and leaves the line', async () => {
    let breakOff = (): void => {};
    const stuck = new Promise<Response>((_resolve, reject) => (breakOff = (): void => reject(new Error('reset'))));
    let asked = 0;
    const fetch = (): Promise<Response> => (asked++ === 0 ? stuck : Promise.resolve(Response.json({ allow: true })));
    await start(() => null, { concurrencyMax: 1, waitingMax: 1, timeoutMs: 30, fetch });
    const first = refusal(publish());
    expect(await refusal(publish())).toMatchObject({ code: 'OVERLOADED' });
    breakOff();
    expect(await first).toMatchObject({ code: 'OVERLOADED' });
    expect(await publish()).toBeUndefined();
  });
});

describe('options', () => {
  test.each<[string, Partial<WebhooksOptions>]>([
    ['http to another machine', { url: 'http://hooks.example.com/' }],
    ['http to a name that only begins like this machine', { url: 'http://127.0.0.1.example.com/' }],
    ['no address', { url: 'hooks' }],
    ['another scheme', { url: 'ftp://127.0.0.1/' }],
    ['a password', { url: 'https://user:pass@hooks.example.com/' }],
    ['an event without an address', { url: { publish: 'https://hooks.example.com/' }, events: ['publish', 'read'] }],
    ['an event that there is not', { events: ['publishes' as 'publish'] }],
    ['no events', { events: [] }],
    ['a short secret', { secret: 'whsec_c2hvcnQ=' }],
  ])('%s is refused at once', async (_name, options) => {
    await start(() => null);
    const make = (): Webhooks => createWebhooks({ url: backEnd.url, secret: SECRET, ...options });
    expect(make).toThrow(expect.objectContaining({ code: 'USAGE', message: expect.not.stringMatching(/pass@|c2hvcnQ/) }));
  });

  test('http to another machine, if it shall be', async () => {
    await start(() => null);
    expect(() => createWebhooks({ url: 'http://hooks.internal/', secret: SECRET, insecure: true })).not.toThrow();
    expect(() => createWebhooks({ url: 'https://hooks.example.com/', secret: SECRET })).not.toThrow();
  });
});

test('HF-6.6: while the back end is down nothing is lost and nothing overtakes: the same seqs are sent again', async () => {
  let isDown = true;
  await start(({ type, data }) => {
    if (type === 'connect') return { subject: 'alice', claims: { room: 42 } };
    if (type === 'publish' && isDown) return { status: 500 };
    return type === 'publish' && (data['items'] as unknown as [{ data: Json }])[0].data === 'bad' ? { allow: false } : { allow: true };
  });
  const { authenticate, authorize: ask, beforePublish } = hooks;
  const hub = createHub({ store: createMemoryStore(), topics: [{ pattern: '*', beforePublish }] });
  const client = new MemoryClient(hub, new Endpoint({ authenticate, authorize: ask }), 'any', [{ id: 1, topic: 't' }]);
  await client.until('subscribed');
  const send = (seq: number, data: Json): void => client.tell({ type: 'publish', topic: 't', producer: 'p', seq, data });
  send(1, 'one');
  send(2, 'two');
  expect(await client.until('error')).toMatchObject({ code: 'OVERLOADED', seq: 1, retryable: true, retryAfterMs: 1_000 });
  isDown = false;
  for (const [at, data] of ['one', 'two', 'bad', 'three'].entries()) send(at + 1, data);
  await client.until('ack', 4);
  expect(client.received.filter(({ type }) => type === 'entry').map(({ data, from }) => [from, data])).toEqual([
    ['alice', 'one'],
    ['alice', 'two'],
    ['alice', 'three'],
  ]);
  expect(client.received.find(({ code }) => code === 'REFUSED')).toMatchObject({ seq: 3, retryable: false });
  await hub.close();
});
