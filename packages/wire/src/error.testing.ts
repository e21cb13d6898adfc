/** What a call came to, for tests of calls that may throw a `HoldfastError` and nothing else. */

import { HoldfastError } from './error.ts';

/** The code of the `HoldfastError` that `run` throws; `undefined` if it throws nothing. */
export function codeOf(run: () => unknown): string | undefined {
  return errorOf(run)?.code;
}

/** The `HoldfastError` that `run` throws; `undefined` if it throws nothing. Anything else that it throws goes on. */
export function errorOf(run: () => unknown): HoldfastError | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
}
