import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeClientMessage, frameSubject, isHelloFrame, parseClientFrame, requestIdOf } from './client-frames.ts';
import { codeOf, errorOf } from './error.testing.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import type { ClientMessage } from './messages.ts';
import { CLIENT_MESSAGES, binaryPublishes, clientMessages, topics } from './messages.testing.ts';

const NO_TOPICS = (): undefined => undefined;

function parse(frame: string | Uint8Array): ClientMessage {
  return parseClientFrame(frame, DEFAULT_LIMITS, NO_TOPICS);
}

describe('HF-4: every message comes back', () => {
  test.each(Object.entries(CLIENT_MESSAGES))('%s', (type, messages) => {
    fc.assert(
      fc.property(messages, (message) => {
        expect(message.type).toBe(type);
        expect(parse(encodeClientMessage(message))).toStrictEqual(message);
      }),
    );
  });

  test('HF-9.1: a publish of bytes with a number instead of its topic', () => {
    fc.assert(
      fc.property(binaryPublishes, topics, fc.integer({ min: 1, max: 2 ** 40 }), (message, topic, number) => {
        const frame = encodeClientMessage({ ...message, topic }, number);
        expect(frame).toBeInstanceOf(Uint8Array);
        expect(parseClientFrame(frame, DEFAULT_LIMITS, (found) => (found === number ? topic : undefined))).toStrictEqual({
          ...message,
          topic,
        });
      }),
    );
  });

  test('HF-9.2: a publish of bytes with an id goes as text, since the binary layout has none', () => {
    const message: ClientMessage = { type: 'publish', topic: 't', producer: 'p', seq: 1, items: [Uint8Array.of(1)], id: 7 };
    expect(JSON.parse(encodeClientMessage(message, 3) as string)).toEqual({
      type: 'publish',
      topic: 't',
      producer: 'p',
      seq: 1,
      id: 7,
      bytes: 'AQ==',
    });
  });

  test('HF-1.5: unknown fields are ignored', () => {
    expect(parse('{"type":"subscribe","id":1,"topic":"t","colour":"red","position":{"epoch":"k","offset":1,"shade":2}}')).toStrictEqual({
      type: 'subscribe',
      id: 1,
      topic: 't',
      position: { epoch: 'k', offset: 1, revision: 0 },
    });
  });

  test('HF-7.8: a position without a revision has seen no change', () => {
    expect(parse('{"type":"hello","client":"c","subscribe":[{"id":1,"topic":"t","position":{"epoch":"k","offset":1}}]}')).toMatchObject({
      subscribe: [{ position: { epoch: 'k', offset: 1, revision: 0 } }],
    });
  });

  test('HF-1.7: of a key that comes twice the last value counts', () => {
    expect(parse('{"type":"signal","topic":"a","topic":"b","data":1,"data":2}')).toMatchObject({ topic: 'b', data: 2 });
  });
});

