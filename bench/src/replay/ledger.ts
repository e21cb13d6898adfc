/** What broke the promise: counted by kind, the first offenders of each by name. */

export const FAULTS = {
  lost: 'an acknowledged line is not in the log',
  duplicated: 'a line is in the log more than once',
  reordered: "a nick's lines are not in the order in which they were written",
  altered: 'an entry is not what its line says',
  foreign: 'an entry is no line of the files',
  unanswered: 'a publish was refused, or its outcome is not known',
  gap: 'an observer was told of missing history',
  observer: 'what an observer saw is not the log',
  member: 'what a member of a topic saw has a hole or comes twice',
  store: "the store's file is not what the server said",
  unaccounted: 'a line of a file is neither published nor counted',
} as const;

export type Fault = keyof typeof FAULTS;

const OFFENDERS_MAX = 5;

export class Ledger {
  readonly #counts = new Map<Fault, number>();
  readonly #offenders = new Map<Fault, string[]>();

  report(fault: Fault, offender: string): void {
    this.#counts.set(fault, this.count(fault) + 1);
    const named = this.#offenders.get(fault) ?? [];
    if (named.length < OFFENDERS_MAX) this.#offenders.set(fault, [...named, offender]);
  }

  count(fault: Fault): number {
    return this.#counts.get(fault) ?? 0;
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** One line per kind of fault that there was, and the first offenders under it. */
  lines(): string[] {
    return [...this.#counts].flatMap(([fault, count]) => [
      `${fault}: ${count} (${FAULTS[fault]})`,
      ...this.#offenders.get(fault)!.map((offender) => `  ${offender}`),
      ...(count > OFFENDERS_MAX ? [`  and ${count - OFFENDERS_MAX} more`] : []),
    ]);
  }
}
