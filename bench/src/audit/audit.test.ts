/** The audit works: real servers, real clients and every fault of the script, with few clients and for seconds. */

import { beforeAll, describe, expect, test } from 'vitest';
import { auditContender } from './audit.ts';
import type { ContenderName } from './contender.ts';
import { CONTENDERS } from './contenders.ts';
import type { AuditPlan } from './script.ts';
import { isFlawless, reportOf, type AuditRow } from './verdict.ts';

const PLAN: AuditPlan = {
  clients: 8,
  durationMs: 4_000,
  broadcastsPerSecond: 10,
  cutEveryMs: 1_500,
  offlineMs: 300,
  killedMs: 100,
  settleMs: 60_000,
  seed: 1,
};

function audit(name: ContenderName, changes: Partial<AuditPlan> = {}): Promise<AuditRow> {
  const contender = CONTENDERS.find((one) => one.name === name)!;
  return auditContender(contender, { plan: { ...PLAN, ...changes }, report: () => {}, signal: new AbortController().signal });
}

describe('Holdfast, on disk', { timeout: 120_000 }, () => {
  let row: AuditRow;
  beforeAll(async () => {
    row = await audit('holdfast');
  }, 120_000);

  test('loses, doubles and reorders nothing', () => {
    expect(row).toMatchObject({ lost: 0, told: 0, duplicated: 0, reordered: 0, expected: 320, isSettled: true });
    expect(isFlawless(row)).toBe(true);
  });

  test('has every broadcast of its publisher acknowledged and in the log', () => {
    expect(row).toMatchObject({ acknowledged: 40, acknowledgedLost: 0 });
  });

  test('was really disturbed: its clients came back and had missed something', () => {
    expect(row.cuts).toBeGreaterThan(PLAN.clients);
    expect(row.reconnections).toBeGreaterThan(PLAN.clients * 2);
    expect(row.replayed + row.interrupted).toBe(row.behind);
    expect(row.behind).toBeGreaterThan(PLAN.clients);
  });

  test('has its verdict in the first line of its report', () => {
    expect(reportOf(row)[0]).toBe('Holdfast, on disk: 0 lost / 0 duplicated / 0 reordered, of 320');
  });
});

describe.concurrent('The others', { timeout: 120_000 }, () => {
  test('Holdfast in memory tells every loss that a new log brings', async () => {
    const row = await audit('holdfast-memory');
    expect(row).toMatchObject({ lost: row.told, duplicated: 0, reordered: 0, isSettled: true });
    expect(row.told).toBeGreaterThan(0);
  });

  test.each(['socket.io', 'partysocket'] as const)('%s loses what is sent while nobody is there, and is seen to', async (name) => {
    const row = await audit(name, { settleMs: 1_000 });
    expect(row.lost).toBeGreaterThan(0);
    expect(row).toMatchObject({ told: 0, acknowledgedLost: null, isSettled: false });
  });

  test('Socket.IO with its recovery gets something back, and says where it cannot', async () => {
    const row = await audit('socket.io-recovery', { settleMs: 1_000 });
    expect(row.replayed).toBeGreaterThan(0);
    expect(row.told).toBeGreaterThan(0);
  });
});

test('Ended before its time, it ends what it started and says why', async () => {
  const ending = new AbortController();
  const [contender] = CONTENDERS;
  const report = (): void => ending.abort(new Error('ended by the test'));
  const running = auditContender(contender!, { plan: { ...PLAN, durationMs: 1_000, settleMs: 600_000 }, report, signal: ending.signal });
  await expect(running).rejects.toThrow('ended by the test');
}, 60_000);
