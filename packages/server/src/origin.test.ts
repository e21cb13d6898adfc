/** Which pages may connect, by what their browser says of them. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseTrustedProxies } from './client-address.ts';
import { parseOrigins, isLoopbackName, type OriginRequest, type OriginRule } from './origin.ts';

const NOBODY = parseTrustedProxies([]);

interface Facts {
  readonly origin?: string | undefined;
  readonly host?: string;
  readonly peer?: string;
  readonly local?: string;
  readonly encrypted?: boolean;
  readonly forwardedHost?: string;
  readonly forwardedProto?: string;
}

function requestOf({
  origin,
  host = 'chat.example.com',
  peer = '203.0.113.7',
  local = '198.51.100.1',
  encrypted = false,
  ...forwarded
}: Facts): OriginRequest {
  const { forwardedHost, forwardedProto } = forwarded;
  return {
    socket: { remoteAddress: peer, localAddress: local, encrypted },
    headers: { host, origin, 'x-forwarded-host': forwardedHost, 'x-forwarded-proto': forwardedProto },
  };
}

function passes(rule: OriginRule, facts: Facts): boolean {
  const refusal = rule(requestOf(facts));
  if (refusal !== undefined) expect(refusal).toMatchObject({ code: 'ORIGIN_REFUSED', retryable: false });
  return refusal === undefined;
}

describe('by default', () => {
  const rule = parseOrigins([], NOBODY);

  test.each<[string, Facts, boolean]>([
    ['no origin: not from a browser', {}, true],
    ['a page of the same host', { origin: 'https://chat.example.com' }, true],
    ['a name made to point at this machine', { origin: 'https://chat.example.com', peer: '127.0.0.1', local: '127.0.0.1' }, false],
    ['the same over IPv6', { origin: 'https://chat.example.com', peer: '::1', local: '::1' }, false],
    ['with its port', { origin: 'http://chat.example.com:8080', host: 'chat.example.com:8080' }, true],
    ['with the scheme’s own port spelt out', { origin: 'https://chat.example.com', host: 'chat.example.com:443' }, true],
    ['in other letters', { origin: 'https://Chat.Example.com', host: 'CHAT.example.COM' }, true],
    ['an IPv6 address', { origin: 'http://[2001:db8::1]:80', host: '[2001:db8::1]' }, true],
    ['another host', { origin: 'https://evil.example' }, false],
    ['a host that begins alike', { origin: 'https://chat.example.com.evil.example' }, false],
    ['a subdomain', { origin: 'https://a.chat.example.com' }, false],
    ['another port of the same host', { origin: 'http://chat.example.com:8081', host: 'chat.example.com:8080' }, false],
    ['null', { origin: 'null' }, false],
    ['an empty one', { origin: '' }, false],
    ['two of them', { origin: 'https://chat.example.com, https://evil.example' }, false],
    ['none that is one', { origin: 'https://evil.example/chat.example.com' }, false],
    ['a name before the host', { origin: 'https://chat.example.com@evil.example' }, false],
    ['a webview of the same name', { origin: 'capacitor://chat.example.com' }, false],
    ['no host was asked', { origin: 'https://chat.example.com', host: '' }, false],
    ['a host with a path', { origin: 'https://evil.example', host: 'evil.example/chat.example.com' }, false],
    ['both on this machine, at any port', { origin: 'http://localhost:5173', host: 'localhost:8080' }, true],
    ['by name and by address', { origin: 'http://127.0.0.1:5173', host: '[::1]:8080' }, true],
    ['a name below localhost', { origin: 'https://app.localhost', host: 'localhost:8080' }, true],
    ['a foreign page asks this machine', { origin: 'https://evil.example', host: 'localhost:8080' }, false],
    ['a page of this machine asks elsewhere', { origin: 'http://localhost:5173' }, false],
    ['a webview that calls itself localhost', { origin: 'capacitor://localhost', host: 'localhost:8080' }, false],
    ['an insecure page of a secure host', { origin: 'http://chat.example.com', encrypted: true }, false],
    ['a secure page of a secure host', { origin: 'https://chat.example.com', encrypted: true }, true],
    ['what a stranger says of hosts', { origin: 'https://evil.example', forwardedHost: 'evil.example' }, false],
  ])('%s', (_name, facts, expected) => {
    expect(passes(rule, facts)).toBe(expected);
  });

  test('whatever the headers hold, there is an answer, and evil.example does not pass for another', () => {
    const text = fc.oneof(fc.string(), fc.webAuthority({ withPort: true, withUserInfo: true, withIPv4: true, withIPv6: true }));
    fc.assert(
      fc.property(text, fc.webUrl(), (host, origin) => {
        expect(passes(rule, { origin, host })).toBeTypeOf('boolean');
        expect(passes(rule, { origin: host, host: origin })).toBeTypeOf('boolean');
        fc.pre(!/evil\.example(:80)?$/i.test(host));
        expect(passes(rule, { origin: 'http://evil.example', host })).toBe(false);
      }),
    );
  });

  test('the refusal names the origin and the ways out, at a bounded length', () => {
    const refusal = rule(requestOf({ origin: 'https://evil.example' }))!;
    expect([refusal.code, refusal.message]).toEqual(['ORIGIN_REFUSED', 'pages of the origin "https://evil.example" may not connect here']);
    expect(refusal.hint).toMatch(/"origins".*"trustedProxies"/);
    expect(rule(requestOf({ origin: `https://${'x'.repeat(10_000)}` }))!.message.length).toBeLessThan(300);
  });
});

describe('behind a trusted proxy', () => {
  const rule = parseOrigins([], parseTrustedProxies(['10.0.0.0/8']));
  const peer = '::ffff:10.1.2.3';

  test.each<[string, Facts, boolean]>([
    ['X-Forwarded-Host counts', { peer, host: 'node-7:8080', forwardedHost: 'chat.example.com', origin: 'https://chat.example.com' }, true],
    ['the first of several', { peer, forwardedHost: 'a.example, b.example', origin: 'https://a.example' }, true],
    ['and nothing beside it', { peer, forwardedHost: 'chat.example.com', host: 'node-7', origin: 'http://node-7' }, false],
    ['without it the host as it came', { peer, origin: 'https://chat.example.com' }, true],
    ['X-Forwarded-Proto tells an insecure page', { peer, forwardedProto: 'https', origin: 'http://chat.example.com' }, false],
    ['wss is https', { peer, forwardedProto: 'wss', origin: 'https://chat.example.com' }, true],
    ['what is no scheme says nothing', { peer, forwardedProto: 'gopher', origin: 'https://chat.example.com' }, true],
    ['from a stranger neither counts', { host: 'node-7', forwardedHost: 'chat.example.com', origin: 'https://chat.example.com' }, false],
  ])('%s', (_name, facts, expected) => {
    expect(passes(rule, facts)).toBe(expected);
  });
});

describe('listed', () => {
  const rule = parseOrigins(
    [
      'https://App.example.com',
      'https://*.preview.example.com',
      'capacitor://localhost',
      'tauri://localhost',
      'https://bücher.example:443',
    ],
    NOBODY,
  );

  test.each<[string, boolean]>([
    ['https://app.example.com', true],
    ['http://app.example.com', false],
    ['https://app.example.com:8443', false],
    ['https://pr-7.preview.example.com', true],
    ['https://a.b.preview.example.com', true],
    ['https://preview.example.com', false],
    ['https://evilpreview.example.com', false],
    ['http://pr-7.preview.example.com', false],
    ['capacitor://localhost', true],
    ['tauri://localhost', true],
    ['ionic://localhost', false],
    ['https://localhost', false],
    ['https://xn--bcher-kva.example', true],
    ['null', false],
    ['file://', false],
    // Pages of the host itself go on passing.
    ['https://chat.example.com', true],
  ])('%s: %s', (origin, expected) => {
    expect(passes(rule, { origin })).toBe(expected);
  });

  test('null and file:// if named', () => {
    const open = parseOrigins(['null', 'file://'], NOBODY);
    expect(['null', 'file://', 'https://evil.example'].map((origin) => passes(open, { origin }))).toEqual([true, true, false]);
  });

  test('any', () => {
    const open = parseOrigins('any', NOBODY);
    expect(['null', '', 'https://evil.example'].map((origin) => passes(open, { origin }))).toEqual([true, true, true]);
  });

  test.each([
    'app.example.com',
    'https://app.example.com/',
    'https://app.example.com/path',
    'https://',
    'https://*',
    'https://*.',
    'https://*.*.example.com',
    'https://a.*.example.com',
    'https://*.127.0.0.1',
    'https://user@example.com',
    'https://example.com:99999',
    '*',
    'any',
    '',
    'Null',
  ])('%j is no origin', (text) => {
    expect(() => parseOrigins([text], NOBODY)).toThrow(
      expect.objectContaining({ code: 'USAGE', message: `"${text}" in origins is no origin`, hint: expect.stringContaining('https://*.') }),
    );
  });
});

test.each<[string, boolean]>([
  ['localhost', true],
  ['LOCALHOST', true],
  ['a.localhost', true],
  ['127.1.2.3', true],
  ['[::1]', true],
  ['::1', true],
  ['localhost.example.com', false],
  ['notlocalhost', false],
  ['10.0.0.1', false],
  ['', false],
])('isLoopbackName(%j) is %s', (name, expected) => {
  expect(isLoopbackName(name)).toBe(expected);
});
