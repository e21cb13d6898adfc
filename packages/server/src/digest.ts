/**
 * A 64-bit digest of a publish's payloads (two FNV-1a variants over pairs of UTF-16 units or bytes): it tells an honest resend
 * from a mistake under the same seq (PROTOCOL.md HF-6.5). It guards nobody against himself, so it need not be cryptographic.
 */

import type { Payload } from './store.ts';

const FNV_PRIME = 0x01000193;

export function digestOf(payloads: readonly Payload[]): string {
  let low = 0x811c9dc5;
  let high = 0x9747b28c;
  for (const payload of payloads) {
    const isText = typeof payload === 'string';
    const { length } = payload;
    for (let at = 0; at < length; at += 2) {
      // Beyond the end a unit is NaN or undefined, and counts as 0; the length tells it from one that is there.
      const pair = isText ? payload.charCodeAt(at) | (payload.charCodeAt(at + 1) << 16) : payload[at]! | (payload[at + 1]! << 16);
      low = Math.imul(low ^ pair, FNV_PRIME) ^ (low >>> 15);
      high = Math.imul(high ^ (pair + at), FNV_PRIME) ^ (high >>> 13);
    }
    // The kind and length of each payload are part of it, so that ["ab"] and ["a", "b"] differ.
    low = Math.imul(low ^ (isText ? 1 : 2) ^ payload.length, FNV_PRIME);
    high = Math.imul(high ^ payload.length, FNV_PRIME);
  }
  return (low >>> 0).toString(36) + '.' + (high >>> 0).toString(36);
}
