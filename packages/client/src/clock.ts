/** The clock port: time and timers are parameters, so that a simulator drives the real code. */

/** Wall clock and timers. Timers may be late or throttled, so deadlines are judged by `now`. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(handle: unknown): void;
}

/** The longest delay that every platform's `setTimeout` understands, ms (2^31 - 1). */
const DELAY_MAX_MS = 2_147_483_647;

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, delayMs) => setTimeout(callback, Math.min(delayMs, DELAY_MAX_MS)),
  clearTimeout: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
};
