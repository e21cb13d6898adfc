/** A server that loses all its clients at once: how densely they come back, and when the last one is there. */

import { median } from '../percentile.ts';
import type { Contender } from './contender.ts';
import { isBack, withLines } from './line.ts';
import { expectSoon, pause } from './moment.ts';
import type { ConnectionRow } from './row.ts';

export interface HerdPlan {
  readonly clients: number;
  /** What the server announces, where it can. */
  readonly spreadMs: number;
  readonly ownRounds: number;
  readonly otherRounds: number;
}

/** The width of the window whose largest share is looked for, and the steps in which it is moved, ms. */
const WINDOW_MS = 100;
const STEP_MS = 10;
const PATIENCE_MS = 60_000;
/** How long the clients stand before they are dropped, ms. */
const SOUND_MS = 500;

export async function measureHerd(contender: Contender, plan: HerdPlan): Promise<ConnectionRow> {
  const rounds: Round[] = [];
  const count = contender.isOurs ? plan.ownRounds : plan.otherRounds;
  for (let round = 0; round < count; round++) rounds.push(await dropAll(contender, plan));
  const shares = rounds.map(({ largest }) => (largest / plan.clients) * 100);
  const figures = {
    clients: plan.clients,
    rounds: count,
    'largest share within 100 ms, median, %': Math.round(median(shares) * 10) / 10,
    'largest share, max, %': Math.round(Math.max(...shares) * 10) / 10,
    'attempts per client': Math.round(median(rounds.map(({ attempts }) => attempts / plan.clients)) * 100) / 100,
    'last one back after, median, ms': Math.round(median(rounds.map(({ lastMs }) => lastMs))),
  };
  return { measure: 'herd', name: contender.name, figures };
}

interface Round {
  /** Connections within the densest window. */
  readonly largest: number;
  readonly attempts: number;
  readonly lastMs: number;
}

function dropAll(contender: Contender, { clients, spreadMs }: HerdPlan): Promise<Round> {
  return withLines(contender, { spreadMs }, clients, async (lines) => {
    await pause(SOUND_MS);
    const startedMs = performance.now();
    for (const { proxy } of lines) proxy.reset();
    await expectSoon(`${contender.name}: the last one's return`, () => lines.every(isBack), PATIENCE_MS);
    const lastMs = performance.now() - startedMs;
    const arrivalsMs = lines.flatMap(({ proxy }) => proxy.arrivalsMs.slice(1)).map((ms) => ms - startedMs);
    return { largest: densest(arrivalsMs), attempts: arrivalsMs.length, lastMs };
  });
}

/** The most moments within any window, moved in steps of 10 ms. */
export function densest(momentsMs: readonly number[], windowMs: number = WINDOW_MS): number {
  const counts: number[] = [];
  for (const ms of momentsMs) {
    const step = Math.floor(ms / STEP_MS);
    counts[step] = (counts[step] ?? 0) + 1;
  }
  const steps = windowMs / STEP_MS;
  let largest = 0;
  for (let first = 0; first < counts.length; first++) {
    let sum = 0;
    for (let step = first; step < first + steps; step++) sum += counts[step] ?? 0;
    largest = Math.max(largest, sum);
  }
  return largest;
}
