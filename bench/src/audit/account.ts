/**
 * What one client saw, and what is wrong with it. Broadcasts are numbered from 1; a client that is told that something is
 * missing notes 0 in its place. Pure but for the clock that it is given.
 */

/** Tells that history is missing here. */
export const TOLD = 0;

/** In order of arrival; times are instants, ms. */
export interface AccountRecord {
  /** Numbers, or `TOLD`. */
  readonly items: readonly number[];
  /** When each item came. */
  readonly itemsAtMs: readonly number[];
  /** The first is the first connection; between two of them lies one of `lostAtMs`. */
  readonly openedAtMs: readonly number[];
  readonly lostAtMs: readonly number[];
}

export interface Judgement {
  /** Numbers that never came, in order. */
  readonly lost: readonly number[];
  /** How many of those lie where the client was told that something is missing. */
  readonly toldCount: number;
  /** How many items came that had come before. */
  readonly duplicatedCount: number;
  /** How many came first after a later one. */
  readonly reorderedCount: number;
}

/** Compares what came with the numbers from 1 to `count`. Throws for a number that was never sent. */
export function judge(items: readonly number[], count: number): Judgement {
  const seen = new Set<number>();
  const toldSpans: (readonly [number, number])[] = [];
  let last = 0;
  let toldAfter: number | undefined;
  let duplicatedCount = 0;
  let reorderedCount = 0;
  for (const item of items) {
    if (item === TOLD) {
      toldAfter ??= last;
      continue;
    }
    if (!Number.isInteger(item) || item < 1 || item > count) throw new Error(`A client got the number ${item}, which was never sent.`);
    if (seen.has(item)) {
      duplicatedCount += 1;
      continue;
    }
    seen.add(item);
    if (item < last) reorderedCount += 1;
    if (toldAfter !== undefined) toldSpans.push([toldAfter, item]);
    toldAfter = undefined;
    last = Math.max(last, item);
  }
  if (toldAfter !== undefined) toldSpans.push([toldAfter, Number.POSITIVE_INFINITY]);
  const lost = Array.from({ length: count }, (_, index) => index + 1).filter((number) => !seen.has(number));
  const toldCount = lost.filter((number) => toldSpans.some(([after, before]) => number > after && number < before)).length;
  return { lost, toldCount, duplicatedCount, reorderedCount };
}

/** Keeps the account of one client while it runs. */
export class Account {
  readonly #now: () => number;
  readonly #items: number[] = [];
  readonly #itemsAtMs: number[] = [];
  readonly #openedAtMs: number[] = [];
  readonly #lostAtMs: number[] = [];
  /** Numbers that came, and those in whose place the client was told that something is missing. */
  readonly #accounted = new Set<number>();
  #last = 0;
  #toldAfter: number | undefined;
  #isOpen = false;
  /** Whether the client follows: what is broadcast from now on is for it. */
  isReady = false;

  constructor(now: () => number) {
    this.#now = now;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Of how many numbers the client knows: those that came, and those in whose place it was told that something is missing. */
  get accountedCount(): number {
    return this.#accounted.size;
  }

  ready(): void {
    this.isReady = true;
  }

  opened(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#openedAtMs.push(this.#now());
  }

  lost(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#lostAtMs.push(this.#now());
  }

  received(number: number): void {
    for (let missing = (this.#toldAfter ?? number) + 1; missing < number; missing++) this.#accounted.add(missing);
    this.#toldAfter = undefined;
    this.#accounted.add(number);
    this.#last = Math.max(this.#last, number);
    this.#note(number);
  }

  told(): void {
    this.#toldAfter ??= this.#last;
    this.#note(TOLD);
  }

  record(): AccountRecord {
    return { items: this.#items, itemsAtMs: this.#itemsAtMs, openedAtMs: this.#openedAtMs, lostAtMs: this.#lostAtMs };
  }

  #note(item: number): void {
    this.#items.push(item);
    this.#itemsAtMs.push(this.#now());
  }
}
