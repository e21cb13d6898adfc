/** What a client may ask once it is welcome, one method per message of PROTOCOL.md HF-4. */

import {
  CLOSE_CODES,
  encodeReadEntry,
  encodeServerMessage,
  errorMessage,
  HoldfastError,
  type Auth,
  type Call,
  type ClientMessage,
  type Data,
  type Json,
  type PresenceRequest,
  type Publish,
  type Read,
  type RegisterRequest,
  type RequestId,
  type SignalRequest,
  type SubscribeRequest,
  type Unsubscribe,
} from '@holdfast/wire';
import type { Connection } from './connection.ts';
import type { Action, Grant, Identity } from './rights.ts';
import { startOf } from './cursor.ts';
import type { Services } from './services.ts';
import type { Entry } from './store.ts';
import { Subscription } from './subscription.ts';
import type { Decision } from './topic-log.ts';

/** A subscription that is being opened; it may be replaced or ended before it is. */
interface Slot {
  subscription: Subscription | undefined;
  /** Settles when the subscription stands or was refused. */
  opened: Promise<void>;
}

export class Operations {
  readonly #services: Services;
  readonly #connection: Connection;
  readonly #subscriptions = new Map<string, Slot>();
  #identity: Identity;
  #unanswered = 0;
  #isClosed = false;

  constructor(services: Services, connection: Connection) {
    this.#services = services;
    this.#connection = connection;
    this.#identity = connection.identity!;
  }

  /** Carries out one message. Never throws. */
  carryOut(message: ClientMessage): void {
    switch (message.type) {
      case 'publish':
        return this.#publish(message);
      case 'credit':
        return this.#subscriptions.get(message.topic)?.subscription?.cursor.credit(message.upTo);
      case 'ping':
        return this.#connection.sendMessage({ type: 'pong', ...(message.id === undefined ? {} : { id: message.id }) });
      case 'pong':
        return;
      case 'unsubscribe':
        return this.#unsubscribe(message);
      case 'subscribe':
        return this.#request(message.id, message.topic, () => this.#subscribe(message));
      case 'auth':
        return this.#request(message.id, undefined, () => this.#auth(message));
      case 'read':
        return this.#request(message.id, message.topic, () => this.#read(message));
      case 'call':
        return this.#request(message.id, undefined, () => this.#call(message));
      case 'register':
        return this.#request(message.id, message.topic, () => this.#register(message));
      case 'presence':
        return this.#request(message.id, message.topic, () => this.#presence(message));
      case 'signal':
        return this.#request(undefined, message.topic, () => this.#signal(message));
      case 'hello':
        throw new Error('the session machine lets one hello through');
    }
  }

