/**
 * The sentences of every code: what it means and how to mend it. Apart from the tables of `codes.ts`, which machines go by,
 * so that a browser need not download them: there `client-code-texts.ts` stands in its place.
 */

import { CLIENT_TEXTS, type ErrorText } from './client-code-texts.ts';
import type { CloseName, ErrorCode } from './codes.ts';

export type { ErrorText } from './client-code-texts.ts';

/** A row for each error code (HF-10). */
export const ERROR_TEXTS: Readonly<Record<ErrorCode, ErrorText>> = {
  ...CLIENT_TEXTS,
  UNKNOWN_TYPE: {
    meaning: 'The type of the message is not one that this side understands.',
    hint: 'Check the spelling of "type"; HF-4 lists them all.',
  },
  TOO_MANY_ERRORS: {
    meaning: 'The connection sent too many frames that could not be understood.',
    hint: 'Mend the sender; the earlier errors say what was wrong.',
  },
  HELLO_TIMEOUT: {
    meaning: 'No "hello" came within the deadline.',
    hint: 'Send "hello" as soon as the socket is open.',
  },
  TOKEN_EXPIRED: {
    meaning: 'The token is no longer valid.',
    hint: 'Get a fresh token and send it in "hello", or in "auth" before the old one ends.',
  },
  REVOKED: {
    meaning: 'The credentials were taken back.',
    hint: 'Sign in again.',
  },
  ORIGIN_REFUSED: {
    meaning: 'Pages of this origin may not connect here.',
    hint: 'Add the origin to the allowed origins of the server.',
  },
  UNKNOWN_TOPIC: {
    meaning: 'No pattern of this path matches the topic.',
    hint: 'Check the name; topics are configured by pattern on the server.',
  },
  UNKNOWN_METHOD: {
    meaning: 'The server has no such method to call.',
    hint: 'Check the spelling, or register it on the hub.',
  },
  NOT_SUBSCRIBED: {
    meaning: 'The message needs a subscription to its topic.',
    hint: 'Subscribe first.',
  },
  TOO_MANY_SUBSCRIPTIONS: {
    meaning: 'The connection holds as many subscriptions as it may.',
    hint: 'Unsubscribe from something; the bound is limits.subscriptionsMax in "welcome".',
  },
  TOO_MANY_IN_FLIGHT: {
    meaning: 'More requests are unanswered than the limit allows.',
    hint: 'Wait for answers; the bounds are in "welcome".',
  },
  TOO_MANY_CONNECTIONS: {
    meaning: 'There are as many connections as there may be.',
    hint: 'Close one; the message names the bound, which the operator may raise.',
  },
  TOO_MANY_MEMBERS: {
    meaning: 'The topic has as many members as it may.',
    hint: 'Wait until somebody leaves, or subscribe without being a member.',
  },
  RATE_LIMITED: {
    meaning: 'Too much came in too short a time.',
    hint: 'Send it again after retryAfterMs; the message names the limit.',
  },
  REFUSED: {
    meaning: 'The application refused it.',
    hint: "The message is the application's own.",
  },
  HEAD_MISMATCH: {
    meaning: 'A conditional publish found the log at another offset.',
    hint: 'Read what came in between and publish again.',
  },
  REVISION_MISMATCH: {
    meaning: 'A conditional register write found another revision.',
    hint: "Read the register's value and decide again.",
  },
  SEQ_GAP: {
    meaning: 'A publish skipped a seq; nothing was stored.',
    hint: 'Seqs of one producer in one topic go up by one (HF-6.2).',
  },
  SEQ_CONFLICT: {
    meaning: 'Another payload was already published under this seq.',
    hint: 'Never reuse a seq; a cloned outbox needs a new producer.',
  },
  STALE_SEQ: {
    meaning: 'The seq is older than the outcomes that are kept.',
    hint: 'Read the log to learn whether it was stored.',
  },
  PRODUCER_UNKNOWN: {
    meaning: 'The log does not know this producer, and the seq is above 1.',
    hint: 'Begin a new producer at seq 1; what was sent before is uncertain.',
  },
  EPOCH_CHANGED: {
    meaning: "The topic's log is another one than the publish was meant for.",
    hint: 'Begin a new producer at seq 1; what was sent before is uncertain.',
  },
  PIPELINE_STOPPED: {
    meaning: 'An earlier publish of this producer must succeed first.',
    hint: 'Resend from the first refused seq, in order.',
  },
  OVERLOADED: {
    meaning: 'The server has too much to do.',
    hint: 'Send it again after retryAfterMs.',
  },
  GOING_AWAY: {
    meaning: 'The server is shutting down.',
    hint: 'The client connects elsewhere or anew, and resumes.',
  },
  STORE_CORRUPT: {
    meaning: "The store's file is damaged or not a Holdfast store.",
    hint: 'Restore a backup with "holdfast restore FILE DIR --replace", or move the file away.',
  },
  INTERNAL: {
    meaning: 'The server failed at this request.',
    hint: "Look at the server's log.",
  },
  // A browser tells none of these: they are raised where the platform does (Node, React Native).
  DNS_FAILED: {
    meaning: 'The name of the host could not be resolved.',
    hint: 'Check its spelling, and that this device is online.',
  },
  CONNECTION_REFUSED: {
    meaning: 'Nobody listens at this address.',
    hint: 'Check host and port, and that the server is running.',
  },
  UNREACHABLE: {
    meaning: 'There is no way to this address from here.',
    hint: 'Check that this device is online, and firewalls and VPNs between here and there.',
  },
  TLS_FAILED: {
    meaning: 'The secure connection failed: the certificate is not trusted, or the server does not speak TLS.',
    hint: 'Check the certificate, the clock of this device, and that the port is the one for "wss://".',
  },
  UPGRADE_REFUSED: {
    meaning: 'The server answered, but not with a WebSocket.',
    hint: 'The HTTP status says why: 401 and 403 are about credentials, 404 about the path, 502 and 503 about the server behind a proxy.',
  },
};

/** What each close code means (HF-11). */
export const CLOSE_TEXTS: Readonly<Record<CloseName, string>> = {
  PROTOCOL: 'The peer broke the protocol.',
  FENCED: 'A newer connection of the same subject and client took over.',
  REFUSED: 'This client may not connect here.',
  OVERLOADED: 'The server has too much to do; come back after a growing delay.',
  GOING_AWAY: 'The server is shutting down; resume elsewhere or anew.',
  HEARTBEAT_LOST: 'Nothing was heard for too long.',
  RESYNC: 'The two sides disagree about the stream; connect anew and resume.',
  HELLO_TIMEOUT: 'No "hello" came within the deadline.',
  UNAUTHENTICATED: 'The credentials are missing or not valid.',
};

/** The sentences of a code. */
export function errorText(code: ErrorCode): ErrorText {
  return ERROR_TEXTS[code];
}
