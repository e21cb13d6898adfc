/**
 * Every code that Holdfast can say, in one table each: the errors (HF-10) and the close codes (HF-11). The reference
 * pages and the tests are made from these tables, so a code that is not here cannot be sent.
 */

/** One row of the error table. `retryable`: the same request may succeed later without being changed. */
export interface ErrorCodeRow {
  readonly retryable: boolean;
  /** Where it comes from: a message the peer sent, a refused request, the library's user, or the store. */
  readonly source: 'protocol' | 'refusal' | 'usage' | 'store' | 'connection';
  /** What it means, one sentence. */
  readonly meaning: string;
  /** How to mend it, one sentence. */
  readonly hint: string;
}

export const ERROR_CODES = {
  BAD_JSON: {
    retryable: false,
    source: 'protocol',
    meaning: 'A text frame is not JSON, or has a number that no double can hold.',
    hint: 'Send one JSON object per text frame.',
  },
  BAD_FRAME: {
    retryable: false,
    source: 'protocol',
    meaning: 'A frame is not an object, or a field is missing or of the wrong type.',
    hint: 'Compare the frame with PROTOCOL.md; the message names the field.',
  },
  BAD_BINARY: {
    retryable: false,
    source: 'protocol',
    meaning: 'A binary frame cannot be decoded.',
    hint: 'See HF-9 for the layout; send JSON in text frames.',
  },
  UNKNOWN_TYPE: {
    retryable: false,
    source: 'protocol',
    meaning: 'The type of the message is not one that this side understands.',
    hint: 'Check the spelling of "type"; HF-4 lists them all.',
  },
  TOO_DEEP: {
    retryable: false,
    source: 'protocol',
    meaning: 'The JSON is nested too deeply.',
    hint: 'Flatten it, or publish it as bytes; the bound is limits.depthMax in "welcome".',
  },
  FORBIDDEN_KEY: { retryable: false, source: 'protocol', meaning: 'An object has the key "__proto__".', hint: 'Rename the key.' },
  TOO_MANY_KEYS: {
    retryable: false,
    source: 'protocol',
    meaning: 'The JSON has too many keys and items.',
    hint: 'Split it, or publish it as bytes; the bound is limits.keysMax in "welcome".',
  },
  TOO_LARGE: {
    retryable: false,
    source: 'protocol',
    meaning: 'A frame or payload is larger than the limit.',
    hint: 'Split it, or send files over HTTP; the bound is limits.frameBytesMax in "welcome".',
  },
  HELLO_REQUIRED: {
    retryable: false,
    source: 'protocol',
    meaning: 'A message came before "hello".',
    hint: 'Send {"type":"hello","client":"..."} first.',
  },
  HELLO_TWICE: {
    retryable: false,
    source: 'protocol',
    meaning: 'A second "hello" came on one connection.',
    hint: 'Use "auth" to change the token.',
  },
  TOO_MANY_ERRORS: {
    retryable: false,
    source: 'protocol',
    meaning: 'The connection sent too many frames that could not be understood.',
    hint: 'Mend the sender; the earlier errors say what was wrong.',
  },
  HELLO_TIMEOUT: {
    retryable: true,
    source: 'protocol',
    meaning: 'No "hello" came within the deadline.',
    hint: 'Send "hello" as soon as the socket is open.',
  },
  OUT_OF_ORDER: {
    retryable: true,
    source: 'protocol',
    meaning: 'The server sent something that does not follow its place.',
    hint: 'Nothing to mend: the client connects anew and resumes.',
  },
  HEARTBEAT_LOST: {
    retryable: true,
    source: 'connection',
    meaning: 'Nothing was heard from the peer for too long.',
    hint: 'Nothing to mend: the client connects anew and resumes.',
  },
  UNAUTHENTICATED: {
    retryable: false,
    source: 'refusal',
    meaning: 'The credentials are missing or not valid.',
    hint: 'Get a fresh token and send it in "hello" or "auth".',
  },
  TOKEN_EXPIRED: {
    retryable: false,
    source: 'refusal',
    meaning: 'The token is no longer valid.',
    hint: 'Get a fresh token and send it in "hello", or in "auth" before the old one ends.',
  },
  REVOKED: {
    retryable: false,
    source: 'refusal',
    meaning: 'The credentials were taken back.',
    hint: 'Sign in again.',
  },
  ORIGIN_REFUSED: {
    retryable: false,
    source: 'refusal',
    meaning: 'Pages of this origin may not connect here.',
    hint: 'Add the origin to the allowed origins of the server.',
  },
  FORBIDDEN: {
    retryable: false,
    source: 'refusal',
    meaning: 'The identity may not do this on this topic.',
    hint: 'The message names the action and the topic that were missing.',
  },
  UNKNOWN_TOPIC: {
    retryable: false,
    source: 'refusal',
    meaning: 'No pattern of this path matches the topic.',
    hint: 'Check the name; topics are configured by pattern on the server.',
  },
  UNKNOWN_METHOD: {
    retryable: false,
    source: 'refusal',
    meaning: 'The server has no such method to call.',
    hint: 'Check the spelling, or register it on the hub.',
  },
  NOT_SUBSCRIBED: {
    retryable: false,
    source: 'refusal',
    meaning: 'The message needs a subscription to its topic.',
    hint: 'Subscribe first.',
  },
  TOO_MANY_SUBSCRIPTIONS: {
    retryable: false,
    source: 'refusal',
    meaning: 'The connection holds as many subscriptions as it may.',
    hint: 'Unsubscribe from something; the bound is limits.subscriptionsMax in "welcome".',
  },
  TOO_MANY_IN_FLIGHT: {
    retryable: true,
    source: 'refusal',
    meaning: 'More requests are unanswered than the limit allows.',
    hint: 'Wait for answers; the bounds are in "welcome".',
  },
  TOO_MANY_CONNECTIONS: {
    retryable: true,
    source: 'refusal',
    meaning: 'There are as many connections as there may be.',
    hint: 'Close one; the message names the bound, which the operator may raise.',
  },
  TOO_MANY_MEMBERS: {
    retryable: true,
    source: 'refusal',
    meaning: 'The topic has as many members as it may.',
    hint: 'Wait until somebody leaves, or subscribe without being a member.',
  },
  RATE_LIMITED: {
    retryable: true,
    source: 'refusal',
    meaning: 'Too much came in too short a time.',
    hint: 'Send it again after retryAfterMs; the message names the limit.',
  },
  REFUSED: { retryable: false, source: 'refusal', meaning: 'The application refused it.', hint: "The message is the application's own." },
  HEAD_MISMATCH: {
    retryable: false,
    source: 'refusal',
    meaning: 'A conditional publish found the log at another offset.',
    hint: 'Read what came in between and publish again.',
  },
  REVISION_MISMATCH: {
    retryable: false,
    source: 'refusal',
    meaning: 'A conditional register write found another revision.',
    hint: "Read the register's value and decide again.",
  },
  SEQ_GAP: {
    retryable: false,
    source: 'refusal',
    meaning: 'A publish skipped a seq; nothing was stored.',
    hint: 'Seqs of one producer in one topic go up by one (HF-6.2).',
  },
  SEQ_CONFLICT: {
    retryable: false,
    source: 'refusal',
    meaning: 'Another payload was already published under this seq.',
    hint: 'Never reuse a seq; a cloned outbox needs a new producer.',
  },
  STALE_SEQ: {
    retryable: false,
    source: 'refusal',
    meaning: 'The seq is older than the outcomes that are kept.',
    hint: 'Read the log to learn whether it was stored.',
  },
  PRODUCER_UNKNOWN: {
    retryable: false,
    source: 'refusal',
    meaning: 'The log does not know this producer, and the seq is above 1.',
    hint: 'Begin a new producer at seq 1; what was sent before is uncertain.',
  },
  EPOCH_CHANGED: {
    retryable: false,
    source: 'refusal',
    meaning: "The topic's log is another one than the publish was meant for.",
    hint: 'Begin a new producer at seq 1; what was sent before is uncertain.',
  },
  PIPELINE_STOPPED: {
    retryable: true,
    source: 'refusal',
    meaning: 'An earlier publish of this producer must succeed first.',
    hint: 'Resend from the first refused seq, in order.',
  },
  OVERLOADED: { retryable: true, source: 'refusal', meaning: 'The server has too much to do.', hint: 'Send it again after retryAfterMs.' },
  GOING_AWAY: {
    retryable: true,
    source: 'connection',
    meaning: 'The server is shutting down.',
    hint: 'The client connects elsewhere or anew, and resumes.',
  },
  STORE_READ_ONLY: {
    retryable: true,
    source: 'store',
    meaning: 'The store cannot write: its disk is full or read-only.',
    hint: 'Free some space or restore write permission; nothing was lost, reading goes on.',
  },
  STORE_UNAVAILABLE: {
    retryable: true,
    source: 'store',
    meaning: 'The store failed or is closed.',
    hint: "Look at the server's log; the publish may be sent again.",
  },
  STORE_CORRUPT: {
    retryable: false,
    source: 'store',
    meaning: "The store's file is damaged or not a Holdfast store.",
    hint: 'Restore a backup with "holdfast restore FILE DIR --replace", or move the file away.',
  },
  INTERNAL: { retryable: true, source: 'refusal', meaning: 'The server failed at this request.', hint: "Look at the server's log." },
  USAGE: {
    retryable: false,
    source: 'usage',
    meaning: 'The library was called with something that it cannot accept.',
    hint: 'The message names the argument.',
  },
  CLOSED: { retryable: false, source: 'usage', meaning: 'The client, topic or reader is closed.', hint: 'Create a new one.' },
  PENDING: {
    retryable: true,
    source: 'connection',
    meaning: 'The deadline passed before the answer; the message stays in the outbox.',
    hint: 'It is sent as soon as there is a connection; watch the outbox.',
  },
  EXPIRED: {
    retryable: false,
    source: 'connection',
    meaning: 'The message was not sent within its time to live.',
    hint: 'Publish it again if it still matters.',
  },
  ABORTED: { retryable: false, source: 'connection', meaning: 'The caller aborted before anything was sent.', hint: 'Nothing was sent.' },
  UNCERTAIN: {
    retryable: false,
    source: 'connection',
    meaning: 'The message was sent, and it can no longer be learnt whether it was stored.',
    hint: 'Read the log, then discard it or publish it anew.',
  },
  UNKNOWN_OUTCOME: {
    retryable: false,
    source: 'connection',
    meaning: 'The connection broke while a call was under way.',
    hint: 'Ask for the state before calling again; calls are never resent by themselves.',
  },
  OUTBOX_FULL: {
    retryable: true,
    source: 'connection',
    meaning: 'The outbox holds as many messages as it may.',
    hint: 'Wait until some are acknowledged, or raise outboxCountMax.',
  },
  OFFLINE: {
    retryable: true,
    source: 'connection',
    meaning: 'There is no connection, and this request is not kept for later.',
    hint: 'Try again when the connection is open.',
  },
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
  PROTOCOL: { code: 4000, meaning: 'The peer broke the protocol.' },
  FENCED: { code: 4001, meaning: 'A newer connection of the same subject and client took over.' },
  REFUSED: { code: 4002, meaning: 'This client may not connect here.' },
  OVERLOADED: { code: 4100, meaning: 'The server has too much to do; come back after a growing delay.' },
  GOING_AWAY: { code: 4200, meaning: 'The server is shutting down; resume elsewhere or anew.' },
  HEARTBEAT_LOST: { code: 4201, meaning: 'Nothing was heard for too long.' },
  RESYNC: { code: 4202, meaning: 'The two sides disagree about the stream; connect anew and resume.' },
  HELLO_TIMEOUT: { code: 4203, meaning: 'No "hello" came within the deadline.' },
  UNAUTHENTICATED: { code: 4300, meaning: 'The credentials are missing or not valid.' },
} as const;

/** What a client does after a close with `code`: codes outside 4000-4399 are drops of the network, so it resumes. */
export function closeAdvice(code: number): CloseAdvice {
  if (code >= 4000 && code <= 4099) return 'stop';
  if (code >= 4100 && code <= 4199) return 'back-off';
  if (code >= 4300 && code <= 4399) return 'reauthenticate';
  return 'resume';
}
