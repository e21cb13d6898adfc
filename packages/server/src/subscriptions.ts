/**
 * A connection's subscriptions: which topics it follows, which it is about to follow, on which it is a member
 * (PROTOCOL.md HF-5, HF-7.6). A subscription may be replaced or ended while it is still being opened, and rights may
 * change in that time.
 */

import { HoldfastError, type EntryMessage, type Json, type ServerMessage, type SubscribeRequest } from '@holdfast/wire';
import { startOf } from './cursor.ts';
import type { LimitName } from './node-limits.ts';
import type { Grant } from './rights.ts';
import type { OpenTopic, Services } from './services.ts';
import { Subscription, type Outlet } from './subscription.ts';
import type { Topic } from './topic.ts';

/** A connection as its subscriptions see it. */
export interface Subscriber extends Outlet {
  sendMessage(message: Exclude<ServerMessage, EntryMessage>): void;
  limited(limit: LimitName): void;
}

interface Slot {
  /** `undefined` while it is being opened. */
  subscription: Subscription | undefined;
  /** Settles when the subscription stands or was refused. */
  opened: Promise<void>;
  /** Whether the client was told the topic's number, by this one or by one that this replaces. */
  isTold: boolean;
  /** Credit that came while it was being opened: the most of the log that was named last. */
  credit: { readonly upTo: number; readonly epoch: string | undefined } | undefined;
}

/** Members of one subject on one topic: devices and tabs, and those that have dropped and may come back. */
const MEMBERS_OF_SUBJECT_MAX = 32;

const OPENED = Promise.resolve();

/** What a member may show of itself, bytes of JSON as UTF-16 units: everybody who enters gets all of them at once. */
const STATE_LENGTH_MAX = 4_096;

export class Subscriptions {
  readonly #services: Services;
  readonly #subscriber: Subscriber;
  readonly #slots = new Map<string, Slot>();
  /** The topics on which this connection is a member; most are members of none. */
  #memberships: Map<string, Topic> | undefined;
  /** How often rights were asked anew. */
  #rechecks = 0;
  #isClosed = false;

  constructor(services: Services, subscriber: Subscriber) {
    this.#services = services;
    this.#subscriber = subscriber;
  }

  get count(): number {
    return this.#slots.size;
  }

  /** The topic of a number, while a subscription to it stands or is being replaced (HF-9.1). */
  topicOf(number: number): string | undefined {
    const name = this.#services.topicNumbered(number);
    return name !== undefined && this.#slots.get(name)?.isTold === true ? name : undefined;
  }

