import { createPrivateKey } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { describe, expect, test } from 'vitest';
import { generateKeyPair, generateSecret, signToken, type SignTokenOptions } from './index.ts';
import { NOW_MS, refusalOf, WallClock } from './refusal.testing.ts';

const clock = new WallClock();
const secret = generateSecret();
const seconds = Math.floor(NOW_MS / 1000);

test('a token says what it was given', async () => {
  const token = await signToken({
    key: { secret },
    keyId: 'k-1',
    subject: 'alice',
    lifetimeMs: 1_001,
    issuer: 'us',
    audience: ['chat'],
    credentialId: 'c-1',
    capabilities: { 'chat/:room': ['read'] },
    claims: { role: 'editor', nbf: seconds },
    clock,
  });
  expect(decodeProtectedHeader(token)).toEqual({ alg: 'HS256', typ: 'JWT', kid: 'k-1' });
  expect(decodeJwt(token)).toEqual({
    role: 'editor',
    nbf: seconds,
    sub: 'alice',
    iat: seconds,
    exp: seconds + 2,
    jti: 'c-1',
    iss: 'us',
    aud: ['chat'],
    holdfast: { 'chat/:room': ['read'] },
  });
});

test('by default it is good for an hour, and has an id of its own', async () => {
  const [one, two] = [await signToken({ key: { secret }, subject: 'a', clock }), await signToken({ key: { secret }, subject: 'a', clock })];
  expect(decodeJwt(one).exp).toBe(seconds + 3600);
  expect(decodeJwt(one).jti).toMatch(/^[0-9a-f-]{36}$/);
  expect(decodeJwt(one).jti).not.toBe(decodeJwt(two).jti);
});

test('a private key may be a JWK', async () => {
  const privateKey = createPrivateKey(generateKeyPair().privateKey).export({ format: 'jwk' });
  expect(decodeProtectedHeader(await signToken({ key: { privateKey }, subject: 'a', clock })).alg).toBe('EdDSA');
});

test('secrets have 256 bits', () => {
  const secrets = Array.from({ length: 100 }, generateSecret);
  expect(new Set(secrets).size).toBe(100);
  for (const one of secrets) expect(Buffer.from(one, 'base64url')).toHaveLength(32);
});

describe('what no server would accept is refused', () => {
  const { publicKey, privateKey } = generateKeyPair();
  test.for<[string, Partial<SignTokenOptions>, RegExp]>([
    ['a short secret', { key: { secret: 'short' } }, /^the secret has 5 bytes/],
    ['a private key as a secret', { key: { secret: privateKey } }, /^a key in PEM or JWK was given as a secret/],
    ['a public key', { key: { privateKey: publicKey } }, /^the private key is neither PEM nor JWK/],
    ['an algorithm that the key does not fit', { algorithm: 'RS256' }, /^the key does not fit the algorithm RS256/],
    ['nobody', { subject: '' }, /^the subject of a token/],
    ['a back end', { subject: 'server:billing' }, /^subjects with "server:" are kept for API keys/],
    ['an empty id', { credentialId: '' }, /^the credentialId of a token/],
    ['no life', { lifetimeMs: 0 }, /^lifetimeMs must be more than 0/],
    ['an endless life', { lifetimeMs: Infinity }, /^lifetimeMs must be more than 0/],
    ['a claim that an option stands for', { claims: { exp: 9e9 } }, /^the claim "exp" is given by an option of its own/],
    ['an issuer among the claims', { claims: { iss: 'us' } }, /^the claim "iss" is given by an option/],
    ['a mistake in the capabilities', { capabilities: { x: ['raed' as never] } }, /has an action "raed"/],
    ['too much', { claims: { padding: 'x'.repeat(8000) } }, /^the token would have \d+ characters; servers accept 8192/],
  ])('%s', async ([, options, message]) => {
    const refusal = await refusalOf(() => signToken({ key: { secret }, subject: 'alice', clock, ...options }), secret, privateKey);
    expect(refusal).toMatchObject({ code: 'USAGE', message: expect.stringMatching(message) });
  });
});
