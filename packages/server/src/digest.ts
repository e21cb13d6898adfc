/**
 * A 64-bit digest of a publish's payloads (two FNV-1a variants over UTF-16 units or bytes): it tells an honest resend
 * from a mistake under the same seq (PROTOCOL.md HF-6.5). It guards nobody against himself, so it need not be cryptographic.
 */

import type { Payload } from './store.ts';

const FNV_PRIME = 0x01000193;

export function digestOf(payloads: readonly Payload[]): string {
  let low = 0x811c9dc5;
  let high = 0x9747b28c;
  for (const payload of payloads) {
    const isText = typeof payload === 'string';
    for (let at = 0; at < payload.length; at++) {
      const unit = isText ? payload.charCodeAt(at) : payload[at]!;
      low = Math.imul(low ^ unit, FNV_PRIME);
      high = Math.imul(high ^ (unit + at), FNV_PRIME) ^ (high >>> 15);
    }
    // The kind and length of each payload are part of it, so that ["ab"] and ["a", "b"] differ.
    low = Math.imul(low ^ (isText ? 1 : 2) ^ payload.length, FNV_PRIME);
    high = Math.imul(high ^ payload.length, FNV_PRIME);
  }
  return (low >>> 0).toString(36) + '.' + (high >>> 0).toString(36);
}
