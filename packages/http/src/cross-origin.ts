/**
 * Requests of pages in browsers: which origins may ask, and what their browsers are told (Fetch standard, CORS). A request
 * without `Origin` comes from no browser and passes. Credentials come in a header that no page sends by itself, so this
 * protects what needs none: a server in development, and addresses that are trusted.
 */

import type { IncomingMessage } from 'node:http';
import type { OriginRule } from '@holdfast/server';
import type { HoldfastError } from '@holdfast/wire';

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

/** Tells of each request whether its page may ask, by the rule of the sockets. */
export function createOriginCheck(rule: OriginRule): (request: IncomingMessage) => OriginCheck {
  return (request) => {
    const { origin } = request.headers;
    if (origin === undefined) return { refusal: undefined, headers: {} };
    const refusal = rule(request);
    if (refusal !== undefined) return { refusal, headers: {} };
    return { refusal, headers: { 'access-control-allow-origin': origin, 'access-control-expose-headers': ANSWER_HEADERS } };
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
