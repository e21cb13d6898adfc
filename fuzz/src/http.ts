/**
 * Target: raw bytes over real TCP connections to a server with the REST API, health and metrics. Whatever comes: an answer that is no
 * fault of the server's (RFC 9110), with a documented code where there is one, and an end of the connection.
 */

import { isErrorCode } from '@holdfast/wire';
import type { Chance } from './chance.ts';
import { HttpServer } from './http-server.ts';
import { textStep, type Input, type Step } from './input.ts';
import { value } from './json-grammar.ts';
import { exchange, statusesOf } from './raw-exchange.ts';
import { demand, type Target, type World } from './target.ts';

class Http implements World {
  readonly #server: HttpServer;

  constructor(server: HttpServer) {
    this.#server = server;
  }

  async take(input: Input): Promise<void> {
    const isReset = input.at(-1)?.op === 255;
    const answer = await exchange(
      this.#server.port,
      input.map(({ bytes }) => bytes),
      isReset,
    );
    const faults = statusesOf(answer).filter((status) => status >= 500 && status !== 503);
    demand(faults.length === 0, () => `the server says that it failed: ${answer.toString('latin1').slice(0, 400)}`);
    const text = answer.toString('latin1');
    for (const [, code] of text.matchAll(/"code":"([A-Z_]+)"/g)) demand(isErrorCode(code!), () => `the code "${code}" is not documented`);
    demand(!text.includes('    at '), () => `a stack is told: ${text.slice(0, 400)}`);
    this.#server.assertNoFault();
  }

  check(): Promise<void> {
    return this.#server.check();
  }

  close(): Promise<void> {
    return this.#server.close();
  }
}

const METHODS = ['GET', 'GET', 'POST', 'POST', 'POST', 'DELETE', 'PUT', 'HEAD', 'OPTIONS', 'PATCH', 'TRACE', 'CONNECT', 'FOO', 'get', ''];
const SEGMENTS = [
  'topics',
  'topics',
  'chat%2F42',
  't',
  'entries',
  'entries',
  'members',
  'tickets',
  'revocations',
  'disconnections',
  'rechecks',
  'openapi.json',
  '..',
  '%2e%2e',
  '%zz',
  '%00',
  '',
  'quiet',
  '%C3%28',
  'x'.repeat(300),
];
const QUERIES = [
  '',
  '',
  '',
  '?after=0',
  '?before=5&limit=2',
  '?after=1e3',
  '?limit=-1',
  '?after=1&after=2',
  '?%',
  '?after[]=1',
  '?__proto__=1',
  '?',
  `?a=${'x'.repeat(3_000)}`,
];
const HEADERS = [
  'Content-Type: application/json',
  'Content-Type: application/octet-stream',
  'Content-Type: application/json; charset=utf-16',
  'Content-Type: ;',
  'Content-Type: multipart/form-data; boundary=x',
  'Idempotency-Key: k1',
  'Idempotency-Key: k1',
  'Idempotency-Key: ',
  'Accept: application/x-ndjson',
  'Accept: */*;q=',
  'Origin: https://evil.example',
  'Origin: null',
  'Cookie: sid=alice',
  'Expect: 100-continue',
  'Expect: 200-ok',
  'Connection: keep-alive',
  'Connection: close',
  'Content-Encoding: gzip',
  'X-Forwarded-For: ::1, x',
  'Authorization: Bearer mallory',
  'Authorization: Basic eA==',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Upgrade: h2c',
  'TE: trailers',
  'Host: other',
  'Range: bytes=0-0',
  'If-None-Match: *',
  ': x',
  ' folded: x',
  'A\0: x',
  `X: ${'y'.repeat(5_000)}`,
];

function path(chance: Chance): string {
  if (chance.is(0.15))
    return chance.pick(['/health', '/ready', '/metrics', '/', '*', 'http://x/v1', '//v1', '/v1', '/v1/', '/v1x', '/plain', '']);
  if (chance.is(0.5))
    return `/v1/topics/${chance.pick(['chat%2F42', 't', 'quiet', 'chat%2F1'])}${chance.pick(['/entries', '/entries', '/members', ''])}`;
  return `/v1/${Array.from({ length: 1 + chance.below(4) }, () => chance.pick(SEGMENTS)).join('/')}`;
}

function body(chance: Chance): string {
  const fields = {
    subject: chance.pick(['alice', 'server:x', '']),
    expiresAt: chance.below(9),
    credentialId: 'c',
    issuedBefore: chance.below(9),
    until: 1,
    client: 'c',
    data: value(chance),
    items: [value(chance, 1)],
  };
  if (chance.is(0.6)) return JSON.stringify(Object.fromEntries(Object.entries(fields).filter(() => chance.is(0.4))));
  return chance.is(0.5)
    ? JSON.stringify(value(chance))
    : chance.pick(['', '{', '{"__proto__":{}}', '[[[[[[', '\ufeff{}', '"\ud800"', '1e999', `"${'x'.repeat(20_000)}"`]);
}

