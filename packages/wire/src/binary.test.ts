import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBinaryEntry, decodeBinaryPublish, encodeBinaryEntry, encodeBinaryPublish } from './binary.ts';
import { codeOf } from './error.testing.ts';
import { wellFormedStrings } from './messages.testing.ts';

const BOUNDS = [
  0,
  1,
  127,
  128,
  16_383,
  16_384,
  2_097_151,
  2_097_152,
  2 ** 28 - 1,
  2 ** 28,
  2 ** 31,
  2 ** 32,
  2 ** 35,
  2 ** 42,
  2 ** 49 - 1,
  2 ** 49,
  Number.MAX_SAFE_INTEGER,
];
const numbers = fc.oneof(fc.constantFrom(...BOUNDS), fc.maxSafeNat());
const bytes = fc.uint8Array({ maxLength: 40 });

const entries = fc.record(
  { number: numbers, offset: numbers, seq: numbers, at: numbers, producer: wellFormedStrings, from: wellFormedStrings, bytes },
  { noNullPrototype: true },
);
const publishes = fc
  .record(
    {
      number: numbers,
      topic: wellFormedStrings,
      producer: wellFormedStrings,
      seq: numbers,
      epoch: wellFormedStrings.filter((epoch) => epoch !== ''),
      ifHead: numbers,
      bytes,
    },
    { requiredKeys: ['number', 'producer', 'seq', 'bytes'], noNullPrototype: true },
  )
  .filter(({ ifHead }) => ifHead !== Number.MAX_SAFE_INTEGER)
  // A number of 0 and the name come together or not at all.
  .map(({ number, topic, ...rest }) =>
    topic === undefined ? { number: number === 0 ? 1 : number, ...rest } : { number: 0, topic, ...rest },
  );

