import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as native from './codecs-native.ts';
import * as written from './codecs.ts';
import { HoldfastError } from './error.ts';

/** The value, or the error's code. */
function outcome(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error instanceof HoldfastError ? error.code : error;
  }
}

describe('what a browser has of its own is the same as what is written out', () => {
  const bytes = fc.uint8Array({ maxLength: 40 });
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'grapheme' }),
    fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
  );

  test('UTF-8, of any string and any bytes', () => {
    fc.assert(
      fc.property(text, (one) => {
        expect(native.encodeUtf8(one)).toEqual(written.encodeUtf8(one));
      }),
    );
    const almost = fc.tuple(text, bytes, fc.nat(60)).map(([one, other, at]) => {
      const whole = written.encodeUtf8(one);
      return Uint8Array.from([...whole.subarray(0, at), ...other.subarray(0, 2), ...whole.subarray(at)]);
    });
    fc.assert(
      fc.property(fc.oneof(bytes, almost), (one) => {
        expect(outcome(() => native.decodeUtf8(one))).toEqual(outcome(() => written.decodeUtf8(one)));
      }),
      { numRuns: 2_000 },
    );
  });

  test('a byte order mark is a character, and a lone surrogate is replaced', () => {
    for (const codec of [native, written]) {
      expect(codec.decodeUtf8(codec.encodeUtf8('\uFEFFa'))).toBe('\uFEFFa');
      expect(codec.decodeUtf8(codec.encodeUtf8('\uD800'))).toBe('\uFFFD');
    }
  });

  test('base64, of any bytes and any text', () => {
    fc.assert(
      fc.property(bytes, (one) => {
        expect(native.encodeBase64(one)).toBe(written.encodeBase64(one));
      }),
    );
    const almost = fc
      .tuple(bytes, fc.nat(60), fc.constantFrom('', '=', ' ', '\n', 'A', '-', 'é'), fc.nat(2))
      .map(([one, at, insert, cut]) => {
        const whole = written.encodeBase64(one);
        return whole.slice(0, at) + insert + whole.slice(at + cut);
      });
    fc.assert(
      fc.property(fc.oneof(fc.string(), almost), (one) => {
        expect(outcome(() => native.decodeBase64(one))).toEqual(outcome(() => written.decodeBase64(one)));
      }),
      { numRuns: 2_000 },
    );
  });
});
