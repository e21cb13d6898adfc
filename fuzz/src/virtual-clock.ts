/** A clock that stands still until it is moved, for hub and client alike. Between two timers everything that promises do is done. */

interface Alarm {
  readonly atMs: number;
  readonly task: () => void;
}

/** Timers that one `advance` runs at the most: who asks for one each millisecond would make an hour of a minute. */
const ALARMS_MAX = 500;

export class VirtualClock {
  #nowMs = 1_767_225_600_000;
  readonly #alarms = new Set<Alarm>();
  #deferred: (() => void)[] = [];

  now(): number {
    return this.#nowMs;
  }

  setTimeout(task: () => void, delayMs: number): unknown {
    const alarm = { atMs: this.#nowMs + Math.max(0, delayMs), task };
    this.#alarms.add(alarm);
    return alarm;
  }

  clearTimeout(timer: unknown): void {
    this.#alarms.delete(timer as Alarm);
  }

  defer(task: () => void): void {
    this.#deferred.push(task);
  }

  /** Timers that have not fired. */
  get alarmCount(): number {
    return this.#alarms.size;
  }

  /** Runs promises and what was deferred until nothing of it is left. */
  async settle(): Promise<void> {
    await turn();
    while (this.#deferred.length > 0) {
      const tasks = this.#deferred;
      this.#deferred = [];
      for (const task of tasks) task();
      await turn();
    }
  }

  /** Lets `ms` pass: the timers that fall into it fire at their times, in order. */
  async advance(ms: number): Promise<void> {
    await this.settle();
    const endMs = this.#nowMs + ms;
    for (let count = 0; count < ALARMS_MAX; count++) {
      const next = this.#next(endMs);
      if (next === undefined) break;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      this.#alarms.delete(next);
      next.task();
      await this.settle();
    }
    this.#nowMs = endMs;
  }

  #next(endMs: number): Alarm | undefined {
    let next: Alarm | undefined;
    for (const alarm of this.#alarms) if (alarm.atMs <= endMs && (next === undefined || alarm.atMs < next.atMs)) next = alarm;
    return next;
  }
}

/** One turn of the event loop: all promises that can settle have settled after it. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
