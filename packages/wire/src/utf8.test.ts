import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HoldfastError } from './error.ts';
import { strings } from './messages.testing.ts';
import { decodeUtf8, encodeUtf8, utf8Length } from './utf8.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodedOrCode(decode: (bytes: Uint8Array) => string, bytes: Uint8Array): string {
  try {
    return `text: ${decode(bytes)}`;
  } catch (error) {
    return error instanceof HoldfastError ? error.code : error instanceof TypeError ? 'BAD_BINARY' : String(error);
  }
}

describe('HF-9: UTF-8, RFC 3629', () => {
  test('encodes like TextEncoder, lone surrogates as U+FFFD', () => {
    fc.assert(
      fc.property(strings, (text) => {
        expect([...encodeUtf8(text)]).toEqual([...encoder.encode(text)]);
        expect(utf8Length(text)).toBe(encoder.encode(text).length);
      }),
      { numRuns: 500 },
    );
  });

  test('every unit by itself is encoded like TextEncoder does it', () => {
    for (let unit = 0; unit <= 0xffff; unit++) {
      const text = String.fromCharCode(unit);
      const expected = encoder.encode(text);
      if (encodeUtf8(text).join() !== expected.join() || utf8Length(text) !== expected.length) expect.unreachable(`U+${unit.toString(16)}`);
    }
    expect([...encodeUtf8('\ud800')]).toEqual([0xef, 0xbf, 0xbd]);
  });

  test('every code point comes back', () => {
    for (let point = 0; point <= 0x10ffff; point += point < 0x11000 ? 1 : 251) {
      if (point >= 0xd800 && point <= 0xdfff) continue;
      const character = String.fromCodePoint(point);
      if (decodeUtf8(encodeUtf8(character)) !== character) expect.unreachable(`U+${point.toString(16)}`);
    }
    expect(decodeUtf8(encodeUtf8('\u{10ffff}'))).toBe('\u{10ffff}');
    expect(['\u{10000}', '\u{10ffff}'].map(utf8Length)).toEqual([4, 4]);
  });

  test.each([
    ['an overlong slash in 2 bytes', [0xc0, 0xaf]],
    ['an overlong slash in 3 bytes', [0xe0, 0x80, 0xaf]],
    ['an overlong slash in 4 bytes', [0xf0, 0x80, 0x80, 0xaf]],
    ['the last overlong form of 2 bytes', [0xc1, 0xbf]],
    ['the last overlong form of 3 bytes', [0xe0, 0x9f, 0xbf]],
    ['the last overlong form of 4 bytes', [0xf0, 0x8f, 0xbf, 0xbf]],
    ['the first surrogate', [0xed, 0xa0, 0x80]],
    ['the last surrogate', [0xed, 0xbf, 0xbf]],
    ['a surrogate pair', [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
    ['U+110000', [0xf4, 0x90, 0x80, 0x80]],
    ['a first byte F5', [0xf5, 0x80, 0x80, 0x80]],
    ['a first byte FF', [0xff]],
    ['a continuation alone', [0x80]],
    ['a cut 2-byte form', [0xc3]],
    ['a cut 3-byte form', [0xe2, 0x82]],
    ['a cut 4-byte form', [0xf0, 0x9f, 0x98]],
    ['a letter for a continuation', [0xe2, 0x41, 0x82]],
  ])('refuses %s', (_what, bytes) => {
    expect(decodedOrCode(decodeUtf8, Uint8Array.from(bytes))).toBe('BAD_BINARY');
    expect(decodedOrCode((input) => decoder.decode(input), Uint8Array.from(bytes))).toBe('BAD_BINARY');
  });

  test('decodes and refuses like a fatal TextDecoder', () => {
    const edges = fc.constantFrom(
      0x00,
      0x41,
      0x7f,
      0x80,
      0x8f,
      0x90,
      0x9f,
      0xa0,
      0xbf,
      0xc0,
      0xc1,
      0xc2,
      0xdf,
      0xe0,
      0xe1,
      0xec,
      0xed,
      0xee,
      0xef,
      0xf0,
      0xf1,
      0xf3,
      0xf4,
      0xf5,
      0xff,
    );
    const inputs = fc.oneof(
      fc.uint8Array({ maxLength: 8 }),
      fc.array(edges, { maxLength: 6 }).map((bytes) => Uint8Array.from(bytes)),
    );
    fc.assert(
      fc.property(inputs, (bytes) => {
        expect(decodedOrCode(decodeUtf8, bytes)).toBe(decodedOrCode((input) => decoder.decode(input), bytes));
      }),
      { numRuns: 5_000 },
    );
  });
});