describe('HF-4.1: frames that cannot be understood', () => {
  test.each([
    ['BAD_JSON', '', 'not JSON'],
    ['BAD_JSON', 'hello', 'not JSON'],
    ['BAD_JSON', '{"type":"ping"', 'not JSON'],
    ['BAD_JSON', '{"type":"ping"}{}', 'not JSON'],
    ['BAD_JSON', '{"type":"signal","topic":"t","data":{"price":1e999}}', 'beyond the range of a double'],
    ['BAD_JSON', '{"type":"credit","topic":"t","upTo":1e999}', 'beyond the range of a double'],
    ['BAD_FRAME', 'null', '"type"'],
    ['BAD_FRAME', '"ping"', '"type"'],
    ['BAD_FRAME', '17', '"type"'],
    ['BAD_FRAME', 'true', '"type"'],
    ['BAD_FRAME', '[]', '"type"'],
    ['BAD_FRAME', '[{"type":"ping"}]', '"type"'],
    ['BAD_FRAME', '{}', '"type"'],
    ['BAD_FRAME', '{"Type":"ping"}', '"type"'],
    ['BAD_FRAME', '{"type":null}', '"type"'],
    ['BAD_FRAME', '{"type":1}', '"type"'],
    ['BAD_FRAME', '{"type":["ping"]}', '"type"'],
    ['UNKNOWN_TYPE', '{"type":""}', 'no message of type ""'],
    ['UNKNOWN_TYPE', '{"type":"Ping"}', 'no message of type "Ping"'],
    ['UNKNOWN_TYPE', '{"type":"welcome"}', 'no message of type "welcome"'],
    ['UNKNOWN_TYPE', '{"type":"constructor"}', '"constructor"'],
    ['UNKNOWN_TYPE', '{"type":"toString"}', '"toString"'],
    ['UNKNOWN_TYPE', '{"type":"hasOwnProperty"}', '"hasOwnProperty"'],
    ['UNKNOWN_TYPE', '{"type":"__proto__"}', '"__proto__"'],
    ['UNKNOWN_TYPE', `{"type":"${'x'.repeat(100_000)}"}`, `"${'x'.repeat(40)}"`],
    ['FORBIDDEN_KEY', '{"type":"signal","topic":"t","data":{"__proto__":{"admin":true}}}', '__proto__'],
    ['FORBIDDEN_KEY', '{"type":"signal","topic":"t","data":[{"\\u005f_proto__":1}]}', '__proto__'],
    ['FORBIDDEN_KEY', '{"__proto__":{"type":"ping"}}', '__proto__'],
    ['TOO_DEEP', `{"type":"signal","topic":"t","data":${'['.repeat(32)}${']'.repeat(32)}}`, 'more than 32 levels'],
    ['TOO_MANY_KEYS', `{"type":"signal","topic":"t","data":[${'0,'.repeat(16_381)}0]}`, 'more than 16384 keys and items'],
  ])('%s for %s', (code, frame, message) => {
    const error = errorOf(() => parse(frame));
    expect(error?.code).toBe(code);
    expect(error?.message).toContain(message);
    expect(error?.message.length).toBeLessThan(300);
  });

  test('TOO_DEEP counts the frame as the first level', () => {
    expect(codeOf(() => parse(`{"type":"signal","topic":"t","data":${'['.repeat(31)}${']'.repeat(31)}}`))).toBeUndefined();
  });

  test("TOO_MANY_KEYS counts the frame's own", () => {
    expect(codeOf(() => parse(`{"type":"signal","topic":"t","data":[${'0,'.repeat(16_380)}0]}`))).toBeUndefined();
  });

  test('100,000 levels cost an error, not the stack, and the id is still found', () => {
    for (const data of ['['.repeat(100_000) + ']'.repeat(100_000), `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`]) {
      const frame = `{"type":"call","id":7,"method":"m","data":${data}}`;
      expect(codeOf(() => parse(frame))).toBe('TOO_DEEP');
      expect(requestIdOf(frame)).toBe(7);
    }
  });

  test('keys of Object.prototype are not fields, nor are they missing ones', () => {
    expect(errorOf(() => parse('{"type":"signal","topic":"t","constructor":1,"toString":2}'))?.message).toBe(
      'signal: "data": want a JSON value, got nothing',
    );
    expect(parse('{"type":"signal","topic":"t","data":{"constructor":1,"toString":2}}')).toMatchObject({
      data: { constructor: 1, toString: 2 },
    });
  });

  test('a field that Object.prototype was given by somebody is not a field of the frame', () => {
    Object.defineProperty(Object.prototype, 'method', { value: 'inherited', configurable: true });
    try {
      expect(errorOf(() => parse('{"type":"call","id":1}'))?.message).toBe('call: "method": want a string, got nothing');
    } finally {
      delete (Object.prototype as { method?: unknown }).method;
    }
  });

  test('a long value is cut in the message', () => {
    const error = errorOf(() => parse(`{"type":"credit","topic":"${'x'.repeat(10_000)}","upTo":1}`));
    expect(error?.message).toBe(`credit: "topic": want a topic name (HF-1.1), got "${'x'.repeat(56)}...`);
  });
});

