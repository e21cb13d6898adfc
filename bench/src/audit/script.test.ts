/** The script is the same for the same seed, and what is due is carried out in order. */

import { describe, expect, test } from 'vitest';
import { scriptOf, type AuditPlan } from './script.ts';
import { keepTimetable } from './timetable.ts';

const plan: AuditPlan = {
  clients: 50,
  durationMs: 120_000,
  broadcastsPerSecond: 2,
  cutEveryMs: 15_000,
  offlineMs: 2_000,
  killedMs: 1_000,
  settleMs: 30_000,
  seed: 7,
};

describe('The script', () => {
  test('is the same again for the same seed, and another one for another', () => {
    expect(scriptOf(plan)).toEqual(scriptOf(plan));
    expect(scriptOf({ ...plan, seed: 8 }).cuts).not.toEqual(scriptOf(plan).cuts);
  });

  test('cuts every client and the publisher again and again, in order, between two thirds and four thirds of the mean apart', () => {
    const { cuts } = scriptOf(plan);
    expect(cuts.map(({ atMs }) => atMs)).toEqual([...cuts].map(({ atMs }) => atMs).sort((a, b) => a - b));
    for (let client = 0; client <= plan.clients; client++) {
      const times = cuts.filter((cut) => cut.client === client).map(({ atMs }) => atMs);
      const apart = times.slice(1).map((atMs, index) => atMs - times[index]!);
      expect(times[0]).toBeLessThan(15_000);
      expect(Math.min(...apart)).toBeGreaterThanOrEqual(10_000);
      expect(Math.max(...apart)).toBeLessThanOrEqual(20_000);
      expect(times.at(-1)).toBeGreaterThan(100_000);
    }
  });

  test('kills in the middle and drains at three quarters, while a broadcast is under way', () => {
    const { broadcastsAtMs, killAtMs, drainAtMs, calmCount } = scriptOf(plan);
    expect([broadcastsAtMs.length, broadcastsAtMs[1], killAtMs, drainAtMs, calmCount]).toEqual([240, 500, 60_003, 90_003, 90]);
  });
});

describe('A timetable', () => {
  test('carries out everything once, in the order of its times', async () => {
    const done: number[] = [];
    const appointments = [20, 5, 0, 10].map((atMs) => ({ atMs, run: () => void done.push(atMs) }));
    await keepTimetable(appointments, new AbortController().signal);
    expect(done).toEqual([0, 5, 10, 20]);
  });

  test('ends with what one of them throws, and when it is told to', async () => {
    const failing = { atMs: 0, run: () => expect.unreachable('thrown') };
    await expect(keepTimetable([failing], new AbortController().signal)).rejects.toThrow('thrown');
    const ending = new AbortController();
    const endless = keepTimetable([{ atMs: 600_000, run: () => {} }], ending.signal);
    ending.abort(new Error('told to'));
    await expect(endless).rejects.toThrow('told to');
  });
});
