import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Allowance, RATES, type Charge } from './allowance.ts';
import { limitSetWith, type LimitChanges } from './node-limits.ts';

const NOW = 1_700_000_000_000;

function allowance(limits: LimitChanges): Allowance {
  return new Allowance(limitSetWith(limits).node, 'connection');
}

/** Takes as many as may pass one after the other at this moment. */
function passing(of: Allowance, charge: Charge, now: number, max = 100_000): number {
  let count = 0;
  while (count < max && of.lack(charge, now) === undefined) {
    of.take(charge, now);
    count += 1;
  }
  return count;
}

describe('a burst, then the rate', () => {
  test.each([
    [500, 4_000, 2_000],
    [3, 4_000, 12],
    [7, 1_000, 7],
    [1, 1, 1],
  ])('%i a second and a burst of %i ms let exactly %i pass at once', (perSecond, burstMs, count) => {
    const bucket = allowance({ connectionRequestsPerSecond: perSecond, burstMs });
    expect(passing(bucket, { Requests: 1 }, NOW)).toBe(count);
    expect(passing(bucket, { Requests: 1 }, NOW + 3_600_000)).toBe(count);
  });

  test('the rates do not touch each other', () => {
    const bucket = allowance({ connectionRequestsPerSecond: 1, burstMs: 1_000 });
    expect(passing(bucket, { Requests: 1 }, NOW)).toBe(1);
    expect(bucket.lack({ Publishes: 1, Bytes: 1, Subscribes: 1 }, NOW)).toBeUndefined();
    expect(bucket.lack({ Publishes: 1, Requests: 1 }, NOW)).toMatchObject({ rate: 'Requests' });
  });

  test('frames that are small against a large rate count too', () => {
    const bucket = allowance({ connectionBytesPerSecond: 67_108_864, burstMs: 1 });
    expect(passing(bucket, { Bytes: 8 }, NOW, 20_000)).toBe(Math.ceil(67_108.864 / 8));
  });

  test('Infinity bounds nothing', () => {
    const bucket = allowance({ connectionRequestsPerSecond: Infinity, burstMs: 1 });
    expect(passing(bucket, { Requests: 1_000_000 }, NOW, 100)).toBe(100);
    expect(bucket.isUnused(NOW)).toBe(true);
  });

  test('a request larger than a burst passes, and all of it is waited for', () => {
    const bucket = allowance({ connectionPublishesPerSecond: 10, burstMs: 1_000 });
    expect(passing(bucket, { Publishes: 256 }, NOW)).toBe(1);
    expect(bucket.lack({ Publishes: 1 }, NOW + 24_500)).toMatchObject({ rate: 'Publishes' });
    expect(bucket.lack({ Publishes: 1 }, NOW + 24_700)).toBeUndefined();
  });

  test('what is forced leaves a wait of a burst and its eighth at the most', () => {
    const bucket = allowance({ connectionSubscribesPerSecond: 10, burstMs: 1_000 });
    for (let at = 0; at < 100; at++) bucket.force({ Subscribes: 256 }, NOW);
    expect(bucket.lack({ Subscribes: 1 }, NOW)?.waitMs).toBeLessThanOrEqual(1_126);
    expect(bucket.lack({ Subscribes: 1 }, NOW + 1_126)).toBeUndefined();
  });

  test('what is forced takes nothing back from what was taken', () => {
    const bucket = allowance({ connectionPublishesPerSecond: 10, burstMs: 1_000 });
    bucket.take({ Publishes: 256 }, NOW);
    bucket.force({ Publishes: 1 }, NOW);
    expect(bucket.lack({ Publishes: 1 }, NOW + 24_000)).toBeDefined();
  });
});

describe('the wait that is told', () => {
  test('leaves room for an eighth of a burst, not for one: a window that is sent again is not refused one by one', () => {
    const bucket = allowance({ connectionPublishesPerSecond: 500 });
    passing(bucket, { Publishes: 1 }, NOW);
    const { waitMs } = bucket.lack({ Publishes: 1 }, NOW)!;
    expect(passing(bucket, { Publishes: 1 }, NOW + waitMs)).toBeGreaterThanOrEqual(250);
  });

  test('is that of the bucket that is the fullest', () => {
    const bucket = allowance({ connectionRequestsPerSecond: 1, connectionBytesPerSecond: 1_024, burstMs: 1_000 });
    bucket.take({ Requests: 1, Bytes: 262_144 }, NOW);
    expect(bucket.lack({ Requests: 1, Bytes: 1 }, NOW)).toMatchObject({ rate: 'Bytes', waitMs: 255_126 });
  });
});

describe('properties', () => {
  const step = fc.record({
    rate: fc.constantFrom(...RATES),
    count: fc.integer({ min: 1, max: 5_000 }),
    afterMs: fc.oneof(fc.constant(0), fc.nat(50), fc.nat(20_000)),
    /** The clock is set back by so much, without time passing. */
    backMs: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.nat(100_000_000)),
  });
  const limits = fc.record({
    connectionPublishesPerSecond: fc.integer({ min: 1, max: 2_000 }),
    connectionBytesPerSecond: fc.integer({ min: 1_024, max: 100_000 }),
    connectionSubscribesPerSecond: fc.integer({ min: 1, max: 10 }),
    connectionRequestsPerSecond: fc.constant(333),
    burstMs: fc.integer({ min: 1, max: 10_000 }),
  });

  test('in no stretch of time does more pass than a burst, what the rate gives, and one request; whatever the clock says', () => {
    fc.assert(
      fc.property(limits, fc.array(step, { maxLength: 60 }), (some, steps) => {
        const bucket = allowance(some);
        const passed: { rate: string; count: number; atMs: number }[] = [];
        let wallMs = NOW;
        let atMs = 0;
        for (const { rate, count, afterMs, backMs } of steps) {
          atMs += afterMs;
          wallMs += afterMs - backMs;
          if (bucket.lack({ [rate]: count }, wallMs) !== undefined) continue;
          bucket.take({ [rate]: count }, wallMs);
          passed.push({ rate, count, atMs });
        }
        for (const name of RATES) {
          const of = passed.filter(({ rate }) => rate === name);
          const perMs = some[`connection${name}PerSecond`] / 1_000;
          for (let from = 0; from < of.length; from++) {
            let sum = 0;
            for (let to = from; to < of.length; to++) {
              const bound = (some.burstMs + of[to]!.atMs - of[from]!.atMs) * perMs;
              expect(sum).toBeLessThanOrEqual(bound + 1e-3);
              sum += of[to]!.count;
            }
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('who waits as long as was told may pass, however the clock was set back meanwhile', () => {
    fc.assert(
      fc.property(limits, fc.array(step, { minLength: 1, maxLength: 40 }), (some, steps) => {
        const bucket = allowance(some);
        let wallMs = NOW;
        for (const { rate, count, afterMs, backMs } of steps) {
          wallMs += afterMs;
          const lack = bucket.lack({ [rate]: count }, wallMs);
          wallMs -= backMs;
          if (lack !== undefined) {
            bucket.lack({ [rate]: count }, wallMs);
            wallMs += lack.waitMs;
          }
          expect(bucket.lack({ [rate]: count }, wallMs)).toBeUndefined();
          bucket.take({ [rate]: count }, wallMs);
        }
      }),
      { numRuns: 300 },
    );
  });
});
