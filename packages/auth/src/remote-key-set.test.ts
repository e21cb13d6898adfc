/** Keys from an address, over a real HTTP server on this machine. */

import { createPublicKey } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createJwtVerifier, generateKeyPair, signToken, type RemoteKeySet } from './index.ts';
import { refusalOf, WallClock } from './refusal.testing.ts';

const keys = { one: generateKeyPair('ES256'), two: generateKeyPair('ES256') };
const jwkOf = (kid: keyof typeof keys): object => ({
  ...createPublicKey(keys[kid].publicKey).export({ format: 'jwk' }),
  kid,
  alg: 'ES256',
  use: 'sig',
});

let server: Server;
let jwksUrl: string;
let asked: number;
let answer: { readonly status: number; readonly body: string };
const serve = (...kids: (keyof typeof keys)[]): void => void (answer = { status: 200, body: JSON.stringify({ keys: kids.map(jwkOf) }) });
const clock = new WallClock();
const tokenOf = (kid: keyof typeof keys): Promise<string> =>
  signToken({ key: { privateKey: keys[kid].privateKey }, keyId: kid, subject: 'alice', clock });
const verifierWith = (options: Partial<RemoteKeySet> = {}): ((token: string) => Promise<unknown>) =>
  createJwtVerifier({ keys: { jwksUrl, ...options }, clock });

beforeEach(async () => {
  asked = 0;
  serve('one');
  server = createServer((_request, response) => {
    asked++;
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
  });
  await listen(0);
  jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
});

afterEach(() => close());

function listen(port: number): Promise<void> {
  return new Promise((resolve) => void server.listen(port, '127.0.0.1', resolve));
}

function close(): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => void server.close(() => resolve()));
}

test('are fetched once for many tokens', async () => {
  const verify = verifierWith();
  const token = await tokenOf('one');
  const identities = await Promise.all(Array.from({ length: 20 }, () => verify(token)));
  expect(identities).toHaveLength(20);
  expect(identities[0]).toMatchObject({ subject: 'alice' });
  expect(asked).toBe(1);
});

test('are fetched again when the issuer begins to sign with a new one', async () => {
  const verify = verifierWith({ cooldownMs: 0 });
  expect(await verify(await tokenOf('one'))).toMatchObject({ subject: 'alice' });
  serve('one', 'two');
  expect(await verify(await tokenOf('two'))).toMatchObject({ subject: 'alice' });
  expect(await verify(await tokenOf('one'))).toMatchObject({ subject: 'alice' });
  expect(asked).toBe(2);
  serve('two');
  const unknown = await signToken({ key: { privateKey: keys.one.privateKey }, keyId: 'three', subject: 'alice', clock });
  await refusalOf(() => verify(unknown), unknown);
  const old = await tokenOf('one');
  expect(await refusalOf(() => verify(old), old)).toMatchObject({
    code: 'UNAUTHENTICATED',
    message: 'the token names a key ("kid") that its issuer does not list',
  });
});

test('are not fetched again for every token with an unknown kid', async () => {
  const verify = verifierWith();
  await verify(await tokenOf('one'));
  for (let count = 0; count < 10; count++) {
    const token = await tokenOf('two');
    expect(await refusalOf(() => verify(token), token)).toMatchObject({ code: 'UNAUTHENTICATED' });
  }
  expect(asked).toBe(1);
});

test('an issuer that is down is not the fault of the client, and is left alone for a second', async () => {
  const verify = verifierWith();
  const { port } = server.address() as AddressInfo;
  const token = await tokenOf('one');
  await close();
  const refusal = await refusalOf(() => verify(token), token);
  expect(refusal).toMatchObject({ code: 'OVERLOADED', retryable: true, retryAfterMs: 1_000 });
  expect(refusal.message).toBe(`the keys of the issuer could not be fetched from http://127.0.0.1:${port}`);
  await listen(port);
  expect(await refusalOf(() => verify(token), token)).toMatchObject({ code: 'OVERLOADED' });
  expect(asked).toBe(0);
  clock.nowMs += 600;
  expect(await refusalOf(() => verify(token), token)).toMatchObject({ code: 'OVERLOADED' });
  // Whoever asks in the meantime does not make it longer.
  clock.nowMs += 400;
  expect(await verify(token)).toMatchObject({ subject: 'alice' });
});

test('are tried one after the other for a token that does not name its own', async () => {
  serve('one', 'two');
  const token = await signToken({ key: { privateKey: keys.two.privateKey }, subject: 'alice', clock });
  expect(await verifierWith()(token)).toMatchObject({ subject: 'alice' });
});

test('known keys go on while the issuer is down, whatever else is asked for', async () => {
  const verify = verifierWith({ cooldownMs: 0 });
  const [one, two] = [await tokenOf('one'), await tokenOf('two')];
  await verify(one);
  answer = { status: 503, body: '' };
  for (let count = 0; count < 5; count++) {
    expect(await refusalOf(() => verify(two), two)).toMatchObject({ code: 'OVERLOADED' });
    expect(await verify(one)).toMatchObject({ subject: 'alice' });
  }
  expect(asked).toBe(2);
});

test.for([
  { what: 'an error page', status: 500, body: '{"keys":[]}' },
  { what: 'no JSON', status: 200, body: '<html>' },
  { what: 'no set', status: 200, body: '{"keys":7}' },
  { what: 'more than 256 KiB', status: 200, body: JSON.stringify({ keys: [jwkOf('one'), { kty: 'EC', x: 'x'.repeat(300_000) }] }) },
  { what: 'a redirect', status: 302, body: '' },
])('$what is no answer', async ({ status, body }) => {
  answer = { status, body };
  const token = await tokenOf('one');
  expect(await refusalOf(() => verifierWith()(token), token)).toMatchObject({ code: 'OVERLOADED' });
});

test('secrets and weak keys in the set are not used', async () => {
  const weak = { kty: 'RSA', n: Buffer.alloc(128, 0xff).toString('base64url'), e: 'AQAB', kid: 'weak' };
  answer = { status: 200, body: JSON.stringify({ keys: [weak, { kty: 'oct', k: 'A'.repeat(64), kid: 'secret' }] }) };
  const header = (alg: string, kid: string): string => Buffer.from(JSON.stringify({ alg, kid })).toString('base64url');
  const verify = verifierWith();
  for (const [token, message] of [
    [
      `${header('RS256', 'weak')}.e30.${Buffer.alloc(128).toString('base64url')}`,
      'the token names a key ("kid") that its issuer does not list',
    ],
    [`${header('HS256', 'secret')}.e30.AAAA`, expect.stringContaining('the algorithm HS256 of the token is not allowed here')],
  ] as const) {
    expect(await refusalOf(() => verify(token), token)).toMatchObject({ code: 'UNAUTHENTICATED', message });
  }
});
