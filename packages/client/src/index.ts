export { createClient, type Client, type ClientOptions, type ClientStatus } from './client.ts';
export type { ItemsOptions, ReadOptions, RegisterValue, SetOptions, Signal, Topic } from './topic.ts';
export type { RegisterState, TopicView, ViewOptions, ViewState } from './view.ts';
export type { EntryItem, GapItem, Item, RegisterItem } from './item.ts';
export type { TopicReader } from './reader.ts';
export type { Published } from './row.ts';
export type { OutboxRow, PublishOptions } from './publisher.ts';
export type { AskOptions } from './requests.ts';
export type { Observable } from './observable.ts';
export type { Phase } from './connection-machine.ts';
export { describeStatus, ENGLISH_STATUS, type ConnectionStatus, type StatusWords } from './status.ts';
export { appLifecycle, pageLifecycle, type AppStateLike, type Lifecycle, type LifecycleHint } from './lifecycle.ts';
export type { TokenSource } from './credentials.ts';
export { createMemoryOutbox } from './outbox-memory.ts';
export { createIndexedDbOutbox, type BroadcastClass, type IndexedDbOutboxOptions, type LockSource } from './outbox-indexeddb.ts';
export type { OutboxChanges, OutboxHeir, OutboxIdentity, OutboxRecord, OutboxStore, ProducerRecord, RowRecord } from './outbox.ts';
export { systemClock, type Clock } from './clock.ts';
export { systemRandom, type Random } from './random.ts';
export { WebSocketChannel, type ChannelEnd, type ChannelOptions } from './channel.ts';
export type { ChannelSink } from './channel-sink.ts';
export type { ChannelStream, Message } from './channel-stream.ts';
export { webSocketFactory } from './socket-class.ts';
export type { WebSocketClass, WebSocketLike } from './socket-whatwg.ts';
export type { ClientSocket, SocketEnd, SocketEvents, SocketFactory, SocketOptions } from './socket.ts';
export {
  HoldfastError,
  type BackoffOptions,
  type Data,
  type EntryRecord,
  type ErrorCode,
  type GapReason,
  type Json,
  type Member,
  type Position,
  type ReadPage,
} from '@holdfast/wire';
