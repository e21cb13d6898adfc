/** The figures of docs/performance.md, from made-up results. */

import { describe, expect, test } from 'vitest';
import { barChart, goalsTable, performanceImages, performanceTables, SCENARIOS, speedTable, stormTables } from './performance.mjs';

const figure = (median, min = median, max = median) => ({ median, min, max });
const METRICS = [
  { name: 'cpuMicros', title: 'server CPU per delivery', unit: 'µs' },
  { name: 'share', title: 'share', unit: '' },
];

function resultOf(cpuOf) {
  const rows = ['holdfast', 'holdfast-credit', 'ws', 'socket.io'].map((contender) => {
    const named = ['perSecond', 'totalMs', 'p99Ms', 'heldKiB', 'bytes', 'share'].map((name) => [name, figure(1_234.4)]);
    return {
      contender,
      title: contender.toUpperCase(),
      version: '1.0',
      figures: { ...Object.fromEntries(named), cpuMicros: figure(cpuOf(contender), 0.1, 20) },
    };
  });
  return { metrics: METRICS, runs: 5, seconds: 3, rows };
}

const slow = resultOf((contender) => (contender === 'holdfast' ? 0.5 : 10));
const results = Object.fromEntries(SCENARIOS.map((name) => [name, slow]));

describe('The figures of docs/performance.md', () => {
  test('of a storm tell the worst share and the sum of what was wrong, and the growth of memory by its slope', () => {
    const round = (back, lost, heldBytes) => ({
      back,
      lost,
      heldBytes,
      doubled: 0,
      disordered: 0,
      late: 0,
      refusals: 7,
      p50Us: 1e6,
      p95Us: 2e6,
      p99Us: 3e6,
      maxUs: 4e6 + lost,
      delayP99Ms: 5.4,
      delayMaxMs: 80,
      cpuMs: 1_250,
      residentBytes: 2 ** 20 * back,
    });
    const rounds = [round(100, 0, 0), round(99, 2, 1_000), round(100, 0, 2_000), round(100, 0, 3_000)];
    const row = { title: 'X', connections: 100, before: { residentBytes: 2 ** 20 }, rounds };
    const tables = stormTables(
      {
        rows: [
          { ...row, mode: 'at-once' },
          { ...row, mode: 'spread' },
        ],
      },
      () => 'Commit x.',
    );
    expect(Object.keys(tables)).toEqual(['storm-at-once', 'storm-spread']);
    expect(tables['storm-spread'].split('\n')[2]).toBe(
      '| 100 | X | 4 | 99.00 | 2 | 1,000 | 2,000 | 3,000 | 4,000 | 5, 80 | 1.3 | 7 | 1, 100, 100 | 10 |',
    );
    expect(tables['storm-spread']).toMatch(/Commit x\.$/);
  });

  test('are medians with their range, and multiples of ours', () => {
    const lines = speedTable(slow, () => 'Commit x.').split('\n');
    expect(lines[0]).toBe('| server | server CPU per delivery, µs | share | server CPU per delivery, times ours |');
    expect(lines[2]).toBe('| HOLDFAST | 0.50 (0.10 to 20) | 1,234 | 1.0 |');
    expect(lines[4]).toBe('| WS | 10 (0.10 to 20) | 1,234 | 20 |');
    expect(lines.at(-1)).toBe('Median of 5 runs of 3 s each, the servers in turn. Commit x.');
  });

  test('say of each goal whether it is met, and do not guess', () => {
    const goals = goalsTable({ 'fan-out-1000-x16': slow, 'room-saturated': slow });
    const lines = goals.split('\n').slice(2);
    expect(lines[0]).toMatch(/of Socket.IO, as a multiple of ours \| at least 12 \| 20 \| met \|$/);
    expect(lines.find((line) => line.startsWith('| A room of 100 and 500'))).toMatch(/at least 60 \| 20 \| \*\*not met\*\* \|$/);
    expect(lines.at(-1)).toMatch(/unknown \| not measured \|$/);
  });

  test('have a place for every scenario, and images', () => {
    expect(Object.keys(performanceTables(results, () => ''))).toEqual([...SCENARIOS, 'goals', 'servers']);
    for (const image of Object.values(performanceImages(results))) expect(image).toMatch(/^<svg [^]*<\/svg>\n$/);
  });

  test('are bars within their picture, whatever the range', () => {
    const image = barChart('A <title>', [
      { label: 'a', figure: figure(0.02, 0.001, 3), isOurs: true },
      { label: 'b', figure: figure(12_000, 9_000, 20_000), isOurs: false },
    ]);
    const ends = [...image.matchAll(/<rect class="[ob]" x="(\d+)" y="\d+" width="(\d+)"/g)].map(
      ([, x, width]) => Number(x) + Number(width),
    );
    expect(ends).toHaveLength(2);
    expect(ends[0]).toBeLessThan(ends[1]);
    expect(ends[1]).toBeLessThanOrEqual(810);
    expect(image).toContain('A &lt;title>');
  });
});