const TOPICS = ['', 'a b', 'a//b', 'x'.repeat(201), 7, null, ['t'], {}];
const NAMES = ['', 'a b', 'a/b', 'x'.repeat(65), 7, null, [], {}];
const IDS = ['', 'x'.repeat(65), 1.5, 2 ** 53, null, true, [], {}];
const COUNTS = [-1, 0.5, 2 ** 53, '1', null, true, [], {}];
const SEQS = [0, ...COUNTS];
const TEXTS = [7, null, true, [], {}];
const SUBSCRIPTION = { id: 1, topic: 't', position: { epoch: 'k', offset: 1, revision: 1 }, last: 1, credit: 1, presence: true };
const WRONG_SUBSCRIPTION = {
  id: IDS,
  topic: TOPICS,
  position: [7, null, [], 'k'],
  'position.epoch': NAMES,
  'position.offset': COUNTS,
  'position.revision': COUNTS,
  last: COUNTS,
  credit: COUNTS,
  presence: [0, 1, 'true', null, {}],
};

interface Example {
  /** A legal frame with every field. */
  readonly legal: object;
  readonly required: readonly string[];
  /** Values that each field must not have. */
  readonly wrong: Readonly<Record<string, readonly unknown[]>>;
}

const EXAMPLES: Readonly<Record<ClientMessage['type'], Example>> = {
  hello: {
    legal: { type: 'hello', client: 'c', token: 'secret', subscribe: [{ id: 0, topic: 't' }, SUBSCRIPTION] },
    required: ['client', 'subscribe[1].id', 'subscribe[1].topic', 'subscribe[1].position.epoch', 'subscribe[1].position.offset'],
    wrong: {
      client: NAMES,
      token: TEXTS,
      subscribe: [{}, 't', 7, null],
      'subscribe[1]': ['t', 7, null, []],
      ...Object.fromEntries(Object.entries(WRONG_SUBSCRIPTION).map(([path, values]) => [`subscribe[1].${path}`, values])),
    },
  },
  auth: { legal: { type: 'auth', id: 1, token: 'secret' }, required: ['id', 'token'], wrong: { id: IDS, token: TEXTS } },
  subscribe: {
    legal: { type: 'subscribe', ...SUBSCRIPTION },
    required: ['id', 'topic', 'position.epoch', 'position.offset'],
    wrong: WRONG_SUBSCRIPTION,
  },
  unsubscribe: { legal: { type: 'unsubscribe', topic: 't', id: 1 }, required: ['topic'], wrong: { topic: TOPICS, id: IDS } },
  publish: {
    legal: { type: 'publish', topic: 't', producer: 'p', seq: 1, epoch: 'k', ifHead: 0, id: 1, data: {} },
    required: ['topic', 'producer', 'seq', 'data'],
    wrong: { topic: TOPICS, producer: NAMES, seq: SEQS, epoch: NAMES, ifHead: COUNTS, id: IDS },
  },
  read: {
    legal: { type: 'read', id: 1, topic: 't', after: 0, limit: 1 },
    required: ['id', 'topic', 'after'],
    wrong: { id: IDS, topic: TOPICS, after: COUNTS, before: COUNTS, limit: SEQS },
  },
  signal: { legal: { type: 'signal', topic: 't', data: null }, required: ['topic', 'data'], wrong: { topic: TOPICS } },
  presence: {
    legal: { type: 'presence', topic: 't', state: null, id: 1 },
    required: ['topic', 'state'],
    wrong: { topic: TOPICS, id: IDS },
  },
  register: {
    legal: { type: 'register', id: 1, topic: 't', key: 'k', merge: 'max', value: 1, ifRevision: 0 },
    required: ['id', 'topic', 'key', 'merge', 'value'],
    wrong: {
      id: IDS,
      topic: TOPICS,
      key: ['', 'a b', 'x'.repeat(129), 7, null, {}],
      merge: ['', 'MAX', 'min', 7, null, ['max']],
      value: ['1', null, true, [], {}],
      ifRevision: COUNTS,
    },
  },
  call: { legal: { type: 'call', id: 1, method: 'm', data: 1 }, required: ['id', 'method'], wrong: { id: IDS, method: TEXTS } },
  credit: {
    legal: { type: 'credit', topic: 't', upTo: 0, epoch: 'k' },
    required: ['topic', 'upTo'],
    wrong: { topic: TOPICS, upTo: COUNTS, epoch: NAMES },
  },
  ping: { legal: { type: 'ping', id: 1 }, required: [], wrong: { id: IDS } },
  pong: { legal: { type: 'pong', id: 'a' }, required: [], wrong: { id: IDS } },
};

