/**
 * One topic's subscription on the wire, and the readers that it feeds (PROTOCOL.md HF-5, HF-7.1). There is one stream for
 * all of them: it begins at the least of their received positions, and each reader takes what follows its own.
 *
 * A reader is *attached* when the stream will bring it everything after its position. One that joins further back, or
 * in another epoch, is not: the subscription is asked for again at the least position.
 */

import {
  backoffDelayMs,
  HoldfastError,
  parseReadPage,
  type EntryMessage,
  type Gap,
  type Position,
  type RegisterMessage,
  type Skip,
  type Subscribed,
  type SubscribeRequest,
} from '@holdfast/wire';
import type { Clock } from './clock.ts';
import { Listeners } from './observable.ts';
import type { Random } from './random.ts';
import { Reader, type ReaderStart } from './reader.ts';
import { refusalOf } from './refusal.ts';
import type { Answer, Request, Requests, Sendable } from './requests.ts';

export interface SubscriptionHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly requests: Requests;
  isOpen(): boolean;
  /** Sends while open, drops otherwise. */
  send(message: Sendable): void;
  /** The stream has a hole: connect anew and resume (HF-5.8). */
  resync(error: HoldfastError): void;
}

/** Enough to ask for the log's head: nothing lies after it. */
const BEYOND = Number.MAX_SAFE_INTEGER;

export class Subscription {
  readonly topic: string;
  /** Tells of changes of `isLive`, `problem` and the epoch. */
  readonly listeners: Listeners = new Listeners();
  readonly #host: SubscriptionHost;
  readonly #windowCount: number;
  readonly #readers = new Set<Reader>();
  readonly #attached = new Set<Reader>();
  /** Who has seen more than the log holds, while the stream began further back: only a stream of their own place can tell them. */
  #ahead: readonly Reader[] = [];
  /** Who needs the subscription without reading: signals, presence. */
  #holdCount = 0;
  #presenceCount = 0;
  #phase: 'off' | 'asked' | 'live' = 'off';
  #requestId: number | undefined;
  #asked: { readonly position: Position | undefined; readonly credit: number; readonly presence: boolean } | undefined;
  /** Where the stream stands. */
  #place: Position | undefined;
  /** The last committed offset as far as it is known. */
  #head = 0;
  #grantedUpTo = 0;
  /** Own publishes that were acknowledged while a reader without a place waits: it must see them. */
  #ackedMin = BEYOND;
  #isLocating = false;
  #problem: HoldfastError | undefined;
  /** HF-7.6: who is there was asked for, and may not be seen. */
  #areMembersHidden = false;
  #attempt = 0;
  #retryTimer: unknown;
  #isLeaving = false;
  #isClosed = false;

  constructor(topic: string, windowCount: number, host: SubscriptionHost) {
    this.topic = topic;
    this.#windowCount = windowCount;
    this.#host = host;
  }

  /** Whether the stream flows. */
  get isLive(): boolean {
    return this.#phase === 'live' && this.#problem === undefined;
  }

  /** Why the server does not send: it refused the subscription, or the rights ended. */
  get problem(): HoldfastError | undefined {
    return this.#problem;
  }

  /** Whether the right to see who is there is missing, as of `subscribed`. */
  get areMembersHidden(): boolean {
    return this.#areMembersHidden;
  }

  /** The right has come with new credentials. */
  membersShown(): void {
    this.#areMembersHidden = false;
  }

  /** The log's epoch, if the stream has shown it. */
  get epoch(): string | undefined {
    return this.#place?.epoch;
  }

  /** The last committed offset as far as it is known. */
  get head(): number {
    return this.#head;
  }

  /** A reader of this topic; `onQueued` is told when there is something to take. */
  read(start: ReaderStart, windowCount: number = this.#windowCount, onQueued: () => void = () => {}): Reader {
    const reader = new Reader(start, windowCount, {
      queued: onQueued,
      taken: () => this.#grant(false),
      left: (left) => {
        this.#readers.delete(left);
        this.#attached.delete(left);
        this.sync();
        this.#grant(false);
      },
    });
    if (this.#isClosed) {
      reader.end();
      return reader;
    }
    this.#readers.add(reader);
    this.sync();
    return reader;
  }

