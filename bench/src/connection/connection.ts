/** `npm run bench -- connection`: what happens to a connection when its link is bad, ours and others side by side. */

import { versionsOf } from '../package-version.ts';
import { measureAlone, type AlonePlan } from './alone.ts';
import { measureSize } from './bundle-size.ts';
import type { Contender } from './contender.ts';
import { measureFreezes, type FreezesPlan } from './freezes.ts';
import { goalsOf } from './goals.ts';
import { measureHalfOpen, type HalfOpenPlan } from './half-open.ts';
import { measureHerd, type HerdPlan } from './herd.ts';
import type { ConnectionRow, Measure } from './row.ts';
import { measureSlowLinks, type SlowLinkPlan } from './slow-link.ts';

export interface ConnectionPlan {
  readonly halfOpen: HalfOpenPlan;
  readonly slowLink: SlowLinkPlan;
  readonly freezes: FreezesPlan;
  readonly herd: HerdPlan;
  readonly alone: AlonePlan;
}

/** About five minutes. */
export const FULL_PLAN: ConnectionPlan = {
  halfOpen: { heartbeatMs: 1_000, ownLinks: 20, otherLinks: 5, patienceMs: 30_000 },
  slowLink: {
    heartbeatMs: 1_000,
    links: 3,
    cases: [
      { name: '10 MB at 1 MB/s', bytesPerSecond: 1_000_000, messageBytes: 10_000_000, messages: 1 },
      { name: '64 kB at 50 kB/s', bytesPerSecond: 50_000, messageBytes: 64_000, messages: 8 },
    ],
  },
  freezes: { freezes: 3, freezeMs: 1_000, perSecond: 50, durationMs: 15_000, soundMs: 1_500, quietMs: 3_000 },
  herd: { clients: 200, spreadMs: 2_000, ownRounds: 5, otherRounds: 2 },
  alone: { clients: 30, betweenMs: 50 },
};

/** What takes next to no processor is measured of all at once, the rest one after the other. */
export async function benchConnection(
  contenders: readonly Contender[],
  plan: ConnectionPlan,
  progress: (line: string) => void,
): Promise<ConnectionRow[]> {
  const rows: ConnectionRow[] = [];
  const taking = (measure: Measure): readonly Contender[] => contenders.filter(({ measures }) => measures.includes(measure));
  const together = async (what: Measure, measure: (contender: Contender) => Promise<ConnectionRow>): Promise<void> => {
    progress(`${what}: all at once`);
    rows.push(...(await Promise.all(taking(what).map(measure))));
  };
  const inTurn = async (what: Measure, measure: (contender: Contender) => Promise<ConnectionRow>): Promise<void> => {
    for (const contender of taking(what)) {
      progress(`${what}: ${contender.name}`);
      rows.push(await measure(contender));
    }
  };
  await together('half-open link', (contender) => measureHalfOpen(contender, plan.halfOpen));
  await inTurn('slow link', (contender) => measureSlowLinks(contender, plan.slowLink));
  await together('freezes', (contender) => measureFreezes(contender, plan.freezes));
  await inTurn('herd', (contender) => measureHerd(contender, plan.herd));
  await inTurn('alone', (contender) => measureAlone(contender, plan.alone));
  await inTurn('size', ({ name, code }) => measureSize(name, code));
  const ours = contenders.filter(({ isOurs }) => isOurs).map(({ name }) => name);
  return [...rows, ...goalsOf(rows, ours)];
}

/** The versions of what is not ours, by package. */
export function otherVersions(contenders: readonly Contender[]): Readonly<Record<string, string>> {
  return versionsOf(contenders.map((contender) => contender.package).filter((name) => name !== undefined));
}
