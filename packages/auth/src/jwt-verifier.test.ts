import { createHmac, createPublicKey, type JsonWebKey } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  createJwtVerifier,
  generateKeyPair,
  generateSecret,
  signToken,
  type Algorithm,
  type JwtVerifierOptions,
  type SignTokenOptions,
  type VerificationKey,
} from './index.ts';
import { NOW_MS, refusalOf, WallClock } from './refusal.testing.ts';

const clock = new WallClock();
const secret = generateSecret();
const seconds = Math.floor(NOW_MS / 1000);
const pairs = { RS256: generateKeyPair('RS256'), ES256: generateKeyPair('ES256'), EdDSA: generateKeyPair() };
const sign = (options: Partial<SignTokenOptions> = {}): Promise<string> =>
  signToken({ key: { secret }, subject: 'alice', clock, ...options });
const jwkOf = (pem: string, more: JsonWebKey = {}): JsonWebKey => ({ ...createPublicKey(pem).export({ format: 'jwk' }), ...more });

describe('the identity', () => {
  test('has what the token says', async () => {
    const token = await sign({ credentialId: 'c-1', claims: { role: 'editor' }, lifetimeMs: 60_000 });
    expect(await createJwtVerifier({ keys: { secret }, clock })(token)).toEqual({
      subject: 'alice',
      claims: { sub: 'alice', iat: seconds, exp: seconds + 60, jti: 'c-1', role: 'editor' },
      credentialId: 'c-1',
      issuedAtMs: seconds * 1000,
      expiresAtMs: (seconds + 60) * 1000 + 5_000,
    });
  });

  test('ends when the token is refused, not before and not after', async () => {
    const watch = new WallClock();
    const verify = createJwtVerifier({ keys: { secret }, clock: watch, clockToleranceMs: 2_000 });
    const token = await sign({ lifetimeMs: 60_000 });
    const { expiresAtMs } = await verify(token);
    watch.nowMs = expiresAtMs! - 1;
    expect(await verify(token)).toMatchObject({ subject: 'alice' });
    watch.nowMs = expiresAtMs!;
    expect(await refusalOf(() => verify(token), token)).toMatchObject({ code: 'TOKEN_EXPIRED' });
  });

  test('is of another claim, if the operator says so', async () => {
    const verify = createJwtVerifier({ keys: { secret }, clock, subjectClaim: 'email' });
    expect(await verify(await sign({ claims: { email: 'a@example.com' } }))).toMatchObject({ subject: 'a@example.com' });
  });

  test('has no end where none is required', async () => {
    const verify = createJwtVerifier({ keys: { secret }, clock, requireExpiry: false });
    const endless = `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.${Buffer.from('{"sub":"a"}').toString('base64url')}`;
    const token = `${endless}.${createHmac('sha256', secret).update(endless).digest('base64url')}`;
    expect(await verify(token)).toEqual({ subject: 'a', claims: { sub: 'a' } });
  });

  test('one of several audiences and issuers is enough', async () => {
    const verify = createJwtVerifier({ keys: { secret }, clock, audience: ['chat', 'talk'], issuer: ['a', 'b'] });
    expect(await verify(await sign({ audience: ['x', 'talk'], issuer: 'b' }))).toMatchObject({ subject: 'alice' });
    expect(await verify(await sign({ audience: 'chat', issuer: 'a' }))).toMatchObject({ subject: 'alice' });
  });

  test('the type is compared as media types are', async () => {
    const token = await sign();
    for (const type of ['JWT', 'jwt', 'application/JWT']) {
      expect(await createJwtVerifier({ keys: { secret }, clock, type })(token)).toMatchObject({ subject: 'alice' });
    }
  });
});

describe('keys', () => {
  test.for(['RS256', 'ES256', 'EdDSA'] as const)('%s, as PEM and as JWK', async (name) => {
    const { publicKey, privateKey } = pairs[name];
    const token = await sign({ key: { privateKey } });
    expect(JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString())).toEqual({ alg: name, typ: 'JWT' });
    for (const given of [publicKey, jwkOf(publicKey)]) {
      expect(await createJwtVerifier({ keys: { publicKey: given }, clock })(token)).toMatchObject({ subject: 'alice' });
    }
  });

  test.for<[Algorithm, SignTokenOptions['key'], VerificationKey]>([
    ['HS512', { secret: 'x'.repeat(64) }, { secret: new Uint8Array(64).fill(120) }],
    ['PS256', { privateKey: pairs.RS256.privateKey }, { publicKey: pairs.RS256.publicKey }],
    ['Ed25519', { privateKey: pairs.EdDSA.privateKey }, { publicKey: pairs.EdDSA.publicKey }],
  ])('%s', async ([algorithm, key, keys]) => {
    const token = await sign({ key, algorithm });
    expect(await createJwtVerifier({ keys, clock })(token)).toMatchObject({ subject: 'alice' });
  });

  test('several: what one of them has signed is good, so a secret can be changed', async () => {
    const other = generateSecret();
    const verify = createJwtVerifier({ keys: [{ secret: other }, { secret }, { publicKey: pairs.ES256.publicKey }], clock });
    for (const key of [{ secret }, { secret: other }, { privateKey: pairs.ES256.privateKey }]) {
      expect(await verify(await sign({ key }))).toMatchObject({ subject: 'alice' });
    }
  });

  test('a set: by kid, and by trying them where the token names none', async () => {
    const second = generateKeyPair('ES256');
    const jwks = {
      keys: [
        jwkOf(pairs.ES256.publicKey, { kid: 'one' }),
        jwkOf(second.publicKey, { kid: 'two' }),
        jwkOf(pairs.RS256.publicKey, { use: 'enc' }),
      ],
    };
    const verify = createJwtVerifier({ keys: { jwks }, clock });
    const key = { privateKey: second.privateKey };
    expect(await verify(await sign({ key, keyId: 'two' }))).toMatchObject({ subject: 'alice' });
    expect(await verify(await sign({ key }))).toMatchObject({ subject: 'alice' });
    for (const [keyId, message] of [
      ['one', /^the signature of the token is wrong/],
      ['three', 'the token names a key ("kid") that its issuer does not list'],
    ] as const) {
      const token = await sign({ key, keyId });
      const refusal = await refusalOf(() => verify(token), token);
      expect(refusal).toMatchObject({
        code: 'UNAUTHENTICATED',
        message: typeof message === 'string' ? message : expect.stringMatching(message),
      });
    }
    const encrypting = await sign({ key: { privateKey: pairs.RS256.privateKey } });
    expect(await refusalOf(() => verify(encrypting), encrypting)).toMatchObject({
      message: expect.stringContaining('RS256 of the token is not allowed'),
    });
  });
});

