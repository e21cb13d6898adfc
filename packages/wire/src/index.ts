export { CLOSE_CODES, closeAdvice, ERROR_CODES, isErrorCode, type CloseAdvice, type ErrorCode, type ErrorCodeRow } from './codes.ts';
export { closeReason } from './close-reason.ts';
export { HoldfastError, type HoldfastErrorOptions } from './error.ts';
export { assertJson, isJsonObject, parseJson, type Json } from './json.ts';
export { isName, isRegisterKey, isTopicName, KEY_LENGTH_MAX, TOPIC_LENGTH_MAX } from './names.ts';
export { DEFAULT_LIMITS, LIMIT_MEANINGS, limitMinimum, limitsWith, type Limits } from './limits.ts';
export type {
  Ack,
  Auth,
  Call,
  ClientMessage,
  Credit,
  Data,
  EntryMessage,
  EntryRecord,
  ErrorMessage,
  Expiring,
  Gap,
  GapReason,
  Goaway,
  Hello,
  Member,
  Ping,
  Pong,
  Position,
  PresenceMessage,
  PresenceRequest,
  Publish,
  Read,
  ReadPage,
  RegisterMessage,
  RegisterRequest,
  Reply,
  RequestId,
  ServerMessage,
  ServerPing,
  SignalMessage,
  SignalRequest,
  Skip,
  Subscribe,
  Subscribed,
  SubscribeRequest,
  Unsubscribe,
  Welcome,
} from './messages.ts';
export { ClientSession, ProtocolError, type ClientPhase } from './client-session.ts';
export { errorMessage, ServerSession, type Received, type ServerPhase, type ServerSessionOptions } from './server-session.ts';
export { encodeClientMessage, frameSubject, isHelloFrame, parseClientFrame, requestIdOf, type FrameSubject } from './client-frames.ts';
export {
  encodeEntryBinary,
  encodeEntryText,
  encodeReadEntry,
  encodeServerMessage,
  parseReadPage,
  parseServerFrame,
} from './server-frames.ts';
export { backoffDelayMs, type BackoffOptions } from './backoff.ts';
export { decodeBase64, encodeBase64 } from './base64.ts';
export { utf8Length } from './utf8.ts';
