/** The figures of docs/performance.md, from made-up results. */

import { describe, expect, test } from 'vitest';
import { barChart, goalsTable, performanceImages, performanceTables, SCENARIOS, speedTable } from './performance.mjs';

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
