/**
 * What is lost while links break: a client sends all the time; its link freezes, which nobody is told, and is then reset;
 * it comes back, and the same again. In the end the numbers that the server got are compared with those that were sent.
 */

import type { Contender, ContenderServer } from './contender.ts';
import { withLines, type Line } from './line.ts';
import { pause, until } from './moment.ts';
import type { ConnectionRow } from './row.ts';

export interface FreezesPlan {
  readonly freezes: number;
  readonly freezeMs: number;
  readonly perSecond: number;
  /** At least so long is sent, ms. */
  readonly durationMs: number;
  /** How long a link stands before it freezes, ms. */
  readonly soundMs: number;
  /** Nothing new for so long, over a link that stands: it is over, ms. */
  readonly quietMs: number;
}

/** Nobody is waited for longer than this, ms. */
const BACK_PATIENCE_MS = 15_000;
const END_PATIENCE_MS = 20_000;
/** How many messages a late timer makes up for in one turn. */
const CATCH_UP_MAX = 50;

export function measureFreezes(contender: Contender, plan: FreezesPlan): Promise<ConnectionRow> {
  return withLines(contender, {}, 1, async ([line], server) => {
    const { caller } = line!;
    const sender = startSending((number) => caller.send(number), plan.perSecond);
    const startedMs = performance.now();
    for (let done = 0; done < plan.freezes; done++) await freezeOnce(line!, plan);
    await until(() => caller.isConnected, BACK_PATIENCE_MS);
    await pause(Math.max(plan.soundMs, plan.durationMs - (performance.now() - startedMs)));
    const sent = sender.stop();
    const numbers = await finalNumbers(line!, server, sent, plan.quietMs);
    const distinct = new Set(numbers).size;
    const figures = {
      sent,
      acknowledged: caller.acknowledgedCount ?? '-',
      arrived: distinct,
      lost: sent - distinct,
      'lost, %': Math.round(((sent - distinct) / sent) * 1_000) / 10,
      doubled: numbers.length - distinct,
      'out of order': countOutOfOrder(numbers),
    };
    return { measure: 'freezes', name: contender.name, figures };
  });
}

async function freezeOnce({ caller, proxy }: Line, { soundMs, freezeMs }: FreezesPlan): Promise<void> {
  await until(() => caller.isConnected, BACK_PATIENCE_MS);
  await pause(soundMs);
  proxy.freeze();
  await pause(freezeMs);
  proxy.reset();
  // The reset is noticed in the next turns of the event loop.
  await until(() => !caller.isConnected, 500);
}

/** Sends 1, 2, 3 and so on; `stop` says how many. */
function startSending(send: (number: number) => void, perSecond: number): { stop(): number } {
  const startedMs = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedMs) * perSecond) / 1_000);
    for (let burst = 0; sent < due && burst < CATCH_UP_MAX; burst++) send(++sent);
  }, 1_000 / perSecond);
  return {
    stop: () => {
      clearInterval(timer);
      return sent;
    },
  };
}

/** What the server got when nothing more comes. */
async function finalNumbers({ caller }: Line, server: ContenderServer, sent: number, quietMs: number): Promise<readonly number[]> {
  const untilMs = performance.now() + END_PATIENCE_MS;
  for (let before = -1; ;) {
    const numbers = await server.received();
    const isAll = new Set(numbers).size >= sent;
    const isQuiet = numbers.length === before && caller.isConnected;
    if (isQuiet || performance.now() > untilMs) return numbers;
    before = numbers.length;
    // Also when all is there: what is sent again may still come.
    await pause(isAll ? Math.min(quietMs, 1_000) : quietMs);
  }
}

/** First arrivals that a higher number came before. */
export function countOutOfOrder(numbers: readonly number[]): number {
  const seen = new Set<number>();
  let highest = 0;
  let count = 0;
  for (const number of numbers) {
    if (seen.has(number)) continue;
    seen.add(number);
    if (number < highest) count += 1;
    highest = Math.max(highest, number);
  }
  return count;
}
