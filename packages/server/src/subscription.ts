/**
 * One connection's subscription to one topic: a cursor whose sink is the connection, plus members and signals. Signals
 * wait for the cursor, so that none arrives before entries that were ordered before it (PROTOCOL.md HF-7.4). What a slow
 * subscriber cannot take is conflated, never piled up: the newest signal of each sender, the net change of each member.
 */

import {
  encodeServerMessage,
  type EntryMessage,
  type GapReason,
  type HoldfastError,
  type Json,
  type Member,
  type Position,
  type ServerMessage,
} from '@holdfast/wire';
import { Cursor, type CursorOptions, type CursorSink } from './cursor.ts';
import type { FramedEntry } from './framed-entry.ts';
import type { TopicCommit } from './pending-batch.ts';
import type { PresenceEvent } from './presence.ts';
import type { Frame, SharedFrame } from './shared-frame.ts';
import type { Register } from './store.ts';
import type { Topic, TopicSubscriber } from './topic.ts';

/** Senders whose newest signal is held for a slow subscriber; more than that and the oldest is dropped. */
const HELD_SIGNALS_MAX = 1_024;

/** What a subscription needs of its connection. */
export interface Outlet {
  readonly isReady: boolean;
  send(frame: Frame): void;
}

export interface SubscriptionOptions extends Omit<CursorOptions, 'sink' | 'log' | 'number'> {
  readonly topic: Topic;
  readonly outlet: Outlet;
  /** The subscriber's own name among senders: its own signals do not come back to it. */
  readonly name: string;
  readonly wantsPresence: boolean;
  /** Whether it has the right to. */
  readonly showsMembers: boolean;
  readonly onPaused: (error: HoldfastError) => void;
}

interface Change {
  readonly event: PresenceEvent;
  readonly member: Member;
}

export class Subscription implements TopicSubscriber, CursorSink {
  readonly topic: Topic;
  readonly cursor: Cursor;
  readonly #outlet: Outlet;
  readonly #name: string;
  /** Whether members were asked for. */
  readonly wantsPresence: boolean;
  readonly #onPaused: (error: HoldfastError) => void;
  /** By sender. */
  readonly #heldSignals = new Map<string, SharedFrame>();
  #showsMembers: boolean;
  /** By member. */
  readonly #heldChanges = new Map<string, Change>();

  constructor({ topic, outlet, name, wantsPresence, showsMembers, onPaused, ...options }: SubscriptionOptions) {
    this.topic = topic;
    this.#outlet = outlet;
    this.#name = name;
    this.wantsPresence = wantsPresence;
    this.#showsMembers = showsMembers;
    this.#onPaused = onPaused;
    this.cursor = new Cursor({ ...options, log: topic.log, number: topic.number, sink: this });
  }

  /** Joins the fan-out; call it after `subscribed` was sent. */
  start(): void {
    this.topic.subscribers.add(this);
    if (this.#showsMembers) this.#sendMembers();
    this.cursor.pump();
  }

  /** HF-7.6: the right to see members was given or taken: all of them at once, or none. */
  showMembers(isShown: boolean): void {
    if (isShown === this.#showsMembers) return;
    this.#showsMembers = isShown;
    this.#heldChanges.clear();
    this.#sendMembers();
  }

  close(): void {
    this.cursor.close();
    this.topic.subscribers.delete(this);
    this.#heldSignals.clear();
    this.#heldChanges.clear();
  }

  /** The newest signal of `sender`, now or as soon as the cursor has caught up. */
  onSignal(sender: string, frame: SharedFrame): void {
    if (sender === this.#name) return;
    this.#heldSignals.delete(sender);
    this.#heldSignals.set(sender, frame);
    if (this.#heldSignals.size > HELD_SIGNALS_MAX) this.#heldSignals.delete(this.#heldSignals.keys().next().value!);
    this.#flushSignals();
  }

  onCommit(entries: readonly FramedEntry[], { registers }: TopicCommit): void {
    this.cursor.onCommit(entries, registers);
  }

  onReload(): void {
    this.cursor.onReload();
  }

  onPresence(event: PresenceEvent, member: Member): void {
    if (!this.#showsMembers) return;
    const key = `${member.client} ${member.subject}`;
    const change = netChange(this.#heldChanges.get(key), { event, member });
    if (change === undefined) this.#heldChanges.delete(key);
    else this.#heldChanges.set(key, change);
    this.#flushChanges();
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
    this.#send({ type: 'register', topic: this.topic.name, key, value: JSON.parse(value) as Json, revision });
  }

  paused(error: HoldfastError): void {
    this.#onPaused(error);
  }

  rested(): void {
    this.#flushChanges();
    this.#flushSignals();
  }

  #flushSignals(): void {
    if (this.#heldSignals.size === 0 || !this.cursor.isLive) return;
    for (const [sender, frame] of this.#heldSignals) {
      if (!this.#outlet.isReady) return;
      this.#heldSignals.delete(sender);
      this.#outlet.send(frame);
    }
  }

  #flushChanges(): void {
    if (this.#heldChanges.size === 0 || !this.cursor.checkRight()) return;
    for (const [key, change] of this.#heldChanges) {
      if (!this.#outlet.isReady) return;
      this.#heldChanges.delete(key);
      this.#send({ type: 'presence', topic: this.topic.name, ...change });
    }
  }

  #sendMembers(): void {
    const members = this.#showsMembers ? this.topic.presence.members() : [];
    this.#send({ type: 'presence', topic: this.topic.name, event: 'members', members });
  }

  #send(message: Exclude<ServerMessage, EntryMessage>): void {
    this.#outlet.send(encodeServerMessage(message));
  }
}

/** Two changes of one member as one, for somebody who saw neither; `undefined` if nothing remains of them. */
function netChange(earlier: Change | undefined, later: Change): Change | undefined {
  if (earlier === undefined) return later;
  const { member } = later;
  if (earlier.event === 'leave') return { event: later.event === 'leave' ? 'leave' : 'update', member };
  if (earlier.event === 'update') return later;
  return later.event === 'leave' ? undefined : { event: 'enter', member };
}
