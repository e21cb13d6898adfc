/** A clock that stands still until a test moves it. Only promises and what was deferred run on their own, in `settle`. */

import type { Clock, Timer } from './clock.ts';

interface Alarm {
  readonly at: number;
  readonly task: () => void;
}

export class VirtualClock implements Clock {
  #elapsedMs = 0;
  #wallMs = 1_700_000_000_000;
  #alarms: Alarm[] = [];
  #deferred: (() => void)[] = [];

  now(): number {
    return this.#wallMs;
  }

  setTimeout(task: () => void, delayMs: number): Timer {
    const alarm = { at: this.#elapsedMs + delayMs, task };
    this.#alarms.push(alarm);
    return alarm;
  }

  clearTimeout(timer: Timer): void {
    this.#alarms = this.#alarms.filter((alarm) => alarm !== timer);
  }

  defer(task: () => void): void {
    this.#deferred.push(task);
  }

  /** Timers that have not fired. */
  get alarmCount(): number {
    return this.#alarms.length;
  }

  /** The wall clock jumps; timers do not notice. */
  jump(ms: number): void {
    this.#wallMs += ms;
  }

  /** Runs promises and what was deferred until nothing of it is left. */
  async settle(): Promise<void> {
    await turn();
    while (this.#deferred.length > 0) {
      this.runDeferred();
      await turn();
    }
  }

  /** Runs what was deferred until now. */
  runDeferred(): void {
    const tasks = this.#deferred;
    this.#deferred = [];
    for (const task of tasks) task();
  }

  /** Lets `ms` pass: every timer that falls into it fires at its time, in order. */
  async advance(ms: number): Promise<void> {
    await this.settle();
    const end = this.#elapsedMs + ms;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#pass(next.at);
      this.clearTimeout(next);
      next.task();
      await this.settle();
    }
    this.#pass(end);
  }

  #next(end: number): Alarm | undefined {
    return this.#alarms.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0];
  }

  #pass(to: number): void {
    this.#wallMs += to - this.#elapsedMs;
    this.#elapsedMs = to;
  }
}

/** One turn of the event loop: all promises that can settle have settled after it. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
