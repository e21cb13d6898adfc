/**
 * One connection's subscription to one topic: a cursor whose sink is the connection, plus members and signals. Signals
 * wait for the cursor, so that none arrives before entries that were ordered before it (PROTOCOL.md HF-7.4). What a slow
 * subscriber cannot take is conflated, never piled up: the newest signal of each sender, the net change of each member.
 */

import {
  encodeServerMessage,
  errorMessage,
  type EntryMessage,
  type GapReason,
  type HoldfastError,
  type Json,
  type Member,
  type Position,
  type ServerMessage,
} from '@holdfast/wire';
import type { Clock } from './clock.ts';
import { Cursor, type CursorOptions, type CursorSink } from './cursor.ts';
import type { EntryRun, FramedEntry } from './framed-entry.ts';
import type { TopicCommit } from './pending-batch.ts';
import type { PresenceEvent } from './presence.ts';
import type { Grant, Identity } from './rights.ts';
import type { Frame, SharedFrame, SharedRun } from './shared-frame.ts';
import type { Register } from './store.ts';
import type { Topic, TopicSubscriber } from './topic.ts';

/** Senders whose newest signal is held for a slow subscriber; more than that and the oldest is dropped. */
const HELD_SIGNALS_MAX = 1_024;

/** What a subscription needs of its connection. */
export interface Outlet {
  readonly isReady: boolean;
  readonly client: string;
  /** As of now: its claims change with `auth`. */
  readonly identity: Identity;
  send(frame: Frame): void;
  /** Sends all of it if there is room for all of it. */
  sendRun(run: SharedRun): boolean;
  /** Rejects with `UNKNOWN_TOPIC`, `FORBIDDEN`, or what the hook threw. */
  ask(action: 'subscribe' | 'members', topic: string): Promise<Grant>;
}

export interface SubscriptionOptions extends Omit<CursorOptions, 'sink'> {
  readonly topic: Topic;
  readonly outlet: Outlet;
  readonly wantsPresence: boolean;
  /** Until when it has the right to, wall clock, ms; 0: it has not. */
  readonly membersUntilMs: number;
}

interface Change {
  readonly event: PresenceEvent;
  readonly member: Member;
}

export class Subscription implements TopicSubscriber, CursorSink {
  readonly topic: Topic;
  readonly cursor: Cursor;
  readonly #outlet: Outlet;
  /** Whether members were asked for. */
  readonly wantsPresence: boolean;
  /** Until when members are shown; 0: they are not. */
  #membersUntilMs: number;
  readonly #clock: Pick<Clock, 'now'>;
  // Most subscribers are quick and hold nothing: the maps are made when they are needed.
  /** By sender. */
  #heldSignals: Map<string, SharedFrame> | undefined;
  /** By member. */
  #heldChanges: Map<string, Change> | undefined;

  constructor({ outlet, wantsPresence, membersUntilMs, ...options }: SubscriptionOptions) {
    this.topic = options.topic;
    this.#outlet = outlet;
    this.wantsPresence = wantsPresence;
    this.#membersUntilMs = membersUntilMs;
    this.#clock = options.services.clock;
    this.cursor = new Cursor({ ...options, sink: this });
  }

  get viewer(): Identity {
    return this.#outlet.identity;
  }

  ask(): Promise<Grant> {
    return this.#outlet.ask('subscribe', this.topic.name);
  }