/** A copy of a frame with the value at a path such as `subscribe[1].topic` replaced, or deleted if it is `undefined`. */
function changed(frame: object, path: string, value: unknown): string {
  const copy = structuredClone(frame) as Record<string, unknown>;
  const keys = path.split(/[.[\]]+/).filter((key) => key !== '');
  const last = keys.pop()!;
  const parent = keys.reduce((object, key) => object[key] as Record<string, unknown>, copy);
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return JSON.stringify(copy);
}

describe.each(Object.entries(EXAMPLES))('HF-4.1: the fields of %s', (type, { legal, required, wrong }) => {
  test('the example itself is legal', () => {
    expect(parse(JSON.stringify(legal)).type).toBe(type);
  });

  test('BAD_FRAME for each field that is missing, with its name', () => {
    for (const path of required) {
      const error = errorOf(() => parse(changed(legal, path, undefined)));
      expect([path, error?.code]).toEqual([path, 'BAD_FRAME']);
      expect(error?.message).toContain(`"${path}"`);
      expect(error?.message.startsWith(`${type}: `)).toBe(true);
    }
  });

  test('each field that is not required may be missing', () => {
    const optional = Object.keys(legal).filter((name) => name !== 'type' && !required.includes(name));
    for (const name of optional) expect([name, codeOf(() => parse(changed(legal, name, undefined)))]).toEqual([name, undefined]);
  });

  test('BAD_FRAME for each field of a wrong value, with its name', () => {
    for (const [path, values] of Object.entries(wrong)) {
      for (const value of values) {
        const error = errorOf(() => parse(changed(legal, path, value)));
        expect([path, value, error?.code]).toEqual([path, value, 'BAD_FRAME']);
        expect(error?.message).toContain(`"${path}"`);
      }
    }
  });
});

describe('HF-4.1: fields that exclude each other', () => {
  test.each([
    ['{"type":"read","id":1,"topic":"t","after":1,"before":9}', 'read: want either "after" or "before"'],
    ['{"type":"publish","topic":"t","producer":"p","seq":1,"data":1,"bytes":"AA=="}', 'publish: want either "data" or "bytes"'],
    ['{"type":"publish","topic":"t","producer":"p","seq":1,"bytes":7}', 'publish: "bytes": want base64'],
    ['{"type":"publish","topic":"t","producer":"p","seq":1,"bytes":null}', 'publish: "bytes": want base64'],
    ['{"type":"publish","topic":"t","producer":"p","seq":1,"bytes":"AA"}', '"bytes": the length of base64 is a multiple of 4'],
    ['{"type":"publish","topic":"t","producer":"p","seq":1,"bytes":"AB=="}', '"bytes": not canonical base64'],
    ['{"type":"publish","topic":"t","producer":"p","seq":1,"data":1,"entries":[{"data":1}]}', 'without "data" or "bytes" beside it'],
    ['{"type":"publish","topic":"t","producer":"p","seq":1,"entries":[]}', 'publish: "entries": want a list of 1 to 256 payloads'],
    ['{"type":"publish","topic":"t","producer":"p","seq":1,"entries":{}}', 'publish: "entries": want a list of 1 to 256 payloads'],
    ['{"type":"publish","topic":"t","producer":"p","seq":1,"entries":null}', 'publish: "entries": want a list of 1 to 256 payloads'],
    [
      '{"type":"publish","topic":"t","producer":"p","seq":1,"entries":[{"data":1},7]}',
      'publish: "entries[1]": want either "data" or "bytes"',
    ],
    [
      '{"type":"publish","topic":"t","producer":"p","seq":1,"entries":[{"data":1},{"data":1,"bytes":""}]}',
      'publish: "entries[1]": want either "data" or "bytes"',
    ],
  ])('BAD_FRAME for %s', (frame, message) => {
    const error = errorOf(() => parse(frame));
    expect(error?.code).toBe('BAD_FRAME');
    expect(error?.message).toContain(message);
  });

  test('HF-6.1: an atomic publish may have one entry', () => {
    expect(parse('{"type":"publish","topic":"t","producer":"p","seq":1,"entries":[{"bytes":"AQ=="}]}')).toMatchObject({
      items: [Uint8Array.of(1)],
    });
  });

  test('a payload of null, false, 0 or "" is a payload', () => {
    for (const data of [null, false, 0, '']) {
      expect(parse(JSON.stringify({ type: 'publish', topic: 't', producer: 'p', seq: 1, data }))).toMatchObject({ items: [data] });
    }
    expect(parse('{"type":"publish","topic":"t","producer":"p","seq":1,"bytes":""}')).toMatchObject({ items: [new Uint8Array()] });
  });
});

