/**
 * How much of each rate one connection, subject or address has left: a leaky bucket per rate (the generic cell rate
 * algorithm, ITU-T I.371), kept as the time that it takes to run empty. A bucket that is not full lets anything pass and
 * may overflow by it, so that no single request is too large for ever; what overflowed is waited for.
 *
 * Times are kept from the last use, not as points in time: a clock that is set back neither forgives nor adds anything.
 */

import type { NodeLimits } from './node-limits.ts';

/** What is counted. */
export const RATES = ['Publishes', 'Bytes', 'Subscribes', 'Requests'] as const;
export type Rate = (typeof RATES)[number];
export type RateScope = 'connection' | 'subject' | 'address';

/** Counts of one frame by rate; what is absent is 0. */
export type Charge = { readonly [Name in Rate]?: number };

/** Why something may not pass: the bucket that is the fullest, and when it has room for an eighth of a burst. */
export interface Lack {
  readonly scope: RateScope;
  readonly rate: Rate;
  readonly limit: `${RateScope}${Rate}PerSecond`;
  readonly waitMs: number;
}

/**
 * The part of a burst that must be free before a refused sender is asked back: with room for one frame at a time it would
 * send its whole window each time, and be refused all of it but one.
 */
const RETURN_SHARE = 1 / 8;
/** What sums of fractions may be wrong by, ms. */
const ROUNDING_MS = 1e-6;

export class Allowance {
  readonly #limits: NodeLimits;
  readonly #scope: RateScope;
  /** What was taken and has not run out yet, by rate, ms at `#seenAtMs`. */
  readonly #takenMs: Record<Rate, number> = { Publishes: 0, Bytes: 0, Subscribes: 0, Requests: 0 };
  #seenAtMs = 0;

  constructor(limits: NodeLimits, scope: RateScope) {
    this.#limits = limits;
    this.#scope = scope;
  }

  /** The name of the limit for a rate. */
  limitOf(rate: Rate): `${RateScope}${Rate}PerSecond` {
    return `${this.#scope}${rate}PerSecond`;
  }

  /** `undefined` if a frame may pass. `now`: wall clock, ms. */
  lack(charge: Charge, now: number): Lack | undefined {
    this.#run(now);
    const { burstMs } = this.#limits;
    let worst: Lack | undefined;
    for (const rate of RATES) {
      const overMs = this.#takenMs[rate] - burstMs + ROUNDING_MS;
      if ((charge[rate] ?? 0) === 0 || overMs < 0) continue;
      const waitMs = Math.ceil(overMs + burstMs * RETURN_SHARE);
      if (waitMs > (worst?.waitMs ?? 0)) worst = { scope: this.#scope, rate, limit: this.limitOf(rate), waitMs };
    }
    return worst;
  }

  /** Takes what `lack` let pass. */
  take(charge: Charge, now: number): void {
    this.#add(charge, now, Infinity);
  }

  /** Takes what nobody asked for: of it at most so much that the bucket is another burst above full. */
  force(charge: Charge, now: number): void {
    this.#add(charge, now, 2 * this.#limits.burstMs);
  }

  /** Whether all buckets are empty, so that nothing is lost by forgetting them. */
  isUnused(now: number): boolean {
    this.#run(now);
    return RATES.every((rate) => this.#takenMs[rate] === 0);
  }

  #add(charge: Charge, now: number, maxMs: number): void {
    this.#run(now);
    for (const rate of RATES) {
      const taken = this.#takenMs[rate];
      const ms = ((charge[rate] ?? 0) * 1_000) / this.#limits[this.limitOf(rate)];
      if (ms > 0) this.#takenMs[rate] = Math.max(taken, Math.min(taken + ms, maxMs));
    }
  }

  #run(now: number): void {
    const passedMs = Math.max(0, now - this.#seenAtMs);
    this.#seenAtMs = now;
    if (passedMs === 0) return;
    for (const rate of RATES) this.#takenMs[rate] = Math.max(0, this.#takenMs[rate] - passedMs);
  }
}
