/** The entry `@holdfast/client/connection`: channel and connection, for any WebSocket server, without the Holdfast client. */

export { WebSocketChannel, type ChannelEnd, type ChannelOptions } from './channel.ts';
export type { ChannelSink } from './channel-sink.ts';
export type { ChannelStream, Message } from './channel-stream.ts';
export {
  createConnection,
  type Connection,
  type ConnectionEnd,
  type ConnectionOptions,
  type ConnectionSink,
  type HeartbeatOptions,
} from './connection.ts';
export type { MessageSource } from './message-source.ts';
export type { Phase } from './connection-machine.ts';
export { describeStatus, ENGLISH_STATUS, type ConnectionStatus, type StatusWords } from './status.ts';
export { appLifecycle, pageLifecycle, type AppStateLike, type Lifecycle, type LifecycleHint } from './lifecycle.ts';
export type { TokenSource } from './credentials.ts';
export type { Observable } from './observable.ts';
export { webSocketFactory } from './socket-class.ts';
export type { WebSocketClass, WebSocketLike } from './socket-whatwg.ts';
export type { ClientSocket, SocketEnd, SocketEvents, SocketFactory, SocketOptions } from './socket.ts';
export { systemClock, type Clock } from './clock.ts';
export { systemRandom, type Random } from './random.ts';
export { HoldfastError, type BackoffOptions, type CloseAdvice, type ErrorCode } from '@holdfast/wire';
