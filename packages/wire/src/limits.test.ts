import { describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS, LIMIT_MEANINGS, limitsWith } from './limits.ts';

describe('HF-12: limits', () => {
  test('each has a default that is legal, and a meaning', () => {
    expect(limitsWith(DEFAULT_LIMITS)).toStrictEqual(DEFAULT_LIMITS);
    expect(Object.keys(LIMIT_MEANINGS)).toEqual(Object.keys(DEFAULT_LIMITS));
  });

  test('some may be replaced; undefined replaces nothing', () => {
    expect(limitsWith({ frameBytesMax: 1_000, inFlightMax: undefined })).toStrictEqual({ ...DEFAULT_LIMITS, frameBytesMax: 1_000 });
    expect(limitsWith({ depthMax: 120, frameBytesMax: Number.MAX_SAFE_INTEGER })).toMatchObject({ depthMax: 120 });
    expect(limitsWith({ depthMax: 8, topicsPerFrameMax: 64 })).toMatchObject({ depthMax: 8, topicsPerFrameMax: 64 });
  });

  test.each([
    [{ frameBytesMax: 0 }, 'limit "frameBytesMax": want an integer from 1 to 9007199254740991, got 0'],
    [{ inFlightMax: 1.5 }, 'limit "inFlightMax"'],
    [{ queueBytesMax: Number.POSITIVE_INFINITY }, 'limit "queueBytesMax"'],
    [{ readCountMax: '7' as unknown as number }, 'limit "readCountMax"'],
    [{ depthMax: 7 }, 'limit "depthMax": want an integer from 8 to 120, got 7'],
    [{ depthMax: 121 }, 'limit "depthMax": want an integer from 8 to 120, got 121'],
    [{ topicsPerFrameMax: 63 }, 'limit "topicsPerFrameMax": want an integer from 64'],
    [{ frameByteMax: 1 } as object, '"frameByteMax" is not a limit'],
    [{ toString: 1 } as object, '"toString" is not a limit'],
  ])('USAGE for %j', (changes, message) => {
    expect(() => limitsWith(changes)).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(message) as string }),
    );
  });
});
