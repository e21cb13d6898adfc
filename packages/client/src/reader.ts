/**
 * One consumer's way through a topic: a queue of at most a window of entries, and a position of its own (PROTOCOL.md
 * HF-5.9). It never asks for anything itself: the subscription fills it.
 *
 * *Received* is what the queue holds or held; *processed* moves when the next item is asked for. A cut resumes after the
 * received position, since the queue survives it; a new process resumes after the processed one.
 */

import type { EntryMessage, Gap, HoldfastError, Position, RegisterMessage, Skip } from '@holdfast/wire';
import type { Item } from './item.ts';
import { ASYNC_ITERATOR, defineMethod } from './symbols.ts';

/** Where a reader begins: after a position, with the newest `last` entries, or at the head. */
export interface ReaderStart {
  readonly position?: Position | undefined;
  readonly last?: number | undefined;
}

/** An endless iteration over a topic: it ends with `close`, `break` or the client. Rejects if the server refuses the subscription. */
export interface TopicReader extends AsyncIterable<Item> {
  /** What was processed last: an item is processed when the next one is asked for. `undefined` until the place is known. */
  readonly position: Position | undefined;
  next(): Promise<IteratorResult<Item, undefined>>;
  return(): Promise<IteratorResult<Item, undefined>>;
  /** Ends the iteration. Idempotent. */
  close(): void;
}

/** An item in the queue, and the position that stands when it is processed. */
interface Queued {
  readonly item: Item;
  after: Position;
}

interface Waiter {
  resolve(result: IteratorResult<Item, undefined>): void;
  reject(error: HoldfastError): void;
}

export interface ReaderHost {
  /** Something waits to be taken, or the reader is over. */
  queued(): void;
  /** There is more room than before. */
  taken(): void;
  /** The reader is over, by its own doing. */
  left(reader: Reader): void;
}

const DONE: IteratorResult<Item, undefined> = { done: true, value: undefined };

export class Reader implements TopicReader {
  declare readonly [Symbol.asyncIterator]: () => this;
  readonly last: number | undefined;
  readonly #host: ReaderHost;
  /** Entries that may wait for it. */
  readonly windowCount: number;
  #received: Position | undefined;
  #processed: Position | undefined;
  #queue: Queued[] = [];
  #entryCount = 0;
  /** Handed out and not processed. */
  #inHand: Queued | undefined;
  #waiters: Waiter[] = [];
  #failure: HoldfastError | undefined;
  #isOver = false;
  /** Placed by the head, and nothing received yet: history cut before its first entry is no gap to it. */
  #isFresh = false;

  constructor({ position, last }: ReaderStart, windowCount: number, host: ReaderHost) {
    this.#host = host;
    this.windowCount = windowCount;
    this.#received = position;
    this.#processed = position;
    this.last = last;
  }

  get position(): Position | undefined {
    return this.#processed;
  }

  get received(): Position | undefined {
    return this.#received;
  }

  /** Whether everything received was handed out. */
  get isIdle(): boolean {
    return this.#queue.length === 0;
  }

  /** How many more entries it may be sent. */
  get room(): number {
    return this.windowCount - this.#entryCount;
  }

  /** What the server refused it with. */
  get failure(): HoldfastError | undefined {
    return this.#failure;
  }

  /** The next item, if one is there; the one before it is processed by this. */
  take(): Item | undefined {
    this.#process();
    this.#inHand = this.#queue.shift();
    return this.#inHand?.item;
  }

  next(): Promise<IteratorResult<Item, undefined>> {
    const value = this.take();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (this.#failure !== undefined) {
      const failure = this.#failure;
      this.#failure = undefined;
      return Promise.reject(failure);
    }
    if (this.#isOver) return Promise.resolve(DONE);
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<Item, undefined>> {
    this.close();
    return Promise.resolve(DONE);
  }

  close(): void {
    if (this.#isOver) return;
    this.end();
    this.#queue = [];
    this.#host.left(this);
  }

  /** From outside: nothing more will come; what is queued may still be read. */
  end(failure?: HoldfastError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const [first, ...others] = this.#waiters.splice(0);
    if (failure !== undefined && first !== undefined) first.reject(failure);
    else {
      this.#failure = failure;
      first?.resolve(DONE);
    }
    for (const waiter of others) waiter.resolve(DONE);
    this.#host.queued();
  }

  /** Where it begins, for a reader that had no position. */
  place(position: Position): void {
    this.#received = position;
    this.#processed = position;
    this.#isFresh = true;
  }

  entry({ type, offset, producer, seq, from, at, data }: EntryMessage): void {
    this.#received = { ...this.#received!, offset };
    this.#entryCount += 1;
    this.#put({ type, offset, producer, seq, from, at, data });
  }

  skip({ last }: Skip): void {
    this.#move({ ...this.#received!, offset: last });
  }

  gap({ reason, after: end }: Gap): void {
    const before = this.#received!;
    // The stream may serve another reader that knows fewer registers; within a log this one forgets none.
    const isForward = before.epoch === end.epoch && reason !== 'ahead';
    const after = isForward ? { ...end, revision: Math.max(before.revision, end.revision) } : end;
    const isSilent = this.#isFresh && before.epoch === after.epoch && before.offset <= after.offset;
    if (isSilent) return this.#move(after);
    this.#received = after;
    this.#put({ type: 'gap', reason, before, after });
  }

  register({ key, value, revision }: RegisterMessage): void {
    this.#received = { ...this.#received!, revision };
    // Registers have no credit: only the newest of a key waits, so their number is bounded by that of the keys.
    const at = this.#queue.findIndex(({ item }) => item.type === 'register' && item.key === key);
    if (at >= 0) this.#queue.splice(at, 1);
    this.#put({ type: 'register', key, value, revision });
  }

  #put(item: Item): void {
    this.#isFresh = false;
    const queued: Queued = { item, after: this.#received! };
    const waiter = this.#waiters.shift();
    if (waiter === undefined) {
      this.#queue.push(queued);
      return this.#host.queued();
    }
    // Several may wait: each was asked for after the one before it.
    this.#process();
    this.#inHand = queued;
    waiter.resolve({ done: false, value: item });
    if (this.#waiters.length > 0) this.#process();
  }

  /** The position moves on without an item. */
  #move(position: Position): void {
    this.#received = position;
    const newest = this.#queue[this.#queue.length - 1] ?? this.#inHand;
    if (newest === undefined) this.#processed = position;
    else newest.after = position;
  }

  #process(): void {
    const done = this.#inHand;
    if (done === undefined) return;
    this.#inHand = undefined;
    this.#processed = done.after;
    if (done.item.type === 'entry') {
      this.#entryCount -= 1;
      this.#host.taken();
    }
  }
}

defineMethod(Reader.prototype, ASYNC_ITERATOR, function (this: Reader) {
  return this;
});
