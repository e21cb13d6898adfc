/** Whose request it is: whom to believe, and how addresses are written and counted. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressGroup, clientAddress, isLoopbackAddress, parseTrustedProxies, type AddressedRequest } from './client-address.ts';

const PROXIES = parseTrustedProxies(['loopback', '10.0.0.0/8', '2001:db8:ffff::/48', '192.0.2.1']);

function request(peer: string | undefined, forwarded?: string): AddressedRequest {
  return { socket: { remoteAddress: peer }, headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded } };
}

describe('clientAddress', () => {
  test.each<[string, string | undefined, string | undefined, string]>([
    ['without the header: the peer', '203.0.113.7', undefined, '203.0.113.7'],
    ['a peer that is nobody’s proxy is not believed', '203.0.113.7', '198.51.100.1', '203.0.113.7'],
    ['a trusted one is', '127.0.0.1', '198.51.100.1', '198.51.100.1'],
    ['over IPv6 loopback too', '::1', '198.51.100.1', '198.51.100.1'],
    ['what a client wrote itself stands on the left and is not reached', '10.1.2.3', '1.1.1.1, 198.51.100.1', '198.51.100.1'],
    ['past further trusted proxies', '10.1.2.3', '1.1.1.1, 198.51.100.1, 192.0.2.1, 10.9.9.9', '198.51.100.1'],
    ['all of them trusted: the first', '10.1.2.3', '10.0.0.1, 10.0.0.2', '10.0.0.1'],
    ['an empty header', '10.1.2.3', '', '10.1.2.3'],
    ['garbage where an address should be: the peer', '10.1.2.3', 'unknown', '10.1.2.3'],
    ['garbage behind a trusted proxy', '10.1.2.3', '_hidden, 10.0.0.1', '10.1.2.3'],
    ['garbage on the left is not reached', '10.1.2.3', '<script>, 198.51.100.1', '198.51.100.1'],
    ['an address with a port', '10.1.2.3', '198.51.100.1:4711', '198.51.100.1'],
    ['an IPv6 address in brackets, with a port', '10.1.2.3', '[2001:DB8:0::7]:4711', '2001:db8::7'],
    ['IPv6 in its one spelling', '10.1.2.3', '2001:0DB8:0:0:0:0:0:7', '2001:db8::7'],
    ['an IPv6 network of proxies', '2001:db8:ffff:1::1', '2001:db8::7', '2001:db8::7'],
    ['IPv4 mapped into IPv6, as peer', '::ffff:203.0.113.7', undefined, '203.0.113.7'],
    ['IPv4 mapped into IPv6, as trusted peer', '::ffff:10.1.2.3', '198.51.100.1', '198.51.100.1'],
    ['IPv4 mapped into IPv6, as forwarded, in hexadecimal', '10.1.2.3', '::ffff:c633:6401', '198.51.100.1'],
    ['a zone is not part of it', 'fe80::1%eth0', undefined, 'fe80::1'],
    ['the longest spelling with a zone', '10.1.2.3', '0000:0000:0000:0000:0000:ffff:198.051.100.001%eth0', '10.1.2.3'],
    ['the longest spelling that is one', '10.1.2.3', '0000:0000:0000:0000:0000:ffff:198.251.100.111%eth0', '198.251.100.111'],
    ['a peer that is gone', undefined, '198.51.100.1', ''],
  ])('%s', (_name, peer, forwarded, expected) => {
    expect(clientAddress(request(peer, forwarded), PROXIES)).toBe(expected);
  });

  test('several headers count as one, in their order', () => {
    const { socket } = request('10.1.2.3');
    expect(clientAddress({ socket, headers: { 'x-forwarded-for': ['1.1.1.1', '198.51.100.1'] } }, PROXIES)).toBe('198.51.100.1');
  });

  test('without proxies nobody is believed', () => {
    expect(clientAddress(request('127.0.0.1', '198.51.100.1'), parseTrustedProxies([]))).toBe('127.0.0.1');
  });

  test('no header makes it anything but an address of the header or the peer', () => {
    const zoned = fc.tuple(fc.ipV6(), fc.stringMatching(/^[\dA-Za-z.:-]{1,60}$/)).map(([address, zone]) => `${address}%${zone}`);
    const hop = fc.oneof(fc.ipV4(), fc.ipV6(), zoned, fc.string(), fc.constantFrom('10.0.0.1', '', 'unknown'));
    fc.assert(
      fc.property(fc.array(hop), (hops) => {
        const address = clientAddress(request('10.1.2.3', hops.join(',')), PROXIES);
        expect(addressGroup(address)).toMatch(/^(\d+\.\d+\.\d+\.\d+|[\da-f]+:[\da-f]+:[\da-f]+:[\da-f]+::\/64)$/);
      }),
    );
  });
});

describe('parseTrustedProxies', () => {
  test.each([
    'proxy.example.com',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '::/129',
    '',
    'Loopback',
    'fe80::1%eth0',
    '*',
  ])('refuses %j and says what it takes', (name) => {
    expect(() => parseTrustedProxies([name])).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(`"${name}"`), hint: expect.stringContaining('loopback') }),
    );
  });

  test.each<[string, string, boolean]>([
    ['loopback', '127.9.9.9', true],
    ['loopback', '::1', true],
    ['loopback', '10.0.0.1', false],
    ['0.0.0.0/0', '203.0.113.7', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['10.0.0.7', '10.0.0.8', false],
    ['10.0.0.7', 'nonsense', false],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['2001:db8::/32', '2001:0DB8::1', true],
  ])('%s has %s: %s', (name, address, expected) => {
    expect(parseTrustedProxies([name]).has(address)).toBe(expected);
  });
});

describe('addressGroup', () => {
  test.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::', '2001:db8:1:2::/64'],
    ['2001:db8::6', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['1:2:3:4:5:6:7::', '1:2:3:4::/64'],
    ['64:ff9b::192.0.2.33', '64:ff9b:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', ''],
    ['nonsense', 'nonsense'],
  ])('of %j is %j', (address, expected) => {
    expect(addressGroup(address)).toBe(expected);
  });

  test('neighbours in a /64 are one, those of another /64 are not', () => {
    const part = fc.integer({ min: 0, max: 0xffff }).map((number) => number.toString(16));
    const half = fc.array(part, { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(half, half, half, (network, one, other) => {
        fc.pre(network.some((hextet) => hextet !== '0'));
        const group = addressGroup([...network, ...one].join(':'));
        expect(group).toBe(`${network.join(':')}::/64`);
        expect(addressGroup([...network, ...other].join(':'))).toBe(group);
      }),
    );
  });
});

test.each<[string, boolean]>([
  ['127.0.0.1', true],
  ['127.255.0.1', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['0.0.0.0', false],
  ['::', false],
  ['192.168.1.5', false],
  ['localhost', false],
  ['', false],
])('isLoopbackAddress(%j) is %s', (address, expected) => {
  expect(isLoopbackAddress(address)).toBe(expected);
});
