/**
 * The sentences of the codes that a client raises itself. They are all that a browser downloads: what a server refuses comes
 * with the server's own message and hint (HF-10.1). In a browser's bundle this module stands in for `code-texts.ts`: the
 * condition `browser` of `#code-texts` in package.json says so.
 */

import type { ErrorCode } from './codes.ts';

/** What a code means and how to mend it, a sentence each. */
export interface ErrorText {
  readonly meaning: string;
  readonly hint: string;
}

/** The codes of errors that are made in the client: by its own parts, or by what it shares with the server. */
type ClientCode =
  | 'BAD_JSON'
  | 'BAD_FRAME'
  | 'BAD_BINARY'
  | 'TOO_DEEP'
  | 'FORBIDDEN_KEY'
  | 'TOO_MANY_KEYS'
  | 'TOO_LARGE'
  | 'HELLO_REQUIRED'
  | 'HELLO_TWICE'
  | 'OUT_OF_ORDER'
  | 'HEARTBEAT_LOST'
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'STORE_READ_ONLY'
  | 'STORE_UNAVAILABLE'
  | 'USAGE'
  | 'CLOSED'
  | 'PENDING'
  | 'EXPIRED'
  | 'ABORTED'
  | 'UNCERTAIN'
  | 'UNKNOWN_OUTCOME'
  | 'OUTBOX_FULL'
  | 'OFFLINE'
  | 'BUFFER_FULL'
  | 'INVALID_URL'
  | 'CONNECT_TIMEOUT'
  | 'NETWORK'
  | 'CONNECTION_LOST'
  | 'PROTOCOL_ERROR';

export const CLIENT_TEXTS: Readonly<Record<ClientCode, ErrorText>> = {
  BAD_JSON: {
    meaning: 'A text frame is not JSON, or has a number that no double can hold.',
    hint: 'Send one JSON object per text frame.',
  },
  BAD_FRAME: {
    meaning: 'A frame is not an object, or a field is missing or of the wrong type.',
    hint: 'Compare the frame with PROTOCOL.md; the message names the field.',
  },
  BAD_BINARY: {
    meaning: 'A binary frame cannot be decoded.',
    hint: 'See HF-9 for the layout; send JSON in text frames.',
  },
  TOO_DEEP: {
    meaning: 'The JSON is nested too deeply.',
    hint: 'Flatten it, or publish it as bytes; the bound is limits.depthMax in "welcome".',
  },
  FORBIDDEN_KEY: {
    meaning: 'An object has the key "__proto__".',
    hint: 'Rename the key.',
  },
  TOO_MANY_KEYS: {
    meaning: 'The JSON has too many keys and items.',
    hint: 'Split it, or publish it as bytes; the bound is limits.keysMax in "welcome".',
  },
  TOO_LARGE: {
    meaning: 'A frame or payload is larger than the limit.',
    hint: 'Split it, or send files over HTTP; the bound is limits.frameBytesMax in "welcome".',
  },
  HELLO_REQUIRED: {
    meaning: 'A message came before "hello".',
    hint: 'Send {"type":"hello","client":"..."} first.',
  },
  HELLO_TWICE: {
    meaning: 'A second "hello" came on one connection.',
    hint: 'Use "auth" to change the token.',
  },
  OUT_OF_ORDER: {
    meaning: 'The server sent something that does not follow its place.',
    hint: 'Nothing to mend: the client connects anew and resumes.',
  },
  HEARTBEAT_LOST: {
    meaning: 'Nothing was heard from the peer for too long.',
    hint: 'Nothing to mend: the client connects anew and resumes.',
  },
  UNAUTHENTICATED: {
    meaning: 'The credentials are missing or not valid.',
    hint: 'Get a fresh token and send it in "hello" or "auth".',
  },
  FORBIDDEN: {
    meaning: 'The identity may not do this on this topic.',
    hint: 'The message names the action and the topic that were missing.',
  },
  STORE_READ_ONLY: {
    meaning: 'The store cannot write: its disk is full or read-only.',
    hint: 'Free some space or restore write permission; nothing was lost, reading goes on.',
  },
  STORE_UNAVAILABLE: {
    meaning: 'The store failed or is closed.',
    hint: "Look at the server's log; the publish may be sent again.",
  },
  USAGE: {
    meaning: 'The library was called with something that it cannot accept.',
    hint: 'The message names the argument.',
  },
  CLOSED: {
    meaning: 'The client, topic, reader or channel is closed.',
    hint: 'Create a new one.',
  },
  PENDING: {
    meaning: 'The deadline passed before the answer; the message stays in the outbox.',
    hint: 'It is sent as soon as there is a connection; watch the outbox.',
  },
  EXPIRED: {
    meaning: 'The message was not sent within its time to live.',
    hint: 'Publish it again if it still matters.',
  },
  ABORTED: {
    meaning: 'The caller aborted before anything was sent.',
    hint: 'Nothing was sent.',
  },
  UNCERTAIN: {
    meaning: 'The message was sent, and it can no longer be learnt whether it was stored.',
    hint: 'Read the log, then discard it or publish it anew.',
  },
  UNKNOWN_OUTCOME: {
    meaning: 'The connection broke while a call was under way.',
    hint: 'Ask for the state before calling again; calls are never resent by themselves.',
  },
  OUTBOX_FULL: {
    meaning: 'The outbox holds as many messages as it may.',
    hint: 'Wait until some are acknowledged, or raise outboxCountMax.',
  },
  OFFLINE: {
    meaning: 'There is no connection, and this request is not kept for later.',
    hint: 'Try again when the connection is open.',
  },
  BUFFER_FULL: {
    meaning: 'More waits in memory than may: what comes is not read, or what is sent does not leave.',
    hint: 'Read faster, await what "add" returns, or raise the bound.',
  },
  INVALID_URL: {
    meaning: 'The address is not one that a WebSocket can be opened to.',
    hint: 'It begins with "wss://" or "ws://", and has a host and no fragment ("#").',
  },
  CONNECT_TIMEOUT: {
    meaning: 'The server did not answer in time.',
    hint: 'Try again; if it happens always, something between here and there swallows the connection.',
  },
  NETWORK: {
    meaning: 'The connection could not be made; this platform does not say why.',
    hint: 'The console of the browser may say more. Check that this device is online and that the server is running.',
  },
  CONNECTION_LOST: {
    meaning: 'The connection broke without a goodbye.',
    hint: 'Connect again.',
  },
  PROTOCOL_ERROR: {
    meaning: 'The peer broke the WebSocket protocol.',
    hint: 'Check the server, and proxies between here and there.',
  },
};

/** The sentences of a code; `undefined` for one that only a server raises. */
export function errorText(code: ErrorCode): ErrorText | undefined {
  const texts: Readonly<Partial<Record<ErrorCode, ErrorText>>> = CLIENT_TEXTS;
  return texts[code];
}
