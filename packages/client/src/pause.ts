/** A wait that can be cut short: what tries again after a failure waits in one. One wait at a time. */

import type { Clock } from './clock.ts';

export class Pause {
  readonly #clock: Clock;
  #end: (() => void) | undefined;
  #untilMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** When the present wait is over, wall clock ms. */
  get untilMs(): number | undefined {
    return this.#untilMs;
  }

  /** Resolves after the delay, or at `end`. */
  wait(delayMs: number): Promise<void> {
    this.#untilMs = this.#clock.now() + delayMs;
    return new Promise((resolve) => {
      const timer = this.#clock.setTimeout(() => this.end(), delayMs);
      this.#end = () => {
        this.#clock.clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Ends the wait now. Harmless if there is none. */
  end(): void {
    this.#untilMs = undefined;
    this.#end?.();
    this.#end = undefined;
  }
}
