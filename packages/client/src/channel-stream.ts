/**
 * What a channel receives: an async iterable that can be iterated once. Written by hand, since Hermes has no async
 * generators. It holds a bounded number of messages beyond what the reader took; at the bound the socket is paused where
 * the platform can do that, and the peer is held back by TCP.
 */

import type { HoldfastError } from '@holdfast/wire';
import { usage } from './channel-arguments.ts';
import { ASYNC_ITERATOR, defineMethod } from './symbols.ts';

/** A message: what was sent as text is a string, what was sent as bytes a `Uint8Array`. */
export type Message = string | Uint8Array;

/**
 * The messages of a channel, in order. Iterating pulls: what is not pulled is held back. It ends when the channel is over;
 * `closed` says why. It rejects only if the channel never opened, with the same error as `ready`.
 *
 * Leaving the loop cancels: what comes after that is dropped, and the channel stays open, as with the cancelled subscription
 * of a Dart stream. A second iteration throws `USAGE`.
 */
export interface ChannelStream extends AsyncIterable<Message> {
  [Symbol.asyncIterator](): AsyncIterableIterator<Message, undefined>;
  /** Drops what came and what will come, so that a channel that is only written to notices its end. */
  cancel(): void;
}

/** How the bound of what waits is enforced. */
export interface Flow {
  readonly countMax: number;
  readonly bytesMax: number;
  /** Asks the socket to stop reading; says whether it can. */
  pause(): boolean;
  resume(): void;
  /** The bound is reached and nothing can be paused. */
  overflow(): void;
}

type Step = IteratorResult<Message, undefined>;

interface Waiter {
  resolve(step: Step): void;
  reject(error: HoldfastError): void;
}

const DONE: Step = { done: true, value: undefined };

export class Inbox implements ChannelStream {
  declare readonly [Symbol.asyncIterator]: () => AsyncIterableIterator<Message, undefined>;
  readonly #flow: Flow;
  /** Those from `#at` on wait; a queue that is not shifted, so that taking one costs the same however many there are. */
  #messages: Message[] = [];
  #at = 0;
  #bytes = 0;
  #waiters: Waiter[] = [];
  #isTaken = false;
  #isCancelled = false;
  #isPaused = false;
  #isOver = false;
  #failure: HoldfastError | undefined;

  constructor(flow: Flow) {
    this.#flow = flow;
  }

  get count(): number {
    return this.#messages.length - this.#at;
  }

  put(message: Message): void {
    if (this.#isCancelled || this.#isOver) return;
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) return waiter.resolve({ done: false, value: message });
    this.#messages.push(message);
    this.#bytes += message.length;
    if (!this.#isPaused && this.#isFull(1)) {
      this.#isPaused = this.#flow.pause();
      if (!this.#isPaused) this.#flow.overflow();
    }
  }

  /** No more will come. What came is still to be read; then it ends, or rejects once with what prevented the opening. */
  end(failure: HoldfastError | undefined): void {
    this.#isOver = true;
    this.#failure = failure;
    for (const waiter of this.#waiters.splice(0)) this.#finish(waiter);
  }

  cancel(): void {
    this.#isCancelled = true;
    this.#messages = [];
    this.#at = 0;
    this.#bytes = 0;
    this.#relax();
    for (const waiter of this.#waiters.splice(0)) waiter.resolve(DONE);
  }

  /** What is this reader's right to call once. */
  iterate(): AsyncIterableIterator<Message, undefined> {
    if (this.#isTaken) throw usage('the stream of a channel can be iterated once', 'Hand the messages on from one loop.');
    this.#isTaken = true;
    const iterator = {
      next: () => this.#next(),
      return: () => {
        this.cancel();
        return Promise.resolve(DONE);
      },
    };
    defineMethod(iterator, ASYNC_ITERATOR, () => iterator);
    return iterator as typeof iterator & AsyncIterableIterator<Message, undefined>;
  }

  #next(): Promise<Step> {
    if (this.#isCancelled) return Promise.resolve(DONE);
    if (this.count > 0) return Promise.resolve({ done: false, value: this.#take() });
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject };
      if (this.#isOver) this.#finish(waiter);
      else this.#waiters.push(waiter);
    });
  }

  #take(): Message {
    const message = this.#messages[this.#at]!;
    this.#messages[this.#at] = '';
    this.#at += 1;
    this.#bytes -= message.length;
    if (this.#at > 64 && this.#at * 2 > this.#messages.length) {
      this.#messages = this.#messages.slice(this.#at);
      this.#at = 0;
    }
    this.#relax();
    return message;
  }

  /** Reads on when half of the room is free, so that the socket is not paused and resumed at every message. */
  #relax(): void {
    if (!this.#isPaused || this.#isFull(2)) return;
    this.#isPaused = false;
    this.#flow.resume();
  }

  #isFull(part: number): boolean {
    return this.count * part >= this.#flow.countMax || this.#bytes * part >= this.#flow.bytesMax;
  }

  #finish(waiter: Waiter): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure === undefined) waiter.resolve(DONE);
    else waiter.reject(failure);
  }
}

defineMethod(Inbox.prototype, ASYNC_ITERATOR, function (this: Inbox) {
  return this.iterate();
});