  /** Joins the fan-out; call it after `subscribed` was sent. */
  start(): void {
    this.topic.subscribers.add(this);
    if (this.#membersUntilMs > 0) this.#sendMembers();
    this.cursor.pump();
  }

  /** HF-7.6: the right to see members was given until then, or taken (0): all of them at once, or none. */
  showMembers(untilMs: number): void {
    const wasShown = this.#membersUntilMs > 0;
    this.#membersUntilMs = untilMs;
    if (wasShown === untilMs > 0) return;
    this.#heldChanges = undefined;
    this.#sendMembers();
  }

  close(): void {
    this.cursor.close();
    this.topic.subscribers.delete(this);
    this.#heldSignals = this.#heldChanges = undefined;
  }

  /** The newest signal of `sender`, now or as soon as the cursor has caught up. */
  onSignal(sender: string, frame: SharedFrame): void {
    const { client, identity } = this.#outlet;
    // One's own signals do not come back.
    const { subject } = identity;
    if (sender.length === client.length + 1 + subject.length && sender === senderName(client, subject)) return;
    const isHeld = this.#heldSignals !== undefined && this.#heldSignals.size > 0;
    if (!isHeld && this.#outlet.isReady && this.cursor.isLive) return this.#outlet.send(frame);
    const held = (this.#heldSignals ??= new Map<string, SharedFrame>());
    held.delete(sender);
    held.set(sender, frame);
    if (held.size > HELD_SIGNALS_MAX) held.delete(held.keys().next().value!);
    this.#flushSignals();
  }

  onCommit(entries: readonly FramedEntry[], { registers }: TopicCommit): void {
    this.cursor.onCommit(entries, registers);
  }

  onReload(): void {
    this.cursor.onReload();
  }

  onPresence(event: PresenceEvent, member: Member): void {
    if (this.#membersUntilMs === 0) return;
    const held = (this.#heldChanges ??= new Map<string, Change>());
    const key = `${member.client} ${member.subject}`;
    const change = netChange(held.get(key), { event, member });
    if (change === undefined) held.delete(key);
    else held.set(key, change);
    this.#flushChanges();
  }

  get isReady(): boolean {
    return this.#outlet.isReady;
  }

  entry({ frame }: FramedEntry): void {
    this.#outlet.send(frame);
  }

  entries({ frames }: EntryRun): boolean {
    return this.#outlet.sendRun(frames);
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
    this.#send(errorMessage(error, { topic: this.topic.name }));
  }

  rested(): void {
    this.#flushChanges();
    this.#flushSignals();
  }

  #flushSignals(): void {
    const held = this.#heldSignals;
    if (held === undefined || held.size === 0 || !this.cursor.isLive) return;
    for (const [sender, frame] of held) {
      if (!this.#outlet.isReady) return;
      held.delete(sender);
      this.#outlet.send(frame);
    }
  }

  #flushChanges(): void {
    const held = this.#heldChanges;
    if (held === undefined || held.size === 0 || !this.cursor.checkRight() || !this.#maySeeMembers()) return;
    for (const [key, change] of held) {
      if (!this.#outlet.isReady) return;
      held.delete(key);
      this.#send({ type: 'presence', topic: this.topic.name, ...change });
    }
  }

  /** Whether the right stands at this moment (HF-5.10); its end hides them, and says so at the first change after it. */
  #maySeeMembers(): boolean {
    const untilMs = this.#membersUntilMs;
    if (untilMs === 0 || untilMs === Infinity || this.#clock.now() < untilMs) return untilMs > 0;
    this.showMembers(0);
    return false;
  }

  #sendMembers(): void {
    const members = this.#membersUntilMs > 0 ? this.topic.presence.members() : [];
    this.#send({ type: 'presence', topic: this.topic.name, event: 'members', members });
  }

  #send(message: Exclude<ServerMessage, EntryMessage>): void {
    this.#outlet.send(encodeServerMessage(message));
  }
}

/** By what name the signals of a (subject, client) are told apart. */
export function senderName(client: string, subject: string): string {
  return `${client} ${subject}`;
}

/** Two changes of one member as one, for somebody who saw neither; `undefined` if nothing remains of them. */
function netChange(earlier: Change | undefined, later: Change): Change | undefined {
  if (earlier === undefined) return later;
  const { member } = later;
  if (earlier.event === 'leave') return { event: later.event === 'leave' ? 'leave' : 'update', member };
  if (earlier.event === 'update') return later;
  return later.event === 'leave' ? undefined : { event: 'enter', member };
}
