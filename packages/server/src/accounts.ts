/**
 * What subjects and addresses use up over all their connections. An account lives while it has connections, and after that
 * until its buckets are empty again: so their number is bounded by the connections and the rate at which new ones come.
 */

import { Allowance, type RateScope } from './allowance.ts';
import type { NodeLimits } from './node-limits.ts';

export class Account {
  readonly key: string;
  connectionCount = 0;
  readonly #limits: NodeLimits;
  readonly #scope: RateScope;
  /** Only while something of it is used. */
  #allowance: Allowance | undefined;

  constructor(key: string, limits: NodeLimits, scope: RateScope) {
    this.key = key;
    this.#limits = limits;
    this.#scope = scope;
  }

  get allowance(): Allowance {
    return (this.#allowance ??= new Allowance(this.#limits, this.#scope));
  }

  /** Whether nothing of it is used. */
  isUnused(now: number): boolean {
    if (this.#allowance?.isUnused(now) === true) this.#allowance = undefined;
    return this.#allowance === undefined;
  }
}

export class Accounts {
  readonly #limits: NodeLimits;
  readonly #scope: RateScope;
  readonly #accounts = new Map<string, Account>();

  constructor(limits: NodeLimits, scope: RateScope) {
    this.#limits = limits;
    this.#scope = scope;
  }

  get count(): number {
    return this.#accounts.size;
  }

  /** One more connection of `key`; give the account back to `leave`. */
  enter(key: string): Account {
    let account = this.#accounts.get(key);
    if (account === undefined) this.#accounts.set(key, (account = new Account(key, this.#limits, this.#scope)));
    account.connectionCount += 1;
    return account;
  }

  leave(account: Account): void {
    account.connectionCount -= 1;
  }

  connectionCount(key: string): number {
    return this.#accounts.get(key)?.connectionCount ?? 0;
  }

  /** Drops what nobody uses and owes nothing. */
  forgetIdle(now: number): void {
    for (const [key, account] of this.#accounts) if (account.isUnused(now) && account.connectionCount === 0) this.#accounts.delete(key);
  }
}
