/** What a server sends: encoding, and parsing by the client. Stateless; order and legality are the session's. */

import { decodeBinaryEntry, encodeBinaryEntry } from './binary.ts';
import { HoldfastError } from './error.ts';
import { parseJson, type Json } from './json.ts';
import { DEFAULT_LIMITS, DEPTH_LIMIT_MAX } from './limits.ts';
import type { EntryMessage, EntryRecord, ReadPage, ServerMessage } from './messages.ts';
import { isName } from './names.ts';
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

type JsonObject = { readonly [key: string]: Json };
type Announcement = { readonly limits: { keysMax?: number } };

const POSITION = nested({ epoch: nameField, offset: countField, revision: countField });
const MEMBER: Shape = { subject: textField, client: nameField, state: jsonField, since: countField };
const ENTRY: Shape = { offset: seqField, producer: nameField, seq: countField, from: textField, at: countField };

export const READ_PAGE: Shape = { epoch: nameField, first: countField, last: countField, entries: listOf(ENTRY) };

/** What older servers do not announce is optional. */
const LIMITS = nested({
  ...Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((name) => [name, seqField])),
  keysMax: optional(seqField),
});

/** The fields of each message. What a field decides of another is checked beside it, and described in `schema.ts`. */
export const SERVER_SHAPES: Readonly<Record<ServerMessage['type'], Shape>> = {
  welcome: {
    session: textField,
    subject: textField,
    heartbeatMs: seqField,
    spreadMs: countField,
    time: countField,
    expiresAt: optional(countField),
    limits: LIMITS,
  },
  expiring: { expiresAt: countField },
  subscribed: { id: idField, topic: topicField, number: seqField, position: POSITION, head: countField, presence: optional(booleanField) },
  entry: { topic: topicField, ...ENTRY },
  skip: { topic: topicField, first: seqField, last: seqField },
  gap: { topic: topicField, reason: oneOf('retention', 'epoch', 'ahead', 'floor'), before: POSITION, after: POSITION },
  ack: {
    topic: topicField,
    producer: nameField,
    seq: seqField,
    offset: seqField,
    epoch: nameField,
    count: optional(seqField),
    duplicate: optional(booleanField),
    id: optional(idField),
  },
  reply: { id: idField, data: jsonField },
  signal: { topic: topicField, from: textField, client: nameField, data: jsonField },
  presence: {
    topic: topicField,
    event: oneOf('members', 'enter', 'update', 'leave'),
    members: optional(listOf(MEMBER)),
    member: optional(nested(MEMBER)),
  },
  register: { topic: topicField, key: keyField, value: jsonField, revision: seqField },
  error: {
    code: textField,
    message: textField,
    retryable: booleanField,
    hint: optional(textField),
    retryAfterMs: optional(countField),
    id: optional(idField),
    topic: optional(topicField),
    producer: optional(nameField),
    seq: optional(seqField),
  },
  goaway: { reason: textField, spreadMs: countField, alternate: optional(textField) },
  ping: { id: optional(idField), spreadMs: optional(countField) },
  pong: { id: optional(idField) },
};

/**
 * Nesting that a client accepts: room for the envelope of a `read` around the deepest payload of any server's limits. It has
 * no bound of keys: a page of a thousand entries may have any number.
 */
const DEPTH_MAX = DEPTH_LIMIT_MAX + 8;

/** A text frame for a message. Entries have functions of their own, since they are framed once for many. */
export function encodeServerMessage(message: Exclude<ServerMessage, EntryMessage>): string {
  return JSON.stringify(message);
}

/**
 * The text frame of an entry whose payload is JSON, given as its text. The same for every subscriber (HF-9.1).
 * `topic`, `producer` need no escaping by their grammar.
 */
export function encodeEntryText(topic: string, entry: Omit<EntryRecord, 'data'>, json: string): string {
  const { offset, producer, seq, from, at } = entry;
  return `{"type":"entry","topic":"${topic}","offset":${offset},"producer":"${producer}","seq":${seq},"from":${JSON.stringify(from)},"at":${at},"data":${json}}`;
}

/** The binary frame of an entry whose payload is bytes. */
export function encodeEntryBinary(number: number, entry: Omit<EntryRecord, 'data'>, bytes: Uint8Array): Uint8Array {
  const { offset, producer, seq, from, at } = entry;
  return encodeBinaryEntry({ number, offset, producer, seq, from, at, bytes });
}

/** An entry as it stands in the reply to `read` (HF-7.3). */
export function encodeReadEntry({ data, ...fields }: EntryRecord): Json {
  return { ...fields, ...payloadFields(data) };
}

/**
 * Parses one frame of a server. `undefined`: a type that this version does not know, to be ignored (HF-1.5).
 * `topicOf` names the topic of a number. Throws a `HoldfastError` with a code of HF-4.1.
 */
export function parseServerFrame(frame: string | Uint8Array, topicOf: (number: number) => string | undefined): ServerMessage | undefined {
  if (typeof frame !== 'string') return parseBinary(frame, topicOf);
  const value = parseJson(frame, DEPTH_MAX, Number.POSITIVE_INFINITY);
  const type = messageType(value);
  if (!Object.hasOwn(SERVER_SHAPES, type)) return undefined;
  assertShape(type, value, SERVER_SHAPES[type as ServerMessage['type']]);
  if (type === 'entry') return entryMessage(value as JsonObject);
  if (type === 'presence') assertPresence(value as JsonObject);
  // What is not announced bounds nothing.
  if (type === 'welcome') (value as unknown as Announcement).limits.keysMax ??= Number.POSITIVE_INFINITY;
  return value as unknown as ServerMessage;
}

/** The page in the reply to `read`. Throws `BAD_FRAME`. */
export function parseReadPage(data: Json): ReadPage {
  assertShape('reply to read', data, READ_PAGE);
  const { epoch, first, last, entries } = data as unknown as Omit<ReadPage, 'entries'> & { readonly entries: readonly JsonObject[] };
  return { epoch, first, last, entries: entries.map(entryRecord) };
}

function entryRecord(fields: JsonObject): EntryRecord {
  const { offset, producer, seq, from, at } = fields as unknown as EntryRecord;
  return { offset, producer, seq, from, at, data: payloadOf('entry', fields) };
}

function entryMessage(fields: JsonObject): EntryMessage {
  return { type: 'entry', topic: fields['topic'] as string, ...entryRecord(fields) };
}

/** HF-7.6: which of the two fields there must be depends on the event. */
function assertPresence({ event, members, member }: JsonObject): void {
  const missing = event === 'members' ? members === undefined && 'members' : member === undefined && 'member';
  if (missing !== false) throw new HoldfastError('BAD_FRAME', `presence: "${missing}": missing with "event": "${event as string}"`);
}

function parseBinary(frame: Uint8Array, topicOf: (number: number) => string | undefined): EntryMessage {
  const { number, bytes, ...fields } = decodeBinaryEntry(frame);
  const topic = topicOf(number);
  if (fields.offset < 1 || !isName(fields.producer))
    throw new HoldfastError('BAD_BINARY', 'entry: an offset or producer is not legal (HF-1)');
  if (topic === undefined) throw new HoldfastError('BAD_BINARY', `no topic has the number ${number}`);
  return { type: 'entry', topic, ...fields, data: bytes };
}