  /** HF-5.1. Rejects with the refusal; `NOT_SUBSCRIBED` if another one, or an end, came before it stood. */
  async subscribe(request: SubscribeRequest): Promise<void> {
    if (this.#isClosed) return;
    const { topic } = request;
    const { subscriptionsMax } = this.#services.limits;
    const replaced = this.#slots.get(topic);
    replaced?.subscription?.close();
    this.#slots.delete(topic);
    if (this.#slots.size >= subscriptionsMax) {
      this.#forget(topic);
      this.#subscriber.limited('subscriptionsMax');
      throw new HoldfastError('TOO_MANY_SUBSCRIPTIONS', `this connection holds ${subscriptionsMax} subscriptions`);
    }
    const slot: Slot = { subscription: undefined, opened: OPENED, isTold: replaced?.isTold === true, credit: undefined };
    this.#slots.set(topic, slot);
    const opening = this.#open(slot, request);
    slot.opened = opening.catch(() => undefined);
    try {
      await opening;
      slot.opened = OPENED;
    } catch (error) {
      if (this.#slots.get(topic) === slot) {
        this.#slots.delete(topic);
        this.#forget(topic);
      }
      throw error;
    }
  }

  /** HF-5.11: nothing of the topic is sent from here on. */
  unsubscribe(topic: string): void {
    this.#slots.get(topic)?.subscription?.close();
    this.#slots.delete(topic);
    this.#forget(topic);
  }

  /** HF-7.1. */
  credit(topic: string, upTo: number, epoch?: string): void {
    const slot = this.#slots.get(topic);
    if (slot === undefined) return;
    if (slot.subscription !== undefined) return slot.subscription.cursor.credit(upTo, epoch);
    const before = slot.credit?.epoch === epoch ? (slot.credit?.upTo ?? 0) : 0;
    slot.credit = { upTo: Math.max(before, upTo), epoch };
  }

  /** The subscription to a topic, as soon as it stands: a client may send on without waiting. Rejects with `NOT_SUBSCRIBED`. */
  async live(topic: string): Promise<Subscription> {
    for (let slot = this.#slots.get(topic); slot !== undefined; slot = this.#slots.get(topic)) {
      if (slot.subscription !== undefined) return slot.subscription;
      await slot.opened;
    }
    throw new HoldfastError('NOT_SUBSCRIBED', `subscribe to "${topic}" first`);
  }

  /** HF-7.6: `null` leaves. Rejects with `NOT_SUBSCRIBED` or `TOO_LARGE`. */
  async show(topic: string, state: Json): Promise<void> {
    const { identity, client } = this.#subscriber;
    const { topic: place } = await this.live(topic);
    if (this.#isClosed) return;
    if (JSON.stringify(state).length > STATE_LENGTH_MAX)
      throw new HoldfastError('TOO_LARGE', `a member's state of more than ${STATE_LENGTH_MAX} characters`);
    if (state === null) {
      this.#memberships?.delete(topic);
      place.presence.leave(identity.subject, client);
    } else {
      if (!place.presence.has(identity.subject, client)) this.#assertRoom(place);
      (this.#memberships ??= new Map()).set(topic, place);
      place.presence.enter(identity.subject, client, state, this);
    }
  }

  /** The connection can take more. */
  resume(): void {
    for (const { subscription } of this.#slots.values()) subscription?.cursor.pump();
  }

  /** HF-5.10: asks all rights again; those that are being opened ask again before they stand. */
  async recheck(): Promise<void> {
    const round = (this.#rechecks += 1);
    await Promise.all(
      [...this.#slots].map(async ([name, { subscription }]) => {
        await subscription?.cursor.recheck();
        if (subscription?.wantsPresence !== true) return;
        const untilMs = await this.#membersUntil(name);
        // An answer that was overtaken by a later asking is an old one, and of what has ended nothing is sent (HF-5.11).
        if (round === this.#rechecks && this.#slots.get(name)?.subscription === subscription) subscription.showMembers(untilMs);
      }),
    );
  }

  /** The connection is gone; its members stay for the grace time. */
  close(): void {
    this.#isClosed = true;
    const { identity, client } = this.#subscriber;
    for (const { subscription } of this.#slots.values()) subscription?.close();
    for (const { presence } of this.#memberships?.values() ?? []) presence.drop(identity.subject, client, this);
    this.#slots.clear();
    this.#memberships = undefined;
  }

  async #open(slot: Slot, request: SubscribeRequest): Promise<void> {
    const { id, topic: name, position, last, credit, presence = false } = request;
    let grant: Grant;
    let opened: OpenTopic;
    let membersUntilMs: number;
    let round: number;
    do {
      round = this.#rechecks;
      grant = await this.#ask(name);
      opened = await this.#services.openTopic(name);
      membersUntilMs = presence ? await this.#membersUntil(name) : 0;
      if (this.#slots.get(name) !== slot)
        throw new HoldfastError('NOT_SUBSCRIBED', 'another subscribe or unsubscribe of the same topic came meanwhile');
    } while (round !== this.#rechecks);
    const { topic, head } = opened;
    const start = position ?? startOf(topic.log, head, last);
    const subscriber = this.#subscriber;
    const subscription = new Subscription({
      services: this.#services,
      topic,
      outlet: subscriber,
      wantsPresence: presence,
      membersUntilMs,
      start,
      credit,
      grant,
    });
    slot.subscription = subscription;
    slot.isTold = true;
    const hidden = presence && membersUntilMs === 0 ? { presence: false } : {};
    subscriber.sendMessage({ type: 'subscribed', id, topic: name, number: topic.number, position: start, head: head.offset, ...hidden });
    if (slot.credit !== undefined) subscription.cursor.credit(slot.credit.upTo, slot.credit.epoch);
    subscription.start();
  }

  /** The right to subscribe. A refusal counts only if the rights were not asked anew meanwhile: it may be one of the old credentials. */
  async #ask(topic: string): Promise<Grant> {
    for (;;) {
      const round = this.#rechecks;
      try {
        return await this.#subscriber.ask('subscribe', topic);
      } catch (error) {
        if (round === this.#rechecks) throw error;
      }
    }
  }

  /** Throws `TOO_MANY_MEMBERS`. One subject under many names of clients may not fill a room either. */
  #assertRoom({ name, presence }: Topic): void {
    const { membersMax } = this.#services.nodeLimits;
    const { subject } = this.#subscriber.identity;
    const isFull = presence.count >= membersMax;
    if (!isFull && presence.countOf(subject) < MEMBERS_OF_SUBJECT_MAX) return;
    this.#subscriber.limited('membersMax');
    const message = isFull ? `"${name}" has ${membersMax} members` : `"${subject}" has ${MEMBERS_OF_SUBJECT_MAX} members on "${name}"`;
    throw new HoldfastError('TOO_MANY_MEMBERS', message);
  }

  /**
   * Until when members may be seen, wall clock, ms; 0: not at all. Who may not is told so, and the subscription stands. Whatever
   * else goes wrong with the asking hides them too: it is asked again.
   */
  async #membersUntil(topic: string): Promise<number> {
    try {
      return (await this.#subscriber.ask('members', topic)).untilMs ?? Infinity;
    } catch (error) {
      this.#services.refusalOf(error);
      return 0;
    }
  }

  /** What went with the subscription to a topic. */
  #forget(topic: string): void {
    const { identity, client } = this.#subscriber;
    this.#memberships?.get(topic)?.presence.release(identity.subject, client, this);
    this.#memberships?.delete(topic);
  }
}
