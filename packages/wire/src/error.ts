/** The one error class of Holdfast: a code from the table, a sentence on what went wrong, a hint on how to mend it. */

import { errorText } from '#code-texts';
import { ERROR_CODES, type ErrorCode } from './codes.ts';

export interface HoldfastErrorOptions {
  readonly hint?: string;
  readonly cause?: unknown;
  readonly retryAfterMs?: number;
}

/**
 * Thrown and rejected by every package. `retryable` comes from the table of codes; message and hint, where they are not
 * given, from that of their sentences. In a browser only the codes that a client raises have any: of another the message
 * is the code, and the hint empty.
 */
export class HoldfastError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message?: string, options: HoldfastErrorOptions = {}) {
    const text = errorText(code);
    super(message ?? text?.meaning ?? code, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HoldfastError';
    this.code = code;
    this.hint = options.hint ?? text?.hint ?? '';
    this.retryable = ERROR_CODES[code].retryable;
    this.retryAfterMs = options.retryAfterMs;
  }
}