  /** Needs the subscription for something other than reading; returns what ends the need. */
  hold(presence: boolean): () => void {
    let isHeld = true;
    const change = (by: number): void => {
      this.#holdCount += by;
      if (presence) this.#presenceCount += by;
      this.sync();
    };
    change(1);
    return () => {
      if (isHeld) change(-1);
      isHeld = false;
    };
  }

  /** Whether the server knows of it, or will before anything that is sent from now on. */
  get isOnWire(): boolean {
    return this.#phase !== 'off';
  }

  /** Whether the next `hello` should carry it. */
  get isNeeded(): boolean {
    return this.#readers.size > 0 || this.#holdCount > 0;
  }

  /** The subscription as a part of the `hello`. */
  helloPart(): SubscribeRequest {
    this.#phase = 'asked';
    this.#requestId = this.#host.requests.adopt(this.#request());
    return this.#fields(this.#requestId);
  }

  down(): void {
    if (this.#requestId !== undefined) this.#host.requests.withdraw(this.#requestId);
    this.#requestId = undefined;
    this.#phase = 'off';
    this.#place = undefined;
    this.#attached.clear();
    this.#ahead = [];
    this.#problem = undefined;
    this.#areMembersHidden = false;
    this.#host.clock.clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    this.listeners.notify();
  }

  /** Ends every reader. */
  close(): void {
    this.#isClosed = true;
    this.down();
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
  }

  /** An own publish was acknowledged: whoever asked to read before must see it. */
  acked(offset: number): void {
    const isWaiting = [...this.#readers].some(({ received }) => received === undefined);
    if (isWaiting) this.#ackedMin = Math.min(this.#ackedMin, offset);
  }

  /** Asks for what is needed and not asked for, or ends what is not needed. */
  sync(): void {
    if (!this.#host.isOpen() || this.#isClosed || this.#retryTimer !== undefined) return;
    if (!this.isNeeded) return this.#leave();
    if (this.#phase === 'off') return this.#ask();
    if (this.#phase === 'asked') return;
    this.#locate();
    const isBehind = [...this.#readers].some((reader) => reader.received !== undefined && !this.#attached.has(reader));
    if (isBehind || (this.#presenceCount > 0 && this.#asked?.presence !== true)) this.#ask();
  }

  entry(message: EntryMessage): void {
    if (this.#place === undefined) return;
    this.#place = { ...this.#place, offset: message.offset };
    this.#head = Math.max(this.#head, message.offset);
    for (const reader of this.#attached) {
      const next = reader.received!.offset + 1;
      if (message.offset > next) return this.#resync(`entry ${message.offset} where ${next} is next`);
      if (message.offset === next) reader.entry(message);
    }
    this.recovered();
    this.#grant(false);
  }

  skip(message: Skip): void {
    if (this.#place === undefined) return;
    this.#place = { ...this.#place, offset: message.last };
    this.#head = Math.max(this.#head, message.last);
    for (const reader of this.#attached) {
      const next = reader.received!.offset + 1;
      if (message.first > next) return this.#resync(`skip from ${message.first} where ${next} is next`);
      if (message.last >= next) reader.skip(message);
    }
    this.recovered();
    this.#grant(true);
  }

  gap(message: Gap): void {
    if (this.#place === undefined) return;
    const { reason, after } = message;
    const isOther = this.#place.epoch !== after.epoch || reason === 'ahead';
    this.#place = after;
    this.#head = isOther ? after.offset : Math.max(this.#head, after.offset);
    if (isOther) this.#grantedUpTo = after.offset;
    for (const reader of this.#attached) {
      const { epoch, offset } = reader.received!;
      if (isOther ? epoch !== after.epoch || reason === 'ahead' : offset < after.offset) reader.gap(message);
    }
    this.#attach();
    this.#grant(true);
    this.listeners.notify();
    this.sync();
  }

  register(message: RegisterMessage): void {
    if (this.#place === undefined) return;
    this.#place = { ...this.#place, revision: message.revision };
    for (const reader of this.#attached) if (message.revision > reader.received!.revision) reader.register(message);
  }

  /** An `error` of this topic that answers no request: the rights ended (HF-5.10). */
  paused(error: HoldfastError): void {
    if (this.#phase !== 'live' || error.code !== 'FORBIDDEN') return;
    this.#problem = error;
    this.listeners.notify();
  }

  /** New rights let a paused stream go on (HF-3.6), or something came. */
  recovered(): void {
    if (this.#problem === undefined) return;
    this.#problem = undefined;
    this.listeners.notify();
  }

  /** New credentials (HF-3.6): a paused stream goes on, and what was refused is asked for again, as long as somebody needs it. */
  renewed(): void {
    this.recovered();
    this.sync();
  }

  #resync(message: string): void {
    this.#host.resync(new HoldfastError('OUT_OF_ORDER', `${message} in "${this.topic}"`));
  }

  #ask(): void {
    this.#phase = 'asked';
    this.#requestId = this.#host.requests.issue(this.#request());
  }

  #request(): Request {
    return {
      message: (id) => ({ type: 'subscribe', ...this.#fields(id) }),
      answer: (answer) => this.#answered(answer),
      cut: () => {},
    };
  }

  #fields(id: number): SubscribeRequest {
    const position = this.#least();
    const credit = this.#credit(position);
    const presence = this.#presenceCount > 0;
    this.#asked = { position, credit, presence };
    const last = Math.max(0, ...[...this.#readers].map((reader) => reader.last ?? 0));
    return {
      id,
      topic: this.topic,
      ...(position === undefined ? (last === 0 ? {} : { last }) : { position }),
      credit,
      ...(presence ? { presence } : {}),
    };
  }

  /** The least received position, of those of one epoch: of one that the present stream is not in, if there is any; of who is ahead, too. */
  #least(): Position | undefined {
    const ahead = this.#ahead.filter((reader) => this.#readers.has(reader));
    const positions = (ahead.length > 0 ? ahead : [...this.#readers]).flatMap(({ received }) => (received === undefined ? [] : [received]));
    const foreign = positions.find(({ epoch }) => this.#place !== undefined && epoch !== this.#place.epoch);
    const epoch = foreign?.epoch ?? positions[0]?.epoch;
    if (epoch === undefined) return undefined;
    const same = positions.filter((position) => position.epoch === epoch);
    return { epoch, offset: Math.min(...same.map(({ offset }) => offset)), revision: Math.min(...same.map(({ revision }) => revision)) };
  }

  /** A count from the position on: what the reader with the least room may still be sent. */
  #credit(position: Position | undefined): number {
    if (position === undefined) return Math.min(this.#windowCount, ...[...this.#readers].map(({ room }) => room));
    const bounds = [...this.#readers].flatMap(({ received, room }) =>
      received?.epoch === position.epoch ? [received.offset + room - position.offset] : [],
    );
    return Math.max(0, Math.min(...bounds));
  }

  #answered(answer: Answer): void {
    // An answer to what was asked before an `unsubscribe` counts for nothing.
    if (answer.id !== this.#requestId) return;
    this.#requestId = undefined;
    if (answer.type === 'subscribed') this.#begin(answer);
    else if (answer.type === 'error') this.#refused(refusalOf(answer));
  }

  #begin({ position, head, presence }: Subscribed): void {
    this.#areMembersHidden = presence === false;
    this.#phase = 'live';
    this.#problem = undefined;
    this.#attempt = 0;
    this.#place = position;
    this.#head = head;
    this.#grantedUpTo = position.offset + this.#asked!.credit;
    this.#put(head);
    this.#ahead = position.offset > head ? [] : [...this.#attached].filter(({ received }) => received!.offset > head);
    for (const reader of this.#ahead) this.#attached.delete(reader);
    this.#grant(false);
    this.listeners.notify();
    this.sync();
  }

  /** Places the readers that have no position, now that the head is known, and attaches whom the stream serves. */
  #put(head: number): void {
    const { epoch, revision } = this.#place!;
    for (const reader of this.#readers) {
      if (reader.received !== undefined) continue;
      const isAtHead = reader.last === undefined;
      const offset = isAtHead ? head : Math.max(0, head - reader.last);
      // Who wants the newest entries wants the registers too, as in HF-5.1.
      reader.place({ epoch, offset: Math.min(offset, this.#ackedMin - 1), revision: isAtHead ? revision : 0 });
    }
    this.#ackedMin = BEYOND;
    this.#attach();
  }

  /** Attaches whom the stream will bring everything, detaches whom it will not. */
  #attach(): void {
    const place = this.#place!;
    for (const reader of this.#readers) {
      const received = reader.received;
      const isServed =
        received !== undefined && received.epoch === place.epoch && received.offset >= place.offset && received.revision >= place.revision;
      if (isServed) this.#attached.add(reader);
      else this.#attached.delete(reader);
    }
  }

  /** Places the readers that joined a live stream. Where it lags behind, the head must be asked for. */
  #locate(): void {
    const isPlaced = [...this.#readers].every(({ received }) => received !== undefined);
    if (isPlaced || this.#isLocating) return;
    const { offset } = this.#place!;
    if (offset >= this.#head && offset < this.#grantedUpTo) return this.#put(offset);
    this.#isLocating = true;
    const { topic } = this;
    const located = (epoch: string | undefined, head: number): void => {
      this.#isLocating = false;
      // In another epoch the stream's own gap is on its way; after a cut the next `subscribed` places them.
      if (this.#phase !== 'live' || (epoch !== undefined && this.#place!.epoch !== epoch)) return;
      this.#put(head);
      this.sync();
    };
    this.#host.requests
      .ask((id) => ({ type: 'read', id, topic, after: BEYOND, limit: 1 }), false)
      .then(parseReadPage)
      .then(
        ({ epoch, last }) => located(epoch, last),
        // Refused, or an answer that is no page.
        () => located(undefined, Math.max(this.#head, this.#place?.offset ?? 0)),
      );
  }

  #refused(error: HoldfastError): void {
    this.#phase = 'off';
    this.#attached.clear();
    this.#problem = error;
    if (error.retryable) {
      const { clock, random } = this.#host;
      this.#attempt += 1;
      const delayMs = (error.retryAfterMs ?? 0) + backoffDelayMs(this.#attempt, 0, random());
      this.#retryTimer = clock.setTimeout(() => {
        this.#retryTimer = undefined;
        this.sync();
      }, delayMs);
    } else {
      for (const reader of this.#readers) reader.end(error);
      this.#readers.clear();
    }
    this.listeners.notify();
  }

  /** Not at once: what is closed is often opened again in the same turn. */
  #leave(): void {
    if (this.#phase === 'off' || this.#isLeaving) return;
    this.#isLeaving = true;
    void Promise.resolve().then(() => {
      this.#isLeaving = false;
      if (!this.isNeeded && this.#phase !== 'off') this.#unsubscribe();
    });
  }

  #unsubscribe(): void {
    const { requests } = this.#host;
    const isUnsent = this.#requestId !== undefined && requests.withdraw(this.#requestId);
    const isOnWire = !isUnsent || this.#place !== undefined;
    if (isOnWire) this.#host.send({ type: 'unsubscribe', topic: this.topic, id: requests.adopt({ answer: () => {}, cut: () => {} }) });
    this.#phase = 'off';
    this.#requestId = undefined;
    this.#place = undefined;
    this.#attached.clear();
  }

  /** HF-7.1: when half of the smallest window is free again, and after what moves the place without credit. */
  #grant(isForced: boolean): void {
    if (this.#phase !== 'live' || this.#place === undefined) return;
    let upTo = BEYOND;
    let leastWindow = this.#windowCount;
    for (const { received, room, windowCount } of this.#attached) {
      upTo = Math.min(upTo, received!.offset + room);
      leastWindow = Math.min(leastWindow, windowCount);
    }
    if (this.#attached.size === 0) upTo = Math.min(BEYOND, this.#place.offset + this.#windowCount);
    const isDue = upTo - this.#grantedUpTo >= Math.max(1, Math.floor(leastWindow / 2));
    if (!isDue && !(isForced && upTo > this.#grantedUpTo)) return;
    this.#grantedUpTo = upTo;
    this.#host.send({ type: 'credit', topic: this.topic, upTo, epoch: this.#place.epoch });
  }
}
