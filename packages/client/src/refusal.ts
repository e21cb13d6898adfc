/** What a server's `error` is in the client (PROTOCOL.md HF-10.1). */

import { HoldfastError, isErrorCode, type ErrorMessage } from '@holdfast/wire';

/** An error for a message. A code that this version does not know is judged by `retryable` alone. */
export function refusalOf({ code, message, hint, retryable, retryAfterMs }: ErrorMessage): HoldfastError {
  const options = { ...(hint === undefined ? {} : { hint }), ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  if (isErrorCode(code)) return new HoldfastError(code, message, options);
  return new HoldfastError(retryable ? 'INTERNAL' : 'REFUSED', `${code}: ${message}`, options);
}
