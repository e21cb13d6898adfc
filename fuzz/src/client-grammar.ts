/** What a client can say: every message of PROTOCOL.md HF-3 to HF-9, mostly legal. */

import { encodeClientMessage, type Json } from '@holdfast/wire';
import type { Chance } from './chance.ts';
import { count, flag, heavyText, id, name, topic, value, written } from './json-grammar.ts';

type Fields = Record<string, Json>;

/** Fields that may be there. */
function some(chance: Chance, fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(() => chance.is(0.3)));
}

export function position(chance: Chance): Json {
  return { epoch: name(chance), offset: count(chance), ...some(chance, { revision: count(chance) }) };
}

function subscription(chance: Chance): Fields {
  const more = { position: position(chance), last: count(chance), credit: count(chance), presence: flag(chance) };
  return { id: id(chance), topic: topic(chance), ...some(chance, more) };
}

function payload(chance: Chance): Fields {
  return chance.is(0.8) ? { data: value(chance) } : { bytes: chance.pick(['', 'AA==', 'AAEC', 'AB==', '====', 'AAE', '_-==', 'AA=A']) };
}

function publish(chance: Chance): Fields {
  const body = chance.is(0.85) ? payload(chance) : { entries: Array.from({ length: chance.below(7) }, () => payload(chance)) };
  const seq = chance.is(0.9) ? 1 + chance.below(5) : count(chance);
  return {
    topic: topic(chance),
    producer: name(chance),
    seq,
    ...body,
    ...some(chance, { epoch: name(chance), ifHead: count(chance), id: id(chance) }),
  };
}

function register(chance: Chance): Fields {
  const merge = chance.is(0.95) ? chance.pick(['max', 'replace']) : value(chance, 1);
  return {
    id: id(chance),
    topic: topic(chance),
    key: topic(chance),
    merge,
    value: merge === 'max' ? count(chance) : value(chance),
    ...some(chance, { ifRevision: count(chance, 3) }),
  };
}

const MESSAGES: Readonly<Record<string, (chance: Chance) => Fields>> = {
  hello: (chance) => hello(chance),
  auth: (chance) => ({ id: id(chance), token: chance.pick(['alice', 'alice', 'mallory', 'bob', '']) }),
  subscribe: subscription,
  unsubscribe: (chance) => ({ topic: topic(chance), ...some(chance, { id: id(chance) }) }),
  publish,
  read: (chance) => ({
    id: id(chance),
    topic: topic(chance),
    ...(chance.is(0.5) ? { after: count(chance) } : { before: count(chance) }),
    ...some(chance, { limit: count(chance) }),
  }),
  signal: (chance) => ({ topic: topic(chance), data: value(chance) }),
  presence: (chance) => ({ topic: topic(chance), state: chance.is(0.3) ? null : value(chance), ...some(chance, { id: id(chance) }) }),
  register,
  call: (chance) => ({
    id: id(chance),
    method: chance.pick(['echo', 'fail', 'hang', 'none', 'toString']),
    ...some(chance, { data: value(chance) }),
  }),
  credit: (chance) => ({ topic: topic(chance), upTo: count(chance), ...some(chance, { epoch: name(chance) }) }),
  ping: (chance) => some(chance, { id: id(chance) }),
  pong: (chance) => some(chance, { id: id(chance) }),
};
const TYPES = Object.keys(MESSAGES);
/** What is worth most: whatever changes something. */
const FREQUENT = [
  'publish',
  'publish',
  'publish',
  'subscribe',
  'subscribe',
  'register',
  'presence',
  'signal',
  'read',
  'unsubscribe',
  'credit',
];

function hello(chance: Chance): Fields {
  const subscribe = Array.from({ length: chance.below(3) }, () => subscription(chance));
  return {
    client: name(chance),
    token: chance.is(0.9) ? 'alice' : chance.pick(['bob', 'mallory', '', 'short']),
    ...some(chance, { subscribe }),
  };
}

/** The text of a `hello`. */
export function helloText(chance: Chance): string {
  return written({ type: 'hello', ...hello(chance) }, chance);
}

/** The text of any message. */
export function messageText(chance: Chance): string {
  if (chance.is(0.001)) return heavyText(chance);
  if (chance.is(0.02)) return written(value(chance), chance);
  const type = chance.is(0.6) ? chance.pick(FREQUENT) : chance.pick(TYPES);
  const fields: Fields = { type, ...MESSAGES[type]!(chance) };
  if (chance.is(0.04)) delete fields[chance.pick(Object.keys(fields))];
  if (chance.is(0.02)) fields[chance.pick(['type', 'data', 'bytes', 'entries', 'extra'])] = value(chance);
  return written(fields, chance);
}

/** A binary frame, mostly a publish that can be understood (HF-9). */
export function binaryPublish(chance: Chance): Uint8Array {
  const number = chance.is(0.3) ? chance.below(4) : undefined;
  const optional = chance.is(0.3) ? { epoch: chance.pick(['x', 'p']), ifHead: chance.below(4) } : {};
  const frame = encodeClientMessage(
    {
      type: 'publish',
      topic: chance.pick(['t', 'u', 'a/b', 'locked', 'nobody/knows', 'x'.repeat(200)]),
      producer: chance.pick(['p', 'q', 'x'.repeat(64)]),
      seq: chance.is(0.9) ? 1 + chance.below(5) : chance.pick([0, 127, 128, 16_384, 2 ** 53 - 1]),
      items: [chance.bytes(chance.below(chance.is(0.9) ? 8 : 300))],
      ...optional,
    },
    number,
  );
  return frame as Uint8Array;
}
