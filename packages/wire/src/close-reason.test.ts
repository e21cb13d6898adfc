import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { closeReason } from './close-reason.ts';
import { CLOSE_TEXTS } from './code-texts.ts';
import { ERROR_CODES } from './codes.ts';
import { strings } from './messages.testing.ts';

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

describe('HF-11.1: a close reason holds at most 123 bytes of UTF-8', () => {
  test('what fits stays as it is', () => {
    expect(closeReason('')).toBe('');
    expect(closeReason('x'.repeat(123))).toBe('x'.repeat(123));
    expect(closeReason('é'.repeat(61))).toBe('é'.repeat(61));
  });

  test('what does not fit is cut between characters', () => {
    expect(closeReason('x'.repeat(124))).toBe('x'.repeat(123));
    expect(closeReason('é'.repeat(62))).toBe('é'.repeat(61));
    expect(closeReason('😀'.repeat(31))).toBe('😀'.repeat(30));
    expect(closeReason(`${'x'.repeat(122)}éy`)).toBe('x'.repeat(122));
  });

  test('any text: a beginning of it, at most 123 bytes, no shorter than necessary', () => {
    const long = fc.array(strings, { maxLength: 30 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(long, (text) => {
        const reason = closeReason(text);
        expect(text.startsWith(reason)).toBe(true);
        expect(byteLength(reason)).toBeLessThanOrEqual(123);
        if (reason !== text) expect(byteLength(reason)).toBeGreaterThan(123 - 4);
      }),
    );
  });

  test('every code and every meaning of the tables fits', () => {
    const texts = [...Object.keys(ERROR_CODES), ...Object.values(CLOSE_TEXTS)];
    expect(texts.filter((text) => closeReason(text) !== text)).toEqual([]);
  });
});