describe('HF-12: counts in one frame', () => {
  test('HF-3.2: topicsPerFrameMax subscriptions in a hello, and no more', () => {
    const hello = (count: number): string =>
      JSON.stringify({ type: 'hello', client: 'c', subscribe: Array.from({ length: count }, (_, id) => ({ id, topic: `t/${id}` })) });
    expect(parse(hello(DEFAULT_LIMITS.topicsPerFrameMax))).toMatchObject({ type: 'hello' });
    const error = errorOf(() => parse(hello(DEFAULT_LIMITS.topicsPerFrameMax + 1)));
    expect(error).toMatchObject({ code: 'BAD_FRAME', message: 'hello: "subscribe": at most 256 topics in one frame' });
  });

  test('HF-6.1: entriesPerPublishMax entries in an atomic publish, and no more', () => {
    const publish = (count: number): string =>
      JSON.stringify({
        type: 'publish',
        topic: 't',
        producer: 'p',
        seq: 1,
        entries: Array.from({ length: count }, (_, data) => ({ data })),
      });
    expect(parse(publish(DEFAULT_LIMITS.entriesPerPublishMax))).toMatchObject({ items: { length: 256 } });
    expect(codeOf(() => parse(publish(DEFAULT_LIMITS.entriesPerPublishMax + 1)))).toBe('BAD_FRAME');
  });
});

describe('HF-9: BAD_BINARY', () => {
  const legal = { type: 'publish', topic: 'chat/42', producer: 'p', seq: 1, epoch: 'k', items: [Uint8Array.of()] } as const;

  test.each([
    ['a topic that is not legal', { ...legal, topic: 'a b' }],
    ['an empty topic', { ...legal, topic: '' }],
    ['a producer that is not legal', { ...legal, producer: 'a b' }],
    ['an empty producer', { ...legal, producer: '' }],
    ['a seq of 0', { ...legal, seq: 0 }],
    ['an epoch that is not legal', { ...legal, epoch: 'a b' }],
  ])('%s', (_what, message) => {
    expect(codeOf(() => parse(encodeClientMessage(message)))).toBe('BAD_BINARY');
  });

  test('a number that no topic has', () => {
    const error = errorOf(() => parse(encodeClientMessage(legal, 9)));
    expect(error).toMatchObject({ code: 'BAD_BINARY', message: 'no topic has the number 9' });
  });

  test("an entry, which is the server's to send", () => {
    expect(codeOf(() => parse(Uint8Array.of(2, 1, 1, 1, 1, 1, 65, 1, 65)))).toBe('BAD_BINARY');
  });
});

