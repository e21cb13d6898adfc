/** One topic as an application sees it: publish, read, follow (PROTOCOL.md HF-5, HF-6, HF-7). */

import { HoldfastError, parseReadPage, type Data, type Position, type ReadPage } from '@holdfast/wire';
import type { Item } from './item.ts';
import type { PublishOptions, Publisher } from './publisher.ts';
import type { TopicReader } from './reader.ts';
import type { AskOptions, Requests } from './requests.ts';
import type { Published } from './row.ts';
import type { Subscription } from './subscription.ts';
import { ASYNC_ITERATOR, defineMethod } from './symbols.ts';

export interface ItemsOptions {
  /** Go on after this position. Without it and `last`: from the head. */
  readonly position?: Position | undefined;
  /** Begin with the newest entries, this many at the most. */
  readonly last?: number | undefined;
  /** Entries that may wait for this reader. Default: the client's `window`. */
  readonly window?: number | undefined;
}

/** Which entries to read: those above `after`, or those nearest below `before`. Exactly one. */
export interface ReadOptions extends AskOptions {
  readonly after?: number | undefined;
  readonly before?: number | undefined;
  /** At most this many; the server has a bound of its own. */
  readonly limit?: number | undefined;
}

export interface Topic extends AsyncIterable<Item> {
  readonly name: string;
  /**
   * Appends one entry, exactly once, after everything published to this topic before. Settles when the server has stored
   * or refused it; without a connection the outbox keeps it. Throws `USAGE`, `TOO_DEEP` or `FORBIDDEN_KEY` for what is no
   * payload. Rejects with `PENDING`, `EXPIRED`, `ABORTED`, `OUTBOX_FULL`, `UNCERTAIN`, `CLOSED`, or a refusal.
   */
  publish(data: Data, options?: PublishOptions): Promise<Published>;
  /** Appends several entries together or not at all, at consecutive offsets. The offset is the first one's. */
  publishAll(items: readonly Data[], options?: PublishOptions): Promise<Published>;
  /** Follows the topic: every entry after the start exactly once and in order, through any number of reconnections. */
  items(options?: ItemsOptions): TopicReader;
  /** One page of the log. Rejects with `OFFLINE` if there was no answer within the deadline. */
  read(options: ReadOptions): Promise<ReadPage>;
}

export interface TopicOptions {
  readonly name: string;
  readonly publisher: Publisher;
  readonly requests: Requests;
  readonly subscription: Subscription;
}

export class ClientTopic implements Topic {
  declare readonly [Symbol.asyncIterator]: () => TopicReader;
  readonly name: string;
  readonly #publisher: Publisher;
  readonly #requests: Requests;
  readonly #subscription: Subscription;

  constructor({ name, publisher, requests, subscription }: TopicOptions) {
    this.name = name;
    this.#publisher = publisher;
    this.#requests = requests;
    this.#subscription = subscription;
  }

  publish(data: Data, options?: PublishOptions): Promise<Published> {
    return this.#publisher.publish(this.name, [data], options);
  }

  publishAll(items: readonly Data[], options?: PublishOptions): Promise<Published> {
    return this.#publisher.publish(this.name, items, options);
  }

  items({ position, last, window }: ItemsOptions = {}): TopicReader {
    if (position !== undefined && last !== undefined) throw new HoldfastError('USAGE', 'items: want either "position" or "last"');
    if (window !== undefined && !(window >= 1)) throw new HoldfastError('USAGE', 'items: "window": want an integer from 1');
    return this.#subscription.read({ position, last }, window);
  }

  async read({ after, before, limit, ...options }: ReadOptions): Promise<ReadPage> {
    if ((after === undefined) === (before === undefined)) throw new HoldfastError('USAGE', 'read: want either "after" or "before"');
    const range = after === undefined ? { before: before! } : { after };
    const topic = this.name;
    const data = await this.#requests.ask((id) => ({ type: 'read', id, topic, ...range, ...(limit === undefined ? {} : { limit }) }), true, options);
    return parseReadPage(data);
  }
}

defineMethod(ClientTopic.prototype, ASYNC_ITERATOR, function (this: ClientTopic) {
  return this.items();
});
