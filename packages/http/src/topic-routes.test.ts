import { Endpoint } from '@holdfast/server';
import { HoldfastError } from '@holdfast/wire';
import { afterEach, describe, expect, test } from 'vitest';
import { MemoryClient, serveApi, type ApiServer, type ServerOptions } from './rest-api.testing.ts';

let api: ApiServer;

async function start(options?: ServerOptions): Promise<void> {
  api = await serveApi(options);
}

afterEach(() => api.close());

const ENTRIES = '/v1/topics/chat%2F42/entries';

describe('publishing', () => {
  test('stores JSON as it is and answers 201 with the place of the entry', async () => {
    await start();
    const { status, body, headers } = await api.ask('POST', ENTRIES, { json: { text: 'hello', deep: [1, null] } });
    expect(status).toBe(201);
    expect(body).toEqual({ offset: 1, epoch: expect.any(String) });
    expect(headers.get('location')).toBe('/v1/topics/chat%2F42/entries?after=0&limit=1');
    const page = await api.ask('GET', headers.get('location')!);
    expect(page.body).toMatchObject({
      first: 1,
      last: 1,
      entries: [{ offset: 1, from: 'alice', data: { text: 'hello', deep: [1, null] } }],
    });
  });

  test.each([
    ['encoded', '/v1/topics/chat%2F42/entries'],
    ['as it is', '/v1/topics/chat/42/entries'],
    ['a topic that ends like a route', '/v1/topics/chat%2Fentries/entries'],
  ])('the topic in the path: %s', async (_name, path) => {
    await start();
    expect((await api.ask('POST', path, { json: 1 })).status).toBe(201);
    const topic = path.includes('42') ? 'chat/42' : 'chat/entries';
    expect(await api.hub.actor({ subject: 'x' }).read(topic, { after: 0 })).toMatchObject({ entries: [{ data: 1 }] });
  });

  test('any other type of body is bytes', async () => {
    await start();
    const body = Uint8Array.of(0, 255, 1);
    expect((await api.ask('POST', ENTRIES, { body, headers: { 'content-type': 'application/octet-stream' } })).status).toBe(201);
    expect((await api.ask('POST', ENTRIES, { body: '{"a":1}', headers: { 'content-type': 'text/plain' } })).status).toBe(201);
    const { body: page } = await api.ask('GET', `${ENTRIES}?after=0`);
    expect(page).toMatchObject({ entries: [{ bytes: 'AP8B' }, { bytes: Buffer.from('{"a":1}').toString('base64') }] });
  });

  test('what curl sends when nobody thought of a type is refused with the type to send', async () => {
    await start();
    const { status, body } = await api.ask('POST', ENTRIES, {
      body: '{}',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(status).toBe(415);
    expect(body).toMatchObject({ code: 'USAGE', hint: expect.stringContaining('application/json') });
  });

  test.each([
    ['BAD_JSON', '{"a":'],
    ['BAD_JSON', '{"a":1e999}'],
    ['BAD_JSON', Uint8Array.of(34, 255, 34)],
    ['FORBIDDEN_KEY', '{"\\u005f_proto__":1}'],
    ['TOO_DEEP', '['.repeat(32) + ']'.repeat(32)],
    ['TOO_MANY_KEYS', JSON.stringify(Array.from({ length: 17_000 }, () => 0))],
  ])('HF-4.1: JSON is checked as frames are: %s', async (code, body) => {
    await start();
    const answer = await api.ask('POST', ENTRIES, { body, headers: { 'content-type': 'application/json' } });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ code, retryable: false });
  });

  test('the hook of the topic is asked, and its refusal is told', async () => {
    const beforePublish = ({ items }: { readonly items: readonly unknown[] }): undefined => {
      if (items[0] === 'bad') throw new HoldfastError('REFUSED', 'not on Sundays');
    };
    await start({ hub: { topics: [{ pattern: '*', beforePublish }] } });
    expect(await api.ask('POST', ENTRIES, { json: 'bad' })).toMatchObject({
      status: 422,
      body: { code: 'REFUSED', detail: 'not on Sundays' },
    });
    expect((await api.ask('POST', ENTRIES, { json: 'good' })).status).toBe(201);
  });
});

