import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { codeOf } from './error.testing.ts';

describe('HF-1.6: base64, RFC 4648 section 4', () => {
  // RFC 4648 section 10.
  test.each([
    ['', ''],
    ['f', 'Zg=='],
    ['fo', 'Zm8='],
    ['foo', 'Zm9v'],
    ['foob', 'Zm9vYg=='],
    ['fooba', 'Zm9vYmE='],
    ['foobar', 'Zm9vYmFy'],
  ])('the vector of the RFC for %j', (plain, text) => {
    const bytes = new TextEncoder().encode(plain);
    expect(encodeBase64(bytes)).toBe(text);
    expect(decodeBase64(text)).toEqual(bytes);
  });

  test('agrees with Node for any bytes, both ways', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const text = encodeBase64(bytes);
        expect(text).toBe(Buffer.from(bytes).toString('base64'));
        expect([...decodeBase64(text)]).toEqual([...bytes]);
      }),
    );
  });

  test.each([
    'A',
    'AA',
    'AAA',
    'AAAAA',
    '=',
    '==',
    '===',
    '====',
    'A===',
    'AA=A',
    '=AAA',
    'AA==AAAA',
    'AAAA=',
    'AAAA====',
    'AA--',
    'AA__',
    'AA A',
    'AAA\n',
    'AA\u0000A',
    'AAAé',
    'AAA\uffff',
    'Zh==',
    'Zm9=',
    '//==',
  ])('refuses %j', (text) => {
    expect(codeOf(() => decodeBase64(text))).toBe('BAD_FRAME');
  });

  test('accepts a text exactly if encoding gives it again', () => {
    const texts = fc.string({ unit: fc.constantFrom(...'AQgwZz09+/-_= é'), maxLength: 12 });
    fc.assert(
      fc.property(texts, (text) => {
        const isCanonical = Buffer.from(text, 'base64').toString('base64') === text;
        expect(codeOf(() => decodeBase64(text))).toBe(isCanonical ? undefined : 'BAD_FRAME');
      }),
      { numRuns: 2_000 },
    );
  });
});
