/** What a client sends: encoding, and parsing with every check of PROTOCOL.md HF-4.1. Stateless; legality is the session's. */

import { decodeBinaryPublish, encodeBinaryPublish } from './binary.ts';
import { HoldfastError } from './error.ts';
import { isJsonObject, parseJson, type Json } from './json.ts';
import type { Limits } from './limits.ts';
import type { ClientMessage, Data, Hello, Position, Publish, RequestId, SubscribeRequest } from './messages.ts';
import { isName, isTopicName } from './names.ts';
import { payloadFields, payloadOf } from './payload.ts';
import {
  assertShape,
  booleanField,
  countField,
  idField,
  jsonField,
  keyField,
  listOf,
  messageType,
  nameField,
  nested,
  oneOf,
  optional,
  seqField,
  textField,
  topicField,
  type Shape,
} from './shape.ts';

const SUBSCRIPTION: Shape = {
  id: idField,
  topic: topicField,
  position: optional(nested({ epoch: nameField, offset: countField, revision: optional(countField) })),
  last: optional(countField),
  credit: optional(countField),
  presence: optional(booleanField),
};

/** The fields of each message. What a field decides of another is checked beside it, and described in `schema.ts`. */
export const CLIENT_SHAPES: Readonly<Record<ClientMessage['type'], Shape>> = {
  hello: { client: nameField, token: optional(textField), subscribe: optional(listOf(SUBSCRIPTION)) },
  auth: { id: idField, token: textField },
  subscribe: SUBSCRIPTION,
  unsubscribe: { topic: topicField, id: optional(idField) },
  publish: {
    topic: topicField,
    producer: nameField,
    seq: seqField,
    epoch: optional(nameField),
    ifHead: optional(countField),
    id: optional(idField),
  },
  read: { id: idField, topic: topicField, after: optional(countField), before: optional(countField), limit: optional(seqField) },
  signal: { topic: topicField, data: jsonField },
  presence: { topic: topicField, state: jsonField, id: optional(idField) },
  register: {
    id: idField,
    topic: topicField,
    key: keyField,
    merge: oneOf('max', 'replace'),
    value: jsonField,
    ifRevision: optional(countField),
  },
  call: { id: idField, method: textField, data: optional(jsonField) },
  credit: { topic: topicField, upTo: countField, epoch: optional(nameField) },
  ping: { id: optional(idField) },
  pong: { id: optional(idField) },
};

/**
 * A frame for a message. A publish of one payload of bytes becomes a binary frame, with `number` in place of the topic's
 * name where the sender knows it (HF-9.1); everything else is JSON, a publish with an id too: the binary layout has none.
 * Throws `USAGE` for a number that no varint can hold.
 */
export function encodeClientMessage(message: ClientMessage, number?: number): string | Uint8Array {
  if (message.type !== 'publish') return JSON.stringify(message);
  const { items, ...fields } = message;
  const [only] = items;
  if (items.length === 1 && only instanceof Uint8Array && fields.id === undefined) {
    const { topic, producer, seq, epoch, ifHead } = fields;
    return encodeBinaryPublish({
      number: number ?? 0,
      ...(number === undefined ? { topic } : {}),
      producer,
      seq,
      ...(epoch === undefined ? {} : { epoch }),
      ...(ifHead === undefined ? {} : { ifHead }),
      bytes: only,
    });
  }
  return JSON.stringify(
    items.length === 1 ? { ...fields, ...payloadFields(only as Data) } : { ...fields, entries: items.map(payloadFields) },
  );
}

/**
 * Parses one frame of a client. `topicOf` names the topic of a number. Throws a `HoldfastError` with one of the codes of
 * HF-4.1; `requestIdOf` then finds the id to answer to.
 */
export function parseClientFrame(
  frame: string | Uint8Array,
  limits: Limits,
  topicOf: (number: number) => string | undefined,
): ClientMessage {
  if (typeof frame !== 'string') return parseBinary(frame, topicOf);
  const value = parseJson(frame, limits.depthMax, limits.keysMax);
  const type = messageType(value);
  if (!Object.hasOwn(CLIENT_SHAPES, type)) throw new HoldfastError('UNKNOWN_TYPE', `no message of type "${type.slice(0, 40)}"`);
  assertShape(type, value, CLIENT_SHAPES[type as ClientMessage['type']]);
  const fields = value as unknown as ClientMessage & { readonly [key: string]: Json };
  switch (fields.type) {
    case 'hello':
      return hello(fields, limits);
    case 'subscribe':
      return { type: 'subscribe', ...subscription(fields) };
    case 'publish':
      return publish(fields, limits);
    case 'read':
      if ((fields.after === undefined) === (fields.before === undefined))
        throw new HoldfastError('BAD_FRAME', 'read: want either "after" or "before"');
      return fields;
    case 'register':
      if (fields.merge === 'max' && typeof fields.value !== 'number')
        throw new HoldfastError('BAD_FRAME', 'register: "value": want a number with "merge": "max"');
      return fields;
    case 'auth':
    case 'unsubscribe':
    case 'signal':
    case 'presence':
    case 'call':
    case 'credit':
    case 'ping':
    case 'pong':
      return fields;
  }
}

