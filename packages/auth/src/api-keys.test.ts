import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createApiKeys, createCapabilities, createRevocations, generateSecret, type ApiKey } from './index.ts';
import { refusalOf } from './refusal.testing.ts';

const [one, two] = [generateSecret(), generateSecret()];
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

test('a key gives its back end, given as it is or as its hash', () => {
  const find = createApiKeys([
    { name: 'billing', key: one },
    { name: 'mailer', sha256: sha256(two).toUpperCase(), capabilities: { 'mail/*': ['publish'] } },
  ]);
  expect(find(one)).toMatchObject({ subject: 'server:billing', claims: { holdfast: { '*': ['*'], 'holdfast/*': ['*'] } } });
  expect(find(two)).toMatchObject({ subject: 'server:mailer', claims: { holdfast: { 'mail/*': ['publish'] } } });
  for (const other of ['', one.slice(1), `${one} `, sha256(two), 'x'.repeat(1_000_000)]) expect(find(other)).toBeUndefined();
});

test('may do everything unless it says what', async () => {
  const find = createApiKeys([
    { name: 'billing', key: one },
    { name: 'mailer', key: two, capabilities: { 'mail/*': ['publish'] } },
  ]);
  const authorize = createCapabilities();
  expect(authorize({ identity: find(one)!, action: 'register', topic: 'any/where' })).toEqual({});
  expect(authorize({ identity: find(one)!, action: 'call', topic: 'holdfast/tickets' })).toEqual({});
  expect(await refusalOf(() => authorize({ identity: find(two)!, action: 'publish', topic: 'chat/42' }), two)).toMatchObject({
    code: 'FORBIDDEN',
  });
});

test('two of one name while a key is being changed', () => {
  const find = createApiKeys([
    { name: 'billing', key: one },
    { name: 'billing', key: two },
  ]);
  expect([find(one)?.subject, find(two)?.subject]).toEqual(['server:billing', 'server:billing']);
});

test('who signs everybody out does not lock out the back ends, who alone can take it back', () => {
  const identity = createApiKeys([{ name: 'billing', key: one }])(one)!;
  const revocations = createRevocations();
  revocations.revoke({ issuedBeforeMs: Date.now() + 1_000 });
  expect(revocations.isRevoked({ subject: 'alice' })).toBe(true);
  expect(revocations.isRevoked(identity)).toBe(false);
  revocations.revoke({ subject: 'server:billing' });
  expect(revocations.isRevoked(identity)).toBe(true);
});

describe('refused at once', () => {
  test.for<[string, readonly ApiKey[], RegExp]>([
    ['a short key', [{ name: 'a', key: 'x'.repeat(31) }], /^the API key "a" has 31 characters; at least 32/],
    ['no key', [{ name: 'a' }], /must have either key or sha256$/],
    ['a key and a hash', [{ name: 'a', key: one, sha256: sha256(one) }], /must have either key or sha256$/],
    ['a hash that is none', [{ name: 'a', sha256: one }], /is not 64 hexadecimal digits$/],
    [
      'the same key twice',
      [
        { name: 'a', key: one },
        { name: 'b', sha256: sha256(one) },
      ],
      /^two API keys are equal$/,
    ],
    ['a name with a slash', [{ name: 'a/b', key: one }], /^the name of an API key has/],
    ['an empty name', [{ name: '', key: one }], /^the name of an API key has/],
    ['a key like a ticket', [{ name: 'a', key: `hft_${one}` }], /begins with "hft_"/],
    ['a mistake in its capabilities', [{ name: 'a', key: one, capabilities: { x: ['raed' as never] } }], /has an action "raed"/],
  ])('%s', async ([, keys, message]) => {
    expect(await refusalOf(() => createApiKeys(keys), one)).toMatchObject({ code: 'USAGE', message: expect.stringMatching(message) });
  });
});
