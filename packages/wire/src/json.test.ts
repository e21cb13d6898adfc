import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { codeOf } from './error.testing.ts';
import { assertJson, isJsonObject, parseJson, type Json } from './json.ts';
import { jsonValues } from './messages.testing.ts';

const MANY = Number.POSITIVE_INFINITY;

function nestedLists(levels: number): string {
  return '['.repeat(levels) + ']'.repeat(levels);
}

function nestedObjects(levels: number): string {
  return '{"a":'.repeat(levels) + '1' + '}'.repeat(levels);
}

describe('HF-4.1: parsing', () => {
  test('gives what JSON.parse gives', () => {
    fc.assert(
      fc.property(jsonValues, (value) => {
        expect(parseJson(JSON.stringify(value), 32, MANY)).toStrictEqual(value);
      }),
    );
  });

  test.each([
    '',
    ' ',
    '{',
    '{"a":}',
    "{'a':1}",
    '{"a":1,}',
    '[1,]',
    'undefined',
    'NaN',
    'Infinity',
    '01',
    '+1',
    '"\n"',
    '"\\x41"',
    '{}{}',
    '\ufeff{}',
    '{"a":1}//',
  ])('BAD_JSON for %j', (text) => {
    expect(codeOf(() => parseJson(text, 32, MANY))).toBe('BAD_JSON');
  });

  test.each([
    '1e999',
    '-1e999',
    '1E+309',
    '1.8e308',
    '1e0000000309',
    `1${'0'.repeat(309)}`,
    `1${'0'.repeat(300)}e9`,
    '[0,[{"a":1e999}]]',
    '{"data":-1e400}',
  ])('HF-1.7: BAD_JSON for a number beyond the doubles: %j', (text) => {
    expect(codeOf(() => parseJson(text, 32, MANY))).toBe('BAD_JSON');
  });

  test.each([
    ['1.7976931348623157e308', Number.MAX_VALUE],
    ['1e-999', 0],
    ['9007199254740993', 9007199254740992],
    ['0.1000000000000000055', 0.1],
    ['{"a":1,"a":2}', { a: 2 }],
    ['{"b":1,"1":2}', { 1: 2, b: 1 }],
    ['"\\ud800"', '\ud800'],
    ['"1e999"', '1e999'],
    ['"__proto__"', '__proto__'],
    ['{"a":"__proto__"}', { a: '__proto__' }],
    ['{"a__proto__":1}', { a__proto__: 1 }],
  ])('HF-1.7: %s is accepted as JSON.parse reads it', (text, value) => {
    expect(parseJson(text, 32, MANY)).toStrictEqual(value);
  });

  test('HF-1.7: a payload that was parsed once is written the same from then on', () => {
    for (const text of ['-0', '1e21', '1e-7', '123456789012345678901234567890', '"\\ud800\\u2028"', '{"b":1,"1":2,"b":3}']) {
      const written = JSON.stringify(parseJson(text, 32, MANY));
      expect(JSON.stringify(parseJson(written, 32, MANY))).toBe(written);
    }
  });

  test.each([
    '{"__proto__":1}',
    '{"\\u005f_proto__":1}',
    '{"\\u005F\\u005f\\u0070roto__":null}',
    '{"a":[{"b":{"__proto__":{}}}]}',
    '[[{"__proto__":1}]]',
  ])('FORBIDDEN_KEY for %s', (text) => {
    expect(codeOf(() => parseJson(text, 32, MANY))).toBe('FORBIDDEN_KEY');
  });

  test.each(['constructor', 'toString', 'prototype', 'hasOwnProperty', '__defineGetter__'])('the key %s is a key like any other', (key) => {
    expect(parseJson(`{"${key}":1}`, 32, MANY)).toStrictEqual(Object.fromEntries([[key, 1]]));
  });

  test('TOO_DEEP from one level above the bound on', () => {
    for (const nested of [nestedLists, nestedObjects]) {
      expect(codeOf(() => parseJson(nested(32), 32, MANY))).toBeUndefined();
      expect(codeOf(() => parseJson(nested(33), 32, MANY))).toBe('TOO_DEEP');
    }
    expect(codeOf(() => parseJson('1', 0, MANY))).toBeUndefined();
    expect(codeOf(() => parseJson('[]', 0, MANY))).toBe('TOO_DEEP');
  });

  test('brackets within strings, and beside each other, are no levels', () => {
    expect(codeOf(() => parseJson(JSON.stringify({ a: '[[[[{{{{' }), 1, MANY))).toBeUndefined();
    expect(codeOf(() => parseJson(`[${'[],'.repeat(1_000)}[]]`, 2, MANY))).toBeUndefined();
  });

  test('100,000 levels cost an error, not the stack', () => {
    for (const nested of [nestedLists, nestedObjects]) expect(codeOf(() => parseJson(nested(100_000), 32, MANY))).toBe('TOO_DEEP');
    expect(codeOf(() => parseJson('['.repeat(100_000), 32, MANY))).toBe('BAD_JSON');
  });

  test.each([
    ['1', 0],
    ['"[1,2,3]"', 0],
    ['{}', 0],
    ['[]', 0],
    ['[1,2,3]', 3],
    ['{"a":1,"b":2}', 2],
    ['{"a":[1,{"b":null}],"c":[[],{}]}', 7],
    ['{"a":1,"a":2}', 1],
  ])('TOO_MANY_KEYS: %s has %d keys and items', (text, count) => {
    expect(codeOf(() => parseJson(text, 32, count))).toBeUndefined();
    expect(codeOf(() => parseJson(text, 32, count - 1))).toBe('TOO_MANY_KEYS');
  });

  test('TOO_MANY_KEYS ends the walk: what comes behind the bound is not looked at', () => {
    expect(codeOf(() => parseJson(`[${'0,'.repeat(9)}{"__proto__":1}]`, 32, 9))).toBe('TOO_MANY_KEYS');
    expect(codeOf(() => parseJson(`[${'0,'.repeat(9)}{"__proto__":1}]`, 32, 10))).toBe('FORBIDDEN_KEY');
    expect(() => parseJson('[1,2]', 32, 1)).toThrow('JSON of more than 1 keys and items');
  });

  test('a random text yields a value or a HoldfastError, never anything else', () => {
    const fragments = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '\\',
      '\\u',
      '\\u005f',
      '__proto__',
      '"a"',
      '"__proto__"',
      '1',
      '1e999',
      '-',
      '.',
      'e',
      'null',
      'true',
      ' ',
      '\u0000',
      '\ud800',
    );
    const texts = fc.oneof(
      fc.string(),
      fc.array(fragments, { maxLength: 30 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        expect([undefined, 'BAD_JSON', 'TOO_DEEP', 'TOO_MANY_KEYS', 'FORBIDDEN_KEY']).toContain(codeOf(() => parseJson(text, 4, 8)));
      }),
      { numRuns: 3_000 },
    );
  });

  test('the complaint stays short, however long the text is', () => {
    expect(() => parseJson(`{"a":"${'x'.repeat(100_000)}"`, 32, MANY)).toThrow(/^not JSON: .{1,200}$/);
    expect(() => parseJson(`[${'x'.repeat(100_000)}]`, 32, MANY)).toThrow(/^not JSON: .{1,200}$/);
  });
});

