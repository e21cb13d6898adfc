import { describe, expect, test } from 'vitest';
import { scrub, withoutQuery } from './secrets.ts';

const TICKET = 'hft_pK3l9QxT0mZr7uVbN2sYc5Wd8eFgHiJa1oLq4R6tXyE';

describe('scrub', () => {
  test.each([
    ['Bearer abc.DEF-_~+/=', 'Bearer [redacted]'],
    ['authorization: Basic dXNlcjpwYXNz, then', 'authorization: [redacted]'],
    ['cookie: a=b; c=d', 'cookie: [redacted]'],
    [`see ${TICKET}.`, 'see hft_[redacted].'],
    ['/a?x=1&token=abc&y=2', '/a?x=1&token=[redacted]&y=2'],
    ['?secret=abc def', '?secret=[redacted] def'],
    ['holdfast.v1, holdfast.token.YWJj', 'holdfast.v1, holdfast.token.[redacted]'],
    ['{"a":{"token":"x\\"y","b":1}}', '{"a":{"token":"[redacted]","b":1}}'],
    ['{"msg":"{\\"token\\":\\"abc\\"}"}', '{"msg":"{\\"token\\":\\"[redacted]\\"}"}'],
  ])('%s', (text, clean) => {
    expect(scrub(text)).toBe(clean);
  });

  test.each([
    'chat/42',
    's-7alqzj7apg5i',
    'limits.connectionSubscribesPerSecond',
    'at Connection.#take (file:///srv/app/node_modules/@holdfast/server/dist/connection.js:312:10)',
    '2001:db8:1:2::/64',
    'the token is no longer valid',
    '550e8400-e29b-41d4-a716-446655440000',
  ])('leaves %s alone', (text) => {
    expect(scrub(text)).toBe(text);
  });

  test.each(['eyJ', '"token":"', '\\"token\\":\\"', 'Bearer ', 'a1B-', 'cookie: ', '?token=', '"cookie":["', '"cookie":[', 'hft_'])(
    'goes once over 2 MB of %j: more would not end within the time of a test',
    (piece) => {
      expect(scrub(piece.repeat(2_000_000 / piece.length)).length).toBeGreaterThan(0);
    },
  );
});

test('withoutQuery', () => {
  expect(['/a?b', '/a#b', '/a', '?b\nc'].map(withoutQuery)).toEqual(['/a', '/a', '/a', '']);
});
