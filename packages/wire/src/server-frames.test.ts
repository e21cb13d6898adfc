import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { codeOf, errorOf } from './error.testing.ts';
import type { Json } from './json.ts';
import { DEFAULT_LIMITS, DEPTH_LIMIT_MAX } from './limits.ts';
import type { ServerMessage } from './messages.ts';
import {
  SERVER_MESSAGES,
  bytes,
  entryMessages,
  entryRecords,
  jsonValues,
  names,
  serverMessages,
  strings,
  topics,
} from './messages.testing.ts';
import { isTopicName, isName } from './names.ts';
import {
  encodeEntryBinary,
  encodeEntryText,
  encodeReadEntry,
  encodeServerMessage,
  parseReadPage,
  parseServerFrame,
} from './server-frames.ts';

const NO_TOPICS = (): undefined => undefined;

function parse(frame: string | Uint8Array): ServerMessage | undefined {
  return parseServerFrame(frame, NO_TOPICS);
}

describe('HF-4: every message comes back', () => {
  test.each(Object.entries(SERVER_MESSAGES))('%s', (type, messages) => {
    fc.assert(
      fc.property(messages, (message) => {
        expect(message.type).toBe(type);
        expect(parse(encodeServerMessage(message))).toStrictEqual(message);
      }),
    );
  });

  test('entry, as text or as bytes by its payload', () => {
    fc.assert(
      fc.property(entryMessages, fc.integer({ min: 1, max: 2 ** 40 }), ({ type, topic, data, ...fields }, number) => {
        const frame =
          data instanceof Uint8Array ? encodeEntryBinary(number, fields, data) : encodeEntryText(topic, fields, JSON.stringify(data));
        expect(parseServerFrame(frame, (found) => (found === number ? topic : undefined))).toStrictEqual({ type, topic, ...fields, data });
      }),
    );
  });

  test('HF-5.3: an entry of bytes may come as text too', () => {
    const frame = '{"type":"entry","topic":"t","offset":1,"producer":"p","seq":1,"from":"alice","at":0,"bytes":"AQI="}';
    expect(parse(frame)).toStrictEqual({
      type: 'entry',
      topic: 't',
      offset: 1,
      producer: 'p',
      seq: 1,
      from: 'alice',
      at: 0,
      data: Uint8Array.of(1, 2),
    });
  });

  test('HF-7.3: the page of a read', () => {
    fc.assert(
      fc.property(names, fc.array(entryRecords, { maxLength: 5 }), (epoch, entries) => {
        const reply = parse(
          encodeServerMessage({ type: 'reply', id: 1, data: { epoch, first: 0, last: 9, entries: entries.map(encodeReadEntry) } }),
        );
        expect(parseReadPage((reply as { data: Json }).data)).toStrictEqual({ epoch, first: 0, last: 9, entries });
      }),
    );
  });

  test('HF-1.5: a type that is not known is undefined, and fields that are not known are let be', () => {
    for (const type of ['snapshot', '', 'hello', 'constructor', 'toString', '__proto__'])
      expect(parse(JSON.stringify({ type, topic: 7 }))).toBeUndefined();
    expect(parse('{"type":"skip","topic":"t","first":1,"last":2,"why":"secret"}')).toMatchObject({ type: 'skip', first: 1, last: 2 });
  });

  test('HF-10.1: an error with a code of a later version is understood', () => {
    expect(parse('{"type":"error","code":"TOO_PURPLE","message":"no","retryable":true}')).toMatchObject({
      code: 'TOO_PURPLE',
      retryable: true,
    });
  });
});

describe('HF-5.3: an entry is framed once, without escaping its names', () => {
  test('no character of a topic or a name needs an escape in JSON', () => {
    const units = Array.from({ length: 0x10000 }, (_, unit) => String.fromCharCode(unit));
    const embedded = units.filter((unit) => isTopicName(`a${unit}a`) || isName(unit));
    expect(embedded).toHaveLength(72);
    expect(embedded.filter((unit) => JSON.stringify(unit) !== `"${unit}"`)).toEqual([]);
  });

  test('the text is that of JSON.stringify, whatever the subject and the payload are', () => {
    fc.assert(
      fc.property(topics, entryRecords, strings, jsonValues, (topic, record, from, data) => {
        const { offset, producer, seq, at } = record;
        expect(encodeEntryText(topic, { ...record, from }, JSON.stringify(data))).toBe(
          JSON.stringify({ type: 'entry', topic, offset, producer, seq, from, at, data }),
        );
      }),
    );
  });
});