describe('HF-4.1: what a refused frame belongs to', () => {
  test.each([
    ['{"type":"call","id":7}', { id: 7 }],
    ['{"type":"call","id":"a-7","method":1}', { id: 'a-7' }],
    ['{"type":"nonsense","id":-1}', { id: -1 }],
    ['{"id":0}', { id: 0 }],
    [`{"id":"${'x'.repeat(64)}"}`, { id: 'x'.repeat(64) }],
    ['{"id":-9007199254740991}', { id: -Number.MAX_SAFE_INTEGER }],
    ['{"id":3,"id":4}', { id: 4 }],
    ['{"type":"call","id":7,"data":{"__proto__":1}}', { id: 7 }],
    ['{"type":"publish","id":7,"topic":"t","producer":"p","seq":3,"data":{"__proto__":1}}', { id: 7, topic: 't', producer: 'p', seq: 3 }],
    ['{"type":"publish","topic":"t","producer":"p","seq":3}', { topic: 't', producer: 'p', seq: 3 }],
    ['{"type":"publish","topic":"a b","producer":"p","seq":3}', {}],
    ['{"type":"publish","topic":"t","producer":"p","seq":0}', {}],
    ['{"type":"signal","topic":"t","producer":"p","seq":3}', {}],
    ['{"id":1.5}', {}],
    ['{"id":""}', {}],
    [`{"id":"${'x'.repeat(65)}"}`, {}],
    ['{"id":null}', {}],
    ['{"id":1e999}', {}],
    ['{"id":9007199254740992}', {}],
    ['[{"id":1}]', {}],
    ['{"id":1', {}],
    ['null', {}],
    ['', {}],
  ])('%s', (frame, subject) => {
    expect(frameSubject(frame)).toStrictEqual(subject);
    expect(requestIdOf(frame)).toBe('id' in subject ? subject.id : undefined);
  });

  test('of a binary frame nothing is read', () => {
    expect(frameSubject(Uint8Array.of(1, 1, 1, 65, 1, 0, 0))).toStrictEqual({});
    expect(requestIdOf(Uint8Array.of())).toBeUndefined();
  });
});

test('HF-2.4: a hello is known by its type, well formed or not', () => {
  expect(isHelloFrame('{"type":"hello","client":"c"}')).toBe(true);
  expect(isHelloFrame('{"client":"a b","type":"hel\\u006co"}')).toBe(true);
  expect(
    ['', 'hello', '"hello"', '{"type":"join"}', '{"type":"join","text":{"type":"hello"}}', '[{"type":"hello"}]', Uint8Array.of(1)].some(
      isHelloFrame,
    ),
  ).toBe(false);
});

describe('HF-4.1: nothing but a HoldfastError, whatever comes', () => {
  const CODES = [undefined, 'BAD_JSON', 'BAD_FRAME', 'BAD_BINARY', 'UNKNOWN_TYPE', 'TOO_DEEP', 'TOO_MANY_KEYS', 'FORBIDDEN_KEY'];

  test('any object with a known type and known fields of any value', () => {
    const names = [...new Set(Object.values(EXAMPLES).flatMap(({ legal }) => Object.keys(legal)))].filter((name) => name !== 'type');
    const fields = fc.record(Object.fromEntries([...names, 'entries', 'bytes', 'before'].map((name) => [name, fc.anything()])), {
      requiredKeys: [],
    });
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(EXAMPLES)), fields, (type, values) => {
        const frame = JSON.stringify({ ...values, type }, (_key, value: unknown) => (typeof value === 'bigint' ? Number(value) : value));
        expect(CODES).toContain(codeOf(() => parse(frame)));
      }),
      { numRuns: 2_000 },
    );
  });

  test('a legal text cut anywhere is BAD_JSON', () => {
    fc.assert(
      fc.property(clientMessages, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (message, where) => {
        const frame = encodeClientMessage(message);
        if (typeof frame !== 'string') return;
        expect(codeOf(() => parse(frame.slice(0, Math.floor(frame.length * where))))).toBe('BAD_JSON');
      }),
    );
  });

  test('a legal frame with one unit or byte changed', () => {
    fc.assert(
      fc.property(clientMessages, fc.nat(), fc.nat(255), (message, where, what) => {
        const frame = encodeClientMessage(message);
        const at = where % frame.length;
        const broken =
          typeof frame === 'string' ? frame.slice(0, at) + String.fromCharCode(what) + frame.slice(at + 1) : frame.with(at, what);
        expect(CODES).toContain(codeOf(() => parse(broken)));
      }),
      { numRuns: 2_000 },
    );
  });

  test('any text and any bytes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.uint8Array()), (frame) => {
        expect(CODES).toContain(codeOf(() => parse(frame)));
      }),
      { numRuns: 2_000 },
    );
  });
});
