/**
 * The public keys of an issuer at an address (RFC 7517 section 5), fetched when first needed, kept, and fetched again when a
 * token names a key that is not among them. However many tokens come, and whatever they name, the issuer is asked once at
 * a time, not again within the cooldown, and after a failure not for a second.
 */

import { HoldfastError } from '@holdfast/wire';
import { createRemoteJWKSet, customFetch, errors, type FetchImplementation, type RemoteJWKSet } from 'jose';

export interface RemoteKeySet {
  /** `https:`, or `http:` on this machine. */
  readonly jwksUrl: string | URL;
  /** How long after a fetch an unknown `kid` causes no other one, ms. Default 30 000. */
  readonly cooldownMs?: number;
  /** How old keys may get, ms. Default 600 000. A key that its issuer took out of the set is accepted for that long. */
  readonly keepMs?: number;
  /** How long a fetch may take, ms. Default 5 000. */
  readonly timeoutMs?: number;
}

/** Longer answers are no key sets, bytes: the sets of large issuers have about 10 keys of 1 KiB. */
const ANSWER_BYTES_MAX = 256 * 1024;
/** How long an issuer that failed is left alone, ms. */
const FAILED_MS = 1_000;

/** Throws `USAGE` for an address over which anybody could slip in keys. What it returns rejects with `OVERLOADED` while there are no keys. */
export function createRemoteKeys(
  { jwksUrl, cooldownMs = 30_000, keepMs = 600_000, timeoutMs = 5_000 }: RemoteKeySet,
  clock: { now(): number },
): (...args: Parameters<RemoteJWKSet>) => ReturnType<RemoteJWKSet> {
  const url = checkedUrl(jwksUrl);
  const tooSoon = new Error('the last attempt failed a moment ago');
  let failedAtMs = -Infinity;
  const fetchKeys: FetchImplementation = (...request) => {
    const sinceMs = clock.now() - failedAtMs;
    // A clock that was set back ends the waiting.
    return sinceMs >= 0 && sinceMs < FAILED_MS ? Promise.reject(tooSoon) : fetchBounded(...request);
  };
  const resolve = createRemoteJWKSet(url, {
    cooldownDuration: cooldownMs,
    cacheMaxAge: keepMs,
    timeoutDuration: timeoutMs,
    [customFetch]: fetchKeys,
  });
  return async (...args) => {
    try {
      return await resolve(...args);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error;
      if (error !== tooSoon) failedAtMs = clock.now();
      throw notToBeHad(url, error);
    }
  };
}

function notToBeHad(url: URL, cause: unknown): HoldfastError {
  return new HoldfastError('OVERLOADED', `the keys of the issuer could not be fetched from ${url.origin}`, {
    hint: 'The credentials may be good: try again. The operator finds the reason in the cause.',
    retryAfterMs: FAILED_MS,
    cause,
  });
}

function checkedUrl(given: string | URL): URL {
  if (!URL.canParse(String(given))) throw new HoldfastError('USAGE', 'jwksUrl is not an address');
  const url = new URL(given);
  const isHere = url.hostname === 'localhost' || url.hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isHere)) {
    throw new HoldfastError('USAGE', `the keys of tokens must come over https, not from ${url.protocol}//${url.host}`, {
      hint: 'Plain http is accepted from this machine only (localhost, 127.0.0.1, [::1]).',
    });
  }
  if (url.username !== '' || url.password !== '') throw new HoldfastError('USAGE', 'jwksUrl must not have a user name or a password');
  return url;
}

const fetchBounded: FetchImplementation = async (url, options) => {
  const response = await fetch(url, options);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new RangeError(`the answer has more than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return new Response(Buffer.concat(chunks), { status: response.status });
};
