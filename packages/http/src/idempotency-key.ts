/** The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header; RFC 8941 section 3.3.3). */

import { HoldfastError } from '@holdfast/wire';

const LENGTH_MAX = 256;

/**
 * The key, `undefined` without the header. The draft wants a string in quotes; many clients send it bare, and mean the same
 * key. Throws `USAGE` for what is neither, and for one that is empty or longer than 256 characters.
 */
export function parseIdempotencyKey(header: string | readonly string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const text = String(header).trim();
  const key = text.startsWith('"') ? unquoted(text) : /^[\x21-\x7e]*$/.test(text) && !/[",;]/.test(text) ? text : undefined;
  if (key !== undefined && key.length >= 1 && key.length <= LENGTH_MAX) return key;
  throw new HoldfastError('USAGE', `an Idempotency-Key is one string of 1 to ${LENGTH_MAX} printable ASCII characters`, {
    hint: 'Write it in quotes: Idempotency-Key: "8e03978e-40d5-43dd-bc93-6894a57f9324".',
  });
}

/** A string of RFC 8941: printable ASCII between quotes, `"` and `\` escaped. */
function unquoted(text: string): string | undefined {
  if (!/^"(?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"$/.test(text)) return undefined;
  return text.slice(1, -1).replace(/\\(["\\])/g, '$1');
}
