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

/** Tells of each request whether its page may ask: one of the host itself, or of an origin that is listed exactly. Throws `USAGE`. */
export function createOriginCheck(origins: readonly string[] | 'any'): (headers: IncomingHttpHeaders) => OriginCheck {
  const listed = origins === 'any' ? undefined : new Set(origins.map(parseOrigin));
  return ({ origin, host }) => {
    if (origin === undefined) return { refusal: undefined, headers: {} };
    const given = origin.toLowerCase();
    if (listed === undefined || listed.has(given)) {
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

function parseOrigin(text: string): string {
  const origin = text.toLowerCase();
  if (URL.canParse(origin) && new URL(origin).origin === origin) return origin;
  throw new HoldfastError('USAGE', `"${text}" in origins is no origin`, { hint: 'Write it as "https://app.example.com".' });
}

function isOfHost(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && host !== undefined && new URL(origin).host === host.toLowerCase();
}
