/**
 * Which pages may connect. Any page in a browser can open a WebSocket to any server, with that server's cookies, and only
 * the `Origin` header says whose page it was (RFC 6455 section 10.2, RFC 6454). Programs that are no browser send none, or
 * what they like: this protects people who browse, it does not tell who a client is.
 */

import { isIP } from 'node:net';
import { HoldfastError } from '@holdfast/wire';
import { isLoopbackAddress, type TrustedProxies } from './client-address.ts';

/** What the rule needs of a request; `IncomingMessage` has it. */
export interface OriginRequest {
  readonly socket: {
    readonly remoteAddress?: string | undefined;
    readonly localAddress?: string | undefined;
    readonly encrypted?: boolean;
  };
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** Why the page behind a request may not connect; `undefined`: it may. */
export type OriginRule = (request: OriginRequest) => HoldfastError | undefined;

/** `https://app.example.com`, `capacitor://localhost`, `file://`: a scheme and what may be a host, nothing after. */
const ORIGIN = /^([a-z][a-z\d+.-]*):\/\/([^/?#@\\\s]*)$/i;
const WILDCARD = '*.';
const BRACKETS = /^\[(.*)\]$/;
/** So much of a foreign origin is repeated in the error. */
const SHOWN_MAX = 200;

/**
 * A rule that lets pass requests without an origin, pages of the host that was asked (below), and `origins`: exact ones
 * (`https://app.example.com`, `capacitor://localhost`), those of all subdomains at any depth (`https://*.example.com`; the
 * domain itself is not one), and `null` (sandboxed frames and local files: of anybody) or `file://`. `'any'` lets everybody pass.
 *
 * A page is of the host that was asked if its origin has the host and port of the `Host` header, or of `X-Forwarded-Host`
 * from a trusted proxy. A page of this machine (`localhost`) may connect to it at any port, so that a development server
 * works. A page of another name that reached this machine by its loopback address, without a trusted proxy, is not: the name
 * may have been made to point here by whoever owns it (DNS rebinding). Throws `USAGE` for what is no origin.
 */
export function parseOrigins(origins: readonly string[] | 'any', proxies: TrustedProxies): OriginRule {
  if (origins === 'any') return () => undefined;
  const exact = new Set<string>();
  const subdomains: { readonly scheme: string; readonly suffix: string }[] = [];
  for (const text of origins) {
    const { scheme, host, isWildcard } = entryOf(text);
    if (isWildcard) subdomains.push({ scheme, suffix: `.${host}` });
    else exact.add(scheme + host);
  }
  const isListed = (origin: string): boolean =>
    exact.has(origin) || subdomains.some(({ scheme, suffix }) => origin.startsWith(scheme) && origin.endsWith(suffix));
  return (request) => {
    const given = request.headers['origin'];
    if (given === undefined) return undefined;
    const origin = String(given).toLowerCase();
    return isListed(origin) || isOfHost(origin, request, proxies) ? undefined : refusalOf(origin);
  };
}

function refusalOf(origin: string): HoldfastError {
  const shown = origin.length > SHOWN_MAX ? `${origin.slice(0, SHOWN_MAX)}...` : origin;
  return new HoldfastError('ORIGIN_REFUSED', `pages of the origin "${shown}" may not connect here`, {
    hint: `Name it in the server's option "origins", or serve the page from the same host; behind a proxy, name that in "trustedProxies".`,
  });
}

interface Entry {
  /** Such as `https://`; empty for `null`. */
  readonly scheme: string;
  readonly host: string;
  readonly isWildcard: boolean;
}

/** An entry as browsers write it: lower case, punycode, without the scheme's own port. */
function entryOf(text: string): Entry {
  if (text === 'null') return { scheme: '', host: text, isWildcard: false };
  const [, scheme = '', rest = ''] = ORIGIN.exec(text.toLowerCase()) ?? [];
  const isWildcard = rest.startsWith(WILDCARD);
  const name = isWildcard ? rest.slice(WILDCARD.length) : rest;
  const parsed = parse(`${scheme}://${name}`);
  const isAddress = isIP(parsed?.hostname.replace(BRACKETS, '$1') ?? '') !== 0;
  if (parsed === undefined || name.includes('*') || (isWildcard && (name === '' || isAddress))) throw notAnOrigin(text);
  // Schemes of webviews have hosts without rules: they are compared as they stand.
  return { scheme: `${scheme}://`, host: isWeb(scheme) ? parsed.host : name, isWildcard };
}

function notAnOrigin(text: string): HoldfastError {
  const hint = 'Give origins such as "https://app.example.com", "https://*.example.com" or "capacitor://localhost", without a path.';
  return new HoldfastError('USAGE', `"${text}" in origins is no origin`, { hint });
}

function isOfHost(origin: string, request: OriginRequest, proxies: TrustedProxies): boolean {
  const page = parse(origin);
  if (page === undefined || !isWeb(page.protocol.slice(0, -1))) return false;
  const { host, scheme } = askedOf(request, proxies);
  const asked = parse(`${scheme ?? page.protocol.slice(0, -1)}://${host}`);
  if (asked === undefined) return false;
  if (isLoopbackName(page.hostname) && isLoopbackName(asked.hostname)) return true;
  const { remoteAddress = '', localAddress = '' } = request.socket;
  if (isLoopbackAddress(localAddress) && !proxies.has(remoteAddress)) return false;
  return page.hostname === asked.hostname && portOf(page) === portOf(asked);
}

/** What the browser had asked for: as this server sees it, or as a trusted proxy did. The scheme only if it is known. */
function askedOf(
  { socket, headers }: OriginRequest,
  proxies: TrustedProxies,
): { readonly host: string; readonly scheme: string | undefined } {
  const isForwarded = proxies.has(socket.remoteAddress ?? '');
  const forwardedHost = isForwarded ? firstOf(headers['x-forwarded-host']) : undefined;
  const forwardedScheme = isForwarded ? firstOf(headers['x-forwarded-proto']) : undefined;
  // Some proxies pass on the scheme of the WebSocket; who ends TLS before this server without a word leaves it unknown.
  const scheme =
    forwardedScheme?.replace(/^ws/, 'http') ?? (socket.encrypted === true && forwardedHost === undefined ? 'https' : undefined);
  return { host: forwardedHost ?? String(headers['host'] ?? ''), scheme: scheme !== undefined && isWeb(scheme) ? scheme : undefined };
}

function firstOf(header: string | readonly string[] | undefined): string | undefined {
  const first = header === undefined ? '' : String(header).split(',', 1)[0]!.trim().toLowerCase();
  return first === '' ? undefined : first;
}

function parse(origin: string): URL | undefined {
  return ORIGIN.test(origin) && URL.canParse(origin) ? new URL(origin) : undefined;
}

function isWeb(scheme: string): boolean {
  return scheme === 'https' || scheme === 'http';
}

function portOf({ protocol, port }: URL): string {
  if (port !== '') return port;
  return protocol === 'https:' ? '443' : '80';
}

/** `localhost`, names below it, and addresses of this machine: no other machine is meant by them (RFC 6761 section 6.3). */
export function isLoopbackName(name: string): boolean {
  const plain = name.toLowerCase();
  return plain === 'localhost' || plain.endsWith('.localhost') || isLoopbackAddress(plain.replace(BRACKETS, '$1'));
}
