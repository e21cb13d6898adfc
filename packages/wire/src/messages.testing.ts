/**
 * Every legal message of the protocol as an arbitrary, for the property tests. Written from PROTOCOL.md, not from the
 * shapes that the parsers use, so that the two check each other.
 */

import * as fc from 'fast-check';
import { DEFAULT_LIMITS } from './limits.ts';
import type { Json } from './json.ts';
import type { ClientMessage, Data, EntryMessage, EntryRecord, Member, Position, ServerMessage, SubscribeRequest } from './messages.ts';

const INTEGER_MAX = Number.MAX_SAFE_INTEGER;

/** Half small, half anywhere up to 2^53 - 1. */
function integers(min: number, max: number = INTEGER_MAX): fc.Arbitrary<number> {
  return fc.oneof(fc.integer({ min, max: min + 300 }), fc.integer({ min, max }), fc.constant(max));
}

/** Any string at all, lone surrogates included. */
export const strings: fc.Arbitrary<string> = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: fc.nat(0xffff).map((unit) => String.fromCharCode(unit)), maxLength: 10 }),
);

/** Strings without lone surrogates, which UTF-8 can hold. */
export const wellFormedStrings: fc.Arbitrary<string> = fc.string({ unit: 'grapheme', maxLength: 40 });

/** JSON values as JSON itself yields them, so without -0 and `__proto__`. */
export const jsonValues: fc.Arbitrary<Json> = fc
  .jsonValue({ maxDepth: 4 })
  .map((value) => JSON.stringify(value))
  .filter((text) => !text.includes('__proto__'))
  .map((text) => JSON.parse(text) as Json);

export const bytes: fc.Arbitrary<Uint8Array> = fc.uint8Array({ maxLength: 40 }).map((values) => Uint8Array.from(values));

const TOPIC_CHARACTERS = 'ABCXYZabcxyz0189_.:@~+=,-';
const NAME_CHARACTERS = 'ABCXYZabcxyz0189_.~-';

function texts(characters: string, maxLength: number): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...characters), minLength: 1, maxLength });
}

export const topics: fc.Arbitrary<string> = fc
  .array(texts(TOPIC_CHARACTERS, 20), { minLength: 1, maxLength: 5 })
  .map((segments) => segments.join('/'));
export const names: fc.Arbitrary<string> = texts(NAME_CHARACTERS, 64);

const ids = fc.oneof(
  strings.map((text) => `i${text}`),
  fc.maxSafeInteger().map((id) => id + 0),
);
const counts = integers(0);
const seqs = integers(1);
const positions: fc.Arbitrary<Position> = record({ epoch: names, offset: counts, revision: counts });
const subscriptions: fc.Arbitrary<SubscribeRequest> = record(
  { id: ids, topic: topics },
  { position: positions, last: counts, credit: counts, presence: fc.boolean() },
);

/** A record with keys that may be missing. */
function record<Required extends object, Optional extends object = object>(
  required: { [Key in keyof Required]: fc.Arbitrary<Required[Key]> },
  optional: { [Key in keyof Optional]: fc.Arbitrary<Optional[Key]> } = {} as never,
): fc.Arbitrary<Required & Partial<Optional>> {
  const requiredKeys = Object.keys(required) as (keyof (Required & Optional))[];
  return fc.record({ ...required, ...optional } as never, { requiredKeys, noNullPrototype: true } as never) as fc.Arbitrary<
    Required & Partial<Optional>
  >;
}

function type<const Type extends string>(name: Type): { readonly type: fc.Arbitrary<Type> } {
  return { type: fc.constant(name) };
}

const payloads: fc.Arbitrary<Data> = fc.oneof(jsonValues, bytes);
const publishFields = { ...type('publish'), topic: topics, producer: names, seq: seqs };

/** A publish of one payload of bytes and no id, which travels as a binary frame: its `ifHead` ends one earlier. */
export const binaryPublishes = record({ ...publishFields, items: fc.tuple(bytes) }, { epoch: names, ifHead: integers(0, INTEGER_MAX - 1) });

const textPublishes = record(
  { ...publishFields, items: fc.oneof(fc.tuple(jsonValues), fc.array(payloads, { minLength: 2, maxLength: 5 })) },
  { epoch: names, ifHead: counts, id: ids },
);

