/** How a client came back each time, and how long it took until it had what it had missed. Pure. */

import { TOLD, type AccountRecord } from './account.ts';

export interface Returns {
  readonly count: number;
  /** From the loss of each connection, as the client noticed it, to the next open one, ms; the time offline is in it. */
  readonly awayMs: readonly number[];
  /** Returns before which something was published that the client had not got when it lost the connection. */
  readonly behindCount: number;
  /** Of those that got all of it on the same connection: from the open connection to the last of it, ms; 0 if a library hands it out before it says that it is connected. */
  readonly replayMs: readonly number[];
  /** Those that were cut again before they had it, and got it later. */
  readonly interruptedCount: number;
}

/** `publishedAtMs`: when each number was known to be published, by number; without an entry where that is not known. */
export function returnsOf(record: AccountRecord, publishedAtMs: ReadonlyMap<number, number>): Returns {
  const arrivedAtMs = firstArrivals(record);
  const { openedAtMs, lostAtMs } = record;
  const returns = openedAtMs.slice(1).map((openMs, index) => {
    const [previousMs, lostMs] = [openedAtMs[index]!, lostAtMs[index]!];
    const missed = [...publishedAtMs].flatMap(([number, atMs]) => {
      const arrivedMs = arrivedAtMs.get(number) ?? Number.POSITIVE_INFINITY;
      // What was lost for good in an earlier absence is not this one's.
      const isOwn = atMs >= previousMs || arrivedMs < Number.POSITIVE_INFINITY;
      return isOwn && atMs < openMs && arrivedMs > lostMs ? [arrivedMs] : [];
    });
    return {
      openMs,
      lostMs,
      untilMs: lostAtMs[index + 1] ?? Number.POSITIVE_INFINITY,
      missed,
      allMs: missed.reduce((a, b) => Math.max(a, b), 0),
    };
  });
  const behind = returns.filter(({ missed }) => missed.length > 0);
  const arrived = behind.filter(({ allMs }) => allMs < Number.POSITIVE_INFINITY);
  return {
    count: returns.length,
    awayMs: returns.map(({ openMs, lostMs }) => openMs - lostMs),
    behindCount: behind.length,
    replayMs: arrived.filter(({ allMs, untilMs }) => allMs <= untilMs).map(({ allMs, openMs }) => Math.max(0, allMs - openMs)),
    interruptedCount: arrived.filter(({ allMs, untilMs }) => allMs > untilMs).length,
  };
}

function firstArrivals({ items, itemsAtMs }: AccountRecord): Map<number, number> {
  const arrivals = new Map<number, number>();
  items.forEach((item, index) => {
    if (item !== TOLD && !arrivals.has(item)) arrivals.set(item, itemsAtMs[index]!);
  });
  return arrivals;
}
