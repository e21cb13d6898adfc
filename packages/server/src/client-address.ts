/**
 * The address of a client: the peer's own, or what trusted proxies say of it in `X-Forwarded-For`. Anybody can write that
 * header, so each step from right to left counts only if the one who wrote it is trusted (RFC 7239 section 8.1; the
 * header `Forwarded` itself is not read). Knows nothing of sockets but what a request has.
 */

import { BlockList, isIP, isIPv6, SocketAddress } from 'node:net';
import { HoldfastError } from '@holdfast/wire';

/** Proxies whose word on a client counts. */
export interface TrustedProxies {
  /** Whether the peer with this address is one. */
  has(address: string): boolean;
}

/** What `clientAddress` needs of a request; `IncomingMessage` has it. */
export interface AddressedRequest {
  readonly socket: { readonly remoteAddress?: string | undefined };
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** Addresses of this machine itself. */
const LOOPBACK = ['127.0.0.0/8', '::1'];
const MAPPED = '::ffff:';

const loopback: TrustedProxies = parseTrustedProxies(['loopback']);

/**
 * Proxies given as addresses (`10.0.0.7`), networks (`10.0.0.0/8`, `fd00::/8`) and the word `loopback`. None: nobody is
 * trusted. Throws `USAGE` for anything else, host names included: their addresses change.
 */
export function parseTrustedProxies(names: readonly string[]): TrustedProxies {
  const list = new BlockList();
  for (const name of names.flatMap((one) => (one === 'loopback' ? LOOPBACK : [one]))) add(list, name);
  return {
    has: (address) => {
      const plain = addressOf(address);
      return plain !== undefined && list.check(plain, familyOf(plain));
    },
  };
}

/**
 * Whose request it is, as `203.0.113.7` or `2001:db8::7` (an IPv4 address mapped into IPv6 comes as the IPv4 one). From a
 * trusted proxy: the last address of `X-Forwarded-For` that is not itself a trusted proxy's, or the first of all if each
 * one is. From anybody else, without the header, or where something there is no address: the peer's. Empty if the peer is
 * gone already.
 */
export function clientAddress({ socket, headers }: AddressedRequest, proxies: TrustedProxies): string {
  const peer = addressOf(socket.remoteAddress ?? '') ?? '';
  const forwarded = headers['x-forwarded-for'];
  if (forwarded === undefined || !proxies.has(peer)) return peer;
  const hops = String(forwarded).split(',');
  let address = peer;
  while (hops.length > 0 && proxies.has(address)) {
    const hop = addressOf(withoutPort(hops.pop()!.trim()));
    if (hop === undefined) return peer;
    address = hop;
  }
  return address;
}

/**
 * What counts as one client where addresses are counted: an IPv4 address is itself, IPv6 addresses are one per /64
 * (`2001:db8:1:2::/64`), since that much a single customer is given and may change within at will. Other text is itself.
 */
export function addressGroup(address: string): string {
  const plain = addressOf(address);
  if (plain === undefined || !isIPv6(plain)) return plain ?? address;
  return `${hextetsOf(plain).slice(0, 4).join(':')}::/64`;
}

/** Whether an address is of this machine only. */
export function isLoopbackAddress(address: string): boolean {
  return loopback.has(address);
}

/** An address in its one spelling, without a zone; `undefined` for what is none. */
function addressOf(text: string): string | undefined {
  const version = isIP(text);
  if (version === 0) return undefined;
  if (version === 4) return text;
  // With a zone behind it, Node's own parser throws at the longest spellings.
  const { address } = new SocketAddress({ address: text.split('%', 1)[0]!, family: 'ipv6' });
  const mapped = address.startsWith(MAPPED) ? address.slice(MAPPED.length) : '';
  return isIP(mapped) === 4 ? mapped : address;
}

/** Some proxies write `203.0.113.7:4711` or `[2001:db8::7]:4711`. */
function withoutPort(text: string): string {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([\d.]+))(?::\d{1,5})?$/.exec(text) ?? [];
  return bracketed ?? plain ?? text;
}

/** The eight numbers of an IPv6 address, as hexadecimal text; of an IPv4 tail, which no network that is counted reaches, only the place. */
function hextetsOf(address: string): string[] {
  const [head = '', tail] = address.split('::').map((part) => part.replace(/\d+\.\d+\.\d+\.\d+$/, 'v4:v4'));
  const before = head === '' ? [] : head.split(':');
  if (tail === undefined) return before;
  const after = tail === '' ? [] : tail.split(':');
  return [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after];
}

function add(list: BlockList, name: string): void {
  const [address = '', prefix, ...rest] = name.split('/');
  const bits = isIP(address) === 4 ? 32 : 128;
  const isPrefix = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits);
  // A zone names an interface of this machine, which a list of addresses knows nothing of.
  if (isIP(address) === 0 || address.includes('%') || !isPrefix || rest.length > 0) {
    const hint = 'Give addresses such as "10.0.0.7", networks such as "10.0.0.0/8", or "loopback".';
    throw new HoldfastError('USAGE', `"${name}" in trustedProxies is neither an address nor a network`, { hint });
  }
  list.addSubnet(address, prefix === undefined ? bits : Number(prefix), familyOf(address));
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4';
}
