/**
 * What subjects and addresses use up over all their connections. An account lives while it has connections, and after that
 * until its buckets are empty again: so their number is bounded by the connections and the rate at which new ones come.
 */

import { Allowance, type RateScope } from './allowance.ts';
import type { NodeLimits } from './node-limits.ts';

export class Account {
  readonly key: string;
  readonly allowance: Allowance;
  connectionCount = 0;

  constructor(key: string, allowance: Allowance) {
    this.key = key;
    this.allowance = allowance;
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
    if (account === undefined) this.#accounts.set(key, (account = new Account(key, new Allowance(this.#limits, this.#scope))));
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
    for (const [key, { connectionCount, allowance }] of this.#accounts)
      if (connectionCount === 0 && allowance.isUnused(now)) this.#accounts.delete(key);
  }
}