/** The routes that there are, asked as they want to be asked. */
const ROUTES: readonly (readonly [string, string, string])[] = [
  ...(['chat%2F42', 't', 'chat%2F1', 'holdfast%2Fhealth'].flatMap((topic) => [
    ['POST', `/v1/topics/${topic}/entries`, 'alice'],
    ['GET', `/v1/topics/${topic}/entries`, 'alice'],
    ['GET', `/v1/topics/${topic}/members`, 'alice'],
    ['DELETE', `/v1/topics/${topic}`, 'server.one'],
  ]) as (readonly [string, string, string])[]),
  ...(['tickets', 'revocations', 'disconnections', 'rechecks'].map((name) => ['POST', `/v1/${name}`, 'server.one']) as (readonly [
    string,
    string,
    string,
  ])[]),
  ['GET', '/v1/openapi.json', 'alice'],
  ['GET', '/metrics', 'operator-of-this-server'],
  ['GET', '/ready', 'alice'],
  ['GET', '/health', 'alice'],
];

/** A request that could be one of an honest back end. */
function honest(chance: Chance): string {
  const [method, where, who] = chance.pick(ROUTES);
  const text = method === 'GET' || chance.is(0.1) ? '' : body(chance);
  const more = Array.from({ length: chance.below(2) }, () => `${chance.pick(HEADERS)}\r\n`).join('');
  const type = chance.is(0.85) ? 'application/json' : chance.pick(['application/octet-stream', 'text/plain', 'application/vnd.x+json']);
  const query = chance.is(0.3) ? chance.pick(QUERIES) : '';
  const lines = `Host: h\r\nAuthorization: Bearer ${chance.is(0.9) ? who : 'alice'}\r\nContent-Type: ${type}\r\n${more}Content-Length: ${Buffer.byteLength(text)}`;
  return `${method} ${where}${query} HTTP/1.1\r\n${lines}\r\n\r\n${text}`;
}

/** One request, whole or not, with a length that is right or not. */
function request(chance: Chance): string {
  const text = body(chance);
  const length = Buffer.byteLength(text);
  const size = chance.pick([
    ...Array.from({ length: 8 }, () => `Content-Length: ${length}\r\n`),
    `Content-Length: ${length}\r\nContent-Length: ${length + 1}\r\n`,
    `Content-Length: ${length + 5}\r\n`,
    `Transfer-Encoding: chunked\r\nContent-Length: ${length}\r\n`,
    `Transfer-Encoding: chunked\r\n`,
    `Transfer-Encoding: xchunked\r\n`,
    `Transfer-Encoding : chunked\r\n`,
    `Content-Length: -1\r\n`,
    `Content-Length: 99999999999999999999\r\n`,
    '',
  ]);
  const isChunked = size.includes('chunked');
  const sent = isChunked ? `${length.toString(16)}\r\n${text}\r\n${chance.pick(['0\r\n\r\n', '0\r\nA: b\r\n\r\n', '', 'zz\r\n'])}` : text;
  const who = chance.is(0.8)
    ? `Authorization: Bearer ${chance.pick(['alice', 'server.one', 'server.one', 'operator-of-this-server', 'nobody'])}\r\n`
    : '';
  const type = chance.is(0.7) ? 'Content-Type: application/json\r\n' : '';
  const more = Array.from({ length: chance.below(3) }, () => `${chance.pick(HEADERS)}\r\n`).join('');
  const host = chance.is(0.95) ? 'Host: h\r\n' : chance.pick(['', 'Host: a\r\nHost: b\r\n', 'Host: \r\n']);
  const version = chance.is(0.95) ? 'HTTP/1.1' : chance.pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/1.1 ', 'HTTP/9', '']);
  return `${chance.pick(METHODS)} ${path(chance)}${chance.pick(QUERIES)} ${version}\r\n${host}${who}${type}${more}${size}\r\n${sent}`;
}

function step(chance: Chance): Step {
  return textStep(
    chance.below(255),
    chance.is(0.55)
      ? honest(chance)
      : chance.is(0.95)
        ? request(chance)
        : chance.pick(['\r\n', '\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '\x16\x03\x01\x02\x00', 'GET /\r\n\r\n', '0\r\n\r\n']),
  );
}

function generate(chance: Chance): Input {
  const steps = Array.from({ length: chance.is(0.7) ? 1 : 2 }, () => step(chance));
  return chance.is(0.03) ? [...steps, { op: 255, bytes: new Uint8Array() }] : steps;
}

export const HTTP: Target = {
  name: 'http',
  does: 'raw bytes over TCP to the REST API, health and metrics',
  share: 0.015,
  worldInputs: 2_048,
  open: async () => new Http(await new HttpServer().open()),
  generate,
  step,
};
