/**
 * Virtual time: a queue of events by time and, where times are equal, by the order of their making. Nothing here reads a
 * clock. Between two events every microtask runs to its end, as between two tasks of a real event loop.
 */

/** One event in the queue. */
export interface Scheduled {
  readonly atMs: number;
  /** It will not happen. Harmless when it has. */
  cancel(): void;
}

class Event implements Scheduled {
  readonly atMs: number;
  readonly order: number;
  task: (() => void) | undefined;

  constructor(atMs: number, order: number, task: () => void) {
    this.atMs = atMs;
    this.order = order;
    this.task = task;
  }

  cancel(): void {
    this.task = undefined;
  }
}

/** The one real thing in a simulation: a turn of the real event loop, before which all microtasks have run. */
function microtasksDone(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export class Timeline {
  readonly #heap: Event[] = [];
  readonly #onError: (error: unknown) => void;
  #nowMs = 0;
  #order = 0;
  #eventCount = 0;
  #countdowns: { left: number; readonly task: () => void }[] = [];

  /** `onError`: gets what a task throws. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Virtual time since the beginning, ms, with fractions. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** How many events have happened. */
  get eventCount(): number {
    return this.#eventCount;
  }

  /** `task` happens at `atMs`, or now if that is past. */
  at(atMs: number, task: () => void): Scheduled {
    const event = new Event(Math.max(atMs, this.#nowMs), this.#order++, task);
    this.#push(event);
    return event;
  }

  after(delayMs: number, task: () => void): Scheduled {
    return this.at(this.#nowMs + Math.max(0, delayMs), task);
  }

  /** `task` happens right after the event that is the `count`th from now. */
  afterEvents(count: number, task: () => void): void {
    this.#countdowns.push({ left: Math.max(1, count), task });
  }

  /** Lets events happen until `untilMs`, until there are none, or until `isOver` says so (asked after each). */
  async run(untilMs: number, isOver: () => boolean): Promise<void> {
    await microtasksDone();
    while (!isOver()) {
      const event = this.#heap[0];
      if (event === undefined || event.atMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, Number.isFinite(untilMs) ? untilMs : this.#nowMs);
        return;
      }
      this.#pop();
      const { task } = event;
      if (task === undefined) continue;
      this.#nowMs = event.atMs;
      this.#eventCount += 1;
      try {
        task();
      } catch (error) {
        this.#onError(error);
      }
      await microtasksDone();
      if (this.#countdowns.length > 0) this.#countDown();
    }
  }

  #countDown(): void {
    for (const countdown of this.#countdowns) countdown.left -= 1;
    const due = this.#countdowns.filter(({ left }) => left === 0);
    if (due.length === 0) return;
    this.#countdowns = this.#countdowns.filter(({ left }) => left > 0);
    for (const { task } of due) task();
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isBefore(event, heap[above]!)) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below += 1;
      if (!isBefore(heap[below]!, last)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
