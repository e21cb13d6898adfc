/**
 * The sentences that an application in production shows to people, and no advice for developers: what a client raises without a
 * sentence of its own. In a browser's bundle for production this module stands in for `client-code-texts.ts`, which bundlers
 * choose while developing: the condition `development` of `#code-texts` in package.json says so.
 */

import type { ErrorText } from './client-code-texts.ts';
import type { ErrorCode } from './codes.ts';

const MEANINGS: Readonly<Partial<Record<ErrorCode, string>>> = {
  HEARTBEAT_LOST: 'Nothing was heard from the peer for too long.',
  UNAUTHENTICATED: 'The credentials are missing or not valid.',
  CLOSED: 'The client, topic, reader or channel is closed.',
  ABORTED: 'The caller aborted before anything was sent.',
  BUFFER_FULL: 'More waits in memory than may: what comes is not read, or what is sent does not leave.',
  EXPIRED: 'The message was not sent within its time to live.',
  UNCERTAIN: 'The message was sent, and it can no longer be learnt whether it was stored.',
  UNKNOWN_OUTCOME: 'The connection broke while a call was under way.',
  CONNECT_TIMEOUT: 'The server did not answer in time.',
  NETWORK: 'The connection could not be made; this platform does not say why.',
  CONNECTION_LOST: 'The connection broke without a goodbye.',
};

/** The sentence of a code, if it has one, and no hint. */
export function errorText(code: ErrorCode): ErrorText | undefined {
  const meaning = MEANINGS[code];
  return meaning === undefined ? undefined : { meaning, hint: '' };
}
