/**
 * Runs that once found something, kept so that it stays found or mended: the tests run each again. They are as small as
 * the search made them. A change elsewhere may turn such a run into another one; then it is one seed more, no less.
 */

import type { Run } from './runner.ts';

export interface FoundSeed extends Run {
  /** What it found when it was found. */
  readonly found: string;
}

/** Faults of the product that are mended, and of what a run may ask of it. Nothing is violated by now. */
export const FOUND_SEEDS: readonly FoundSeed[] = [
  {
    seed: 2366,
    steps: 85,
    selection: { strikes: [6, 12], devicesMax: 1, consumersMax: 0 },
    found:
      'members-agree: a subscription that was refused and that only members need was not asked for again with new credentials (HF-3.6)',
  },
  {
    seed: 2237,
    steps: 191,
    selection: { strikes: [2, 3] },
    found: 'members-agree: the same, with four devices',
  },
  {
    seed: 5015,
    steps: 289,
    selection: { strikes: [0, 1, 2, 3, 4], consumersMax: 1 },
    found: 'members-agree: of two askings for the right to see members the older answer counted, since it came later (HF-7.6)',
  },
  {
    seed: 1995,
    steps: 238,
    selection: { strikes: [2, 3, 14, 15, 17], roundsMax: 1 },
    found:
      'refusals-legal: a clock set ahead made a server forget whose publishes it had stopped, while later ones were under way (HF-6.6)',
  },
  {
    seed: 453,
    steps: 58,
    selection: { strikes: [2, 4, 18, 23], devicesMax: 1, topicsMax: 1, roundsMax: 1, consumersMax: 0 },
    found: 'one-connection: the simulator had started a second server beside the first',
  },
  {
    seed: 1182,
    steps: 16,
    selection: { strikes: [22, 23, 26], devicesMax: 1, consumersMax: 1 },
    found:
      'publish-order: of an outbox that was copied, SEQ_CONFLICT sends a row again behind a later one; the order is promised to one owner only (HF-6.12)',
  },
];
