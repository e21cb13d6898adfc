import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { HoldfastError } from '@holdfast/wire';
import { afterEach, describe, expect, test } from 'vitest';
import { createRestApi, type AnswerFacts } from './index.ts';
import { serveApi, type ApiServer, type ServerOptions } from './rest-api.testing.ts';

let api: ApiServer;

async function start(options?: ServerOptions): Promise<void> {
  api = await serveApi(options);
}

afterEach(() => api.close());

const ENTRIES = '/v1/topics/chat%2F42/entries';

/** Writes to a raw connection; resolves with all that came back when the server has closed it. */
async function raw(lines: readonly string[], then: (socket: Socket) => void = () => {}): Promise<string> {
  const socket = connect(api.port, '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  socket.on('error', () => {});
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  then(socket);
  await once(socket, 'close');
  return text;
}

describe('paths and methods', () => {
  test.each(['/', '/v2/topics', '/v10'])('what is not below /v1 is left to others: %s', async (path) => {
    await start();
    expect((await api.ask('GET', path)).status).toBe(418);
  });

  test.each(['/v1', '/v1/', '/v1/nothing', '/v1/topics', '/v1/topics/'])('a path that is none: 404 with a problem: %s', async (path) => {
    await start();
    const { status, headers, body } = await api.ask('GET', path);
    expect(status).toBe(404);
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(body).toMatchObject({ type: 'about:blank', title: 'Not Found', status, code: 'UNKNOWN_METHOD', retryable: false });
  });

  test('another method: 405 with those that there are', async () => {
    await start();
    const { status, headers } = await api.ask('DELETE', ENTRIES);
    expect(status).toBe(405);
    expect(headers.get('allow')).toBe('POST, GET, HEAD, OPTIONS');
  });

  test('the description needs no credentials, and is served as it is', async () => {
    await start();
    const { status, body } = await api.ask('GET', '/v1/openapi.json', { as: '' });
    expect(status).toBe(200);
    expect(body).toMatchObject({ openapi: '3.1.0' });
  });

  test('nothing is kept by caches', async () => {
    await start();
    expect((await api.ask('GET', ENTRIES)).headers.get('cache-control')).toBe('no-store');
    expect((await api.ask('GET', '/v1/nothing')).headers.get('cache-control')).toBe('no-store');
  });
});

describe('who asks', () => {
  test.each([
    ['nobody', '', 'UNAUTHENTICATED', 'Bearer realm="holdfast"'],
    ['a wrong token', 'wrong', 'UNAUTHENTICATED', 'Bearer realm="holdfast", error="invalid_token"'],
    ['a token that has ended', 'expired', 'TOKEN_EXPIRED', 'Bearer realm="holdfast", error="invalid_token"'],
    ['one that was taken back', 'revoked', 'REVOKED', 'Bearer realm="holdfast", error="invalid_token"'],
  ])('%s: 401', async (_name, as, code, challenge) => {
    await start();
    const { status, headers, body } = await api.ask('GET', ENTRIES, { as });
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toBe(challenge);
    expect(body).toMatchObject({ code, retryable: false, hint: expect.stringMatching(/./) });
    // No frames of a socket, where nobody has one.
    expect(body).not.toMatchObject({ hint: expect.stringMatching(/"hello"/) });
  });

  test('another scheme is refused, and what it holds is not repeated', async () => {
    await start();
    const { status, text } = await api.ask('GET', ENTRIES, { as: '', headers: { authorization: 'Basic c2VjcmV0' } });
    expect(status).toBe(401);
    expect(text).not.toContain('c2VjcmV0');
  });

  test('the hook gets the token, the address and no cookie or query', async () => {
    const seen: unknown[] = [];
    await start({
      trustedProxies: ['loopback'],
      authenticate: (credentials) => {
        seen.push(credentials);
        return { subject: 'x' };
      },
    });
    const headers = { cookie: 'sid=1', 'x-forwarded-for': '203.0.113.7' };
    await api.ask('GET', `${ENTRIES}?limit=1`, { as: 'a.b-c_d~e+f/g==', headers });
    expect(seen).toMatchObject([{ token: 'a.b-c_d~e+f/g==', address: '203.0.113.7', client: 'http', url: ENTRIES, protocols: [] }]);
    expect((seen[0] as { headers: object }).headers).not.toHaveProperty('cookie');
  });

  test('what a hook throws is told to the operator alone', async () => {
    await start({ authenticate: () => Promise.reject(new Error('database password is 1234')) });
    const { status, text, body } = await api.ask('GET', ENTRIES);
    expect(status).toBe(500);
    expect(body).toMatchObject({ code: 'INTERNAL', retryable: true });
    expect(text).not.toContain('1234');
    expect(api.reported).toMatchObject([{ message: 'database password is 1234' }]);
  });

  test.each([undefined, {}, { subject: '' }, { subject: 7 }])('an identity without a subject lets nobody in: %o', async (identity) => {
    await start({ authenticate: () => identity as never });
    expect((await api.ask('GET', ENTRIES)).status).toBe(500);
  });

  test('who may not ask is not read: nothing of the body is waited for', async () => {
    await start();
    const head = [`POST ${ENTRIES} HTTP/1.1`, 'Host: x', 'Content-Type: application/json', 'Transfer-Encoding: chunked'];
    expect(await raw(head, (socket) => void socket.write('5\r\n"hal'))).toMatch(/^HTTP\/1\.1 401 .*connection: close/is);
  });
});

describe('bodies', () => {
  const post = [`POST ${ENTRIES} HTTP/1.1`, 'Host: x', 'Authorization: Bearer alice', 'Content-Type: application/octet-stream'];

  test('too large by its own word: 413 before any of it is read, and the connection ends', async () => {
    await start({ bodyBytesMax: 1_000 });
    const text = await raw([...post, 'Content-Length: 1001']);
    expect(text).toMatch(/^HTTP\/1\.1 413 .*connection: close.*"code":"TOO_LARGE"/is);
  });

  test('too large without a word: 413 as soon as it is, and the connection ends', async () => {
    await start({ bodyBytesMax: 1_000 });
    const text = await raw([...post, 'Transfer-Encoding: chunked'], (socket) => void socket.write(`3e9\r\n${'x'.repeat(1_001)}\r\n`));
    expect(text).toMatch(/^HTTP\/1\.1 413 .*connection: close.*"code":"TOO_LARGE"/is);
  });

  test('as large as may be passes', async () => {
    await start({ bodyBytesMax: 1_000 });
    expect((await api.ask('POST', ENTRIES, { body: 'x'.repeat(1_000) })).status).toBe(201);
  });

  test('too slow: 408, and the connection ends', async () => {
    await start({ bodyTimeoutMs: 20 });
    const text = await raw([...post, 'Content-Length: 10'], (socket) => void socket.write('x'));
    expect(text).toMatch(/^HTTP\/1\.1 408 .*connection: close/is);
  });

  test('a client that goes away in the middle leaves nothing behind', async () => {
    let tell: (facts: AnswerFacts) => void;
    const answered = new Promise<AnswerFacts>((resolve) => (tell = resolve));
    await start({ onAnswer: (facts) => tell(facts) });
    await raw([...post, 'Content-Length: 10'], (socket) => void socket.end('x'));
    expect(await answered).toMatchObject({ status: 400, code: 'BAD_FRAME' });
  });

  test('compressed: 415', async () => {
    await start();
    expect((await api.ask('POST', ENTRIES, { body: 'x', headers: { 'content-encoding': 'gzip' } })).status).toBe(415);
  });
});

describe('pages of browsers', () => {
  const origins = ['https://app.example.com'];

  test('of an origin that is listed: allowed, by name', async () => {
    await start({ origins });
    const { status, headers } = await api.ask('GET', ENTRIES, { headers: { origin: origins[0]! } });
    expect(status).toBe(200);
    expect(headers.get('access-control-allow-origin')).toBe(origins[0]);
    expect(headers.get('vary')).toContain('Origin');
    expect(headers.get('access-control-allow-credentials')).toBeNull();
  });

  test('a preflight is answered without credentials', async () => {
    await start({ origins });
    const { status, headers, text } = await api.ask('OPTIONS', ENTRIES, { as: '', headers: { origin: origins[0]! } });
    expect({ status, text }).toEqual({ status: 204, text: '' });
    expect(headers.get('access-control-allow-methods')).toBe('POST, GET, HEAD, OPTIONS');
    expect(headers.get('access-control-allow-headers')).toContain('idempotency-key');
  });

  test.each(['https://evil.example', 'https://app.example.com.evil.example', 'http://app.example.com', 'null'])(
    'of another: 403, even without credentials: %s',
    async (origin) => {
      await start({ origins, authenticate: () => ({ subject: 'anybody' }) });
      const { status, headers, body } = await api.ask('POST', ENTRIES, { body: 'x', headers: { origin, 'content-type': 'text/plain' } });
      expect(status).toBe(403);
      expect(body).toMatchObject({ code: 'ORIGIN_REFUSED' });
      expect(headers.get('access-control-allow-origin')).toBeNull();
      expect(api.hub.counters.entriesPublished).toBe(0);
    },
  );

  test('of the host itself: allowed', async () => {
    await start();
    expect((await api.ask('GET', ENTRIES, { headers: { origin: api.url } })).status).toBe(200);
  });

  test.each([
    ['https://*.example.com', 'https://a.b.example.com', true],
    ['https://*.example.com', 'https://example.com', false],
    ['https://*.example.com', 'https://evilexample.com', false],
    ['https://*.example.com', 'http://a.example.com', false],
    ['https://App.Example.com:443', 'https://app.example.com', true],
    ['https://app.example.com:8443', 'https://app.example.com', false],
    ['capacitor://localhost', 'capacitor://localhost', true],
    ['null', 'null', true],
    ['file://', 'file://', true],
  ])('listed as %s: %s %s', async (listed, origin, isAllowed) => {
    await start({ origins: [listed] });
    expect((await api.ask('GET', ENTRIES, { headers: { origin } })).status).toBe(isAllowed ? 200 : 403);
  });

  test('what is no origin is refused at once', async () => {
    await start();
    const { hub } = api;
    const endpoint = {} as never;
    for (const origin of ['https://a.example/', 'a.example', '*', 'https://*', 'https://a.*.example', 'https://user@a.example'])
      expect(() => createRestApi({ hub, endpoint, origins: [origin] })).toThrow(/is no origin/);
  });
});

describe('too much', () => {
  test('requests beyond the bound get 503 with Retry-After', async () => {
    let letIn = (): void => {};
    const gate = new Promise<void>((resolve) => (letIn = resolve));
    await start({ requestsMax: 2, authenticate: () => gate.then(() => ({ subject: 'x' })) });
    const waiting = [api.ask('GET', ENTRIES), api.ask('GET', ENTRIES), api.ask('GET', ENTRIES)];
    const refused = await Promise.race(waiting);
    expect(refused).toMatchObject({ status: 503, body: { code: 'OVERLOADED', retryable: true } });
    expect(refused.headers.get('retry-after')).toBe('1');
    letIn();
    const statuses = (await Promise.all(waiting)).map(({ status }) => `${status}`);
    expect(statuses.toSorted()).toEqual(['200', '200', '503']);
    expect((await api.ask('GET', ENTRIES)).status).toBe(200);
  });

  test('memory: publishes and reads are refused as retryable', async () => {
    await start({ hub: { memory: () => 2_000_000, limits: { memoryBytesMax: 1_048_576 } } });
    await api.hub.maintain();
    expect(await api.ask('POST', ENTRIES, { json: 1 })).toMatchObject({ status: 503, body: { code: 'OVERLOADED' } });
    expect(await api.ask('GET', ENTRIES)).toMatchObject({ status: 503 });
  });

  test('HF-8.3: a hub that is closing says so', async () => {
    await start();
    await api.hub.close();
    expect(await api.ask('POST', ENTRIES, { json: 1 })).toMatchObject({ status: 503, body: { code: 'GOING_AWAY', retryable: true } });
  });
});

describe('what is told of each answer', () => {
  test('the route and who, never a query or a token', async () => {
    await start();
    await api.ask('GET', `${ENTRIES}?limit=3`);
    await api.ask('POST', ENTRIES, { as: 'wrong', json: 1 });
    await api.ask('GET', '/v1/nothing?token=s3cret');
    const address = '127.0.0.1';
    const durationMs = expect.any(Number);
    const route = '/v1/topics/{topic}/entries';
    expect(api.answers).toEqual([
      { method: 'GET', route, status: 200, subject: 'alice', address, durationMs },
      { method: 'POST', route, status: 401, code: 'UNAUTHENTICATED', address, durationMs },
      { method: 'GET', route: '', status: 404, code: 'UNKNOWN_METHOD', address, durationMs },
    ]);
  });

  test('a listener that throws spoils no answer', async () => {
    await start({
      onAnswer: () => {
        throw new Error('oops');
      },
    });
    expect((await api.ask('GET', ENTRIES)).status).toBe(200);
    expect(api.reported).toMatchObject([{ message: 'oops' }]);
  });

  test('a refusal of the application is told as it is', async () => {
    await start({
      authorize: () => {
        throw new HoldfastError('RATE_LIMITED', 'slowly', { retryAfterMs: 2_500 });
      },
    });
    const { status, headers, body } = await api.ask('GET', ENTRIES);
    expect({ status, retryAfter: headers.get('retry-after') }).toEqual({ status: 429, retryAfter: '3' });
    expect(body).toMatchObject({ title: 'Too Many Requests', detail: 'slowly', retryAfterMs: 2_500 });
  });
});
