/**
 * A topic as state for a user interface: its newest entries as a list that is always contiguous, its registers, and
 * whether what is shown is true now. It reads as any other consumer does, through a reader of its own.
 */

import type { EntryRecord, HoldfastError, Json, ReadPage } from '@holdfast/wire';
import { ignorable } from './deferred.ts';
import type { GapItem, Item } from './item.ts';
import { Computed, type Observable } from './observable.ts';
import type { Reader } from './reader.ts';
import type { Subscription } from './subscription.ts';

export interface ViewOptions {
  /** Begin with the newest entries, this many at the most. Default 50. */
  readonly last?: number | undefined;
  /** Entries that are kept; beyond it the oldest go, and `loadOlder` brings them back. Default 1,000. */
  readonly limit?: number | undefined;
}

export interface RegisterState {
  readonly value: Json;
  readonly revision: number;
}

export interface ViewState {
  /** Ascending and without a hole. */
  readonly entries: readonly EntryRecord[];
  readonly registers: ReadonlyMap<string, RegisterState>;
  /** `loading`: the first entries are on their way. `live`: what is shown is what there is. `stale`: there is no connection, or no right. */
  readonly phase: 'loading' | 'live' | 'stale';
  /** The last gap: what was shown before it is gone from `entries`. */
  readonly gap: GapItem | undefined;
  /** Of the first entry shown. */
  readonly firstOffset: number | undefined;
  /** Whether `loadOlder` may find something. */
  readonly hasMore: boolean;
  /** Why the server does not send, if it said so. */
  readonly problem: HoldfastError | undefined;
}

export interface TopicView extends Observable<ViewState> {
  /** Puts older entries before those shown. One at a time: a call during another gets that one's promise. */
  loadOlder(count?: number): Promise<void>;
  /** Ends the following; the last state stays. Idempotent. */
  close(): void;
}

const LAST = 50;
const LIMIT = 1_000;

export class View implements TopicView {
  readonly subscribe: (listener: () => void) => () => void;
  readonly getSnapshot: () => ViewState;
  readonly #subscription: Subscription;
  readonly #read: (before: number, limit: number) => Promise<ReadPage>;
  readonly #reader: Reader;
  readonly #state: Computed<ViewState> = new Computed(() => this.#now());
  readonly #stopListening: () => void;
  #limit: number;
  #entries: EntryRecord[] = [];
  readonly #registers = new Map<string, RegisterState>();
  #gap: GapItem | undefined;
  #isLoaded = false;
  #isDue = false;
  /** The log's first offset, once a page has told it. */
  #logFirst = 1;
  #loading: Promise<void> | undefined;

  constructor(
    { last = LAST, limit = LIMIT }: ViewOptions,
    subscription: Subscription,
    read: (before: number, limit: number) => Promise<ReadPage>,
  ) {
    this.#subscription = subscription;
    this.#read = read;
    this.#limit = Math.max(last, limit);
    this.subscribe = this.#state.subscribe;
    this.getSnapshot = this.#state.getSnapshot;
    this.#reader = subscription.read({ last }, undefined, () => this.#follow());
    this.#stopListening = subscription.listeners.add(() => this.#changed());
  }

  loadOlder(count: number = LAST): Promise<void> {
    this.#loading ??= ignorable(this.#loadOlder(count).finally(() => (this.#loading = undefined)));
    return this.#loading;
  }

  close(): void {
    this.#stopListening();
    this.#reader.close();
  }

  async #loadOlder(count: number): Promise<void> {
    const position = this.#reader.position;
    const before = this.#entries[0]?.offset ?? (position?.offset ?? 0) + 1;
    if (position === undefined || before <= this.#logFirst) return;
    const { epoch, first, entries } = await this.#read(before, count);
    // The log began anew meanwhile, or the list did: what was asked for belongs before nothing that is shown.
    const isSame = epoch === this.#reader.position?.epoch && (this.#entries[0]?.offset ?? before) === before;
    if (!isSame) return;
    this.#logFirst = entries.length === 0 ? before : first;
    this.#entries = [...entries, ...this.#entries];
    this.#limit = Math.max(this.#limit, this.#entries.length);
    this.#changed();
  }

  /** Takes what there is, in one go: a page of history is one change of the state, not one for each entry. */
  #follow(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    void Promise.resolve().then(() => {
      this.#isDue = false;
      for (let item = this.#reader.take(); item !== undefined; item = this.#reader.take()) this.#take(item);
      this.#changed();
    });
  }

  #take(item: Item): void {
    if (item.type === 'entry') {
      const { type: _type, ...entry } = item;
      this.#entries.push(entry);
      // In steps, so that a full list is not moved for each entry.
      if (this.#entries.length > this.#limit + this.#limit / 8) this.#entries = this.#entries.slice(-this.#limit);
    } else if (item.type === 'register') {
      this.#registers.set(item.key, { value: item.value, revision: item.revision });
    } else {
      this.#gap = item;
      this.#entries = [];
      this.#logFirst = item.after.offset + 1;
      if (item.before.epoch !== item.after.epoch) this.#registers.clear();
    }
  }

  #changed(): void {
    const { received, isIdle } = this.#reader;
    if (received !== undefined && isIdle && received.offset >= this.#subscription.head) this.#isLoaded = true;
    this.#state.touch();
  }

  #now(): ViewState {
    const entries = this.#entries.slice(-this.#limit);
    const firstOffset = entries[0]?.offset;
    const { isLive, problem } = this.#subscription;
    const { failure } = this.#reader;
    const phase = failure !== undefined || (this.#isLoaded && !isLive) ? 'stale' : this.#isLoaded ? 'live' : 'loading';
    return {
      entries,
      registers: new Map(this.#registers),
      phase,
      gap: this.#gap,
      firstOffset,
      hasMore: firstOffset !== undefined && firstOffset > this.#logFirst,
      problem: failure ?? problem,
    };
  }
}
