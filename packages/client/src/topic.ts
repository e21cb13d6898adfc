/** One topic as an application sees it: publish, read, follow, and what goes beside the log (PROTOCOL.md HF-5, HF-6, HF-7). */

import {
  HoldfastError,
  isRegisterKey,
  parseReadPage,
  type Data,
  type Json,
  type Limits,
  type Member,
  type Position,
  type ReadPage,
  type SignalMessage,
} from '@holdfast/wire';
import { ignorable } from './deferred.ts';
import type { Item } from './item.ts';
import { assertFrameJson } from './payload.ts';
import { reportListenerError, type Observable } from './observable.ts';
import { Presence } from './presence.ts';
import type { PublishOptions, Publisher } from './publisher.ts';
import type { TopicReader } from './reader.ts';
import type { AskOptions, Requests, Sendable } from './requests.ts';
import type { Published } from './row.ts';
import type { Subscription } from './subscription.ts';
import { ASYNC_ITERATOR, defineMethod } from './symbols.ts';
import { View, type TopicView, type ViewOptions } from './view.ts';

export interface ItemsOptions {
  /** Go on after this position. Without it and `last`: from the head. */
  readonly position?: Position | undefined;
  /** Begin with the newest entries, this many at the most, and with every register. */
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

export interface SetOptions extends AskOptions {
  /** Writes only if the key's last change has this revision (0: none yet), else `REVISION_MISMATCH`. */
  readonly ifRevision?: number | undefined;
}

/** A register as it stands after a write. */
export interface RegisterValue {
  readonly key: string;
  readonly value: Json;
  readonly revision: number;
}

/** An ephemeral message of somebody else on the topic. */
export interface Signal {
  /** The sender's subject and client. */
  readonly from: string;
  readonly client: string;
  readonly data: Json;
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
  /** Follows the topic as observable state. */
  view(options?: ViewOptions): TopicView;
  /** One page of the log. Rejects with `OFFLINE` if there was no answer within the deadline. */
  read(options: ReadOptions): Promise<ReadPage>;
  /**
   * Sends something ephemeral to the topic's other subscribers: it may be dropped, and of many the newest wins. Says
   * whether it was sent: it needs a connection, and a subscription of one's own, such as an iteration or a view.
   */
  signal(data: Json): boolean;
  /** Listens to the others' signals, and subscribes for it; returns what ends it. */
  onSignal(listener: (signal: Signal) => void): () => void;
  /** Becomes a member of the topic, or changes the state; said again after every reconnection, until `leave`. */
  enter(state: Json): Promise<void>;
  leave(): Promise<void>;
  /** Who is there, in the order of their coming; true while subscribed to and connected. */
  readonly members: Observable<readonly Member[]>;
  /** `FORBIDDEN` while the right to see the members is missing; the subscription stands all the same. */
  readonly membersProblem: Observable<HoldfastError | undefined>;
  /** Raises a register to a number, unless it is larger already. Asked again after a cut. */
  raise(key: string, value: number, options?: AskOptions): Promise<RegisterValue>;
  /** Writes a register. After a cut `UNKNOWN_OUTCOME`: it is never written twice by itself. */
  set(key: string, value: Json, options?: SetOptions): Promise<RegisterValue>;
}

export interface TopicOptions {
  readonly name: string;
  readonly publisher: Publisher;
  readonly requests: Requests;
  readonly subscription: Subscription;
  readonly limits: () => Limits;
  /** Sends while open, drops otherwise. */
  readonly send: (message: Sendable) => void;
}

export class ClientTopic implements Topic {
  declare readonly [Symbol.asyncIterator]: () => TopicReader;
  readonly name: string;
  readonly presence: Presence;
  readonly #options: TopicOptions;
  readonly #signalListeners = new Set<{ readonly listener: (signal: Signal) => void }>();

  constructor(options: TopicOptions) {
    const { name, subscription, requests } = options;
    this.name = name;
    this.#options = options;
    this.presence = new Presence(subscription, requests);
  }

