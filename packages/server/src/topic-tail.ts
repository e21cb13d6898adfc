/**
 * The newest entries of a topic that somebody follows, with their frames: whoever is a little behind (short of credit, a full
 * socket) takes from here what everybody gets, in the same turn, instead of reading it from the store and framing it anew.
 * A cache and nothing else: what is not here is in the store.
 */

import type { FramedEntry } from './framed-entry.ts';

/** What all tails of a node hold. */
export interface TailBudget {
  /** About so many bytes. */
  held: number;
  readonly heldMax: number;
}

/** Of one topic: about a second of a very busy one. */
const COUNT_MAX = 4_096;
const SIZE_MAX = 4_194_304;
/** What an entry takes besides its payload, which is there as itself, in its frame, and in that of its run. */
const ENTRY_BYTES = 700;
const PAYLOAD_COPIES = 3;
/** What does not fit into a tail beside others is left to the store. */
const ENTRY_SIZE_MAX = 262_144;

export class TopicTail {
  readonly #budget: TailBudget;
  readonly #countMax: number;
  /** Offsets without a hole; what is before `#first` is dropped from time to time. */
  #entries: FramedEntry[] = [];
  #first = 0;
  #held = 0;
  /** Whether something came since the last sweep. */
  #isFresh = false;

  constructor(budget: TailBudget, countMax: number = COUNT_MAX) {
    this.#budget = budget;
    this.#countMax = countMax;
  }

  /** Entries that follow those that are here. */
  add(entries: readonly FramedEntry[]): void {
    this.#isFresh = true;
    for (const entry of entries) {
      const size = sizeOf(entry);
      if (size > ENTRY_SIZE_MAX || this.#budget.held + size > this.#budget.heldMax) this.clear();
      else {
        this.#entries.push(entry);
        this.#hold(size);
      }
    }
    while (this.#count > this.#countMax || this.#held > SIZE_MAX) this.#hold(-sizeOf(this.#entries[this.#first++]!));
    if (this.#first < this.#countMax) return;
    this.#entries.splice(0, this.#first);
    this.#first = 0;
  }

  /** Entries from `offset` on, `countMax` (1 or more) at the most; `undefined` if that one is not here. */
  from(offset: number, countMax: number = Infinity): readonly FramedEntry[] | undefined {
    const first = this.#entries[this.#first]?.entry.offset;
    if (first === undefined || offset < first) return undefined;
    const at = this.#first + offset - first;
    return at < this.#entries.length ? this.#entries.slice(at, at + countMax) : undefined;
  }

  /** Lets go of everything if nothing came since it was called last: a topic that rests must not hold what others need. */
  sweep(): void {
    if (!this.#isFresh) this.clear();
    this.#isFresh = false;
  }

  clear(): void {
    this.#hold(-this.#held);
    this.#entries = [];
    this.#first = 0;
  }

  get #count(): number {
    return this.#entries.length - this.#first;
  }

  #hold(size: number): void {
    this.#held += size;
    this.#budget.held += size;
  }
}

function sizeOf({ entry: { payload } }: FramedEntry): number {
  return ENTRY_BYTES + PAYLOAD_COPIES * payload.length;
}
