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

/** What one unit of each rate takes, ms: 0 where nothing bounds it. */
type Costs = Readonly<Record<Rate, number>>;

/** By limits and scope: the same for all allowances of a node. */
const knownCosts = new WeakMap<NodeLimits, Map<RateScope, Costs>>();

function costsOf(limits: NodeLimits, scope: RateScope): Costs {
  let scopes = knownCosts.get(limits);
  if (scopes === undefined) knownCosts.set(limits, (scopes = new Map()));
  let costs = scopes.get(scope);
  if (costs === undefined) {
    const costOf = (rate: Rate): number => 1_000 / limits[limitOf(scope, rate)];
    costs = { Publishes: costOf('Publishes'), Bytes: costOf('Bytes'), Subscribes: costOf('Subscribes'), Requests: costOf('Requests') };
    scopes.set(scope, costs);
  }
  return costs;
}

function limitOf(scope: RateScope, rate: Rate): `${RateScope}${Rate}PerSecond` {
  return `${scope}${rate}PerSecond`;
}

/** Asked and charged for each frame that arrives, three times over: written out by rate, without a loop. */
export class Allowance {
  readonly #scope: RateScope;
  readonly #burstMs: number;
  readonly #costs: Costs;
  // What was taken and has not run out yet, ms at `#seenAtMs`.
  #publishesMs = 0;
  #bytesMs = 0;
  #subscribesMs = 0;
  #requestsMs = 0;
  #seenAtMs = 0;

  constructor(limits: NodeLimits, scope: RateScope) {
    this.#scope = scope;
    this.#burstMs = limits.burstMs;
    this.#costs = costsOf(limits, scope);
  }

  /** `undefined` if a frame may pass. `now`: wall clock, ms. */
  lack({ Publishes = 0, Bytes = 0, Subscribes = 0, Requests = 0 }: Charge, now: number): Lack | undefined {
    this.#run(now);
    const fullMs = this.#burstMs - ROUNDING_MS;
    const isFull =
      (Bytes > 0 && this.#bytesMs >= fullMs) ||
      (Publishes > 0 && this.#publishesMs >= fullMs) ||
      (Requests > 0 && this.#requestsMs >= fullMs) ||
      (Subscribes > 0 && this.#subscribesMs >= fullMs);
    return isFull ? this.#fullest({ Publishes, Bytes, Subscribes, Requests }) : undefined;
  }

  /** Takes what `lack` let pass. */
  take(charge: Charge, now: number): void {
    this.#add(charge, now, Infinity);
  }

  /** Takes what nobody asked for: of it at most so much that the bucket is another burst above full. */
  force(charge: Charge, now: number): void {
    this.#add(charge, now, 2 * this.#burstMs);
  }

  /** Whether all buckets are empty, so that nothing is lost by forgetting them. */
  isUnused(now: number): boolean {
    this.#run(now);
    return this.#publishesMs + this.#bytesMs + this.#subscribesMs + this.#requestsMs === 0;
  }

  #fullest(charge: Charge): Lack | undefined {
    let worst: Lack | undefined;
    for (const rate of RATES) {
      const overMs = this.#takenMs(rate) - this.#burstMs + ROUNDING_MS;
      if (charge[rate] === 0 || overMs < 0) continue;
      const waitMs = Math.ceil(overMs + this.#burstMs * RETURN_SHARE);
      if (waitMs > (worst?.waitMs ?? 0)) worst = { scope: this.#scope, rate, limit: limitOf(this.#scope, rate), waitMs };
    }
    return worst;
  }

  #takenMs(rate: Rate): number {
    switch (rate) {
      case 'Publishes':
        return this.#publishesMs;
      case 'Bytes':
        return this.#bytesMs;
      case 'Subscribes':
        return this.#subscribesMs;
      case 'Requests':
        return this.#requestsMs;
    }
  }

  #add({ Publishes = 0, Bytes = 0, Subscribes = 0, Requests = 0 }: Charge, now: number, maxMs: number): void {
    this.#run(now);
    const costs = this.#costs;
    this.#bytesMs = filled(this.#bytesMs, Bytes * costs.Bytes, maxMs);
    if (Publishes > 0) this.#publishesMs = filled(this.#publishesMs, Publishes * costs.Publishes, maxMs);
    if (Requests > 0) this.#requestsMs = filled(this.#requestsMs, Requests * costs.Requests, maxMs);
    if (Subscribes > 0) this.#subscribesMs = filled(this.#subscribesMs, Subscribes * costs.Subscribes, maxMs);
  }

  #run(now: number): void {
    const passedMs = Math.max(0, now - this.#seenAtMs);
    this.#seenAtMs = now;
    if (passedMs === 0) return;
    this.#bytesMs = Math.max(0, this.#bytesMs - passedMs);
    this.#publishesMs = Math.max(0, this.#publishesMs - passedMs);
    this.#requestsMs = Math.max(0, this.#requestsMs - passedMs);
    this.#subscribesMs = Math.max(0, this.#subscribesMs - passedMs);
  }
}

/** A bucket that held `taken` with `more` in it, no further than `maxMs`, and never less than before. */
function filled(taken: number, more: number, maxMs: number): number {
  return Math.max(taken, Math.min(taken + more, maxMs));
}