describe('Idempotency-Key', () => {
  const keyed = (json: unknown, key = '"k-1"', as = 'alice'): ReturnType<ApiServer['ask']> =>
    api.ask('POST', ENTRIES, { as, json: json as string, headers: { 'idempotency-key': key } });

  test('the same key with the same data is stored once: 201, then 200 with the same place', async () => {
    await start();
    const first = await keyed('a');
    expect(first.status).toBe(201);
    expect(await keyed('a')).toMatchObject({ status: 200, body: { ...first.body, duplicate: true } });
    expect(api.hub.counters.entriesPublished).toBe(1);
  });

  test('many at once are one', async () => {
    await start();
    const all = await Promise.all(Array.from({ length: 20 }, () => keyed('a')));
    expect(all.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(all.filter(({ status, body }) => status === 200 && body!['offset'] === 1)).toHaveLength(19);
  });

  test('the same key with other data: 422, and nothing is stored', async () => {
    await start();
    await keyed('a');
    const { status, body } = await keyed('b');
    expect(status).toBe(422);
    expect(body).toMatchObject({ code: 'SEQ_CONFLICT', retryable: false, detail: expect.stringContaining('Idempotency-Key') });
    expect(api.hub.counters.entriesPublished).toBe(1);
  });

  test('a key belongs to its subject, and is the same in quotes and bare', async () => {
    await start();
    expect((await keyed('a', '"k-1"', 'alice')).status).toBe(201);
    expect((await keyed('b', '"k-1"', 'bob')).status).toBe(201);
    expect((await keyed('a', 'k-1', 'alice')).status).toBe(200);
  });

  test.each(['""', '"a', 'a b', '"a", "b"', '"ü"', `"${'a'.repeat(257)}"`])('what is no key is refused: %s', async (key) => {
    await start();
    expect(await keyed('a', Buffer.from(key).toString('latin1'))).toMatchObject({ status: 400, body: { code: 'USAGE' } });
    expect(api.hub.counters.entriesPublished).toBe(0);
  });
});

describe('reading', () => {
  async function fill(count: number): Promise<void> {
    for (let n = 1; n <= count; n++) await api.hub.publish('chat/42', n, { from: 'bob' });
  }
  const numbers = ({ body }: Awaited<ReturnType<ApiServer['ask']>>): unknown[] =>
    (body!['entries'] as unknown as { data: unknown }[]).map(({ data }) => data);

  test('HF-7.3: after, before, and without either the newest', async () => {
    await start();
    await fill(5);
    expect(numbers(await api.ask('GET', `${ENTRIES}?after=2`))).toEqual([3, 4, 5]);
    expect(numbers(await api.ask('GET', `${ENTRIES}?before=4&limit=2`))).toEqual([2, 3]);
    expect(numbers(await api.ask('GET', `${ENTRIES}?limit=2`))).toEqual([4, 5]);
    expect(numbers(await api.ask('GET', `${ENTRIES}?after=5`))).toEqual([]);
  });

  test('a page links to the next one until there is none', async () => {
    await start();
    await fill(5);
    let path = `${ENTRIES}?after=0&limit=2`;
    const seen: unknown[] = [];
    for (let pages = 0; path !== ''; pages++) {
      const page = await api.ask('GET', path);
      seen.push(...numbers(page));
      path = /^<([^>]+)>; rel="next"$/.exec(page.headers.get('link') ?? '')?.[1] ?? '';
      expect(pages).toBeLessThan(3);
    }
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  test('one line per entry for who accepts them', async () => {
    await start();
    await fill(2);
    const { headers, text } = await api.ask('GET', `${ENTRIES}?after=0`, { headers: { accept: 'application/x-ndjson' } });
    expect(headers.get('content-type')).toBe('application/x-ndjson');
    expect(
      text
        .split('\n')
        .slice(0, 2)
        .map((line) => JSON.parse(line) as unknown),
    ).toMatchObject([
      { offset: 1, data: 1 },
      { offset: 2, data: 2 },
    ]);
    expect(text.endsWith('\n')).toBe(true);
  });

  test.each(['after=x', 'after=-1', 'after=1&before=2', 'after=1&after=2', 'limit=0', 'limit=1.5', 'affter=1'])(
    'what is misspelt is refused: %s',
    async (query) => {
      await start();
      expect(await api.ask('GET', `${ENTRIES}?${query}`)).toMatchObject({ status: 400, body: { code: 'USAGE' } });
    },
  );

  test('members, in the order of their coming', async () => {
    await start();
    for (const name of ['bob', 'carol']) {
      const client = new MemoryClient(api.hub, new Endpoint(), name, [{ id: 1, topic: 'chat/42' }]);
      await client.until('subscribed');
      client.tell({ type: 'presence', id: 2, topic: 'chat/42', state: { typing: true } });
      await client.until('reply');
    }
    const { body } = await api.ask('GET', '/v1/topics/chat/42/members');
    const state = { typing: true };
    expect(body).toEqual({
      members: [
        { subject: 'bob', client: 'tab-bob', state, since: expect.any(Number) },
        { subject: 'carol', client: 'tab-carol', state, since: expect.any(Number) },
      ],
    });
  });

  test('HEAD is GET without the body', async () => {
    await start();
    await fill(1);
    const get = await api.ask('GET', ENTRIES);
    const head = await api.ask('HEAD', ENTRIES);
    expect(head).toMatchObject({ status: 200, text: '' });
    expect(head.headers.get('content-length')).toBe(get.headers.get('content-length'));
  });
});

describe('rights', () => {
  test('each action is asked for; what is missing is 403', async () => {
    await start({ authorize: ({ action, topic }) => action === 'read' && topic === 'chat/42' });
    expect((await api.ask('GET', ENTRIES)).status).toBe(200);
    expect(await api.ask('POST', ENTRIES, { json: 1 })).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
    expect(await api.ask('GET', '/v1/topics/chat/42/members')).toMatchObject({ status: 403 });
    expect(await api.ask('GET', '/v1/topics/chat/43/entries')).toMatchObject({ status: 403 });
  });

  test.each(['/v1/topics/other/entries', '/v1/topics/holdfast%2Frevocations/entries'])(
    'topics of another path do not exist: %s',
    async (path) => {
      await start();
      expect(await api.ask('GET', path)).toMatchObject({ status: 404, body: { code: 'UNKNOWN_TOPIC' } });
      expect(await api.ask('POST', path, { json: 1 })).toMatchObject({ status: 404, body: { code: 'UNKNOWN_TOPIC' } });
      expect(await api.ask('DELETE', path.replace('/entries', ''), { as: 'server.one' })).toMatchObject({ status: 404 });
    },
  );

  test.each(['/v1/topics/chat%2F%2F42/entries', '/v1/topics/%zz/entries', '/v1/topics/a%20b/entries'])(
    'what is no topic is 400: %s',
    async (path) => {
      await start();
      expect(await api.ask('GET', path)).toMatchObject({ status: 400, body: { code: 'USAGE' } });
    },
  );

  test('HF-12: publishes and reads count for their subject, and say when to come again', async () => {
    await start({ hub: { limits: { subjectPublishesPerSecond: 1, subjectRequestsPerSecond: 1, burstMs: 2_000 } } });
    const publishes = [];
    for (let n = 0; n < 4; n++) publishes.push(await api.ask('POST', ENTRIES, { json: n }));
    const refused = publishes.find(({ status }) => status === 429)!;
    expect(refused.body).toMatchObject({ code: 'RATE_LIMITED', retryable: true, retryAfterMs: expect.any(Number) });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect((await api.ask('POST', ENTRIES, { json: 1, as: 'bob' })).status).toBe(201);
    const reads = [];
    for (let n = 0; n < 4; n++) reads.push((await api.ask('GET', ENTRIES)).status);
    expect(reads).toContain(429);
    expect(api.hub.counters.limits.get('subjectPublishesPerSecond')).toBeGreaterThan(0);
  });

  test('HF-12: publishes count for their address, whoever sends them', async () => {
    await start({ hub: { limits: { addressPublishesPerSecond: 1, burstMs: 2_000 } }, trustedProxies: ['loopback'] });
    const from = (address: string, as: string): Promise<number> =>
      api.ask('POST', ENTRIES, { json: 1, as, headers: { 'x-forwarded-for': address } }).then(({ status }) => status);
    const statuses = [];
    for (const as of ['a', 'b', 'c', 'd']) statuses.push(await from('203.0.113.7', as));
    expect(statuses).toContain(429);
    expect(await from('203.0.113.8', 'a')).toBe(201);
  });
});
