/**
 * What is answered when a request is refused: `application/problem+json` (RFC 9457) with Holdfast's own fields beside the
 * standard ones. It knows no route, and never a token.
 */

import { STATUS_CODES } from 'node:http';
import { HoldfastError, type ErrorCode, type HoldfastErrorOptions, type Json } from '@holdfast/wire';
import { statusOfCode } from './status-of-code.ts';

/** The media type of every refusal. */
export const PROBLEM_TYPE = 'application/problem+json';
/** `Retry-After` where a retryable refusal does not say when, ms. */
const RETRY_MS = 1_000;

/** A refusal that HTTP has its own status for, or headers. */
export class HttpRefusal extends HoldfastError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: ErrorCode,
    message: string,
    { headers = {}, ...options }: HoldfastErrorOptions & { readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(code, message, options);
    this.status = status;
    this.headers = headers;
  }
}

/** One refusal as it is answered. */
export interface Problem {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Json;
}

/** The table's hints speak of sockets; here a token comes in a header. */
function hintOf(code: ErrorCode, hint: string): string {
  const isToken = code === 'UNAUTHENTICATED' || code === 'TOKEN_EXPIRED';
  return isToken && hint === new HoldfastError(code).hint ? 'Send "Authorization: Bearer" with an API key, or with a fresh token.' : hint;
}

/** `hasToken`: whether the request showed credentials (RFC 6750 section 3: only then it is told that they are at fault). */
export function problemOf(error: HoldfastError, hasToken: boolean): Problem {
  const { code, message, hint, retryable, retryAfterMs = RETRY_MS } = error;
  const status = error instanceof HttpRefusal ? error.status : statusOfCode(code);
  const body = {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: message,
    code,
    hint: hintOf(code, hint),
    retryable,
    ...(retryable ? { retryAfterMs } : {}),
  };
  const headers = {
    ...(retryable ? { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) } : {}),
    ...(status === 401 ? { 'www-authenticate': challengeOf(hasToken) } : {}),
    ...(error instanceof HttpRefusal ? error.headers : {}),
  };
  return { status, headers, body };
}

function challengeOf(hasToken: boolean): string {
  return hasToken ? 'Bearer realm="holdfast", error="invalid_token"' : 'Bearer realm="holdfast"';
}
