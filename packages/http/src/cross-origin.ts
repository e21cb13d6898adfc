/**
 * Requests of pages in browsers: which origins may ask, and what their browsers are told (Fetch standard, CORS). A request
 * without `Origin` comes from no browser and passes. Credentials come in a header that no page sends by itself, so this
 * protects what needs none: a server in development, and addresses that are trusted.
 */

import type { IncomingHttpHeaders } from 'node:http';
import { HoldfastError } from '@holdfast/wire';

/** How long a browser may remember what it was told, seconds. */
const AGE_MAX_S = '600';
const REQUEST_HEADERS = 'authorization, content-type, idempotency-key';
const ANSWER_HEADERS = 'link, location, retry-after';

export interface OriginCheck {
  /** Why the page may not ask. */
  readonly refusal: HoldfastError | undefined;
  /** What goes into every answer. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Tells of each request whether its page may ask: one of the host itself, or of an origin that is listed: exactly, with all
 * its subdomains (`https://*.example.com`), or `null`, as for `attach`. Throws `USAGE` for what is no origin.
 */
export function createOriginCheck(origins: readonly string[] | 'any'): (headers: IncomingHttpHeaders) => OriginCheck {
  const rules = origins === 'any' ? [(): boolean => true] : origins.map(ruleOf);
  return ({ origin, host }) => {
    if (origin === undefined) return { refusal: undefined, headers: {} };
    const given = origin.toLowerCase();
    if (rules.some((isAllowed) => isAllowed(given))) {
      const headers = { 'access-control-allow-origin': origin, 'access-control-expose-headers': ANSWER_HEADERS };
      return { refusal: undefined, headers };
    }
    if (isOfHost(given, host)) return { refusal: undefined, headers: {} };
    const refusal = new HoldfastError('ORIGIN_REFUSED', `pages of the origin "${given.slice(0, 200)}" may not ask here`);
    return { refusal, headers: {} };
  };
}

/** What a preflight is answered with beside that. */
export function preflightHeaders(methods: readonly string[]): Readonly<Record<string, string>> {
  return {
    'access-control-allow-methods': methods.join(', '),
    'access-control-allow-headers': REQUEST_HEADERS,
    'access-control-max-age': AGE_MAX_S,
  };
}

function ruleOf(text: string): (origin: string) => boolean {
  const listed = text.toLowerCase();
  if (listed === 'null' || listed === 'file://') return (origin) => origin === listed;
  const [, scheme = '', wildcard = '', host = ''] = /^([a-z][a-z\d+.-]*:\/\/)(\*\.)?([^/?#@\\\s*]+)$/.exec(listed) ?? [];
  const isWeb = scheme === 'https://' || scheme === 'http://';
  // As browsers write it: without the scheme's own port. Schemes of webviews have hosts without rules.
  if (host === '' || !URL.canParse(scheme + host)) throw notAnOrigin(text);
  const plain = isWeb ? new URL(scheme + host).host : host;
  if (wildcard === '') return (origin) => origin === scheme + plain;
  return (origin) => origin.startsWith(scheme) && origin.endsWith(`.${plain}`) && !origin.slice(scheme.length).includes('/');
}

function notAnOrigin(text: string): HoldfastError {
  const hint = 'Write it as "https://app.example.com", "https://*.example.com" or "capacitor://localhost".';
  return new HoldfastError('USAGE', `"${text}" in origins is no origin`, { hint });
}

function isOfHost(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && host !== undefined && new URL(origin).host === host.toLowerCase();
}
