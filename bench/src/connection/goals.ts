/** What ours is meant to reach, beside what it reached. */

import type { ConnectionRow, Measure } from './row.ts';

interface Goal {
  readonly name: string;
  readonly measure: Measure;
  /** The figure's heading in that table. */
  readonly heading: string;
  readonly max: number;
  /** Whom it cannot be asked of. */
  readonly exceptFor?: readonly string[];
}

/** Of each kind of ours that stands in the table. */
const GOALS: readonly Goal[] = [
  { name: 'a half-open link is found, ms', measure: 'half-open link', heading: 'after, max, ms', max: 2_500 },
  {
    name: 'a link that trickles one large message is dropped, times',
    measure: 'slow link',
    heading: '10 MB at 1 MB/s: dropped, times',
    max: 0,
    // A page hears nothing of a message before its end, which is why a server's messages have a bound (HF-12).
    exceptFor: ['holdfast client in Chromium'],
  },
  { name: 'a slow link is dropped, times', measure: 'slow link', heading: '64 kB at 50 kB/s: dropped, times', max: 0 },
  // Without an answer nobody can know what a dead socket had taken.
  { name: 'messages lost', measure: 'freezes', heading: 'lost', max: 0, exceptFor: ['holdfast connection'] },
  { name: 'messages doubled', measure: 'freezes', heading: 'doubled', max: 0 },
  // Without a server that announces it there is no spread of 2 s.
  {
    name: 'back within 100 ms of 2 s, %',
    measure: 'herd',
    heading: 'largest share within 100 ms, median, %',
    max: 10,
    exceptFor: ['holdfast connection'],
  },
  { name: 'alone and back, p50, ms', measure: 'alone', heading: 'after, p50, ms', max: 300 },
];

/** Bytes after brotli. */
const SIZE_GOALS: Readonly<Record<string, number>> = { 'holdfast connection': 5_000, 'holdfast client': 12_000 };

/** The rows of the last table, of those of the others. */
export function goalsOf(rows: readonly ConnectionRow[], names: readonly string[]): ConnectionRow[] {
  return names.flatMap((name) =>
    [...GOALS, ...sizeGoals(name)].flatMap(({ name: goal, measure, heading, max, exceptFor }) => {
      const row = rows.find((one) => one.measure === measure && one.name === name);
      if (row === undefined || exceptFor?.includes(name) === true) return [];
      const reached = row.figures[heading] ?? null;
      const verdict = typeof reached === 'number' && reached <= max ? 'met' : 'not met';
      return [{ measure: 'goals' as const, name: `${name}: ${goal}`, figures: { 'at most': max, reached, verdict } }];
    }),
  );
}

function sizeGoals(name: string): Goal[] {
  const max = SIZE_GOALS[name];
  return max === undefined ? [] : [{ name: 'size after brotli, bytes', measure: 'size', heading: 'brotli, bytes', max }];
}
