/** What must be true of a storm: everybody is back with everything, once and in order, and nothing of the rounds stays in memory. */

import type { StormRow } from './storm.ts';

/**
 * The most that may stay for each connection and round, bytes, by the slope over the rounds. The log's own growth is in it: 5 entries for
 * 100 connections, about 25 bytes. One connection that is left behind weighs about 8 KB, so one of a hundred that stays is found.
 */
export const GROWTH_BYTES_MAX = 100;

/** Rounds that a slope needs; the first is not in it, since a process warms up in it. */
const ROUNDS_MIN = 4;

/** By how much the memory that is held grows with each round, for each connection, bytes; `undefined` with too few rounds. */
export function growthOf({ rounds, connections }: StormRow): number | undefined {
  if (rounds.length < ROUNDS_MIN) return undefined;
  return slope(rounds.slice(1).map(({ heldBytes }) => heldBytes)) / connections;
}

/** Of the line through values one apart, by least squares. */
export function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const [above, below] = values.reduce(([up, down], value, at) => [up + (at - middle) * (value - mean), down + (at - middle) ** 2], [0, 0]);
  return above / below;
}

/** What is wrong with our own rows, a sentence each. */
export function stormFailures(rows: readonly StormRow[]): string[] {
  return rows.filter(({ isOurs }) => isOurs).flatMap(failuresOf);
}

function failuresOf(row: StormRow): string[] {
  const what = `${row.contender}, ${row.connections} connections, ${row.mode}`;
  const wrong = row.rounds.flatMap((round, at) => {
    const short = row.connections - round.back;
    const counts = (['lost', 'doubled', 'disordered', 'late'] as const)
      .filter((name) => round[name] > 0)
      .map((name) => `${round[name]} ${name}`);
    const told = [...(short > 0 ? [`${short} not back with everything`] : []), ...counts];
    return told.length === 0 ? [] : [`${what}, round ${at + 1}: ${told.join(', ')}`];
  });
  const growth = growthOf(row);
  if (growth !== undefined && growth > GROWTH_BYTES_MAX)
    wrong.push(`${what}: memory grows by ${Math.round(growth)} bytes for each connection and round, more than ${GROWTH_BYTES_MAX}`);
  return wrong;
}
