/**
 * What one connection may send, and how fast: its own allowance and those of its subject and its address, all or none. Who
 * goes on against refusals is cut off.
 */

import { HoldfastError } from '@holdfast/wire';
import type { Account } from './accounts.ts';
import { Allowance, type Charge, type Rate, type RateScope } from './allowance.ts';
import type { Clock } from './clock.ts';
import type { LimitName, NodeLimits } from './node-limits.ts';

export interface MeterOptions {
  readonly limits: NodeLimits;
  readonly clock: Clock;
  readonly address: Account;
  /** A limit was reached. `isNew`: not within the last second on this connection. */
  readonly onLimited: (limit: LimitName, isNew: boolean) => void;
}

const TOLD_INTERVAL_MS = 1_000;

const WHAT: Readonly<Record<Rate, string>> = {
  Publishes: 'entries published',
  Bytes: 'bytes',
  Subscribes: 'subscriptions',
  Requests: 'requests',
};
const WHOSE: Readonly<Record<RateScope, string>> = {
  connection: 'on this connection',
  subject: 'of this subject',
  address: 'from this address',
};

export class Meter {
  readonly #options: MeterOptions;
  readonly #own: Allowance;
  readonly #told = new Map<LimitName, number>();
  #subject: Account | undefined;
  /** Refusals in the running second, and when that began. */
  #refusals = 0;
  #secondAtMs = 0;

  constructor(options: MeterOptions) {
    this.#options = options;
    this.#own = new Allowance(options.limits, 'connection');
  }

  /** Whose it is, as soon as it is known. */
  set subject(account: Account | undefined) {
    this.#subject = account;
  }

  get subject(): Account | undefined {
    return this.#subject;
  }

  get address(): Account {
    return this.#options.address;
  }

  /** Takes what a frame costs, or refuses it with `RATE_LIMITED` and takes nothing. */
  charge(charge: Charge): HoldfastError | undefined {
    const now = this.#options.clock.now();
    const scopes = this.#scopes();
    for (const [scope, allowance] of scopes) {
      const lack = allowance.lack(charge, now);
      if (lack === undefined) continue;
      const limit = allowance.limitOf(lack.rate);
      this.reached(limit);
      const message = `more than ${this.#options.limits[limit]} ${WHAT[lack.rate]} per second ${WHOSE[scope]} (limits.${limit})`;
      return new HoldfastError('RATE_LIMITED', message, { retryAfterMs: lack.waitMs });
    }
    for (const [, allowance] of scopes) allowance.take(charge, now);
    return undefined;
  }

  /** Takes what is not refused however much it is. */
  take(charge: Charge): void {
    const now = this.#options.clock.now();
    for (const [, allowance] of this.#scopes()) allowance.take(charge, now);
  }

  /** Counts one more refusal; true if there were too many in this second. */
  isFlood(): boolean {
    const now = this.#options.clock.now();
    if (now - this.#secondAtMs >= 1_000 || now < this.#secondAtMs) {
      this.#secondAtMs = now;
      this.#refusals = 0;
    }
    this.#refusals += 1;
    if (this.#refusals <= this.#options.limits.refusalsPerSecond) return false;
    this.reached('refusalsPerSecond');
    return true;
  }

  /** Tells that a limit was reached. */
  reached(limit: LimitName): void {
    const now = this.#options.clock.now();
    const toldAtMs = this.#told.get(limit);
    const isNew = toldAtMs === undefined || now - toldAtMs >= TOLD_INTERVAL_MS || now < toldAtMs;
    if (isNew) this.#told.set(limit, now);
    this.#options.onLimited(limit, isNew);
  }

  #scopes(): readonly (readonly [RateScope, Allowance])[] {
    const { address } = this.#options;
    const scopes: (readonly [RateScope, Allowance])[] = [['connection', this.#own]];
    if (this.#subject !== undefined) scopes.push(['subject', this.#subject.allowance]);
    scopes.push(['address', address.allowance]);
    return scopes;
  }
}
