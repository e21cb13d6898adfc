/** The one error class of Holdfast: a code from the table, a sentence on what went wrong, a hint on how to mend it. */

import { ERROR_CODES, type ErrorCode } from './codes.ts';

export interface HoldfastErrorOptions {
  readonly hint?: string;
  readonly cause?: unknown;
  readonly retryAfterMs?: number;
}

/** Thrown and rejected by every package. `retryable` and the default hint come from the table of codes. */
export class HoldfastError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message?: string, options: HoldfastErrorOptions = {}) {
    const row = ERROR_CODES[code];
    super(message ?? row.meaning, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HoldfastError';
    this.code = code;
    this.hint = options.hint ?? row.hint;
    this.retryable = row.retryable;
    this.retryAfterMs = options.retryAfterMs;
  }
}
