/** No token, ticket or payload reaches the log, by whatever way it came and whoever lets it slip. */

import { createHmac } from 'node:crypto';
import { createHub, createMemoryStore, type Authenticate, type Hub } from '@holdfast/server';
import { HoldfastError } from '@holdfast/wire';
import { createServer } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createAccessLog } from './access-log.ts';
import { logErrors, logEvents } from './event-log.ts';
import { createLogger } from './logger.ts';
import { Peer, settled, type PeerOptions } from './peer.testing.ts';

function jwt(claims: object): string {
  const text = [{ alg: 'HS256', typ: 'JWT' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${createHmac('sha256', 'k').update(text).digest('base64url')}`;
}

const JWT = jwt({ sub: 'alice', exp: 1_900_000_000, jti: 'Zq81-xYw', scope: 'chat:read chat:write' });
const OTHER_JWT = jwt({ sub: 'bob', exp: 1_900_000_001, roles: ['admin', 'ops'], note: 'ÿþ~' });
const TICKET = 'hft_pK3l9QxT0mZr7uVbN2sYc5Wd8eFgHiJa1oLq4R6tXyE';
const KEY = 'Vx8Jm2Qp_7Lr-Zk5Nw1Ty9Bd3Hc6Gf0Sa4Ue2Io8Pq1M';
const HEX_KEY = '9f2c4b7a1e8d3f605a7c9b2e4d1f8036c5a7e9b1d3f2048697ab8cd1ef234567';
/** One that is cut off has a shape only if its beginning has. */
const SHAPED = [JWT, OTHER_JWT, TICKET];
const ALL = [...SHAPED, KEY, HEX_KEY];

/** Parts of 12 characters of a secret that a text contains. */
function partsIn(text: string, secret: string): string[] {
  return Array.from({ length: secret.length - 11 }, (_, at) => secret.slice(at, at + 12)).filter((part) => text.includes(part));
}

let lines: string[];
let hub: Hub;

function open(pretty = false): void {
  const logger = createLogger({ level: 'trace', pretty, destination: { write: (line) => lines.push(line) } });
  hub = createHub({ store: createMemoryStore(), maintainIntervalMs: 0, onEvent: logEvents(logger), onError: logErrors(logger) });
}

beforeEach(() => {
  lines = [];
  open();
});

afterEach(() => hub.close());

/** All the ways in which a client can show a token. */
const WAYS: Readonly<Record<string, (token: string) => { readonly arrival: PeerOptions; readonly token?: string }>> = {
  'the first frame': (token) => ({ arrival: {}, token }),
  'a header': (token) => ({ arrival: { headers: { authorization: `Bearer ${token}` } } }),
  'a cookie': (token) => ({ arrival: { headers: { cookie: `theme=dark; session=${token}; x=1` } } }),
  'a subprotocol': (token) => ({
    arrival: {
      protocols: ['holdfast.v1', `holdfast.token.${token}`],
      headers: { 'sec-websocket-protocol': `holdfast.v1, holdfast.token.${token}` },
    },
  }),
  'the query': (token) => ({ arrival: { url: `/realtime?a=1&access_token=${token}#x` } }),
  'the query, encoded': (token) => ({ arrival: { url: `/realtime?access_token=${encodeURIComponent(token).replaceAll('.', '%2E')}` } }),
};

/** All the ways in which an application lets it slip. */
const SLIPS: Readonly<Record<string, (token: string, all: object) => unknown>> = {
  'a refusal that repeats it': (token) => new HoldfastError('UNAUTHENTICATED', `the token ${token} is not known`),
  'a refusal that quotes it': (token) => new HoldfastError('FORBIDDEN', `bad token: "${token}"`),
  'an error that repeats it': (token) => new Error(`cannot verify ${token}`),
  'an error that cuts it off': (token) => new Error(`cannot verify ${token.slice(0, 30)}...`),
  'an error with its signature': (token) => new Error(`signature ${token.split('.').at(-1)} is wrong`),
  'a cause, three deep': (token) =>
    new Error('no', { cause: new Error('why', { cause: new TypeError(`in ${token}`, { cause: `Bearer ${token}` }) }) }),
  'several errors at once': (token) => new AggregateError([new Error(token), new HoldfastError('INTERNAL', token)], token),
  'what JSON.parse says': (token) => {
    try {
      return JSON.parse(`{"a":${token}}`) as unknown;
    } catch (error) {
      return error;
    }
  },
  'an HTTP client’s error': (token) =>
    Object.assign(new Error('request failed with 401'), {
      config: { headers: { Authorization: `Bearer ${token}` }, url: `https://a.example/?token=${token}` },
      token,
    }),
  'the request as JSON': (_token, all) => new Error(JSON.stringify(all)),
  'the headers as lines': (token) =>
    new Error(`GET /x?ticket=${token} HTTP/1.1\r\nAuthorization: Bearer ${token}\r\nCookie: session=${token}`),
  'no error at all': (token) => token,
  'an object': (token) => ({ token, toString: () => token }),
};

describe.each([
  ['JSON', false],
  ['pretty', true],
])('no token reaches the log (%s)', (_name, pretty) => {
  describe.each(Object.entries(WAYS))('by %s', (_way, show) => {
    test.each([['accepted', undefined], ...Object.entries(SLIPS)] as const)('%s', async (name, slip) => {
      open(pretty);
      const secrets = name === 'an error that cuts it off' ? SHAPED : ALL;
      for (const secret of secrets) {
        const { arrival, token } = show(secret);
        const authenticate: Authenticate = (credentials) => {
          if (slip !== undefined) throw slip(secret, credentials);
          return { subject: 'alice' };
        };
        const peer = new Peer(hub, {
          ...arrival,
          endpoint: { authenticate, methods: { fail: () => Promise.reject(slip?.(secret, arrival) as Error) } },
        });
        peer.say({ type: 'hello', client: 'tab', ...(token === undefined ? {} : { token }) });
        await settled();
        peer.say({ type: 'auth', id: 1, token: secret });
        peer.say({ type: 'call', id: 2, method: 'fail', data: { token: secret } });
        peer.say({ type: 'publish', topic: 't', producer: 'p', seq: 1, data: secret });
        await settled();
        peer.leave(1000);
      }
      const text = lines.join('');
      expect(text).toMatch(pretty ? /closeCode=/ : /"event":"closed"/);
      for (const secret of secrets) expect(partsIn(text, secret)).toEqual([]);
      if (!pretty) for (const line of lines) expect(JSON.parse(line)).toBeTypeOf('object');
    });
  });
});

test('hub.disconnect and limits tell whose, never with what', async () => {
  const peer = new Peer(hub, { url: `/?token=${JWT}`, endpoint: { authenticate: () => ({ subject: 'alice', credentialId: 'c1' }) } });
  peer.say({ type: 'hello', client: 'tab', token: JWT });
  await settled();
  hub.disconnect({ credentialId: 'c1' }, new HoldfastError('REVOKED', `revoked: ${JWT}`));
  const events = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(events).toMatchObject([
    { event: 'welcomed', level: 'debug', path: '/', subject: 'alice', client: 'tab', address: '192.0.2.1' },
    { event: 'refused', level: 'warn', code: 'REVOKED', why: 'revoked: [redacted]' },
    { event: 'closed', level: 'debug', closeCode: 4300, reason: 'REVOKED' },
    { event: 'disconnected', level: 'info', credentialId: 'c1', connections: 1 },
  ]);
  expect(partsIn(lines.join(''), JWT)).toEqual([]);
});

test('fields with the names of secrets are not written, however deep', () => {
  const logger = createLogger({ destination: { write: (line) => lines.push(line) } });
  const secret = 'correct horse battery';
  const levels = (depth: number): object =>
    depth === 0 ? { token: secret, Cookie: [secret, 'b'], list: [{ password: `a"b\\${secret}` }] } : { below: levels(depth - 1) };
  for (let depth = 0; depth < 6; depth++) logger.info(levels(depth), 'x');
  logger.info({ headers: { authorization: secret, 'set-cookie': [secret] }, ticket: { value: secret }, note: 'kept' });
  expect(lines.join('')).not.toContain('horse');
  expect(lines.map((line) => JSON.parse(line) as object)).toHaveLength(7);
  expect(lines.at(-1)).toContain('"note":"kept"');
});

test('requests are told without their query', async () => {
  const logger = createLogger({ destination: { write: (line) => lines.push(line) } });
  const server = createServer((request, response) => {
    const record = createAccessLog(logger, { isQuiet: (path) => path === '/health' })(request, response);
    record.subject = 'alice';
    response.statusCode = request.url === '/broken' ? 500 : 204;
    response.end();
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const address = server.address() as { readonly port: number };
  const ask = (path: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${address.port}${path}`, { headers: { authorization: `Bearer ${JWT}` } });
  for (const path of [`/topics/a?token=${JWT}`, '/broken', '/health', `/x/${JWT}`]) await ask(path);
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
  const told = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(told).toMatchObject([
    {
      event: 'request',
      level: 'info',
      method: 'GET',
      path: '/topics/a',
      status: 204,
      address: '127.0.0.1',
      subject: 'alice',
      durationMs: expect.any(Number),
    },
    { event: 'request', level: 'warn', path: '/broken', status: 500 },
    { event: 'request', path: '/x/[redacted]' },
  ]);
  expect(told[0]).not.toHaveProperty('isAborted');
});
