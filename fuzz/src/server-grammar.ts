/** What a server can say: every message of PROTOCOL.md HF-3 to HF-10, in its place at times and at times not. */

import { DEFAULT_LIMITS, encodeEntryBinary, ERROR_CODES, type Json } from '@holdfast/wire';
import type { Chance } from './chance.ts';
import { position } from './client-grammar.ts';
import { count, flag, heavyText, id, name, topic, value, written } from './json-grammar.ts';

type Fields = Record<string, Json>;

function some(chance: Chance, fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(() => chance.is(0.3)));
}

function place(chance: Chance): Json {
  return { epoch: chance.pick(['x', 'y']), offset: count(chance, 4), revision: count(chance, 3) };
}

function entry(chance: Chance): Fields {
  const body = chance.is(0.8) ? { data: value(chance) } : { bytes: chance.pick(['', 'AAEC', 'AB==', '=']) };
  return {
    offset: 1 + chance.below(6),
    producer: name(chance),
    seq: count(chance),
    from: chance.pick(['alice', 'bob', '']),
    at: count(chance),
    ...body,
  };
}

function member(chance: Chance): Json {
  return { subject: chance.pick(['alice', 'bob']), client: name(chance), state: value(chance, 1), since: count(chance) };
}

function welcome(chance: Chance): Fields {
  const limits: Fields = { ...DEFAULT_LIMITS, ...(chance.is(0.3) ? { [chance.pick(Object.keys(DEFAULT_LIMITS))]: count(chance, 3) } : {}) };
  if (chance.is(0.1)) delete limits['keysMax'];
  const heartbeatMs = chance.is(0.8) ? 25_000 : chance.pick([1, 50, 2 ** 31, 2 ** 53 - 1, 0]);
  const spreadMs = chance.is(0.8) ? 100 : chance.pick([0, 2 ** 31, 2 ** 53 - 1]);
  const more = { expiresAt: chance.pick([0, 1, 1_767_225_600_000, 1_767_225_640_000, 2 ** 53 - 1]) };
  return {
    session: 's',
    subject: chance.pick(['alice', 'alice', 'bob', '']),
    heartbeatMs,
    spreadMs,
    time: count(chance),
    ...some(chance, more),
    limits,
  };
}

const MESSAGES: Readonly<Record<string, (chance: Chance) => Fields>> = {
  welcome,
  expiring: (chance) => ({ expiresAt: count(chance) }),
  subscribed: (chance) => ({
    id: id(chance),
    topic: topic(chance),
    number: 1 + chance.below(4),
    position: place(chance),
    head: count(chance),
    ...some(chance, { presence: flag(chance) }),
  }),
  entry: (chance) => ({ topic: topic(chance), ...entry(chance) }),
  skip: (chance) => ({ topic: topic(chance), first: 1 + chance.below(6), last: 1 + chance.below(8) }),
  gap: (chance) => ({
    topic: topic(chance),
    reason: chance.pick(['retention', 'epoch', 'ahead', 'floor', 'none']),
    before: place(chance),
    after: place(chance),
  }),
  ack: (chance) => ({
    topic: topic(chance),
    producer: name(chance),
    seq: 1 + chance.below(4),
    offset: 1 + chance.below(6),
    epoch: chance.pick(['x', 'y']),
    ...some(chance, { count: count(chance), duplicate: flag(chance), id: id(chance) }),
  }),
  reply: (chance) => ({ id: id(chance), data: chance.is(0.6) ? replyData(chance) : value(chance) }),
  signal: (chance) => ({ topic: topic(chance), from: 'bob', client: name(chance), data: value(chance) }),
  presence: (chance) => ({
    topic: topic(chance),
    event: chance.pick(['members', 'enter', 'update', 'leave']),
    ...(chance.is(0.5) ? { members: [member(chance), member(chance)] } : {}),
    ...(chance.is(0.7) ? { member: member(chance) } : {}),
  }),
  register: (chance) => ({ topic: topic(chance), key: topic(chance), value: value(chance), revision: 1 + chance.below(4) }),
  error: (chance) => ({
    code: chance.pick([...Object.keys(ERROR_CODES), 'NEW_CODE', '__proto__']),
    message: 'm',
    retryable: flag(chance),
    ...some(chance, {
      hint: 'h',
      retryAfterMs: count(chance, 5_000),
      id: id(chance),
      topic: topic(chance),
      producer: name(chance),
      seq: 1 + chance.below(4),
    }),
  }),
  goaway: (chance) => ({
    reason: 'r',
    spreadMs: count(chance, 500),
    ...some(chance, { alternate: chance.pick(['ws://elsewhere', 'wss://e', 'http://x', '', ':', 'ws://']) }),
  }),
  ping: (chance) => some(chance, { id: id(chance), spreadMs: count(chance, 500) }),
  pong: (chance) => some(chance, { id: id(chance) }),
};
const TYPES = Object.keys(MESSAGES);
const FREQUENT = ['subscribed', 'subscribed', 'entry', 'entry', 'entry', 'gap', 'skip', 'ack', 'ack', 'register', 'reply', 'error'];

function replyData(chance: Chance): Json {
  if (chance.is(0.4)) return { subject: 'alice', ...some(chance, { expiresAt: count(chance) }) };
  if (chance.is(0.5)) return { key: 'k', value: value(chance, 1), revision: count(chance) };
  return { epoch: 'x', first: count(chance), last: count(chance), entries: Array.from({ length: chance.below(3) }, () => entry(chance)) };
}

export function welcomeText(chance: Chance): string {
  return written({ type: 'welcome', ...welcome(chance) }, chance);
}

/** The text of any message of a server. */
export function serverText(chance: Chance): string {
  if (chance.is(0.001)) return heavyText(chance);
  if (chance.is(0.02)) return written(chance.is(0.5) ? value(chance) : { type: 'news', position: position(chance) }, chance);
  const type = chance.is(0.6) ? chance.pick(FREQUENT) : chance.pick(TYPES);
  const fields: Fields = { type, ...MESSAGES[type]!(chance) };
  if (chance.is(0.04)) delete fields[chance.pick(Object.keys(fields))];
  return written(fields, chance);
}

/** A binary entry (HF-9). */
export function binaryEntry(chance: Chance): Uint8Array {
  const fields = {
    offset: chance.is(0.9) ? 1 + chance.below(6) : chance.pick([0, 127, 128, 2 ** 53 - 1]),
    producer: chance.pick(['p', 'x'.repeat(64), 'ü', '']),
    seq: chance.below(5),
    from: chance.pick(['alice', '', 'é😀', 'x'.repeat(256)]),
    at: chance.pick([0, 1_767_225_600_000, 2 ** 53 - 1]),
  };
  return encodeEntryBinary(chance.below(5), fields, chance.bytes(chance.below(10)));
}