describe('HF-9: binary frames', () => {
  test('an entry comes back', () => {
    fc.assert(
      fc.property(entries, (entry) => {
        expect(decodeBinaryEntry(encodeBinaryEntry(entry))).toStrictEqual({ ...entry, bytes: Uint8Array.from(entry.bytes) });
      }),
    );
  });

  test('a publish comes back', () => {
    fc.assert(
      fc.property(publishes, (publish) => {
        expect(decodeBinaryPublish(encodeBinaryPublish(publish))).toStrictEqual({ ...publish, bytes: Uint8Array.from(publish.bytes) });
      }),
    );
  });

  test('the layout of an entry, byte by byte', () => {
    const frame = encodeBinaryEntry({ number: 7, offset: 300, seq: 1, at: 128, producer: 'p', from: 'é', bytes: Uint8Array.of(9, 8) });
    expect([...frame]).toEqual([0x02, 7, 0xac, 0x02, 1, 0x80, 0x01, 1, 0x70, 2, 0xc3, 0xa9, 9, 8]);
  });

  test('the layout of a publish, byte by byte, by number and by name', () => {
    const byNumber = encodeBinaryPublish({ number: 7, producer: 'p', seq: 300, epoch: 'k', ifHead: 127, bytes: Uint8Array.of(9) });
    expect([...byNumber]).toEqual([0x01, 7, 1, 0x70, 0xac, 0x02, 1, 0x6b, 0x80, 0x01, 9]);
    const byName = encodeBinaryPublish({ number: 0, topic: 't', producer: 'p', seq: 1, bytes: Uint8Array.of() });
    expect([...byName]).toEqual([0x01, 0, 1, 0x74, 1, 0x70, 1, 0, 0]);
  });

  test.each(BOUNDS)('a varint of %d', (number) => {
    expect(
      decodeBinaryEntry(
        encodeBinaryEntry({ number, offset: number, seq: number, at: number, producer: '', from: '', bytes: Uint8Array.of() }),
      ).offset,
    ).toBe(number);
  });

  test('a varint is as short as it can be', () => {
    const lengths = BOUNDS.map(
      (number) => encodeBinaryEntry({ number, offset: 0, seq: 0, at: 0, producer: '', from: '', bytes: Uint8Array.of() }).length - 6,
    );
    expect(lengths).toEqual([1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 6, 7, 7, 8, 8]);
  });

  test('a varint above 2^53 - 1 or longer than 8 bytes is BAD_BINARY', () => {
    const after = [1, 1, 1, 0, 0];
    const above = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
    const largest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f];
    expect(decodeBinaryEntry(Uint8Array.from([2, ...largest, ...after])).number).toBe(Number.MAX_SAFE_INTEGER);
    expect(codeOf(() => decodeBinaryEntry(Uint8Array.from([2, ...above, ...after])))).toBe('BAD_BINARY');
    expect(codeOf(() => decodeBinaryEntry(Uint8Array.from([2, ...largest.map(() => 0xff), 0x01, ...after])))).toBe('BAD_BINARY');
    expect(codeOf(() => decodeBinaryEntry(Uint8Array.from([2, ...above.map(() => 0x80), 0x00, ...after])))).toBe('BAD_BINARY');
  });

  test.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])(
    'a number that no varint can hold is refused before it is written: %d',
    (number) => {
      expect(codeOf(() => encodeBinaryEntry({ number, offset: 1, seq: 1, at: 1, producer: 'p', from: 'f', bytes: Uint8Array.of() }))).toBe(
        'USAGE',
      );
    },
  );

  test('an ifHead of 2^53 - 1 has no room for its 1', () => {
    expect(
      codeOf(() => encodeBinaryPublish({ number: 1, producer: 'p', seq: 1, ifHead: Number.MAX_SAFE_INTEGER, bytes: Uint8Array.of() })),
    ).toBe('USAGE');
  });

  test('a frame that is cut anywhere before its payload is BAD_BINARY', () => {
    const entry = encodeBinaryEntry({
      number: 300,
      offset: 70_000,
      seq: 1,
      at: 1_767_225_600_000,
      producer: 'tab-7f3a',
      from: 'zoë',
      bytes: Uint8Array.of(),
    });
    const publish = encodeBinaryPublish({
      number: 0,
      topic: 'chat/42',
      producer: 'tab-7f3a',
      seq: 300,
      epoch: 'k2',
      ifHead: 300,
      bytes: Uint8Array.of(),
    });
    for (let length = 0; length < entry.length; length++)
      expect(codeOf(() => decodeBinaryEntry(entry.subarray(0, length)))).toBe('BAD_BINARY');
    for (let length = 0; length < publish.length; length++)
      expect(codeOf(() => decodeBinaryPublish(publish.subarray(0, length)))).toBe('BAD_BINARY');
    expect(decodeBinaryEntry(entry).bytes).toHaveLength(0);
    expect(decodeBinaryPublish(publish).bytes).toHaveLength(0);
  });

  test('a string that claims more than the frame holds is BAD_BINARY', () => {
    expect(codeOf(() => decodeBinaryPublish(Uint8Array.of(1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f, 65)))).toBe('BAD_BINARY');
  });

  test('another kind of frame is BAD_BINARY', () => {
    expect(() => decodeBinaryEntry(Uint8Array.of(1, 1, 1, 1, 1, 0, 0))).toThrow('a binary frame of kind 1 where 2 is expected');
    expect(() => decodeBinaryPublish(Uint8Array.of())).toThrow('a binary frame of kind none where 1 is expected');
  });

  test('random bytes yield a message or BAD_BINARY, never anything else', () => {
    const frames = fc.tuple(fc.constantFrom(1, 2), fc.uint8Array({ maxLength: 60 })).map(([kind, rest]) => Uint8Array.of(kind, ...rest));
    fc.assert(
      fc.property(frames, (frame) => {
        expect([undefined, 'BAD_BINARY']).toContain(codeOf(() => decodeBinaryPublish(frame)));
        expect([undefined, 'BAD_BINARY']).toContain(codeOf(() => decodeBinaryEntry(frame)));
      }),
      { numRuns: 3_000 },
    );
  });

  test('the payload is a copy: the frame may be reused', () => {
    const frame = encodeBinaryEntry({ number: 1, offset: 1, seq: 1, at: 1, producer: 'p', from: 'f', bytes: Uint8Array.of(5) });
    const { bytes: payload } = decodeBinaryEntry(frame);
    frame.fill(0);
    expect([...payload]).toEqual([5]);
  });
});