/** What an answer to a frame belongs to (HF-10.1). */
export interface FrameSubject {
  readonly id?: RequestId;
  readonly topic?: string;
  readonly producer?: string;
  readonly seq?: number;
}

/** What a frame that could not be carried out belongs to, as far as it can be read (HF-4.1): its id, a publish's seq. */
export function frameSubject(frame: string | Uint8Array): FrameSubject {
  const fields = peek(frame);
  if (fields === undefined) return {};
  const { type, id, topic, producer, seq } = fields;
  const isPublish = type === 'publish' && topicField.test(topic) && nameField.test(producer) && seqField.test(seq);
  return {
    ...(idField.test(id) ? { id: id as RequestId } : {}),
    ...(isPublish ? { topic: topic as string, producer: producer as string, seq: seq as number } : {}),
  };
}

/** The id of a frame that could not be carried out, where one can be read (HF-4.1). */
export function requestIdOf(frame: string | Uint8Array): RequestId | undefined {
  return frameSubject(frame).id;
}

/** Whether a frame is meant as a `hello`, legal or not: what tells a Holdfast client from a plain one (HF-2.4). */
export function isHelloFrame(frame: string | Uint8Array): boolean {
  return peek(frame)?.['type'] === 'hello';
}

/** The object in a frame without any check; `undefined` if there is none. */
function peek(frame: string | Uint8Array): { readonly [key: string]: Json } | undefined {
  if (typeof frame !== 'string') return undefined;
  try {
    const value: unknown = JSON.parse(frame);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function hello(fields: Hello, limits: Limits): Hello {
  const { client, token, subscribe } = fields;
  if (subscribe !== undefined && subscribe.length > limits.topicsPerFrameMax) {
    throw new HoldfastError('BAD_FRAME', `hello: "subscribe": at most ${limits.topicsPerFrameMax} topics in one frame`);
  }
  const requests = subscribe?.map(subscription);
  return { type: 'hello', client, ...(token === undefined ? {} : { token }), ...(requests === undefined ? {} : { subscribe: requests }) };
}

/** A subscription as it comes: a position may lack its revision. */
type ReceivedSubscription = Omit<SubscribeRequest, 'position'> & { readonly position?: Omit<Position, 'revision'> & Partial<Position> };

/** Copies the known fields, and makes a missing revision 0. */
function subscription({ id, topic, position, last, credit, presence }: ReceivedSubscription): SubscribeRequest {
  return {
    id,
    topic,
    ...(position === undefined ? {} : { position: { epoch: position.epoch, offset: position.offset, revision: position.revision ?? 0 } }),
    ...(last === undefined ? {} : { last }),
    ...(credit === undefined ? {} : { credit }),
    ...(presence === undefined ? {} : { presence }),
  };
}

function publish(fields: { readonly [key: string]: Json }, limits: Limits): Publish {
  const { topic, producer, seq, epoch, ifHead, id, entries } = fields;
  const items = entries === undefined ? [payloadOf('publish', fields)] : atomicItems(entries, fields, limits);
  return {
    type: 'publish',
    topic: topic as string,
    producer: producer as string,
    seq: seq as number,
    items,
    ...(epoch === undefined ? {} : { epoch: epoch as string }),
    ...(ifHead === undefined ? {} : { ifHead: ifHead as number }),
    ...(id === undefined ? {} : { id: id as RequestId }),
  };
}

function atomicItems(entries: Json, fields: { readonly [key: string]: Json }, limits: Limits): Data[] {
  const isLegal = Array.isArray(entries) && entries.length >= 1 && entries.length <= limits.entriesPerPublishMax;
  if (!isLegal || fields['data'] !== undefined || fields['bytes'] !== undefined) {
    throw new HoldfastError(
      'BAD_FRAME',
      `publish: "entries": want a list of 1 to ${limits.entriesPerPublishMax} payloads, without "data" or "bytes" beside it`,
    );
  }
  return (entries as readonly Json[]).map((entry, index) => payloadOf(`publish: "entries[${index}]"`, entry));
}

function parseBinary(frame: Uint8Array, topicOf: (number: number) => string | undefined): Publish {
  const { number, topic = topicOf(number), producer, seq, epoch, ifHead, bytes } = decodeBinaryPublish(frame);
  if (topic === undefined) throw new HoldfastError('BAD_BINARY', `no topic has the number ${number}`);
  if (!isTopicName(topic) || !isName(producer) || seq < 1 || (epoch !== undefined && !isName(epoch))) {
    throw new HoldfastError('BAD_BINARY', 'publish: a topic, producer, seq or epoch is not legal (HF-1)');
  }
  return {
    type: 'publish',
    topic,
    producer,
    seq,
    items: [bytes],
    ...(epoch === undefined ? {} : { epoch }),
    ...(ifHead === undefined ? {} : { ifHead }),
  };
}
