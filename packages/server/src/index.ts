export { createHub, Hub, type CloseOptions, type HubOptions, type RetentionRule, type TopicRule } from './hub.ts';
export { attach, listen, SUBPROTOCOL, type AttachOptions, type Attachment, type HoldfastServer, type ListenOptions } from './websocket.ts';
export { Endpoint, type CallContext, type EndpointOptions, type Method } from './endpoint.ts';
export {
  anonymous,
  type Action,
  type Authenticate,
  type Authorize,
  type Credentials,
  type Grant,
  type Identity,
  type Question,
} from './rights.ts';
export { parseTopicPattern, type TopicPattern } from './topic-pattern.ts';
export { log, type Admission, type Kind } from './kind.ts';
export type { BeforePublish } from './intake.ts';
export type { PlainClient, PlainHandler, PlainItem } from './plain.ts';
export { createMemoryDisk, createMemoryStore, type MemoryDisk, type MemoryStoreOptions } from './store-memory.ts';
export type {
  Batch,
  DecidedPublish,
  Entry,
  Head,
  Outcome,
  Page,
  PageLimits,
  Payload,
  ProducerMemory,
  Range,
  Register,
  Retention,
  TopicStore,
} from './store.ts';
export { systemClock, type Clock, type Random, type Timer } from './clock.ts';
export type { Socket, SocketListener } from './socket.ts';
export type { Arrival } from './connection.ts';
