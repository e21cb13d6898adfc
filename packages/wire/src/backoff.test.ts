import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backoffDelayMs } from './backoff.ts';

const ALMOST_ONE = 1 - 2 ** -53;

describe('HF-11.3: waiting before connecting again', () => {
  test.each([
    [0, 250, 250],
    [0, 0, 0],
    [0, 60_000, 60_000],
    [1, 250, 500],
    [2, 250, 1_000],
    [3, 250, 2_000],
    [4, 250, 4_000],
    [5, 250, 8_000],
    [6, 250, 16_000],
    [7, 250, 20_000],
    [8, 250, 20_000],
    [2_000, 250, 20_000],
    [1, 10_000, 10_000],
    [6, 10_000, 16_000],
    [1, 60_000, 60_000],
    [8, 60_000, 60_000],
  ])('attempt %d after a spread of %d ms waits less than %d ms', (attempt, spreadMs, boundMs) => {
    expect(backoffDelayMs(attempt, spreadMs, 0)).toBe(0);
    expect(backoffDelayMs(attempt, spreadMs, 0.5)).toBe(boundMs / 2);
    expect(backoffDelayMs(attempt, spreadMs, ALMOST_ONE)).toBe(Math.max(0, boundMs - 1));
  });

  test('other bounds', () => {
    expect(backoffDelayMs(1, 0, 0.5, { baseMs: 100 })).toBe(50);
    expect(backoffDelayMs(9, 0, 0.5, { capMs: 1_000 })).toBe(500);
    expect(backoffDelayMs(9, 4_000, 0.5, { capMs: 1_000 })).toBe(2_000);
  });

  test('always a whole number of milliseconds within the bound', () => {
    const fractions = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.nat(5_000), fc.nat(100_000), fractions, (attempt, spreadMs, random) => {
        const delayMs = backoffDelayMs(attempt, spreadMs, random);
        expect(Number.isInteger(delayMs) && delayMs >= 0 && delayMs <= (attempt === 0 ? spreadMs : Math.max(spreadMs, 20_000))).toBe(true);
      }),
    );
  });

  test('full jitter: even fractions give waits that are even over the whole bound', () => {
    const tenths = Array.from({ length: 10 }, () => 0);
    for (let step = 0; step < 10_000; step++) tenths[Math.floor(backoffDelayMs(7, 250, step / 10_000) / 2_000)]! += 1;
    expect(tenths).toEqual(Array.from({ length: 10 }, () => 1_000));
  });
});
