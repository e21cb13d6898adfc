import type { Credentials } from '@holdfast/server';
import { describe, expect, test } from 'vitest';
import { createTokenFinder, signToken, type TokenSource } from './index.ts';
import { refusalOf, WallClock } from './refusal.testing.ts';

const jwt = await signToken({ key: { secret: 'x'.repeat(32) }, subject: 'alice', clock: new WallClock() });
const ticket = 'hft_Zm9yLXRoZS10ZXN0cy1vbmx5LW5vdC1yZWFs';

const credentialsWith = (given: Partial<Credentials>): Credentials => ({
  token: undefined,
  client: 'tab-1',
  address: '127.0.0.1',
  headers: {},
  url: '/',
  protocols: ['holdfast.v1'],
  ...given,
});
const find = (sources: readonly TokenSource[], given: Partial<Credentials>): string => createTokenFinder(sources)(credentialsWith(given));

describe('a token is found', () => {
  test.for<[string, TokenSource, Partial<Credentials>, string]>([
    ['in the frame', 'frame', { token: jwt }, jwt],
    ['in the Authorization header', 'authorization', { headers: { authorization: `Bearer ${jwt}` } }, jwt],
    ['there in other letters and with more space', 'authorization', { headers: { authorization: ` bEARER   ${jwt} ` } }, jwt],
    ['in a cookie', 'cookie:session', { headers: { cookie: `a=1; session=${jwt}` } }, jwt],
    ['in a cookie that came twice with the same value', 'cookie:s', { headers: { cookie: `s=${jwt}; s=${jwt}` } }, jwt],
    ['in a subprotocol', 'subprotocol', { protocols: ['holdfast.v1', `holdfast.token.${jwt}`] }, jwt],
    ['in a subprotocol, a ticket', 'subprotocol', { protocols: [`holdfast.token.${ticket}`] }, ticket],
    [
      'in a subprotocol, in base64url',
      'subprotocol',
      { protocols: [`holdfast.token.${Buffer.from('any key, "ä"').toString('base64url')}`] },
      'any key, "ä"',
    ],
    ['in a parameter', 'query:ticket', { url: `/realtime?a=1&ticket=${ticket}` }, ticket],
    ['in a parameter with signs', 'query:a:b', { url: `//x[?a:b=%68ft_1` }, 'hft_1'],
  ])('%s', ([, source, given, token]) => {
    expect(find([source], given)).toBe(token);
  });

  test('in the first source that has one', () => {
    const headers = { authorization: 'Bearer from-header', cookie: 's=from-cookie' };
    expect(find(['cookie:s', 'authorization'], { headers })).toBe('from-cookie');
    expect(find(['authorization', 'cookie:s'], { headers })).toBe('from-header');
    expect(find(['authorization', 'cookie:s'], { headers: { cookie: 's=from-cookie', authorization: 'Basic YTpi' } })).toBe('from-cookie');
    expect(find(['cookie:s', 'authorization'], { headers: { ...headers, cookie: 's=' } })).toBe('from-header');
  });

  test('in the frame before anything else, as "auth" replaces what came with the upgrade', () => {
    expect(find(['frame', 'cookie:s'], { token: 'newer', headers: { cookie: 's=older' } })).toBe('newer');
  });
});

describe('refused', () => {
  test.for<[string, readonly TokenSource[], Partial<Credentials>, string | RegExp]>([
    ['nothing', ['frame', 'cookie:s'], { headers: { cookie: 'other=1' } }, 'there is no token; looked in frame, cookie:s'],
    [
      'an empty token in a frame, though there is another',
      ['frame', 'cookie:s'],
      { token: '', headers: { cookie: 's=1' } },
      'the token is empty',
    ],
    [
      'a frame where frames do not count',
      ['cookie:s'],
      { token: jwt, headers: { cookie: 's=1' } },
      'tokens in frames are not accepted here',
    ],
    [
      'a source that was not asked for',
      ['frame'],
      { url: `/?token=${jwt}`, headers: { authorization: `Bearer ${jwt}` } },
      'there is no token; looked in frame',
    ],
    ['two cookies', ['cookie:s'], { headers: { cookie: `s=${jwt}; s=another` } }, 'there is more than one token in cookie:s'],
    ['two parameters', ['query:t'], { url: `/?t=${jwt}&t=another` }, 'there is more than one token in query:t'],
    [
      'two subprotocols',
      ['subprotocol'],
      { protocols: [`holdfast.token.${jwt}`, `holdfast.token.${ticket}`] },
      'there is more than one token in subprotocol',
    ],
    ['a subprotocol that is no base64url', ['subprotocol'], { protocols: ['holdfast.token.§§§'] }, /neither a JWT nor base64url/],
    ['an empty subprotocol', ['subprotocol'], { protocols: ['holdfast.token.'] }, /neither a JWT nor base64url/],
    [
      '"Bearer" alone',
      ['authorization'],
      { headers: { authorization: 'Bearer' } },
      'the Authorization header is not "Bearer" and one token',
    ],
    ['two words after it', ['authorization'], { headers: { authorization: `Bearer ${jwt} ${jwt}` } }, /is not "Bearer" and one token/],
  ])('%s', async ([, sources, given, message]) => {
    const refusal = await refusalOf(() => find(sources, given), jwt, ticket);
    expect(refusal).toMatchObject({
      code: 'UNAUTHENTICATED',
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    });
  });

  test.for<[readonly string[], RegExp]>([
    [[], /^there must be at least one source/],
    [['cookie:s', 'frame'], /^the source "frame" must come first$/],
    [['cookie'], /^"cookie" is not a source/],
    [['cookie:'], /^"cookie:" is not a source/],
    [['query:'], /^"query:" is not a source/],
    [['frame:x'], /^"frame:x" is not a source/],
    [['header'], /^"header" is not a source/],
  ])('the sources %j', async ([sources, message]) => {
    const refusal = await refusalOf(() => createTokenFinder(sources as TokenSource[]));
    expect(refusal).toMatchObject({ code: 'USAGE', message: expect.stringMatching(message) });
  });
});
