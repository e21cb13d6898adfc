/** When credentials end: warned of ahead, so that a client can renew them in time, and then acted upon (PROTOCOL.md HF-3.8). */

import type { Clock, Timer } from './clock.ts';

export interface ExpiryOptions {
  readonly clock: Clock;
  readonly onWarning: (expiresAtMs: number) => void;
  readonly onEnd: () => void;
}

/** How long ahead of the end, ms; a fifth of what remains where that is shorter. */
const WARNING_MS = 30_000;
/** The longest timer, ms: the systems' own end at 24.8 days, and a clock that is set in between is noticed. */
const TIMER_MS = 3_600_000;

export class Expiry {
  readonly #options: ExpiryOptions;
  #timer: Timer | undefined;
  #expiresAtMs = Infinity;
  #warnAtMs = Infinity;

  constructor(options: ExpiryOptions) {
    this.#options = options;
  }

  /** From now on these credentials count; `undefined`: they do not end. */
  set(expiresAtMs: number | undefined): void {
    this.clear();
    if (expiresAtMs === undefined) return;
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
    if (this.#expiresAtMs !== Infinity) this.#schedule();
  }
}
