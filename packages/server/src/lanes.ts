/** Asynchronous tasks one after the other within a lane, lanes side by side: for what must not overtake its own kind. */

export class Lanes {
  readonly #tails = new Map<string, Promise<void>>();

  /** The task's own result. It starts when those given to the lane before it have ended, well or badly. */
  run<Result>(lane: string, task: () => Promise<Result>): Promise<Result> {
    const before = this.#tails.get(lane);
    const result = before === undefined ? task() : before.then(task);
    const tail: Promise<void> = result.then(
      () => this.#end(lane, tail),
      () => this.#end(lane, tail),
    );
    this.#tails.set(lane, tail);
    return result;
  }

  #end(lane: string, tail: Promise<void>): void {
    if (this.#tails.get(lane) === tail) this.#tails.delete(lane);
  }
}
