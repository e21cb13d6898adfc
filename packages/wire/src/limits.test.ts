import { describe, expect, test } from 'vitest';
import { encodeClientMessage, parseClientFrame } from './client-frames.ts';
import { DEFAULT_LIMITS, LIMIT_MEANINGS, limitsWith } from './limits.ts';
import { TOPIC_LENGTH_MAX } from './names.ts';

describe('HF-12: limits', () => {
  test('each has a default that is legal, and a meaning', () => {
    expect(limitsWith(DEFAULT_LIMITS)).toStrictEqual(DEFAULT_LIMITS);
    expect(Object.keys(LIMIT_MEANINGS)).toEqual(Object.keys(DEFAULT_LIMITS));
  });

  test('some may be replaced; undefined replaces nothing', () => {
    expect(limitsWith({ frameBytesMax: 5_000, inFlightMax: undefined })).toStrictEqual({ ...DEFAULT_LIMITS, frameBytesMax: 5_000 });
    expect(limitsWith({ depthMax: 120, frameBytesMax: Number.MAX_SAFE_INTEGER })).toMatchObject({ depthMax: 120 });
    const least = { depthMax: 8, topicsPerFrameMax: 64, frameBytesMax: 4_096, keysMax: 1_024 };
    expect(limitsWith(least)).toMatchObject(least);
  });

  test('HF-3.2: a hello of 64 subscriptions is within the least keysMax, and takes what limitsWith says', () => {
    const count = Number.MAX_SAFE_INTEGER;
    const position = { epoch: 'e'.repeat(64), offset: count, revision: count };
    const one = { id: count, topic: 't'.repeat(TOPIC_LENGTH_MAX), position, last: count, credit: count, presence: true };
    const frame = encodeClientMessage({
      type: 'hello',
      client: 'c'.repeat(64),
      token: 't'.repeat(2_048),
      subscribe: Array.from({ length: 64 }, () => one),
    });
    const limits = limitsWith({ keysMax: 1_024 });
    expect(parseClientFrame(frame, limits, () => undefined)).toMatchObject({ type: 'hello' });
    expect(() => parseClientFrame(frame, { ...limits, keysMax: 643 }, () => undefined)).toThrow('more than 643 keys');
    expect(parseClientFrame(frame, { ...limits, keysMax: 644 }, () => undefined)).toMatchObject({ type: 'hello' });
    expect(frame.length).toBeLessThanOrEqual(32_768);
    expect(() => limitsWith({ frameBytesMax: 4_095 })).toThrow('a hello of 64 subscriptions takes up to 32,768 bytes (HF-3.2)');
  });

  test.each([
    [{ frameBytesMax: 0 }, 'limit "frameBytesMax": want an integer from 4096 to 9007199254740991, got 0: a message'],
    [{ queueBytesMax: 0 }, 'limit "queueBytesMax": want an integer from 1 to 9007199254740991, got 0'],
    [{ keysMax: 1_023 }, 'limit "keysMax": want an integer from 1024 to 9007199254740991, got 1023: a hello of 64 subscriptions has 644'],
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
