/**
 * How much of each rate one connection, subject or address has left: a bucket per rate, kept as one number, the time at
 * which it will be full again (the generic cell rate algorithm, ITU-T I.371). A bucket that is not empty lets anything
 * pass and may go into debt by it, so that no single request is too large for ever; the debt is at most one bucket.
 */

import type { NodeLimits } from './node-limits.ts';

/** What is counted. */
export const RATES = ['Publishes', 'Bytes', 'Subscribes', 'Requests'] as const;
export type Rate = (typeof RATES)[number];
export type RateScope = 'connection' | 'subject' | 'address';

/** Counts of one frame by rate; what is absent is 0. */
export type Charge = { readonly [Name in Rate]?: number };

export class Allowance {
  readonly #limits: NodeLimits;
  readonly #scope: RateScope;
  /** By rate, ms since 1970; 0: full. */
  readonly #fullAtMs: Record<Rate, number> = { Publishes: 0, Bytes: 0, Subscribes: 0, Requests: 0 };

  constructor(limits: NodeLimits, scope: RateScope) {
    this.#limits = limits;
    this.#scope = scope;
  }

  /** The name of the limit for a rate. */
  limitOf(rate: Rate): `${RateScope}${Rate}PerSecond` {
    return `${this.#scope}${rate}PerSecond`;
  }

  /** 0 if a frame may pass, else after how many ms the emptiest of the buckets that it needs has something again, and which it is. */
  lack(charge: Charge, now: number): { readonly rate: Rate; readonly waitMs: number } | undefined {
    let worst: { rate: Rate; waitMs: number } | undefined;
    for (const rate of RATES) {
      if ((charge[rate] ?? 0) === 0) continue;
      const waitMs = this.#until(rate, now) - now - this.#limits.burstMs;
      if (waitMs > 0 && waitMs > (worst?.waitMs ?? 0)) worst = { rate, waitMs: Math.ceil(waitMs) };
    }
    return worst;
  }

  /** Takes it, whether or not it is there. */
  take(charge: Charge, now: number): void {
    for (const rate of RATES) {
      const count = charge[rate] ?? 0;
      const perSecond = this.#limits[this.limitOf(rate)];
      if (count > 0 && perSecond !== Infinity)
        this.#fullAtMs[rate] = Math.min(
          Math.max(this.#until(rate, now), now) + (count * 1_000) / perSecond,
          now + 2 * this.#limits.burstMs,
        );
    }
  }

  /** Whether all buckets are full, so that nothing is lost by forgetting them. */
  isFull(now: number): boolean {
    return RATES.every((rate) => this.#until(rate, now) <= now);
  }

  /** A time further off than the deepest debt tells that the clock was set back. */
  #until(rate: Rate, now: number): number {
    const fullAtMs = this.#fullAtMs[rate];
    return fullAtMs > now + 2 * this.#limits.burstMs ? now : fullAtMs;
  }
}
