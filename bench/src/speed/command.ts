/** `npm run bench -- SCENARIO`: which scenarios, against whom, how often, how long. */

import { canLoad } from '../load/load-generator.ts';
import { CONTENDERS, OURS } from './contenders.ts';
import { profile, type ProfileRow } from './profile.ts';
import type { Plan } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';
import { measureSpeed, speedTable } from './speed.ts';

export const SPEED_USAGE: string = `       npm run bench -- profile [--seconds 3] [--quick] [--dry]
       npm run bench -- SCENARIO [--against ${CONTENDERS.map(({ name }) => name).join(',')}]
                        [--runs 5] [--seconds 3] [--quick] [--dry]; a SCENARIO is "speed" or one of
                        ${SCENARIOS.map(({ name }) => name).join(', ')}`;

export interface SpeedChoices {
  /** Names of contenders, with commas; ours take part in any case. Default: all. */
  readonly against?: string | undefined;
  readonly runs: number;
  readonly seconds: number;
  readonly quick: boolean;
}

type Conclude = (name: string, table: string, settings: Readonly<Record<string, unknown>>, rows: readonly unknown[]) => void;

/** What runs the scenario of that name, or all for `speed`; `undefined`: there is none. A quick run writes no result. */
export function benchSpeed(
  name: string,
  { against, runs, seconds, quick }: SpeedChoices,
  report: (line: string) => void,
  conclude: Conclude,
): (() => Promise<void>) | undefined {
  const scenarios = SCENARIOS.filter((scenario) => name === 'speed' || scenario.name === name);
  if (scenarios.length === 0) return undefined;
  const named = against?.split(',');
  const contenders = CONTENDERS.filter((contender) => named === undefined || isOurs(contender.name) || named.includes(contender.name));
  const plan: Plan = quick ? QUICK_PLAN : { ms: seconds * 1_000, warmMs: Math.min(1_500, seconds * 400), divisor: 1 };
  return async () => {
    if (!canLoad()) throw new Error('the load generator needs Linux and a C compiler (cc)');
    for (const scenario of scenarios) {
      const rows = await measureSpeed(scenario, { contenders, runs: quick ? 1 : runs, plan, report });
      const table = `${scenario.title}\n\n${speedTable(scenario, rows, OURS)}\n`;
      if (quick) process.stdout.write(`${table}\n`);
      else conclude(`speed-${scenario.name}`, table, { title: scenario.title, metrics: scenario.metrics, runs, seconds }, rows);
    }
  };
}

/** What `npm run bench -- profile` looks at. */
const PROFILED = ['fan-out-1000', 'fan-out-1000-x16', 'room-saturated', 'room-paced', 'call', 'ack', 'handshakes', 'resume'];

/** Profiles of our server in some scenarios. */
export async function benchProfile(
  { quick, seconds }: Pick<SpeedChoices, 'quick' | 'seconds'>,
  report: (line: string) => void,
): Promise<ProfileRow[]> {
  const contender = CONTENDERS.find(({ name }) => name === OURS)!;
  const plan: Plan = quick ? QUICK_PLAN : { ms: seconds * 1_000, warmMs: 1_500, divisor: 1 };
  const rows: ProfileRow[] = [];
  for (const scenario of SCENARIOS.filter(({ name }) => PROFILED.includes(name))) {
    rows.push(await profile(scenario, contender, plan));
    report(`${scenario.name}: profiled`);
  }
  return rows;
}

/** Few connections, no time: whether everything works. */
export const QUICK_PLAN: Plan = { ms: 200, warmMs: 50, divisor: 50 };

function isOurs(name: string): boolean {
  return name === OURS || name.startsWith(`${OURS}-`);
}