const POSITION = { epoch: 'k', offset: 1, revision: 0 };
const MEMBER = { subject: 'alice', client: 'c', state: null, since: 0 };
const LEGAL: Readonly<Record<ServerMessage['type'], object>> = {
  welcome: { type: 'welcome', session: 's', subject: 'alice', heartbeatMs: 1, spreadMs: 0, time: 0, limits: DEFAULT_LIMITS },
  expiring: { type: 'expiring', expiresAt: 1 },
  subscribed: { type: 'subscribed', id: 1, topic: 't', number: 1, position: POSITION, head: 0 },
  entry: { type: 'entry', topic: 't', offset: 1, producer: 'p', seq: 0, from: 'alice', at: 0, data: null },
  skip: { type: 'skip', topic: 't', first: 1, last: 1 },
  gap: { type: 'gap', topic: 't', reason: 'retention', before: POSITION, after: POSITION },
  ack: { type: 'ack', topic: 't', producer: 'p', seq: 1, offset: 1, epoch: 'k' },
  reply: { type: 'reply', id: 1, data: null },
  signal: { type: 'signal', topic: 't', from: 'alice', client: 'c', data: null },
  presence: { type: 'presence', topic: 't', event: 'enter', member: MEMBER },
  register: { type: 'register', topic: 't', key: 'k', value: null, revision: 1 },
  error: { type: 'error', code: 'REFUSED', message: 'no', retryable: false },
  goaway: { type: 'goaway', reason: 'deploy', spreadMs: 0 },
  ping: { type: 'ping' },
  pong: { type: 'pong' },
};
/** None of these is legal for any field that is not a JSON value: each field wants a string, an integer, a boolean, an object or a list. */
const WRONG_EVERYWHERE = [null, 1.5, [[]], [7]];

describe.each(Object.entries(LEGAL))('HF-4.1: the fields of %s', (type, legal) => {
  const fields = Object.keys(legal).filter((name) => name !== 'type');
  const typed = fields.filter((name) => !['data', 'value'].includes(name));

  test('the example itself is legal', () => {
    expect(parse(JSON.stringify(legal))?.type).toBe(type);
  });

  test('BAD_FRAME for each field that is missing, with its name', () => {
    for (const name of fields) {
      const error = errorOf(() => parse(JSON.stringify({ ...legal, [name]: undefined })));
      expect([name, error?.code]).toEqual([name, 'BAD_FRAME']);
      expect(error?.message).toContain(`"${name}"`);
    }
  });

  test('BAD_FRAME for each field of a wrong type, with its name', () => {
    for (const name of typed) {
      for (const value of WRONG_EVERYWHERE) {
        const error = errorOf(() => parse(JSON.stringify({ ...legal, [name]: value })));
        expect([name, value, error?.code]).toEqual([name, value, 'BAD_FRAME']);
        expect(error?.message).toContain(`"${name}`);
      }
    }
  });
});

describe('HF-4.1: frames that cannot be understood', () => {
  test.each([
    ['BAD_JSON', '{"type":"ping"', 'not JSON'],
    ['BAD_JSON', '{"type":"reply","id":1,"data":1e999}', 'beyond the range of a double'],
    ['BAD_FRAME', '[]', '"type"'],
    ['BAD_FRAME', 'null', '"type"'],
    ['BAD_FRAME', '{"type":7}', '"type"'],
    ['FORBIDDEN_KEY', '{"type":"reply","id":1,"data":{"\\u005f_proto__":1}}', '__proto__'],
    [
      'BAD_FRAME',
      JSON.stringify({ ...LEGAL.welcome, limits: { ...DEFAULT_LIMITS, inFlightMax: 0 } }),
      'welcome: "limits.inFlightMax": want an integer from 1, got 0',
    ],
    [
      'BAD_FRAME',
      JSON.stringify({ ...LEGAL.gap, after: { epoch: 'k', offset: 1 } }),
      'gap: "after.revision": want an integer from 0, got nothing',
    ],
    [
      'BAD_FRAME',
      JSON.stringify({ ...LEGAL.gap, reason: 'bored' }),
      'gap: "reason": want one of "retention", "epoch", "ahead", "floor", got "bored"',
    ],
    ['BAD_FRAME', '{"type":"presence","topic":"t","event":"members"}', 'presence: "members": missing with "event": "members"'],
    [
      'BAD_FRAME',
      JSON.stringify({ type: 'presence', topic: 't', event: 'leave', members: [] }),
      'presence: "member": missing with "event": "leave"',
    ],
    [
      'BAD_FRAME',
      JSON.stringify({ type: 'presence', topic: 't', event: 'members', members: [MEMBER, { ...MEMBER, since: -1 }] }),
      'presence: "members[1].since"',
    ],
    ['BAD_FRAME', JSON.stringify({ ...LEGAL.entry, bytes: '' }), 'entry: want either "data" or "bytes"'],
  ])('%s for %s', (code, frame, message) => {
    const error = errorOf(() => parse(frame));
    expect(error?.code).toBe(code);
    expect(error?.message).toContain(message);
  });

  test.each([
    ['no object', 7, 'reply to read: want an object, got 7'],
    ['no entries', { epoch: 'k', first: 0, last: 0 }, 'reply to read: "entries": want a list, got nothing'],
    [
      'an entry without its offset',
      { epoch: 'k', first: 0, last: 0, entries: [{}] },
      'reply to read: "entries[0].offset": want an integer from 1, got nothing',
    ],
  ])('HF-7.3: a page with %s', (_what, data, message) => {
    expect(errorOf(() => parseReadPage(data))).toMatchObject({ code: 'BAD_FRAME', message });
  });

  test('TOO_DEEP: the deepest payload of any server fits into the reply to a read, and 100,000 levels do not', () => {
    const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
    const page = (levels: number): string =>
      `{"type":"reply","id":1,"data":{"epoch":"k","first":1,"last":1,"entries":[{"offset":1,"producer":"p","seq":1,"from":"a","at":0,"data":${nested(levels)}}]}}`;
    expect(codeOf(() => parse(page(DEPTH_LIMIT_MAX)))).toBeUndefined();
    expect(codeOf(() => parse(page(100_000)))).toBe('TOO_DEEP');
  });

  test('HF-12: a server may announce limits that are not known here, and leave out keysMax, which bounds nothing then', () => {
    const { keysMax: _, ...older } = DEFAULT_LIMITS;
    expect(parse(JSON.stringify({ ...LEGAL.welcome, limits: { ...older, moonsMax: 1 } }))).toMatchObject({
      limits: { ...older, keysMax: Number.POSITIVE_INFINITY },
    });
    expect(parse(JSON.stringify({ ...LEGAL.welcome, limits: { ...older, keysMax: 70 } }))).toMatchObject({ limits: { keysMax: 70 } });
    expect(codeOf(() => parse(JSON.stringify({ ...LEGAL.welcome, limits: { ...older, keysMax: 0 } })))).toBe('BAD_FRAME');
  });

  test('what a server sends may have any number of keys', () => {
    expect(codeOf(() => parse(`{"type":"reply","id":1,"data":[${'0,'.repeat(50_000)}0]}`))).toBeUndefined();
  });
});

