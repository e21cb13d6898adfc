/**
 * The messages of the protocol (PROTOCOL.md HF-3 to HF-10) as types. In memory a payload is JSON or a `Uint8Array`;
 * how it travels is the codec's affair.
 */

import type { ErrorCode } from './codes.ts';
import type { Json } from './json.ts';
import type { Limits } from './limits.ts';

/** HF-1.4. */
export type RequestId = string | number;

/** HF-1: what a consumer has processed last. `revision` 0: no register change seen. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
  readonly revision: number;
}

/** HF-1.6: JSON or raw bytes. */
export type Data = Json | Uint8Array;

/** HF-5.1. */
export interface SubscribeRequest {
  readonly id: RequestId;
  readonly topic: string;
  readonly position?: Position;
  readonly last?: number;
  readonly credit?: number;
  readonly presence?: boolean;
}

export interface Hello {
  readonly type: 'hello';
  readonly client: string;
  readonly token?: string;
  readonly subscribe?: readonly SubscribeRequest[];
}
export interface Auth {
  readonly type: 'auth';
  readonly id: RequestId;
  readonly token: string;
}
export interface Subscribe extends SubscribeRequest {
  readonly type: 'subscribe';
}
export interface Unsubscribe {
  readonly type: 'unsubscribe';
  readonly topic: string;
  readonly id?: RequestId;
}
/** HF-6.1. `items` holds one payload, or the payloads of an atomic publish. */
export interface Publish {
  readonly type: 'publish';
  readonly topic: string;
  readonly producer: string;
  readonly seq: number;
  readonly items: readonly Data[];
  readonly epoch?: string;
  readonly ifHead?: number;
  readonly id?: RequestId;
}
export interface Read {
  readonly type: 'read';
  readonly id: RequestId;
  readonly topic: string;
  readonly after?: number;
  readonly before?: number;
  readonly limit?: number;
}
export interface SignalRequest {
  readonly type: 'signal';
  readonly topic: string;
  readonly data: Json;
}
export interface PresenceRequest {
  readonly type: 'presence';
  readonly topic: string;
  /** `null` leaves. */
  readonly state: Json;
  readonly id?: RequestId;
}
export interface RegisterRequest {
  readonly type: 'register';
  readonly id: RequestId;
  readonly topic: string;
  readonly key: string;
  readonly merge: 'max' | 'replace';
  readonly value: Json;
  readonly ifRevision?: number;
}
export interface Call {
  readonly type: 'call';
  readonly id: RequestId;
  readonly method: string;
  readonly data?: Json;
}
export interface Credit {
  readonly type: 'credit';
  readonly topic: string;
  readonly upTo: number;
  /** The log that is meant; for another one it counts for nothing (HF-7.1). */
  readonly epoch?: string;
}
export interface Ping {
  readonly type: 'ping';
  readonly id?: RequestId;
}
export interface Pong {
  readonly type: 'pong';
  readonly id?: RequestId;
}

/** Everything that a client may say. */
export type ClientMessage =
  | Hello
  | Auth
  | Subscribe
  | Unsubscribe
  | Publish
  | Read
  | SignalRequest
  | PresenceRequest
  | RegisterRequest
  | Call
  | Credit
  | Ping
  | Pong;

export interface Welcome {
  readonly type: 'welcome';
  readonly session: string;
  readonly subject: string;
  readonly heartbeatMs: number;
  readonly spreadMs: number;
  readonly time: number;
  /** When the credentials end, ms since 1970 by the server's clock; absent if they do not (HF-3.8). */
  readonly expiresAt?: number;
  readonly limits: Limits;
}
/** HF-3.8: the credentials end soon. */
export interface Expiring {
  readonly type: 'expiring';
  readonly expiresAt: number;
}
export interface Subscribed {
  readonly type: 'subscribed';
  readonly id: RequestId;
  readonly topic: string;
  readonly number: number;
  readonly position: Position;
  readonly head: number;
  /** `false`: members were asked for, and the right to see them is missing (HF-7.6). */
  readonly presence?: boolean;
}
/** HF-5.3: one record of a log as its readers see it. */
export interface EntryRecord {
  readonly offset: number;
  readonly producer: string;
  readonly seq: number;
  readonly from: string;
  readonly at: number;
  readonly data: Data;
}
export interface EntryMessage extends EntryRecord {
  readonly type: 'entry';
  readonly topic: string;
}
export interface Skip {
  readonly type: 'skip';
  readonly topic: string;
  readonly first: number;
  readonly last: number;
}
/** HF-5.7: why history is missing. */
export type GapReason = 'retention' | 'epoch' | 'ahead' | 'floor';
export interface Gap {
  readonly type: 'gap';
  readonly topic: string;
  readonly reason: GapReason;
  readonly before: Position;
  readonly after: Position;
}
export interface Ack {
  readonly type: 'ack';
  readonly topic: string;
  readonly producer: string;
  readonly seq: number;
  readonly offset: number;
  readonly epoch: string;
  readonly count?: number;
  readonly duplicate?: boolean;
  readonly id?: RequestId;
}
export interface Reply {
  readonly type: 'reply';
  readonly id: RequestId;
  readonly data: Json;
}
export interface SignalMessage {
  readonly type: 'signal';
  readonly topic: string;
  readonly from: string;
  readonly client: string;
  readonly data: Json;
}
/** HF-7.6: who is on a topic. */
export interface Member {
  readonly subject: string;
  readonly client: string;
  readonly state: Json;
  readonly since: number;
}
export type PresenceMessage =
  | { readonly type: 'presence'; readonly topic: string; readonly event: 'members'; readonly members: readonly Member[] }
  | { readonly type: 'presence'; readonly topic: string; readonly event: 'enter' | 'update' | 'leave'; readonly member: Member };
export interface RegisterMessage {
  readonly type: 'register';
  readonly topic: string;
  readonly key: string;
  readonly value: Json;
  readonly revision: number;
}
export interface ErrorMessage {
  readonly type: 'error';
  /** A code of this version's table, or one that a newer server knows. */
  readonly code: ErrorCode | (string & {});
  readonly message: string;
  readonly retryable: boolean;
  readonly hint?: string;
  readonly retryAfterMs?: number;
  readonly id?: RequestId;
  readonly topic?: string;
  readonly producer?: string;
  readonly seq?: number;
}
export interface Goaway {
  readonly type: 'goaway';
  readonly reason: string;
  readonly spreadMs: number;
  readonly alternate?: string;
}
/** HF-8.1. */
export interface ServerPing extends Ping {
  /** The spread, where it is not the one announced last (HF-11.3). */
  readonly spreadMs?: number;
}

/** Everything that a server may say. */
export type ServerMessage =
  | Welcome
  | Expiring
  | Subscribed
  | EntryMessage
  | Skip
  | Gap
  | Ack
  | Reply
  | SignalMessage
  | PresenceMessage
  | RegisterMessage
  | ErrorMessage
  | Goaway
  | ServerPing
  | Pong;

/** HF-7.3: the `data` of the reply to `read`, after decoding. */
export interface ReadPage {
  readonly epoch: string;
  readonly first: number;
  readonly last: number;
  readonly entries: readonly EntryRecord[];
}