describe('what cannot be is refused at once', () => {
  const weak = { kty: 'RSA', n: Buffer.alloc(128, 0xff).toString('base64url'), e: 'AQAB' };
  test.for<[string, Partial<JwtVerifierOptions>, RegExp]>([
    ['a short secret', { keys: { secret: 'x'.repeat(31) } }, /^the secret has 31 bytes; at least 32/],
    ['short bytes', { keys: { secret: new Uint8Array(31) } }, /^the secret has 31 bytes/],
    ['a public key as a secret', { keys: { secret: pairs.RS256.publicKey } }, /^a key in PEM or JWK was given as a secret/],
    ['a JWK as a secret', { keys: { secret: JSON.stringify(jwkOf(pairs.RS256.publicKey)) } }, /^a key in PEM or JWK was given as a secret/],
    ['a private key', { keys: { publicKey: pairs.ES256.privateKey } }, /^a private key was given/],
    ['a private JWK', { keys: { publicKey: { ...weak, d: 'AQAB' } } }, /^a private key was given/],
    ['a secret as a public key', { keys: { publicKey: { kty: 'oct', k: secret } } }, /^the JWK is a secret/],
    ['no key at all', { keys: [] }, /^there must be at least one key/],
    ['another object', { keys: {} as never }, /^a key is one of/],
    ['no PEM', { keys: { publicKey: 'ssh-ed25519 AAAA' } }, /^the public key is neither PEM nor JWK/],
    ['a weak RSA key', { keys: { publicKey: weak } }, /^the public key is of a kind that is not supported, or too weak/],
    ['an empty set', { keys: { jwks: { keys: [] } } }, /^the key set has no key/],
    ['no set', { keys: { jwks: {} as never } }, /^a key set is/],
    ['a secret in a set', { keys: { jwks: { keys: [{ kty: 'oct', k: secret }] } } }, /^the JWK is a secret/],
    [
      'HS256 with a public key',
      { keys: { publicKey: pairs.RS256.publicKey }, algorithms: ['RS256', 'HS256'] },
      /^no key fits the algorithm HS256/,
    ],
    ['HS512 with 43 bytes', { keys: { secret }, algorithms: ['HS512'] }, /^no key fits the algorithm HS512/],
    ['none', { algorithms: ['none' as never] }, /^"none" is not an algorithm that can be allowed/],
    ['a life without an end', { requireExpiry: false, maxLifetimeMs: 1 }, /^maxLifetimeMs needs requireExpiry/],
    ['no life', { maxLifetimeMs: 0 }, /^maxLifetimeMs must be more than 0/],
    ['an endless tolerance', { clockToleranceMs: Infinity }, /^clockToleranceMs must be 0 or more/],
    [
      'keys over http',
      { keys: { jwksUrl: 'http://id.example.com/jwks' } },
      /^the keys of tokens must come over https, not from http:\/\/id\.example\.com/,
    ],
    [
      'keys from a name like this machine',
      { keys: { jwksUrl: 'http://127.0.0.1.example.com/' } },
      /^the keys of tokens must come over https/,
    ],
    ['keys from a file', { keys: { jwksUrl: 'file:///etc/keys' } }, /^the keys of tokens must come over https/],
    ['an address with a password', { keys: { jwksUrl: 'https://a:b@id.example.com/' } }, /must not have a user name or a password$/],
    ['no address', { keys: { jwksUrl: 'keys' } }, /^jwksUrl is not an address/],
  ])('%s', async ([, options, message]) => {
    const refusal = await refusalOf(() => createJwtVerifier({ keys: { secret }, ...options }), secret);
    expect(refusal).toMatchObject({ code: 'USAGE', message: expect.stringMatching(message) });
  });
});
