import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { digestOf } from './digest.ts';
import type { Payload } from './store.ts';

describe('HF-6.5: digests', () => {
  test('are the same for the same payloads', () => {
    expect(digestOf(['{"a":1}', Uint8Array.of(1)])).toBe(digestOf(['{"a":1}', Uint8Array.of(1)]));
  });

  test.each<[Payload[], Payload[]]>([
    [['ab'], ['a', 'b']],
    [
      ['ab', ''],
      ['a', 'b'],
    ],
    [
      ['a', 'b'],
      ['b', 'a'],
    ],
    [['a'], [Uint8Array.of(97)]],
    [[''], []],
    [['\u0000'], ['']],
    [['aa'], ['a']],
    [[new Uint8Array(3)], [new Uint8Array(4)]],
  ])('differ for %j and %j', (one, other) => {
    expect(digestOf(one)).not.toBe(digestOf(other));
  });

  test('differ for different texts', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (one, other) => {
        fc.pre(one !== other);
        expect(digestOf([one])).not.toBe(digestOf([other]));
      }),
    );
  });
});
