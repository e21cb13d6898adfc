/** Attacks on tokens, RFC 8725 section 2 and more: each is refused, with its code, in words that give nothing of the token away. */

import { createHmac, createPrivateKey, createPublicKey } from 'node:crypto';
import { SignJWT, type JWK } from 'jose';
import { describe, expect, test } from 'vitest';
import { createJwtVerifier, generateKeyPair, signToken, type JwtVerifierOptions, type SignTokenOptions } from './index.ts';
import { NOW_MS, refusalOf, WallClock } from './refusal.testing.ts';

const clock = new WallClock();
const secret = 'correct-horse-battery-staple-and-more';
const key = new TextEncoder().encode(secret);
const seconds = Math.floor(NOW_MS / 1000);
const rsa = generateKeyPair('RS256');
const ec = generateKeyPair('ES256');

const verifierWith = (options: Partial<JwtVerifierOptions> = {}): ((token: string) => Promise<unknown>) =>
  createJwtVerifier({ keys: { secret }, clock, ...options });
const sign = (options: Partial<SignTokenOptions> = {}): Promise<string> =>
  signToken({ key: { secret }, subject: 'alice-of-wonderland', clock, ...options });
/** A token with a good signature and whatever claims. */
const forge = (claims: Record<string, unknown>, header: Record<string, unknown> = {}): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg: 'HS256', ...header }).sign(key);
const encode = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
/** Signed by hand with any bytes as the secret, header and payload as they are. */
function handMade(header: unknown, payload: unknown, bytes: string | Uint8Array = secret): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${createHmac('sha256', bytes).update(input).digest('base64url')}`;
}
const good = { sub: 'alice-of-wonderland', exp: seconds + 60 };

interface Attack {
  readonly name: string;
  readonly token: () => string | Promise<string>;
  readonly options?: Partial<JwtVerifierOptions>;
  readonly code?: 'TOKEN_EXPIRED';
  readonly message: string | RegExp;
}

const times: readonly Attack[] = [
  { name: 'expired', token: () => forge({ ...good, exp: seconds - 30 }), code: 'TOKEN_EXPIRED', message: 'the token expired 31 s ago' },
  {
    name: 'expired just beyond the tolerance',
    token: () => forge({ ...good, exp: seconds - 5 }),
    code: 'TOKEN_EXPIRED',
    message: 'the token expired 6 s ago',
  },
  {
    name: 'not yet valid',
    token: () => forge({ ...good, nbf: seconds + 20 }),
    message: 'the token is not valid yet ("nbf"), only in 20 s',
  },
  {
    name: 'issued in the future',
    token: () => forge({ ...good, iat: seconds + 20 }),
    message: 'the token was issued in the future ("iat"), 20 s from now',
  },
  { name: 'without an end', token: () => forge({ sub: 'alice' }), message: 'the token has no "exp": it would be good for ever' },
  {
    name: 'an end that is no number',
    token: () => forge({ ...good, exp: 'tomorrow' }),
    message: 'the "exp" of the token is not a time in seconds',
  },
  {
    name: 'an end beyond all dates',
    token: () => forge({ ...good, exp: 1e300 }),
    message: 'the "exp" of the token is not a time in seconds',
  },
  {
    name: 'an end beyond all numbers',
    token: () => handMade({ alg: 'HS256' }, '{"sub":"alice-of-wonderland","exp":1e999}'),
    message: 'the claims of the token are not a JSON object that can be accepted',
  },
  {
    name: 'too long a life',
    token: () => sign({ lifetimeMs: 3_600_000 }),
    options: { maxLifetimeMs: 600_000 },
    message: 'the token lives longer than the 600 s that are accepted',
  },
  {
    name: 'too long a life, and no beginning',
    token: () => forge({ sub: 'alice', exp: seconds + 3600 }),
    options: { maxLifetimeMs: 600_000 },
    message: 'the token lives longer than the 600 s that are accepted',
  },
];

const names: readonly Attack[] = [
  {
    name: 'another audience',
    token: () => sign({ audience: 'payments-of-the-bank' }),
    options: { audience: 'chat' },
    message: 'the token is for another audience ("aud") than "chat"',
  },
  {
    name: 'another audience, in a list',
    token: () => sign({ audience: ['payments-of-the-bank', 'chatter'] }),
    options: { audience: ['chat', 'talk'] },
    message: 'the token is for another audience ("aud") than "chat" or "talk"',
  },
  {
    name: 'no audience',
    token: () => sign(),
    options: { audience: 'chat' },
    message: 'the token names no audience ("aud"); expected "chat"',
  },
  {
    name: 'an audience where none is expected (RFC 7519 section 4.1.3)',
    token: () => sign({ audience: 'payments-of-the-bank' }),
    message: 'the token is for an audience ("aud"), and this server has none',
  },
  {
    name: 'another issuer',
    token: () => sign({ issuer: 'https://evil.example.org' }),
    options: { issuer: 'https://id.example.com' },
    message: 'the token is of another issuer ("iss") than "https://id.example.com"',
  },
  {
    name: 'no issuer',
    token: () => sign(),
    options: { issuer: 'us' },
    message: 'the token names no issuer ("iss"); expected "us"',
  },
  { name: 'nobody', token: () => forge({ exp: seconds + 60 }), message: 'the token has no "sub": it says of nobody who it is' },
  {
    name: 'nobody under the chosen claim, inherited names included',
    token: () => forge(good),
    options: { subjectClaim: 'constructor' },
    message: 'the token has no "constructor": it says of nobody who it is',
  },
  {
    name: 'an empty subject',
    token: () => forge({ ...good, sub: '' }),
    message: 'the "sub" of the token is not a string of 1 to 256 characters',
  },
  {
    name: 'a long subject',
    token: () => forge({ ...good, sub: 'x'.repeat(257) }),
    message: 'the "sub" of the token is not a string of 1 to 256 characters',
  },
  {
    name: 'a subject that is no string',
    token: () => forge({ ...good, sub: 7 as never }),
    message: 'the "sub" of the token is not a string of 1 to 256 characters',
  },
  {
    name: 'a back end',
    token: () => forge({ ...good, sub: 'server:billing-of-the-bank' }),
    message: 'the "sub" of the token begins with "server:", which only API keys may',
  },
  {
    name: 'an id that is no string',
    token: () => forge({ ...good, jti: 7 as never }),
    message: 'the "jti" of the token is not a string of 1 to 256 characters',
  },
  {
    name: 'another type (RFC 8725 section 3.11)',
    token: () => sign(),
    options: { type: 'at+jwt' },
    message: 'the token is of another type ("typ") than "at+jwt"',
  },
];

const signatures: readonly Attack[] = [
  { name: 'unsigned', token: () => `${encode({ alg: 'none' })}.${encode(good)}.`, message: 'the token is unsigned (algorithm "none")' },
  {
    name: 'unsigned, in other letters',
    token: () => `${encode({ alg: 'nOnE' })}.${encode(good)}.`,
    message: 'the token is unsigned (algorithm "none")',
  },
  {
    name: 'unsigned, with a signature',
    token: () => handMade({ alg: 'none' }, good),
    message: 'the token is unsigned (algorithm "none")',
  },
  {
    name: 'an empty signature',
    token: () => `${encode({ alg: 'HS256' })}.${encode(good)}.`,
    message: /^the signature of the token is wrong/,
  },
  {
    name: 'a signature that is no base64url',
    token: () => `${encode({ alg: 'HS256' })}.${encode(good)}.not*base64url*at*all`,
    message: 'the token is not a JWT: it is not well formed',
  },
  { name: 'no algorithm', token: () => handMade({}, good), message: 'the algorithm of the token is not allowed here; allowed: HS256' },
  {
    name: 'an algorithm that there is not',
    token: () => handMade({ alg: 'HS256-but-trust-me' }, good),
    message: 'the algorithm of the token is not allowed here; allowed: HS256',
  },
  {
    name: 'another algorithm than the key has',
    token: () => sign({ key: { privateKey: ec.privateKey } }),
    message: 'the algorithm ES256 of the token is not allowed here; allowed: HS256',
  },
  {
    name: 'an algorithm of the key that is not in the list',
    token: () => sign({ key: { privateKey: rsa.privateKey }, algorithm: 'RS256' }),
    options: { keys: { publicKey: rsa.publicKey }, algorithms: ['PS256'] },
    message: 'the algorithm RS256 of the token is not allowed here; allowed: PS256',
  },
  {
    name: 'HS256 with the RSA public key as its secret (RFC 8725 section 2.1)',
    token: () => handMade({ alg: 'HS256' }, good, rsa.publicKey),
    options: { keys: { publicKey: rsa.publicKey } },
    message: /^the algorithm HS256 of the token is not allowed here/,
  },
  {
    name: 'HS256 with the RSA public key, where a secret is a key too',
    token: () => handMade({ alg: 'HS256' }, good, rsa.publicKey),
    options: { keys: [{ publicKey: rsa.publicKey }, { secret }] },
    message: /^the signature of the token is wrong/,
  },
  { name: 'another secret', token: () => sign({ key: { secret: `${secret}!` } }), message: /^the signature of the token is wrong/ },
  {
    name: 'another key of the same kind',
    token: () => sign({ key: { privateKey: generateKeyPair('ES256').privateKey } }),
    options: { keys: { publicKey: ec.publicKey } },
    message: /^the signature of the token is wrong/,
  },
  {
    name: 'an ES256 signature of zeros (CVE-2022-21449)',
    token: () => `${encode({ alg: 'ES256' })}.${encode(good)}.${Buffer.alloc(64).toString('base64url')}`,
    options: { keys: { publicKey: ec.publicKey } },
    message: /^the signature of the token is wrong/,
  },
  {
    name: 'a changed payload',
    token: async () => {
      const [header, , signature] = (await sign()).split('.');
      return `${header}.${encode({ ...good, sub: 'administrator' })}.${signature}`;
    },
    message: /^the signature of the token is wrong/,
  },
  {
    name: 'a changed header',
    token: async () => {
      const [, payload, signature] = (await sign()).split('.');
      return `${encode({ alg: 'HS256', typ: 'JWT', kid: 'another-key' })}.${payload}.${signature}`;
    },
    message: /^the signature of the token is wrong/,
  },
  {
    name: 'its own key in the header (RFC 8725 section 3.10)',
    token: () =>
      new SignJWT(good)
        .setProtectedHeader({ alg: 'ES256', jwk: createPublicKey(ec.publicKey).export({ format: 'jwk' }) as JWK })
        .sign(createPrivateKey(ec.privateKey)),
    options: { keys: { publicKey: generateKeyPair('ES256').publicKey } },
    message: /^the signature of the token is wrong/,
  },
];

const forms: readonly Attack[] = [
  { name: 'nothing', token: () => '', message: /is not a JWT/ },
  {
    name: 'a password',
    token: () => 'hunter2-hunter2-hunter2',
    message: 'the token is not a JWT, which has three parts with dots between them',
  },
  {
    name: 'three words',
    token: () => 'one-two-three.four-five-six.seven-eight',
    message: 'the token is not a JWT: its header cannot be read',
  },
  { name: 'a header that is a list', token: () => handMade(['HS256'], good), message: 'the token is not a JWT: its header cannot be read' },
  { name: 'encrypted', token: () => 'a.b.c.d.e', message: 'the token is encrypted (JWE); only signed ones are accepted' },
  {
    name: 'critical extensions',
    token: () => handMade({ alg: 'HS256', crit: ['b64'], b64: false }, good),
    message: 'the header of the token demands extensions ("crit"), and none is supported',
  },
  {
    name: 'claims that are no JSON',
    token: () => handMade({ alg: 'HS256' }, 'sub=alice-of-wonderland'),
    message: 'the claims of the token are not a JSON object that can be accepted',
  },
  {
    name: 'claims that are a list',
    token: () => handMade({ alg: 'HS256' }, [good]),
    message: 'the claims of the token are not a JSON object that can be accepted',
  },
  {
    name: 'claims with a prototype',
    token: () => handMade({ alg: 'HS256' }, '{"__proto__":{"sub":"alice-of-wonderland"},"exp":9999999999}'),
    message: 'the claims of the token are not a JSON object that can be accepted',
  },
  {
    name: 'deep claims',
    token: () => handMade({ alg: 'HS256' }, `{"a":${'['.repeat(2000)}${']'.repeat(2000)}}`),
    message: 'the claims of the token are not a JSON object that can be accepted',
  },
  {
    name: 'more than 8 KiB',
    token: () => forge({ ...good, padding: 'x'.repeat(7000) }),
    message: /^the token has \d+ characters; at most 8192 are accepted$/,
  },
  { name: 'dots only', token: () => '.'.repeat(8000), message: /is not a JWT/ },
];

describe.each([
  { group: 'times', attacks: times },
  { group: 'names', attacks: names },
  { group: 'signatures', attacks: signatures },
  { group: 'forms', attacks: forms },
])('a token is refused: $group', ({ attacks }) => {
  test.for(attacks)('$name', async ({ token, options, code = 'UNAUTHENTICATED', message }) => {
    const text = await token();
    const refusal = await refusalOf(() => verifierWith(options)(text), text);
    expect(refusal.code).toBe(code);
    expect(refusal.retryable).toBe(false);
    expect(refusal.message).toEqual(typeof message === 'string' ? message : expect.stringMatching(message));
  });
});