  get members(): Observable<readonly Member[]> {
    return this.presence.members;
  }

  get membersProblem(): Observable<HoldfastError | undefined> {
    return this.presence.problem;
  }

  publish(data: Data, options?: PublishOptions): Promise<Published> {
    return this.#options.publisher.publish(this.name, [data], options);
  }

  publishAll(items: readonly Data[], options?: PublishOptions): Promise<Published> {
    return this.#options.publisher.publish(this.name, items, options);
  }

  items({ position, last, window }: ItemsOptions = {}): TopicReader {
    if (position !== undefined && last !== undefined) throw new HoldfastError('USAGE', 'items: want either "position" or "last"');
    assertCount('items: "last"', last, 0);
    assertCount('items: "window"', window, 1);
    return this.#options.subscription.read({ position, last }, window);
  }

  view(options: ViewOptions = {}): TopicView {
    assertCount('view: "last"', options.last, 0);
    assertCount('view: "limit"', options.limit, 1);
    return new View(options, this.#options.subscription, (before, limit) => this.read({ before, limit }));
  }

  read({ after, before, limit, ...options }: ReadOptions): Promise<ReadPage> {
    if ((after === undefined) === (before === undefined)) throw new HoldfastError('USAGE', 'read: want either "after" or "before"');
    const range = after === undefined ? { before: before! } : { after };
    const topic = this.name;
    const bound = limit === undefined ? {} : { limit };
    const reply = this.#options.requests.ask((id) => ({ type: 'read', id, topic, ...range, ...bound }), true, options);
    return ignorable(reply.then(parseReadPage));
  }

  signal(data: Json): boolean {
    this.#assertJson('signal', data);
    const { subscription, send } = this.#options;
    if (subscription.isOnWire) send({ type: 'signal', topic: this.name, data });
    return subscription.isOnWire;
  }

  onSignal(listener: (signal: Signal) => void): () => void {
    const entry = { listener };
    this.#signalListeners.add(entry);
    const release = this.#options.subscription.hold(false);
    return () => {
      this.#signalListeners.delete(entry);
      release();
    };
  }

  enter(state: Json): Promise<void> {
    this.#assertJson('enter', state);
    return ignorable(this.presence.enter(state));
  }

  leave(): Promise<void> {
    return this.presence.leave();
  }

  raise(key: string, value: number, options?: AskOptions): Promise<RegisterValue> {
    this.#assertJson('raise', value);
    return this.#register(key, 'max', value, options);
  }

  set(key: string, value: Json, options?: SetOptions): Promise<RegisterValue> {
    this.#assertJson('set', value);
    return this.#register(key, 'replace', value, options);
  }

  /** From the server. */
  onSignalMessage({ from, client, data }: SignalMessage): void {
    for (const { listener } of this.#signalListeners) {
      try {
        listener({ from, client, data });
      } catch (error) {
        reportListenerError(error);
      }
    }
  }

  #register(key: string, merge: 'max' | 'replace', value: Json, { ifRevision, ...options }: SetOptions = {}): Promise<RegisterValue> {
    if (!isRegisterKey(key)) throw new HoldfastError('USAGE', `"${String(key)}" is not a register key (HF-7.7)`);
    const topic = this.name;
    const condition = ifRevision === undefined ? {} : { ifRevision };
    const fields = { type: 'register', topic, key, merge, value, ...condition } as const;
    const reply = this.#options.requests.ask((id) => ({ ...fields, id }), merge === 'max', options);
    return ignorable(reply.then((data) => data as unknown as RegisterValue));
  }

  #assertJson(what: string, value: Json): void {
    assertFrameJson(what, value, this.#options.limits());
  }
}

defineMethod(ClientTopic.prototype, ASYNC_ITERATOR, function (this: ClientTopic) {
  return this.items();
});

function assertCount(what: string, value: number | undefined, min: number): void {
  if (value !== undefined && !(Number.isSafeInteger(value) && value >= min))
    throw new HoldfastError('USAGE', `${what}: want an integer from ${min}`);
}
