/**
 * Every code that Holdfast can say, in one table each: the errors (HF-10) and the close codes (HF-11). The reference
 * pages and the tests are made from these tables, so a code that is not here cannot be sent. What they mean in words
 * stands in `code-texts.ts`.
 */

/** One row of the error table. `retryable`: the same request may succeed later without being changed. */
export interface ErrorCodeRow {
  readonly retryable: boolean;
  /** Where it comes from: a message the peer sent, a refused request, the library's user, or the store. */
  readonly source: 'protocol' | 'refusal' | 'usage' | 'store' | 'connection';
}

export const ERROR_CODES = {
  BAD_JSON: { retryable: false, source: 'protocol' },
  BAD_FRAME: { retryable: false, source: 'protocol' },
  BAD_BINARY: { retryable: false, source: 'protocol' },
  UNKNOWN_TYPE: { retryable: false, source: 'protocol' },
  TOO_DEEP: { retryable: false, source: 'protocol' },
  FORBIDDEN_KEY: { retryable: false, source: 'protocol' },
  TOO_MANY_KEYS: { retryable: false, source: 'protocol' },
  TOO_LARGE: { retryable: false, source: 'protocol' },
  HELLO_REQUIRED: { retryable: false, source: 'protocol' },
  HELLO_TWICE: { retryable: false, source: 'protocol' },
  TOO_MANY_ERRORS: { retryable: false, source: 'protocol' },
  HELLO_TIMEOUT: { retryable: true, source: 'protocol' },
  OUT_OF_ORDER: { retryable: true, source: 'protocol' },
  HEARTBEAT_LOST: { retryable: true, source: 'connection' },
  UNAUTHENTICATED: { retryable: false, source: 'refusal' },
  TOKEN_EXPIRED: { retryable: false, source: 'refusal' },
  REVOKED: { retryable: false, source: 'refusal' },
  ORIGIN_REFUSED: { retryable: false, source: 'refusal' },
  FORBIDDEN: { retryable: false, source: 'refusal' },
  UNKNOWN_TOPIC: { retryable: false, source: 'refusal' },
  UNKNOWN_METHOD: { retryable: false, source: 'refusal' },
  NOT_SUBSCRIBED: { retryable: false, source: 'refusal' },
  TOO_MANY_SUBSCRIPTIONS: { retryable: false, source: 'refusal' },
  TOO_MANY_IN_FLIGHT: { retryable: true, source: 'refusal' },
  TOO_MANY_CONNECTIONS: { retryable: true, source: 'refusal' },
  TOO_MANY_MEMBERS: { retryable: true, source: 'refusal' },
  RATE_LIMITED: { retryable: true, source: 'refusal' },
  REFUSED: { retryable: false, source: 'refusal' },
  HEAD_MISMATCH: { retryable: false, source: 'refusal' },
  REVISION_MISMATCH: { retryable: false, source: 'refusal' },
  SEQ_GAP: { retryable: false, source: 'refusal' },
  SEQ_CONFLICT: { retryable: false, source: 'refusal' },
  STALE_SEQ: { retryable: false, source: 'refusal' },
  PRODUCER_UNKNOWN: { retryable: false, source: 'refusal' },
  EPOCH_CHANGED: { retryable: false, source: 'refusal' },
  PIPELINE_STOPPED: { retryable: true, source: 'refusal' },
  OVERLOADED: { retryable: true, source: 'refusal' },
  GOING_AWAY: { retryable: true, source: 'connection' },
  STORE_READ_ONLY: { retryable: true, source: 'store' },
  STORE_UNAVAILABLE: { retryable: true, source: 'store' },
  STORE_CORRUPT: { retryable: false, source: 'store' },
  INTERNAL: { retryable: true, source: 'refusal' },
  USAGE: { retryable: false, source: 'usage' },
  CLOSED: { retryable: false, source: 'usage' },
  PENDING: { retryable: true, source: 'connection' },
  EXPIRED: { retryable: false, source: 'connection' },
  ABORTED: { retryable: false, source: 'connection' },
  UNCERTAIN: { retryable: false, source: 'connection' },
  UNKNOWN_OUTCOME: { retryable: false, source: 'connection' },
  OUTBOX_FULL: { retryable: true, source: 'connection' },
  OFFLINE: { retryable: true, source: 'connection' },
  BUFFER_FULL: { retryable: true, source: 'connection' },
  INVALID_URL: { retryable: false, source: 'usage' },
  DNS_FAILED: { retryable: true, source: 'connection' },
  CONNECTION_REFUSED: { retryable: true, source: 'connection' },
  UNREACHABLE: { retryable: true, source: 'connection' },
  TLS_FAILED: { retryable: true, source: 'connection' },
  UPGRADE_REFUSED: { retryable: true, source: 'connection' },
  CONNECT_TIMEOUT: { retryable: true, source: 'connection' },
  NETWORK: { retryable: true, source: 'connection' },
  CONNECTION_LOST: { retryable: true, source: 'connection' },
  PROTOCOL_ERROR: { retryable: false, source: 'connection' },
} as const;

/** A name in the error table. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** Whether a string from outside is a code that this version knows. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code);
}

/** What a close code asks of the client (HF-11.1). */
export type CloseAdvice = 'stop' | 'back-off' | 'resume' | 'reauthenticate';

export const CLOSE_CODES = {
  PROTOCOL: { code: 4000 },
  FENCED: { code: 4001 },
  REFUSED: { code: 4002 },
  OVERLOADED: { code: 4100 },
  GOING_AWAY: { code: 4200 },
  HEARTBEAT_LOST: { code: 4201 },
  RESYNC: { code: 4202 },
  HELLO_TIMEOUT: { code: 4203 },
  UNAUTHENTICATED: { code: 4300 },
} as const;

/** A name in the table of close codes. */
export type CloseName = keyof typeof CLOSE_CODES;

/** What a client does after a close with `code`: codes outside 4000-4399 are drops of the network, so it resumes. */
export function closeAdvice(code: number): CloseAdvice {
  if (code >= 4000 && code <= 4099) return 'stop';
  if (code >= 4100 && code <= 4199) return 'back-off';
  if (code >= 4300 && code <= 4399) return 'reauthenticate';
  return 'resume';
}
