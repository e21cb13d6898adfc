export { createHub, Hub, type CloseOptions, type ConnectionFilter, type HubOptions, type RetentionRule, type TopicRule } from './hub.ts';
export { Actor, type FollowOptions, type PublishOptions } from './actor.ts';
export type { Published } from './speaker.ts';
export { LIMIT_NAMES, NODE_LIMITS, type LimitChanges, type LimitName, type NodeLimitRow, type NodeLimits } from './node-limits.ts';
export { Counters, type HubStats } from './counters.ts';
export type { ConnectionFacts, HubEvent } from './events.ts';
export { isSystemTopic, SYSTEM_PREFIX } from './system-topic.ts';
export { listen, type HoldfastServer, type ListenOptions } from './listen.ts';
export { attach, SUBPROTOCOL, type AttachOptions, type Attachment } from './websocket.ts';
export { parseOrigins, type OriginRequest, type OriginRule } from './origin.ts';
export type { TlsOptions, TlsStatus } from './tls.ts';
export { addressGroup, clientAddress, parseTrustedProxies, type AddressedRequest, type TrustedProxies } from './client-address.ts';
export { Endpoint, type CallContext, type EndpointOptions, type Method } from './endpoint.ts';
export {
  ACTIONS,
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
export { SharedFrame, type Frame } from './shared-frame.ts';
export type { Arrival } from './connection.ts';
