/** Lets a bounded number of asynchronous tasks run at a time, the rest in order of arrival: the pace of replays (PROTOCOL.md HF-5.12). */

export class Turnstile {
  readonly #runningMax: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(runningMax: number) {
    this.#runningMax = runningMax;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** The task's own result; it starts when there is room. */
  async run<Result>(task: () => Promise<Result>): Promise<Result> {
    if (this.#running >= this.#runningMax) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
    try {
      return await task();
    } finally {
      // The place is handed to the next in line, so nobody can slip in between.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
