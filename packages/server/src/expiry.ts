/** When credentials end: warned of ahead, so that a client can renew them in time, and then acted upon (PROTOCOL.md HF-3.8). */

import type { Clock, Timer } from './clock.ts';

export interface ExpiryOptions {
  readonly clock: Clock;
  readonly onWarning: (expiresAtMs: number) => void;
  readonly onEnd: () => void;
}

/** How long ahead of the end, ms; a fifth of what remains where that is shorter. */
const WARNING_MS = 30_000;
/** The longest timer, ms: so late at most is noticed that the clock was set, or that the machine slept. */
const TIMER_MS = 60_000;

export class Expiry {
  readonly #options: ExpiryOptions;
  #timer: Timer | undefined;
  #expiresAtMs = Infinity;
  #warnAtMs = Infinity;

  constructor(options: ExpiryOptions) {
    this.#options = options;
  }

  /** From now on these credentials count; `undefined` or `Infinity`: they do not end. Throws a `TypeError` for what is no time. */
  set(expiresAtMs: number | undefined): void {
    this.clear();
    if (expiresAtMs === undefined || expiresAtMs === Infinity) return;
    // From a hook: the product of 1,000 and a claim that is missing. What can never be over must not count as no end.
    if (!Number.isFinite(expiresAtMs)) throw new TypeError(`expiresAtMs must be a time in ms, not ${String(expiresAtMs)}`);
    const now = this.#options.clock.now();
    this.#expiresAtMs = expiresAtMs;
    this.#warnAtMs = expiresAtMs - Math.min(WARNING_MS, Math.max(0, expiresAtMs - now) / 5);
    this.#schedule();
  }

  clear(): void {
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#expiresAtMs = this.#warnAtMs = Infinity;
  }

  #schedule(): void {
    const { clock } = this.#options;
    const dueAtMs = Math.min(this.#warnAtMs, this.#expiresAtMs);
    this.#timer = clock.setTimeout(() => this.#due(), Math.min(TIMER_MS, Math.max(1, Math.ceil(dueAtMs - clock.now()))));
  }

  #due(): void {
    this.#timer = undefined;
    const now = this.#options.clock.now();
    if (now >= this.#expiresAtMs) {
      this.clear();
      return this.#options.onEnd();
    }
    if (now >= this.#warnAtMs) {
      this.#warnAtMs = Infinity;
      this.#options.onWarning(this.#expiresAtMs);
    }
    // The warning may have brought new credentials, or an end to the connection.
    if (this.#timer === undefined && this.#expiresAtMs !== Infinity) this.#schedule();
  }
}
