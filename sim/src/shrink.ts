/**
 * Makes a failing run smaller: fewer steps, fewer calamities, fewer devices, topics, rounds and consumers, for as long as
 * the same property is violated. Every smaller run is another one from the same seed, so this searches and does not cut;
 * where one seed leads no further, a few others are tried under the same bounds.
 */

import type { Property } from './properties.ts';
import type { Run, Runner, RunResult } from './runner.ts';
import type { Selection } from './selection.ts';
import type { Outcome } from './simulation.ts';

export interface ShrinkOptions {
  readonly runner: Runner;
  /** Runs at the most. */
  readonly runsMax: number;
  /** Whether the time is over. */
  readonly isOver: () => boolean;
}

/** A run that fails, and how. */
export interface Failure {
  readonly run: Run;
  readonly outcome: Outcome;
}

export interface Shrunk extends Failure {
  readonly runCount: number;
}

/** How many other seeds are tried when one leads no further. */
const SEEDS_TRIED = 8;

/** Resolves with the smallest failure found; the given one if no smaller fails. */
export async function shrink(failure: Failure, { runner, runsMax, isOver }: ShrinkOptions): Promise<Shrunk> {
  const { property } = failure.outcome.violation!;
  let best = failure;
  let runCount = 0;
  const isSpent = (): boolean => isOver() || runCount >= runsMax;
  const tries = async (run: Run): Promise<boolean> => {
    runCount += 1;
    const { outcome } = await runner.run(run);
    if (!fails(outcome, property)) return false;
    best = { run: { ...run, selection: { ...run.selection, strikes: outcome.strikes } }, outcome };
    return true;
  };
  for (let isSmaller = true; isSmaller && !isSpent();) {
    isSmaller = false;
    for (const run of smallerRuns(best)) {
      if (isSpent()) break;
      if (await tries(run)) {
        isSmaller = true;
        break;
      }
    }
    if (isSmaller) continue;
    const { run } = best;
    for (let seed = 1; seed <= SEEDS_TRIED && !isSmaller && !isSpent(); seed++) {
      // Half as long, under another seed: what is left of the strikes has other numbers there.
      const { strikes: _strikes, ...selection } = run.selection;
      const kindsMax = best.outcome.strikes.length;
      const half = { ...run, seed: run.seed + seed, steps: Math.ceil(run.steps / 2), selection };
      if (run.steps < 8 || kindsMax === 0) break;
      isSmaller = await tries({ ...half, selection: { ...half.selection, strikes: Array.from({ length: kindsMax }, (_, at) => at) } });
    }
  }
  return { ...best, runCount };
}

function fails(outcome: RunResult['outcome'], property: Property): boolean {
  return outcome.violation?.property === property;
}

/** Every way to take something away, the most first. */
function* smallerRuns({ run, outcome }: Failure): Iterable<Run> {
  const { steps, selection } = run;
  const { strikes, deviceCount, topicCount, roundCount } = outcome;
  const chosen = (more: Selection): Run => ({ ...run, selection: { ...selection, strikes, ...more } });
  if (strikes.length > 0) yield chosen({ strikes: [] });
  if (roundCount > 1) yield chosen({ roundsMax: 1 });
  if (deviceCount > 1) yield chosen({ devicesMax: 1 });
  if (topicCount > 1) yield chosen({ topicsMax: 1 });
  for (const count of [Math.ceil(steps / 4), Math.ceil(steps / 2), Math.ceil(steps * 0.8), steps - 1])
    if (count < steps && count > 0) yield { ...chosen({}), steps: count };
  for (let size = Math.ceil(strikes.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < strikes.length; from += size)
      yield chosen({ strikes: strikes.filter((_, at) => at < from || at >= from + size) });
  }
  if (roundCount > 2) yield chosen({ roundsMax: Math.ceil(roundCount / 2) });
  if (deviceCount > 2) yield chosen({ devicesMax: deviceCount - 1 });
  if (topicCount > 2) yield chosen({ topicsMax: topicCount - 1 });
  for (const consumersMax of [0, 1]) if (consumersMax < (selection.consumersMax ?? 3)) yield chosen({ consumersMax });
}
