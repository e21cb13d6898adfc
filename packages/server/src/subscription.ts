/**
 * One connection's subscription to one topic: a cursor whose sink is the connection, plus members and signals. Signals
 * wait for the cursor, so that none arrives before entries that were ordered before it (PROTOCOL.md HF-7.4).
 */

import { encodeServerMessage, type GapReason, type HoldfastError, type Member, type Position, type ServerMessage } from '@holdfast/wire';
import type { EntryMessage } from '@holdfast/wire';
import { Cursor, type CursorOptions, type CursorSink } from './cursor.ts';
import type { FramedEntry } from './framed-entry.ts';
import type { TopicCommit } from './pending-batch.ts';
import type { PresenceEvent } from './presence.ts';
import type { Register } from './store.ts';
import type { Topic, TopicSubscriber } from './topic.ts';

/** Senders whose newest signal is held for a slow subscriber; more than that and the oldest is dropped. */
const HELD_SIGNALS_MAX = 1_024;

/** What a subscription needs of its connection. */
export interface Outlet {
  readonly isReady: boolean;
  send(frame: string | Uint8Array): void;
}

export interface SubscriptionOptions extends Omit<CursorOptions, 'sink' | 'log' | 'number'> {
  readonly topic: Topic;
  readonly outlet: Outlet;
  readonly wantsPresence: boolean;
  readonly onPaused: (error: HoldfastError) => void;
}

export class Subscription implements TopicSubscriber, CursorSink {
  readonly topic: Topic;
  readonly cursor: Cursor;
  readonly #outlet: Outlet;
  readonly #wantsPresence: boolean;
  readonly #onPaused: (error: HoldfastError) => void;
  readonly #heldSignals = new Map<string, string>();

  constructor({ topic, outlet, wantsPresence, onPaused, ...options }: SubscriptionOptions) {
    this.topic = topic;
    this.#outlet = outlet;
    this.#wantsPresence = wantsPresence;
    this.#onPaused = onPaused;
    this.cursor = new Cursor({ ...options, log: topic.log, number: topic.number, sink: this });
  }

  /** Joins the fan-out; call it after `subscribed` was sent. */
  start(): void {
    this.topic.subscribers.add(this);
    if (this.#wantsPresence) this.#send({ type: 'presence', topic: this.topic.name, event: 'members', members: this.topic.presence.members() });
    this.cursor.pump();
  }

  close(): void {
    this.cursor.close();
    this.topic.subscribers.delete(this);
    this.#heldSignals.clear();
  }

  /** The connection can take more. */
  resume(): void {
    this.cursor.pump();
    if (this.cursor.isLive) this.live();
  }

  /** The newest signal of `sender`, now or as soon as the cursor has caught up. */
  onSignal(sender: string, frame: string): void {
    if (this.cursor.isLive && this.#outlet.isReady) return this.#outlet.send(frame);
    this.#heldSignals.delete(sender);
    this.#heldSignals.set(sender, frame);
    if (this.#heldSignals.size > HELD_SIGNALS_MAX) this.#heldSignals.delete(this.#heldSignals.keys().next().value!);
  }

  onCommit(entries: readonly FramedEntry[], { registers }: TopicCommit): void {
    this.cursor.onCommit(entries, registers);
  }

  onReload(): void {
    this.cursor.onReload();
  }

  onPresence(event: PresenceEvent, member: Member): void {
    if (this.#wantsPresence) this.#send({ type: 'presence', topic: this.topic.name, event, member });
  }

  get isReady(): boolean {
    return this.#outlet.isReady;
  }

  entry({ frame }: FramedEntry): void {
    this.#outlet.send(frame);
  }

  skip(first: number, last: number): void {
    this.#send({ type: 'skip', topic: this.topic.name, first, last });
  }

  gap(reason: GapReason, before: Position, after: Position): void {
    this.#send({ type: 'gap', topic: this.topic.name, reason, before, after });
  }

  register({ key, value, revision }: Register): void {
    this.#send({ type: 'register', topic: this.topic.name, key, value: JSON.parse(value), revision });
  }

  paused(error: HoldfastError): void {
    this.#onPaused(error);
  }

  live(): void {
    for (const [sender, frame] of this.#heldSignals) {
      if (!this.#outlet.isReady) return;
      this.#heldSignals.delete(sender);
      this.#outlet.send(frame);
    }
  }

  #send(message: Exclude<ServerMessage, EntryMessage>): void {
    this.#outlet.send(encodeServerMessage(message));
  }
}