export const CLIENT_MESSAGES: { readonly [Type in ClientMessage['type']]: fc.Arbitrary<ClientMessage> } = {
  hello: record({ ...type('hello'), client: names }, { token: strings, subscribe: fc.array(subscriptions, { maxLength: 4 }) }),
  auth: record({ ...type('auth'), id: ids, token: strings }),
  subscribe: subscriptions.map((request) => ({ type: 'subscribe', ...request })),
  unsubscribe: record({ ...type('unsubscribe'), topic: topics }, { id: ids }),
  publish: fc.oneof(binaryPublishes, textPublishes, record({ ...publishFields, items: fc.tuple(bytes), id: ids }, { ifHead: counts })),
  read: fc.oneof(
    record({ ...type('read'), id: ids, topic: topics, after: counts }, { limit: seqs }),
    record({ ...type('read'), id: ids, topic: topics, before: counts }, { limit: seqs }),
  ),
  signal: record({ ...type('signal'), topic: topics, data: jsonValues }),
  presence: record({ ...type('presence'), topic: topics, state: jsonValues }, { id: ids }),
  register: fc.oneof(
    record(
      { ...type('register'), id: ids, topic: topics, key: topics, merge: fc.constant('replace'), value: jsonValues },
      { ifRevision: counts },
    ),
    record({ ...type('register'), id: ids, topic: topics, key: topics, merge: fc.constant('max'), value: fc.integer() }),
  ),
  call: record({ ...type('call'), id: ids, method: strings }, { data: jsonValues }),
  credit: record({ ...type('credit'), topic: topics, upTo: counts }, { epoch: names }),
  ping: record(type('ping'), { id: ids }),
  pong: record(type('pong'), { id: ids }),
};

export const clientMessages: fc.Arbitrary<ClientMessage> = fc.oneof(...Object.values(CLIENT_MESSAGES));

const limits = fc.constantFrom(DEFAULT_LIMITS, { ...DEFAULT_LIMITS, frameBytesMax: 1, depthMax: 120 });
const members: fc.Arbitrary<Member> = record({ subject: strings, client: names, state: jsonValues, since: counts });

/** `from` is well formed, as every subject is: binary frames hold UTF-8. */
export const entryRecords: fc.Arbitrary<EntryRecord> = record({
  offset: seqs,
  producer: names,
  seq: counts,
  from: wellFormedStrings,
  at: counts,
  data: payloads,
});
export const entryMessages: fc.Arbitrary<EntryMessage> = fc
  .tuple(topics, entryRecords)
  .map(([topic, entry]) => ({ type: 'entry', topic, ...entry }));

export const SERVER_MESSAGES: {
  readonly [Type in Exclude<ServerMessage, EntryMessage>['type']]: fc.Arbitrary<Exclude<ServerMessage, EntryMessage>>;
} = {
  welcome: record(
    { ...type('welcome'), session: strings, subject: strings, heartbeatMs: seqs, spreadMs: counts, time: counts, limits },
    { expiresAt: counts },
  ),
  expiring: record({ ...type('expiring'), expiresAt: counts }),
  subscribed: record({ ...type('subscribed'), id: ids, topic: topics, number: seqs, position: positions, head: counts }),
  skip: record({ ...type('skip'), topic: topics, first: seqs, last: seqs }),
  gap: record({
    ...type('gap'),
    topic: topics,
    reason: fc.constantFrom('retention', 'epoch', 'ahead', 'floor'),
    before: positions,
    after: positions,
  }),
  ack: record(
    { ...type('ack'), topic: topics, producer: names, seq: seqs, offset: seqs, epoch: names },
    { count: seqs, duplicate: fc.boolean(), id: ids },
  ),
  reply: record({ ...type('reply'), id: ids, data: jsonValues }),
  signal: record({ ...type('signal'), topic: topics, from: strings, client: names, data: jsonValues }),
  presence: fc.oneof(
    record({ ...type('presence'), topic: topics, event: fc.constant('members'), members: fc.array(members, { maxLength: 3 }) }),
    record({ ...type('presence'), topic: topics, event: fc.constantFrom('enter', 'update', 'leave'), member: members }),
  ),
  register: record({ ...type('register'), topic: topics, key: topics, value: jsonValues, revision: seqs }),
  error: record(
    { ...type('error'), code: strings, message: strings, retryable: fc.boolean() },
    { hint: strings, retryAfterMs: counts, id: ids, topic: topics, producer: names, seq: seqs },
  ),
  goaway: record({ ...type('goaway'), reason: strings, spreadMs: counts }, { alternate: strings }),
  ping: record(type('ping'), { id: ids }),
  pong: record(type('pong'), { id: ids }),
};

export const serverMessages: fc.Arbitrary<Exclude<ServerMessage, EntryMessage>> = fc.oneof(...Object.values(SERVER_MESSAGES));
