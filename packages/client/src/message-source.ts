/** Messages that come from an iterable: pulled one after the other, as fast as they are taken. Knows no channel. */

import type { HoldfastError } from '@holdfast/wire';
import { usage } from './channel-arguments.ts';
import type { Message } from './channel-stream.ts';
import { ASYNC_ITERATOR } from './symbols.ts';

/** What a sink may be given to send. */
export type MessageSource = AsyncIterable<Message> | Iterable<Message>;

export class Pours {
  readonly #stops = new Set<(error: HoldfastError) => void>();
  #stopped: HoldfastError | undefined;

  /**
   * Hands on all of a source; the next message is pulled when `add` has resolved. Rejects as `add` does, with the source's own
   * error, or with that of `stop`, and has then returned the source's iterator. Throws `USAGE` for what is no source.
   */
  pour(source: MessageSource, add: (message: Message) => Promise<void>): Promise<void> {
    return this.#pour(iteratorOf(source), add);
  }

  /** Ends all that is under way and all that comes. */
  stop(error: HoldfastError): void {
    this.#stopped ??= error;
    for (const stop of this.#stops) stop(error);
  }

  async #pour(iterator: AsyncIterator<Message> | Iterator<Message>, add: (message: Message) => Promise<void>): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await this.#orStop(iterator.next());
        if (done === true) return;
        await add(value);
      }
    } catch (error) {
      // A source that does not end at once is not waited for.
      void Promise.resolve(iterator.return?.()).catch(() => {});
      throw error;
    }
  }

  /** A step of a source, or the stop if that comes first. Not `Promise.race`, which would keep every step for as long as the source lasts. */
  #orStop<T>(step: Promise<T> | T): Promise<T> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    return new Promise((resolve, reject) => {
      this.#stops.add(reject);
      Promise.resolve(step)
        .then(resolve, reject)
        .finally(() => this.#stops.delete(reject));
    });
  }
}

function iteratorOf(source: unknown): AsyncIterator<Message> | Iterator<Message> {
  // A string is iterable, but hardly meant.
  if (typeof source === 'object' && source !== null) {
    const given = source as Partial<Record<symbol | string, () => AsyncIterator<Message>>>;
    const iterate = given[ASYNC_ITERATOR] ?? given[Symbol.iterator];
    if (typeof iterate === 'function') return iterate.call(source);
  }
  throw usage('a source of messages is an iterable or an async iterable');
}