describe('HF-1.7: what may be a payload', () => {
  const cycle: { self?: unknown; again?: unknown } = {};
  cycle.self = cycle;
  cycle.again = cycle;

  class Point {
    x = 1;
  }

  test('what is accepted arrives as the same value', () => {
    fc.assert(
      fc.property(
        fc.anything({
          maxDepth: 3,
          withNullPrototype: true,
          withDate: true,
          withBigInt: true,
          withMap: true,
          withSparseArray: true,
          withTypedArray: true,
        }),
        (value) => {
          if (codeOf(() => assertJson('data', value, 16, MANY)) !== undefined) return;
          expect(parseJson(JSON.stringify(value), 16, MANY)).toEqual(withoutMinusZero(value));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test('what was parsed is accepted', () => {
    fc.assert(fc.property(jsonValues, (value) => codeOf(() => assertJson('data', value, 16, MANY)) === undefined));
  });

  test.each([
    ['undefined', undefined],
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['a bigint', 1n],
    ['a symbol', Symbol('a')],
    ['a function', (): void => {}],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['bytes inside', { a: new Uint8Array(2) }],
    ['a boxed number', Object(1)],
    ['an instance', new Point()],
    ['an array with a hole', Object.assign([1, 2, 3], { length: 5 })],
    ['undefined in an array', [undefined]],
    ['a method', { toJSON: (): number => 1 }],
  ])('USAGE for %s', (_what, value) => {
    expect(codeOf(() => assertJson('publish', value, 16, MANY))).toBe('USAGE');
  });

  test('the message begins with the operation and names the value', () => {
    expect(() => assertJson('publish', { price: Number.NaN }, 16, MANY)).toThrow('publish: NaN is not JSON');
    expect(() => assertJson('publish', [undefined], 16, MANY)).toThrow('publish: a value of type undefined is not JSON');
    expect(() => assertJson('publish', [new Date(0)], 16, MANY)).toThrow('publish: an instance of Date is not JSON; convert it first');
  });

  test('TOO_DEEP for more levels than the bound, and for a cycle', () => {
    expect(codeOf(() => assertJson('data', [[[]]], 3, MANY))).toBeUndefined();
    expect(codeOf(() => assertJson('data', [[[]]], 2, MANY))).toBe('TOO_DEEP');
    expect(codeOf(() => assertJson('data', { a: { b: {} } }, 3, MANY))).toBeUndefined();
    expect(codeOf(() => assertJson('data', { a: { b: {} } }, 2, MANY))).toBe('TOO_DEEP');
    expect(codeOf(() => assertJson('data', cycle, 100, MANY))).toBe('TOO_DEEP');
  });

  test('TOO_MANY_KEYS for more keys and items than the bound; undefined counts as absent; the count is returned', () => {
    const value = { a: [1, { b: null }], c: undefined, d: [[], {}] };
    expect(assertJson('data', value, 16, 7)).toBe(7);
    expect(codeOf(() => assertJson('data', value, 16, 6))).toBe('TOO_MANY_KEYS');
    expect([1, 'a', null, [], {}].map((one) => assertJson('data', one, 16, 0))).toEqual([0, 0, 0, 0, 0]);
  });

  test('TOO_MANY_KEYS: a value whose parts are shared costs no more than the bound', () => {
    let shared: unknown = [];
    for (let level = 0; level < 60; level++) shared = [shared, shared];
    expect(codeOf(() => assertJson('data', shared, 100, 16_384))).toBe('TOO_MANY_KEYS');
  });

  test('a parsed value has as many keys as were counted in its text', () => {
    fc.assert(
      fc.property(jsonValues, (value) => {
        const count = assertJson('data', value, 16, MANY);
        expect(parseJson(JSON.stringify(value), 16, count)).toStrictEqual(value);
        if (count > 0) expect(codeOf(() => parseJson(JSON.stringify(value), 16, count - 1))).toBe('TOO_MANY_KEYS');
      }),
    );
  });

  test('FORBIDDEN_KEY for an own __proto__', () => {
    expect(codeOf(() => assertJson('data', JSON.parse('{"a":{"__proto__":1}}'), 16, MANY))).toBe('FORBIDDEN_KEY');
  });

  test('a property that is undefined counts as absent', () => {
    expect(codeOf(() => assertJson('data', { a: undefined, b: 1 }, 16, MANY))).toBeUndefined();
  });
});

test('isJsonObject: objects only', () => {
  expect([{}, { a: 1 }, [], null, undefined, 'a', 1, true].map(isJsonObject)).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
    false,
    false,
  ]);
});

/** -0 is the one number that JSON.stringify does not keep. */
function withoutMinusZero(value: unknown): Json {
  if (Array.isArray(value)) return value.map(withoutMinusZero);
  if (isJsonObject(value)) return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, withoutMinusZero(child)]));
  return Object.is(value, -0) ? 0 : (value as Json);
}
