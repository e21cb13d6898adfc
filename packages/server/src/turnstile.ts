/**
 * Lets a bounded number of asynchronous tasks run at a time, and as many begin in a turn of the event loop, the rest in order of
 * arrival: the pace of replays (PROTOCOL.md HF-5.12). The second bound is for stores that answer at once.
 */

import type { Clock } from './clock.ts';

export class Turnstile {
  readonly #max: number;
  readonly #clock: Pick<Clock, 'defer'>;
  #waiting: (() => void)[] = [];
  #running = 0;
  /** In this turn. */
  #begun = 0;

  constructor(max: number, clock: Pick<Clock, 'defer'>) {
    this.#max = max;
    this.#clock = clock;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** The task's own result; it starts when there is room. */
  async run<Result>(task: () => Promise<Result>): Promise<Result> {
    // Nobody slips in between one that leaves and the next in line.
    if (this.#waiting.length > 0 || !this.#hasRoom) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#begin();
    try {
      return await task();
    } finally {
      this.#running -= 1;
      this.#letIn();
    }
  }

  get #hasRoom(): boolean {
    return this.#running < this.#max && this.#begun < this.#max;
  }

  #begin(): void {
    this.#running += 1;
    this.#begun += 1;
    if (this.#begun > 1) return;
    this.#clock.defer(() => {
      this.#begun = 0;
      this.#letIn();
    });
  }

  #letIn(): void {
    while (this.#hasRoom) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#begin();
      next();
    }
  }
}
