/** What a store rejects with, as something that a client can be told and may try again. */

import { HoldfastError } from '@holdfast/wire';

/** The store's own error if it is retryable, else `STORE_UNAVAILABLE` with it as the cause: an assertion is a bug here, not a refusal. */
export function storeError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError && error.retryable) return error;
  return new HoldfastError('STORE_UNAVAILABLE', error instanceof Error ? error.message : String(error), { cause: error });
}