describe('HF-9: BAD_BINARY', () => {
  const fields = { offset: 1, producer: 'p', seq: 1, from: 'alice', at: 0 };

  test('HF-9.1: a number that no topic has', () => {
    expect(errorOf(() => parse(encodeEntryBinary(9, fields, Uint8Array.of())))).toMatchObject({
      code: 'BAD_BINARY',
      message: 'no topic has the number 9',
    });
  });

  test.each([
    ['an offset of 0', { ...fields, offset: 0 }],
    ['a producer that is not legal', { ...fields, producer: 'a b' }],
    ['an empty producer', { ...fields, producer: '' }],
  ])('%s', (_what, broken) => {
    expect(codeOf(() => parseServerFrame(encodeEntryBinary(1, broken, Uint8Array.of()), () => 't'))).toBe('BAD_BINARY');
  });

  test("a publish, which is the client's to send", () => {
    expect(codeOf(() => parse(Uint8Array.of(1, 1, 1, 65, 1, 0, 0)))).toBe('BAD_BINARY');
  });
});

describe('HF-4.1: nothing but a HoldfastError, whatever comes', () => {
  const CODES = [undefined, 'BAD_JSON', 'BAD_FRAME', 'BAD_BINARY', 'TOO_DEEP', 'FORBIDDEN_KEY'];

  test('any object with a known type and known fields of any value', () => {
    const fieldNames = [...new Set(Object.values(LEGAL).flatMap((legal) => Object.keys(legal)))].filter((name) => name !== 'type');
    const fields = fc.record(
      Object.fromEntries([...fieldNames, 'members', 'bytes', 'alternate', 'hint'].map((name) => [name, fc.anything()])),
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(LEGAL)), fields, (type, values) => {
        const frame = JSON.stringify({ ...values, type }, (_key, value: unknown) => (typeof value === 'bigint' ? Number(value) : value));
        expect(CODES).toContain(codeOf(() => parse(frame)));
      }),
      { numRuns: 1_000 },
    );
  });

  test('a legal frame with one unit changed', () => {
    fc.assert(
      fc.property(serverMessages, fc.nat(), fc.nat(255), (message, where, what) => {
        const frame = encodeServerMessage(message);
        const at = where % frame.length;
        expect(CODES).toContain(codeOf(() => parse(frame.slice(0, at) + String.fromCharCode(what) + frame.slice(at + 1))));
      }),
      { numRuns: 2_000 },
    );
  });

  test('any text, any bytes, and any page of a read', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), bytes), fc.anything(), (frame, data) => {
        expect(CODES).toContain(codeOf(() => parse(frame)));
        expect(CODES).toContain(codeOf(() => parseReadPage(data as Json)));
      }),
      { numRuns: 2_000 },
    );
  });
});

test('HF-8.1: a ping may tell the spread, which is a count of milliseconds', () => {
  expect(parse('{"type":"ping","spreadMs":2000}')).toEqual({ type: 'ping', spreadMs: 2_000 });
  expect(errorOf(() => parse('{"type":"ping","spreadMs":-1}'))?.code).toBe('BAD_FRAME');
});
