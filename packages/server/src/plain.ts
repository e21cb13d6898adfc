/**
 * Plain clients: any WebSocket client, no subprotocol, no reserved words (PROTOCOL.md HF-13). A path's plain handler
 * gets what they send and speaks for them with the hub's own means.
 */

import {
  DEFAULT_LIMITS,
  HoldfastError,
  isJsonObject,
  parseJson,
  type Data,
  type EntryRecord,
  type Gap,
  type Json,
  type Position,
} from '@holdfast/wire';
import type { Identity } from './rights.ts';

/** What a followed topic gives. */
export type PlainItem = ({ readonly type: 'entry' } & EntryRecord) | Gap;

/** One plain client, as its handler sees it. */
export interface PlainClient {
  readonly identity: Identity;
  /** Sends text, bytes, or a JSON value as text. */
  send(message: string | Uint8Array | Json): void;
  /** Publishes on the client's behalf; rights are asked. Rejects with a refusal. */
  publish(topic: string, data: Data): Promise<{ readonly offset: number }>;
  /** Follows a topic from `position`, from the newest `last` entries, or from now on. Following twice changes nothing. */
  follow(topic: string, from: { readonly position?: Position; readonly last?: number }, onItem: (item: PlainItem) => void): Promise<void>;
  unfollow(topic: string): void;
  close(code?: number, reason?: string): void;
}

export interface PlainHandler {
  /** By the `type` of a JSON object. */
  readonly messages?: Readonly<Record<string, (message: { readonly [key: string]: Json }, client: PlainClient) => void | Promise<void>>>;
  /** Text that is no JSON object with a known type. Default: an error is answered. */
  readonly text?: (text: string, client: PlainClient) => void | Promise<void>;
  readonly bytes?: (bytes: Uint8Array, client: PlainClient) => void | Promise<void>;
  readonly opened?: (client: PlainClient) => void | Promise<void>;
  readonly closed?: (client: PlainClient) => void;
}

/** Hands one frame to the handler. Rejects with a `HoldfastError` that can be answered. */
export async function handlePlainFrame(handler: PlainHandler, client: PlainClient, frame: string | Uint8Array): Promise<void> {
  if (typeof frame !== 'string') {
    if (handler.bytes === undefined) throw new HoldfastError('BAD_FRAME', 'this path takes text frames only');
    return handler.bytes(frame, client);
  }
  const message = readMessage(frame);
  const type = message?.['type'];
  const { messages = {} } = handler;
  if (message !== undefined && typeof type === 'string' && Object.hasOwn(messages, type)) return messages[type]!(message, client);
  if (handler.text !== undefined) return handler.text(frame, client);
  if (message === undefined) throw new HoldfastError('BAD_FRAME', 'want a JSON object with "type", a string');
  throw new HoldfastError(
    'UNKNOWN_TYPE',
    `no handler for the type ${JSON.stringify(type ?? null).slice(0, 60)}; there is ${Object.keys(messages).join(', ')}`,
  );
}

/** `undefined` for text that is no JSON object. Throws `TOO_DEEP`, `TOO_MANY_KEYS` and `FORBIDDEN_KEY`, as for any JSON from outside. */
function readMessage(text: string): { readonly [key: string]: Json } | undefined {
  try {
    const value = parseJson(text, DEFAULT_LIMITS.depthMax, DEFAULT_LIMITS.keysMax);
    return isJsonObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'BAD_JSON') return undefined;
    throw error;
  }
}
