import { beforeEach, describe, expect, test } from 'vitest';
import { Expiry } from './expiry.ts';
import { VirtualClock } from './virtual-clock.testing.ts';

let clock: VirtualClock;
let told: string[];
let expiry: Expiry;
let startMs: number;
let onWarning: () => void;

beforeEach(() => {
  clock = new VirtualClock();
  startMs = clock.now();
  told = [];
  onWarning = (): void => undefined;
  const at = (): number => clock.now() - startMs;
  expiry = new Expiry({
    clock,
    onWarning: (expiresAtMs) => {
      told.push(`warned at ${at()} of ${expiresAtMs - startMs}`);
      onWarning();
    },
    onEnd: () => told.push(`ended at ${at()}`),
  });
});

describe('HF-3.8: warned ahead, then ended', () => {
  test.each([
    [600_000, 570_000],
    [150_000, 120_000],
    [10_000, 8_000],
  ])('credentials of %i ms: warned at %i', async (lifetimeMs, warnAtMs) => {
    expiry.set(startMs + lifetimeMs);
    await clock.advance(lifetimeMs + 10_000);
    expect(told).toEqual([`warned at ${warnAtMs} of ${lifetimeMs}`, `ended at ${lifetimeMs}`]);
    expect(clock.alarmCount).toBe(0);
  });

  test('what has ended already ends at once', async () => {
    expiry.set(startMs - 1);
    await clock.advance(1);
    expect(told).toEqual(['ended at 1']);
  });

  test.each([undefined, Infinity])('%s has no end, and keeps no timer', (end) => {
    expiry.set(startMs + 1_000);
    expiry.set(end);
    expect(clock.alarmCount).toBe(0);
  });

  test.each([Number.NaN, -Infinity])('%s is refused: it would never be over', (end) => {
    expect(() => expiry.set(end)).toThrow(TypeError);
    expect(clock.alarmCount).toBe(0);
  });

  test('new credentials put the old ones out of count, from within the warning too', async () => {
    onWarning = () => expiry.set(startMs + 200_000);
    expiry.set(startMs + 100_000);
    await clock.advance(80_000);
    onWarning = () => undefined;
    expect([told, clock.alarmCount]).toEqual([['warned at 80000 of 100000'], 1]);
    await clock.advance(150_000);
    expect(told.slice(1)).toEqual(['warned at 176000 of 200000', 'ended at 200000']);
  });

  test('clear ends it all', async () => {
    onWarning = () => expiry.clear();
    expiry.set(startMs + 10_000);
    await clock.advance(20_000);
    expect([told, clock.alarmCount]).toEqual([['warned at 8000 of 10000'], 0]);
  });
});

describe('a clock that is set', () => {
  test('forward by hours: noticed within a minute', async () => {
    expiry.set(startMs + 36_000_000);
    clock.jump(36_000_000);
    await clock.advance(60_000);
    expect(told).toEqual(['ended at 36060000']);
  });

  test('back: the end comes when the clock says so, and the warning comes once', async () => {
    expiry.set(startMs + 100_000);
    await clock.advance(85_000);
    clock.jump(-50_000);
    await clock.advance(64_999);
    expect(told).toEqual(['warned at 80000 of 100000']);
    await clock.advance(1);
    expect(told.slice(1)).toEqual(['ended at 100000']);
  });
});
