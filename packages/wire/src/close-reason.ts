/** What a close frame can say in words (PROTOCOL.md HF-11.1). */

import { utf8Length } from './utf8.ts';

/** Bytes that RFC 6455 section 5.5 leaves for a close reason: 125 less the code's 2. */
const REASON_BYTES_MAX = 123;

/** A reason as a close frame can hold it: the longest beginning, in whole characters, of at most 123 bytes of UTF-8. */
export function closeReason(text: string): string {
  let reason = '';
  let bytes = 0;
  for (const character of text) {
    bytes += utf8Length(character);
    if (bytes > REASON_BYTES_MAX) break;
    reason += character;
  }
  return reason;
}
