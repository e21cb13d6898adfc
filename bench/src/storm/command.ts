/** `npm run bench -- storm`: with how many connections, how often; the table, and whether all is well. */

import { canLoad } from '../load/load-generator.ts';
import { median } from '../percentile.ts';
import { STORM_CONTENDERS } from './contenders.ts';
import { measureStorm, type StormPlan, type StormRound, type StormRow } from './storm.ts';
import { growthOf, stormFailures } from './verdict.ts';

export const STORM_USAGE = `       npm run bench -- storm [--connections 5000,10000] [--rounds 10] [--against socket.io] [--quick] [--dry]`;

/** Few connections, few rounds: whether everything works. */
const QUICK_STORM: StormPlan = { connections: [200], rounds: 2, roundMs: 20_000 };
const ROUND_MS = 60_000;
/** What one process may have open, less what it needs besides, and what ends one round. */
const CONNECTIONS_MAX = 19_000;

export interface StormChoices {
  readonly connections: string;
  readonly rounds: number;
  readonly against?: string | undefined;
  readonly quick: boolean;
}

/** Throws for numbers that cannot be. */
export function planOf({ connections, rounds, quick }: StormChoices): StormPlan {
  if (quick) return QUICK_STORM;
  const counts = connections.split(',').map(Number);
  if (!counts.every((count) => Number.isInteger(count) && count >= 1 && count <= CONNECTIONS_MAX))
    throw new Error(`--connections takes numbers from 1 to ${CONNECTIONS_MAX}, with commas, not "${connections}"`);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a number from 1');
  return { connections: counts, rounds, roundMs: ROUND_MS };
}

export interface StormOutcome {
  readonly rows: readonly StormRow[];
  readonly table: string;
  readonly failures: readonly string[];
}

export async function benchStorm(choices: StormChoices, report: (line: string) => void): Promise<StormOutcome> {
  const plan = planOf(choices);
  if (!canLoad()) throw new Error('the load generator needs Linux and a C compiler (cc)');
  const named = choices.against?.split(',');
  const contenders = STORM_CONTENDERS.filter(({ name, isOurs }) => isOurs || named === undefined || named.includes(name));
  const rows = await measureStorm(contenders, plan, report);
  return { rows, table: stormTable(rows), failures: stormFailures(rows) };
}

/** Medians over the rounds; the longest time and delay of all. */
export function stormTable(rows: readonly StormRow[]): string {
  const head = [
    'connections',
    'mode',
    'server',
    'back with all, %',
    'p50, ms',
    'p95, ms',
    'p99, ms',
    'max, ms',
    'loop p99, ms',
    'CPU, s',
    'refused',
    'resident before, after, MiB',
    'growth, B',
  ];
  const lines = rows.map((row) => {
    const middle = (pick: (round: StormRound) => number): string => whole(median(row.rounds.map(pick)));
    const share = Math.min(...row.rounds.map(({ back }) => back)) / row.connections;
    const mib = (bytes: number): string => whole(bytes / 2 ** 20);
    const growth = growthOf(row);
    return [
      whole(row.connections),
      row.mode,
      row.title,
      (share * 100).toFixed(share === 1 ? 0 : 2),
      ...(['p50Us', 'p95Us', 'p99Us'] as const).map((name) => middle((round) => round[name] / 1_000)),
      whole(Math.max(...row.rounds.map(({ maxUs }) => maxUs)) / 1_000),
      middle(({ delayP99Ms }) => delayP99Ms),
      (median(row.rounds.map(({ cpuMs }) => cpuMs)) / 1_000).toFixed(2),
      middle(({ refusals }) => refusals),
      `${mib(row.before.residentBytes)}, ${mib(row.rounds.at(-1)!.residentBytes)}`,
      growth === undefined ? '' : growth.toFixed(0),
    ];
  });
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
