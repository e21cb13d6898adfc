/** Counts what happened in runs, to show that they were not idle: a simulation that meets no trouble proves nothing. */

export class Tally {
  readonly #counts = new Map<string, number>();

  count(what: string, by: number = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + by);
  }

  of(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  /** All of it, by name. */
  entries(): readonly (readonly [string, number])[] {
    return [...this.#counts].sort(([one], [other]) => (one < other ? -1 : 1));
  }
}
