/**
 * What one connection may send, and how fast: its own allowance and those of its subject and its address, all or none. Who
 * goes on against refusals is cut off.
 */

import { HoldfastError } from '@holdfast/wire';
import type { Account } from './accounts.ts';
import { Allowance, type Charge, type Lack, type Rate, type RateScope } from './allowance.ts';
import type { LimitName } from './node-limits.ts';
import type { Services } from './services.ts';

/** Whose meter it is. */
export interface MeterHost {
  readonly services: Pick<Services, 'clock' | 'nodeLimits'>;
  /** A limit was reached. `isNew`: not within the last second on this connection. */
  onLimited(limit: LimitName, isNew: boolean): void;
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
  readonly #host: MeterHost;
  readonly address: Account;
  /** Whose it is, as soon as it is known. */
  subject: Account | undefined;
  // Made when they are needed: most connections only listen.
  #own: Allowance | undefined;
  #told: Map<LimitName, number> | undefined;
  /** Refusals in the running second, and when that began. */
  #refusals = 0;
  #secondAtMs = 0;

  constructor(host: MeterHost, address: Account) {
    this.#host = host;
    this.address = address;
  }

  /** Takes what a frame costs, or refuses it with `RATE_LIMITED` and takes nothing. */
  charge(charge: Charge): HoldfastError | undefined {
    const { clock, nodeLimits } = this.#host.services;
    const now = clock.now();
    const own = (this.#own ??= new Allowance(nodeLimits, 'connection'));
    const ofSubject = this.subject?.allowance;
    const ofAddress = this.address.allowance;
    const worst = longest(longest(own.lack(charge, now), ofSubject?.lack(charge, now)), ofAddress.lack(charge, now));
    if (worst === undefined) {
      own.take(charge, now);
      ofSubject?.take(charge, now);
      ofAddress.take(charge, now);
      return undefined;
    }
    const { rate, scope, limit, waitMs } = worst;
    this.reached(limit);
    const message = `more than ${nodeLimits[limit]} ${WHAT[rate]} per second ${WHOSE[scope]} (limits.${limit})`;
    return new HoldfastError('RATE_LIMITED', message, { retryAfterMs: waitMs });
  }

  /** Takes what is not refused however much it is. */
  take(charge: Charge): void {
    const { clock, nodeLimits } = this.#host.services;
    (this.#own ??= new Allowance(nodeLimits, 'connection')).force(charge, clock.now());
    this.takeShared(charge);
  }

  /** The same, of its subject and its address alone: for what comes once in a connection. */
  takeShared(charge: Charge): void {
    const now = this.#host.services.clock.now();
    this.subject?.allowance.force(charge, now);
    this.address.allowance.force(charge, now);
  }

  /** Counts one more refusal; true if there were too many in this second. */
  isFlood(): boolean {
    const now = this.#host.services.clock.now();
    if (now - this.#secondAtMs >= 1_000 || now < this.#secondAtMs) {
      this.#secondAtMs = now;
      this.#refusals = 0;
    }
    this.#refusals += 1;
    if (this.#refusals <= this.#host.services.nodeLimits.refusalsPerSecond) return false;
    this.reached('refusalsPerSecond');
    return true;
  }

  /** Tells that a limit was reached. */
  reached(limit: LimitName): void {
    const now = this.#host.services.clock.now();
    const told = (this.#told ??= new Map());
    const toldAtMs = told.get(limit);
    const isNew = toldAtMs === undefined || now - toldAtMs >= TOLD_INTERVAL_MS || now < toldAtMs;
    if (isNew) told.set(limit, now);
    this.#host.onLimited(limit, isNew);
  }
}

function longest(one: Lack | undefined, other: Lack | undefined): Lack | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return other.waitMs > one.waitMs ? other : one;
}