  /** The connection can take more. */
  resume(): void {
    for (const { subscription } of this.#subscriptions.values()) subscription?.resume();
  }

  async recheck(): Promise<void> {
    await Promise.all([...this.#subscriptions.values()].map(({ subscription }) => subscription?.cursor.recheck()));
  }

  close(): void {
    this.#isClosed = true;
    const { subject } = this.#identity;
    for (const { subscription } of this.#subscriptions.values()) {
      subscription?.close();
      subscription?.topic.presence.drop(subject, this.#connection.client, this.#connection);
    }
    this.#subscriptions.clear();
  }

  /** Carries out a request and answers a failure; at most `requestsMax` at a time. */
  #request(id: RequestId | undefined, topic: string | undefined, task: () => Promise<void>): void {
    const about = { id, ...(topic === undefined ? {} : { topic }) };
    if (this.#unanswered >= this.#services.limits.requestsMax) {
      return this.#connection.sendMessage(errorMessage(new HoldfastError('TOO_MANY_IN_FLIGHT', 'more requests are unanswered than limits.requestsMax'), about));
    }
    this.#unanswered += 1;
    void task()
      .catch((error: unknown) => this.#connection.sendMessage(errorMessage(this.#services.refusalOf(error), about)))
      .finally(() => (this.#unanswered -= 1));
  }

  #reply(id: RequestId | undefined, data: Json): void {
    if (id !== undefined) this.#connection.sendMessage({ type: 'reply', id, data });
  }

  async #ask(action: Action, topic: string, key?: string): Promise<Grant> {
    const { endpoint } = this.#connection;
    if (action !== 'call' && (!endpoint.hasTopic(topic) || !this.#services.hasTopic(topic))) throw new HoldfastError('UNKNOWN_TOPIC', `no topic "${topic}" here`);
    return endpoint.ask({ identity: this.#identity, action, topic, ...(key === undefined ? {} : { key }) });
  }

  async #subscribe(request: SubscribeRequest): Promise<void> {
    const { topic: name } = request;
    const { subscriptionsMax } = this.#services.limits;
    this.#subscriptions.get(name)?.subscription?.close();
    this.#subscriptions.delete(name);
    if (this.#subscriptions.size >= subscriptionsMax) throw new HoldfastError('TOO_MANY_SUBSCRIPTIONS', `this connection holds ${subscriptionsMax} subscriptions`);
    const slot: Slot = { subscription: undefined, opened: Promise.resolve() };
    this.#subscriptions.set(name, slot);
    const opening = this.#open(slot, request);
    slot.opened = opening.catch(() => {});
    try {
      await opening;
    } catch (error) {
      if (this.#subscriptions.get(name) === slot) this.#subscriptions.delete(name);
      throw error;
    }
  }

  async #open(slot: Slot, { id, topic: name, position, last, credit, presence = false }: SubscribeRequest): Promise<void> {
    const ask = (): Promise<Grant> => this.#ask('subscribe', name);
    const grant = await ask();
    const { topic, head } = await this.#services.openTopic(name);
    if (this.#subscriptions.get(name) !== slot) throw new HoldfastError('NOT_SUBSCRIBED', 'another subscribe or unsubscribe of the same topic came meanwhile');
    const start = position ?? startOf(topic.log, head, last);
    const subscription = new Subscription({
      ...this.#services,
      topic,
      viewer: this.#identity,
      outlet: this.#connection,
      wantsPresence: presence,
      start,
      credit,
      grant,
      ask,
      onPaused: (error) => this.#connection.sendMessage(errorMessage(error, { topic: name })),
    });
    slot.subscription = subscription;
    this.#connection.sendMessage({ type: 'subscribed', id, topic: name, number: topic.number, position: start, head: head.offset });
    subscription.start();
  }

  #unsubscribe({ topic, id }: Unsubscribe): void {
    const subscription = this.#subscriptions.get(topic)?.subscription;
    this.#subscriptions.delete(topic);
    subscription?.close();
    subscription?.topic.presence.release(this.#identity.subject, this.#connection.client, this.#connection);
    this.#reply(id, null);
  }

  #publish(message: Publish): void {
    const { topic, producer, seq, id } = message;
    this.#services.intake.publish({
      message,
      identity: this.#identity,
      judge: () => this.#judge(message),
      answer: (decision: Decision) => {
        if (decision.kind === 'refused') return this.#connection.sendMessage(errorMessage(decision.error, { id, topic, producer, seq }));
        const { offset, count, epoch, duplicate } = decision;
        const optional = { ...(count === 1 ? {} : { count }), ...(duplicate ? { duplicate } : {}), ...(id === undefined ? {} : { id }) };
        this.#connection.sendMessage({ type: 'ack', topic, producer, seq, offset, epoch, ...optional });
      },
    });
  }

  /** Synchronous where the hooks are, so that a publish that nobody delays gets its place in the turn of its arrival. */
  #judge({ topic, items }: Publish): readonly Data[] | undefined | Promise<readonly Data[] | undefined> {
    const { endpoint } = this.#connection;
    const identity = this.#identity;
    if (!endpoint.hasTopic(topic) || !this.#services.hasTopic(topic)) throw new HoldfastError('UNKNOWN_TOPIC', `no topic "${topic}" here`);
    const hook = this.#services.beforePublishOf(topic);
    const proceed = (): ReturnType<typeof this.judgeWithHook> => this.judgeWithHook(hook, topic, identity, items);
    const grant = endpoint.ask({ identity, action: 'publish', topic });
    return grant instanceof Promise ? grant.then(proceed) : proceed();
  }

  judgeWithHook(hook: ReturnType<Services['beforePublishOf']>, topic: string, identity: Identity, items: readonly Data[]): readonly Data[] | undefined | Promise<readonly Data[] | undefined> {
    return hook?.({ topic, identity, items });
  }

  async #read({ id, topic: name, after, before, limit }: Read): Promise<void> {
    const { limits, store, reads, page } = this.#services;
    const { floor = 1 } = await this.#ask('read', name);
    const { log } = (await this.#services.openTopic(name)).topic;
    const range = after === undefined ? { before: before! } : { after: Math.max(after, floor - 1) };
    const countMax = Math.min(limit ?? limits.readCountMax, limits.readCountMax);
    const found = await reads.run(() => store.read(name, range, { countMax, bytesMax: page.bytesMax }));
    // What is not announced to subscribers yet is not read either, so that a page never runs ahead of the stream.
    const isShown = (entry: Entry): boolean => entry.offset >= floor && entry.offset <= log.committed && log.kind.isVisible?.(entry, this.#identity) !== false;
    const entries = (found?.entries ?? []).filter(isShown).map(({ payload, ...fields }) => encodeReadEntry({ ...fields, data: typeof payload === 'string' ? (JSON.parse(payload) as Json) : payload }));
    this.#reply(id, { epoch: found?.epoch ?? log.epoch, first: Math.max(found?.first ?? log.first, floor), last: log.committed, entries });
  }

  async #signal({ topic: name, data }: SignalRequest): Promise<void> {
    const own = await this.#live(name);
    await this.#ask('signal', name);
    const { subject } = this.#identity;
    const { client } = this.#connection;
    const frame = encodeServerMessage({ type: 'signal', topic: name, from: subject, client, data });
    this.#services.sequencer.afterPending(own.topic.log, () => {
      for (const subscriber of own.topic.subscribers) if (subscriber !== own) subscriber.onSignal(`${client} ${subject}`, frame);
    });
  }

  async #presence({ topic: name, state, id }: PresenceRequest): Promise<void> {
    const { topic } = await this.#live(name);
    await this.#ask('presence', name);
    if (this.#isClosed) return;
    const { subject } = this.#identity;
    if (state === null) topic.presence.leave(subject, this.#connection.client);
    else topic.presence.enter(subject, this.#connection.client, state, this.#connection);
    this.#reply(id, null);
  }

  /** The subscription to a topic, as soon as it stands: a client may send on without waiting for `subscribed`. */
  async #live(topic: string): Promise<Subscription> {
    const slot = this.#subscriptions.get(topic);
    if (slot !== undefined && slot.subscription === undefined) await slot.opened;
    const subscription = slot?.subscription;
    if (subscription === undefined) throw new HoldfastError('NOT_SUBSCRIBED', `subscribe to "${topic}" first`);
    return subscription;
  }

  async #register({ id, topic, key, merge, value, ifRevision }: RegisterRequest): Promise<void> {
    await this.#ask('register', topic, key);
    const stands = await this.#services.sequencer.register({ topic, key, merge, value, ifRevision });
    this.#reply(id, { key, value: JSON.parse(stands.value) as Json, revision: stands.revision });
  }

  async #call({ id, method: name, data = null }: Call): Promise<void> {
    const method = this.#connection.endpoint.method(name);
    await this.#ask('call', name);
    this.#reply(id, await method(data, { identity: this.#identity, client: this.#connection.client }));
  }

  async #auth({ id, token }: Auth): Promise<void> {
    let identity: Identity;
    try {
      identity = await this.#connection.authenticate(token);
      if (identity.subject !== this.#identity.subject) throw new HoldfastError('UNAUTHENTICATED', `the new token is of "${identity.subject}", the connection of "${this.#identity.subject}"`);
    } catch (error) {
      const refusal = this.#services.refusalOf(error);
      if (refusal.code !== 'UNAUTHENTICATED') throw refusal;
      this.#connection.sendMessage(errorMessage(refusal, { id }));
      return this.#connection.close(CLOSE_CODES.UNAUTHENTICATED.code, refusal.code);
    }
    this.#identity = identity;
    this.#reply(id, { subject: identity.subject });
    await this.recheck();
  }
}
