/** The benchmark of speed works: short runs with few connections, in which every message is checked and nothing is timed. */

import { describe, expect, test } from 'vitest';
import { canLoad } from '../load/load-generator.ts';
import { QUICK_PLAN } from './command.ts';
import { CONTENDERS } from './contenders.ts';
import { SCENARIOS } from './scenarios.ts';
import { measureSpeed, speedTable } from './speed.ts';

const isPossible = canLoad();
if (!isPossible) console.warn('SKIPPED: the benchmark of speed needs Linux and a C compiler (cc).');

async function quick(name: string, contenders: readonly string[]): Promise<{ rows: string[]; failures: string[]; table: string }> {
  const scenario = SCENARIOS.find((one) => one.name === name)!;
  const reports: string[] = [];
  const rows = await measureSpeed(scenario, {
    contenders: CONTENDERS.filter((contender) => contenders.includes(contender.name)),
    runs: 1,
    plan: QUICK_PLAN,
    report: (line) => reports.push(line),
  });
  return {
    rows: rows.map(({ contender }) => contender),
    failures: reports.filter((line) => line.includes('FAILED')),
    table: speedTable(scenario, rows, 'holdfast'),
  };
}

describe.skipIf(!isPossible)('The benchmark of speed', () => {
  test('fans out through the whole server, through `ws` and through the C writer', async () => {
    const all = ['holdfast', 'holdfast-credit', 'holdfast-disk', 'ws', 'c'];
    const { rows, failures, table } = await quick('room-saturated', all);
    expect(failures).toEqual([]);
    expect(rows).toEqual(all);
    expect(table.split('\n')).toHaveLength(2 + all.length);
  });

  test('lets clients come back for what they missed', async () => {
    const { rows, failures } = await quick('resume', ['holdfast', 'holdfast-disk', 'ws']);
    expect(failures).toEqual([]);
    expect(rows).toEqual(['holdfast', 'holdfast-disk']);
  });

  test('lets readers stop and read on, losing nothing', async () => {
    const { rows, failures } = await quick('slow-readers', ['holdfast-credit', 'ws']);
    expect(failures).toEqual([]);
    expect(rows).toEqual(['holdfast-credit', 'ws']);
  });

  test('names every scenario and contender once', () => {
    for (const names of [SCENARIOS.map(({ name }) => name), CONTENDERS.map(({ name }) => name)])
      expect(new Set(names).size).toBe(names.length);
  });
});
