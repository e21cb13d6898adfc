/** One contender's result: what all clients saw, summed up. Pure. */

import { percentile } from '../percentile.ts';
import { judge, type AccountRecord } from './account.ts';
import type { Contender, ContenderName, PublisherAccount } from './contender.ts';
import { returnsOf, type Returns } from './returns.ts';

/** Milliseconds; `null` where there is none. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

export interface AuditRow {
  readonly name: ContenderName;
  readonly title: string;
  readonly clients: number;
  readonly broadcasts: number;
  /** Broadcasts times clients. */
  readonly expected: number;
  /** Of those, what never came. */
  readonly lost: number;
  /** Of the lost, those where the client was told that something is missing. */
  readonly told: number;
  readonly duplicated: number;
  readonly reordered: number;
  /** The same for the first broadcasts, whose clients had only cut links to fear. */
  readonly calmExpected: number;
  readonly calmLost: number;
  /** Clients that lost anything. */
  readonly clientsAtLoss: number;
  /** Cuts that ended a connection. */
  readonly cuts: number;
  readonly reconnections: number;
  /** From the loss of a connection to the next one. */
  readonly awayMs: Percentiles;
  /** Reconnections before which the client had missed something. */
  readonly behind: number;
  /** Of those, who got all of it over that connection; and who were cut again before, and got it later. */
  readonly replayed: number;
  readonly interrupted: number;
  /** From the open connection to the last missed broadcast. */
  readonly replayMs: Percentiles;
  /** Broadcasts of which the publisher knows that they were published. */
  readonly acknowledged: number;
  /** Those that are not in the log; `null` where there is no log. */
  readonly acknowledgedLost: number | null;
  /** From the SIGTERM to the end of the server's process. */
  readonly drainMs: number;
  /** Whether everybody had everything, or was told that it is missing, before the time to settle was over; and how long that took. */
  readonly isSettled: boolean;
  readonly settledMs: number;
}

export interface Findings {
  readonly contender: Contender;
  readonly records: readonly AccountRecord[];
  readonly publisher: PublisherAccount;
  readonly broadcasts: number;
  readonly calmCount: number;
  readonly cuts: number;
  readonly drainMs: number;
  readonly isSettled: boolean;
  readonly settledMs: number;
}

/** Sums up; throws for what cannot be. */
export function rowOf({ contender, records, publisher, broadcasts, calmCount, ...measured }: Findings): AuditRow {
  const judgements = records.map(({ items }) => judge(items, broadcasts));
  const returns = records.map((record) => returnsOf(record, publisher.publishedAtMs));
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const replayMs = returns.flatMap((one) => one.replayMs);
  return {
    name: contender.name,
    title: contender.title,
    clients: records.length,
    broadcasts,
    expected: records.length * broadcasts,
    lost: sum(judgements.map(({ lost }) => lost.length)),
    told: sum(judgements.map(({ toldCount }) => toldCount)),
    duplicated: sum(judgements.map(({ duplicatedCount }) => duplicatedCount)),
    reordered: sum(judgements.map(({ reorderedCount }) => reorderedCount)),
    calmExpected: records.length * calmCount,
    calmLost: sum(judgements.map(({ lost }) => lost.filter((number) => number <= calmCount).length)),
    clientsAtLoss: judgements.filter(({ lost }) => lost.length > 0).length,
    reconnections: sum(returns.map(({ count }: Returns) => count)),
    awayMs: percentilesOf(returns.flatMap(({ awayMs }) => awayMs)),
    behind: sum(returns.map(({ behindCount }) => behindCount)),
    replayed: replayMs.length,
    interrupted: sum(returns.map(({ interruptedCount }) => interruptedCount)),
    replayMs: percentilesOf(replayMs),
    acknowledged: publisher.publishedAtMs.size,
    acknowledgedLost: publisher.acknowledgedLost?.length ?? null,
    ...measured,
  };
}

/** Whether nothing at all is wrong, the log included. */
export function isFlawless({ lost, duplicated, reordered, acknowledgedLost }: AuditRow): boolean {
  return lost === 0 && duplicated === 0 && reordered === 0 && (acknowledgedLost ?? 0) === 0;
}

/** The verdict, and under it what was seen; a line each. */
export function reportOf(row: AuditRow): string[] {
  const count = (value: number): string => value.toLocaleString('en-US');
  const share = (part: number, whole: number): string => `${whole === 0 ? 0 : ((100 * part) / whole).toFixed(2)} %`;
  const times = ({ p50, p95, p99, max }: Percentiles): string =>
    p50 === null ? 'never' : `p50 ${count(p50)} ms, p95 ${count(p95!)} ms, p99 ${count(p99!)} ms, at most ${count(max!)} ms`;
  const log =
    row.acknowledgedLost === null ? 'handed over' : `acknowledged, ${count(row.acknowledgedLost)} of those are not in the log in the end`;
  return [
    `${row.title}: ${count(row.lost)} lost / ${count(row.duplicated)} duplicated / ${count(row.reordered)} reordered, of ${count(row.expected)}`,
    `  lost        ${share(row.lost, row.expected)}; ${count(row.told)} of them told; ${count(row.clientsAtLoss)} of ${count(row.clients)} clients lost something`,
    `  cuts alone  ${count(row.calmLost)} lost of the first ${count(row.calmExpected)}, ${share(row.calmLost, row.calmExpected)}`,
    `  broadcasts  ${count(row.broadcasts)}: ${count(row.acknowledged)} ${log}`,
    `  links       ${count(row.cuts)} cut, ${count(row.reconnections)} reconnections; away ${times(row.awayMs)}`,
    `  replays     ${count(row.replayed)} of ${count(row.behind)} (${count(row.interrupted)} more after another cut); ${times(row.replayMs)}`,
    `  the end     drained in ${count(row.drainMs)} ms; ${row.isSettled ? 'everybody had everything, or was told' : 'somebody lacked something without being told'}, ${count(row.settledMs)} ms after the last broadcast`,
  ];
}

function percentilesOf(sample: readonly number[]): Percentiles {
  const at = (share: number): number | null => (sample.length === 0 ? null : Math.round(10 * percentile(sample, share)) / 10);
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}
