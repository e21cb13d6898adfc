/**
 * What one connection may send, and how fast: its own allowance and those of its subject and its address, all or none. Who
 * goes on against refusals is cut off.
 */

import { HoldfastError } from '@holdfast/wire';
import type { Account } from './accounts.ts';
import { Allowance, type Charge, type Lack, type Rate, type RateScope } from './allowance.ts';
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

type Scopes = readonly (readonly [RateScope, Allowance])[];

export class Meter {
  readonly #options: MeterOptions;
  readonly #own: Allowance;
  readonly #told = new Map<LimitName, number>();
  /** The narrowest first. */
  #scopes: Scopes;
  #subject: Account | undefined;
  /** Refusals in the running second, and when that began. */
  #refusals = 0;
  #secondAtMs = 0;

  constructor(options: MeterOptions) {
    this.#options = options;
    this.#own = new Allowance(options.limits, 'connection');
    this.#scopes = this.#scopesWith(undefined);
  }

  /** Whose it is, as soon as it is known. */
  set subject(account: Account | undefined) {
    this.#subject = account;
    this.#scopes = this.#scopesWith(account);
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
    let worst: (Lack & { readonly scope: RateScope; readonly limit: ReturnType<Allowance['limitOf']> }) | undefined;
    for (const [scope, allowance] of this.#scopes) {
      const lack = allowance.lack(charge, now);
      if (lack !== undefined && lack.waitMs > (worst?.waitMs ?? 0)) worst = { ...lack, scope, limit: allowance.limitOf(lack.rate) };
    }
    if (worst === undefined) {
      for (const [, allowance] of this.#scopes) allowance.take(charge, now);
      return undefined;
    }
    const { rate, scope, limit, waitMs } = worst;
    this.reached(limit);
    const message = `more than ${this.#options.limits[limit]} ${WHAT[rate]} per second ${WHOSE[scope]} (limits.${limit})`;
    return new HoldfastError('RATE_LIMITED', message, { retryAfterMs: waitMs });
  }

  /** Takes what is not refused however much it is. */
  take(charge: Charge): void {
    const now = this.#options.clock.now();
    for (const [, allowance] of this.#scopes) allowance.force(charge, now);
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

  #scopesWith(subject: Account | undefined): Scopes {
    const ofSubject: Scopes = subject === undefined ? [] : [['subject', subject.allowance]];
    return [['connection', this.#own], ...ofSubject, ['address', this.#options.address.allowance]];
  }
}
