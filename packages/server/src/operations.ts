/**
 * What a client may ask once it is welcome, one method per message of PROTOCOL.md HF-4. Requests run side by side, except
 * where one must not overtake its own kind: signals, presence and registers of a topic, `auth`, `read`.
 */

import {
  CLOSE_CODES,
  encodeServerMessage,
  errorMessage,
  HoldfastError,
  type Auth,
  type Call,
  type ClientMessage,
  type EntryMessage,
  type Json,
  type PresenceRequest,
  type Publish,
  type Read,
  type RegisterRequest,
  type RequestId,
  type ServerMessage,
  type SignalRequest,
  type SubscribeRequest,
  type Unsubscribe,
} from '@holdfast/wire';
import type { Connection } from './connection.ts';
import { ENVELOPE_BYTES, type BeforePublish, type IntakeRequest, type PublishSource } from './intake.ts';
import { Lanes } from './lanes.ts';
import { OwnPublishes } from './own-publishes.ts';
import { readForViewer } from './reading.ts';
import type { LimitName } from './node-limits.ts';
import { isCredentialRefusal, type Action, type Grant, type Identity } from './rights.ts';
import type { Services } from './services.ts';
import { SharedFrame, type Frame, type SharedRun } from './shared-frame.ts';
import { senderName } from './subscription.ts';
import { Subscriptions, type Subscriber } from './subscriptions.ts';
import { isLongerThan } from './text-size.ts';
import { isThenable } from './thenable.ts';
import type { Decision } from './topic-log.ts';

/** What a method gives; some give nothing. */
type Result = Json | undefined;

export class Operations implements PublishSource, Subscriber {
  readonly #services: Services;
  readonly #connection: Connection;
  readonly #subscriptions: Subscriptions;
  // Made when they are needed: most connections only listen.
  #ownPublishes: OwnPublishes | undefined;
  #ownLanes: Lanes | undefined;
  #identity: Identity;
  #unanswered = 0;

  constructor(services: Services, connection: Connection, identity: Identity) {
    this.#services = services;
    this.#connection = connection;
    this.#identity = identity;
    this.#subscriptions = new Subscriptions(services, this);
  }

  get #publishes(): OwnPublishes {
    return (this.#ownPublishes ??= new OwnPublishes());
  }

  get #publishesMax(): number {
    const { subscriptionsMax, inFlightMax } = this.#services.limits;
    return subscriptionsMax * inFlightMax;
  }

  get #lanes(): Lanes {
    return (this.#ownLanes ??= new Lanes());
  }

  get identity(): Identity {
    return this.#identity;
  }

  get client(): string {
    return this.#connection.client;
  }

  get isReady(): boolean {
    return this.#connection.isReady;
  }

  send(frame: Frame): void {
    this.#connection.send(frame);
  }

  sendRun(run: SharedRun): boolean {
    return this.#connection.sendRun(run);
  }

  sendMessage(message: Exclude<ServerMessage, EntryMessage>): void {
    this.#connection.sendMessage(message);
  }

  get subscriptionCount(): number {
    return this.#subscriptions.count;
  }

  limited(limit: LimitName): void {
    this.#connection.limited(limit);
  }

  topicOf(number: number): string | undefined {
    return this.#subscriptions.topicOf(number);
  }

  /** The subscriptions of the `hello`: bounded by the frame, not by `requestsMax` (HF-3.2). */
  begin(requests: readonly SubscribeRequest[]): void {
    for (const request of requests) this.#answer(request.id, () => this.#subscriptions.subscribe(request));
  }

  /** Carries out one message that came in a frame of so many bytes, or refuses it because there were too many. */
  carryOut(message: ClientMessage, bytes: number): void {
    if (message.type === 'publish') return this.#publish(message, bytes);
    const refusal = this.#charge(message, bytes);
    if (refusal === undefined) this.#serve(message);
    else this.sendMessage(errorMessage(refusal, { id: 'id' in message ? message.id : undefined }));
  }

  #charge({ type }: ClientMessage, bytes: number): HoldfastError | undefined {
    switch (type) {
      case 'ping':
      case 'pong':
      case 'credit':
      case 'unsubscribe':
        // A lost credit would stall its reader: carried out, and counted.
        return void this.#connection.charge({ Bytes: bytes });
      case 'subscribe':
        return this.#connection.charge({ Bytes: bytes, Subscribes: 1 }) ?? this.#services.lackOfMemory();
      case 'read':
        return this.#connection.charge({ Bytes: bytes, Requests: 1 }) ?? this.#services.lackOfMemory();
      default:
        return this.#connection.charge({ Bytes: bytes, Requests: 1 });
    }
  }

  #serve(message: Exclude<ClientMessage, Publish>): void {
    switch (message.type) {
      case 'credit':
        return this.#subscriptions.credit(message.topic, message.upTo, message.epoch);
      case 'ping':
        return this.sendMessage({ type: 'pong', ...(message.id === undefined ? {} : { id: message.id }) });
      case 'pong':
        return;
      case 'unsubscribe':
        return this.#unsubscribe(message);
      case 'subscribe':
        return this.#request(message.id, () => this.#subscriptions.subscribe(message));
      case 'auth':
        return this.#request(message.id, () => this.#lanes.run('auth', () => this.#auth(message)).then(() => this.recheck()));
      case 'read':
        return this.#request(message.id, () => this.#lanes.run('read', () => this.#read(message)));
      case 'call':
        return this.#call(message);
      case 'register':
        return this.#request(message.id, () => this.#register(message));
      case 'presence':
        return this.#request(message.id, () => this.#lanes.run(`presence ${message.topic}`, () => this.#presence(message)));
      case 'signal':
        return this.#request(undefined, () => this.#lanes.run(`signal ${message.topic}`, () => this.#signal(message)));
      case 'hello':
        throw new Error('the session machine lets one hello through');
    }
  }

  /** The connection can take more. */
  resume(): void {
    this.#subscriptions.resume();
  }

  /** HF-5.10: asks the rights of every subscription again. */
  async recheck(): Promise<void> {
    await this.#subscriptions.recheck();
  }

  close(): void {
    this.#subscriptions.close();
  }

  /** Synchronous where the hooks are, so that a publish that nobody delays gets its place in the turn of its arrival. */
  judge({ topic, items }: Publish, identity: Identity): ReturnType<BeforePublish> {
    const hook = this.#services.beforePublishOf(topic);
    // The whole of it has one deadline, the lane's.
    const grant = this.#question('publish', topic, identity);
    if (!isThenable(grant)) return hook?.({ topic, identity, items });
    return grant.then(() => hook?.({ topic, identity, items }));
  }

  answered(request: IntakeRequest, decision: Decision): void {
    const { topic, producer, seq, id } = request.message;
    if (decision.kind === 'refused') this.sendMessage(errorMessage(decision.error, { id, topic, producer, seq }));
    else {
      const { offset, count, epoch, duplicate } = decision;
      if (duplicate) this.#services.counters.publishesRepeated += 1;
      const optional = { ...(count === 1 ? {} : { count }), ...(duplicate ? { duplicate } : {}), ...(id === undefined ? {} : { id }) };
      this.sendMessage({ type: 'ack', topic, producer, seq, offset, epoch, ...optional });
    }
    this.#publishes.end(topic, request);
  }

  /** Rejects with `UNKNOWN_TOPIC`, `FORBIDDEN`, or what the hook threw. */
  async ask(action: Action, topic: string, key?: string): Promise<Grant> {
    return this.#grant(action, topic, key);
  }

  #grant(action: Action, topic: string, key?: string): Grant | Promise<Grant> {
    const grant = this.#question(action, topic, this.#identity, key);
    return isThenable(grant) ? this.#services.inTime(`authorize (${action} "${topic}")`, grant) : grant;
  }

  #question(action: Action, topic: string, identity: Identity, key?: string): Grant | Promise<Grant> {
    if (action !== 'call' && !this.#isTopic(topic)) throw new HoldfastError('UNKNOWN_TOPIC', `no topic "${topic}" here`);
    return this.#connection.endpoint.ask({ identity, action, topic, ...(key === undefined ? {} : { key }) }, this.#services.clock);
  }

  #isTopic(topic: string): boolean {
    return this.#connection.endpoint.hasTopic(topic) && this.#services.hasTopic(topic);
  }

  /** Carries out a request and answers a failure; at most `requestsMax` at a time. */
  #request(id: RequestId | undefined, task: () => Promise<void>): void {
    if (!this.#hasRoom(id)) return;
    this.#unanswered += 1;
    this.#answer(id, () => task().finally(() => (this.#unanswered -= 1)));
  }

  /** Whether one more request may wait for its answer; if not, it is refused. */
  #hasRoom(id: RequestId | undefined): boolean {
    if (this.#unanswered < this.#services.limits.requestsMax) return true;
    this.#connection.limited('requestsMax');
    this.#refuse(id, new HoldfastError('TOO_MANY_IN_FLIGHT', 'more requests are unanswered than limits.requestsMax'));
    return false;
  }

  #answer(id: RequestId | undefined, task: () => Promise<void>): void {
    task().catch((error: unknown) => this.#refuse(id, error));
  }

  /** A refusal carries the id and nothing else: with a topic it would tell of a subscription whose right ended (HF-5.10, HF-10.1). */
  #refuse(id: RequestId | undefined, error: unknown): void {
    this.sendMessage(errorMessage(this.#services.refusalOf(error), { id }));
  }

  #reply(id: RequestId | undefined, data: Json): void {
    if (id !== undefined) this.sendMessage({ type: 'reply', id, data });
  }

  #unsubscribe({ topic, id }: Unsubscribe): void {
    this.#subscriptions.unsubscribe(topic);
    this.#reply(id, null);
  }

  #publish(message: Publish, bytes: number): void {
    if (this.#publishes.count >= this.#publishesMax) {
      const error = new HoldfastError('OVERLOADED', `more than ${this.#publishesMax} publishes of this connection are unanswered`);
      return this.#connection.end(error, CLOSE_CODES.OVERLOADED);
    }
    const { topic } = message;
    // A topic that is not here is told as such by `judge`; what else is wrong would only stop a producer that can never succeed.
    const isKnown = this.#isTopic(topic);
    const charged = this.#connection.charge({ Bytes: bytes, Publishes: message.items.length });
    const refusal = isKnown ? (charged ?? this.#services.lackOfMemory()) : undefined;
    const request: IntakeRequest = { message, identity: this.#identity, source: this, isBounded: true, refusal };
    this.#publishes.begin(message.topic, request);
    this.#services.intake.publish(request);
  }

  async #read({ id, topic: name, after, before, limit }: Read): Promise<void> {
    const { limits } = this.#services;
    const grant = await this.ask('read', name);
    const { log } = (await this.#services.openTopic(name)).topic;
    const range = after === undefined ? { before: before! } : { after };
    const count = Math.min(limit ?? limits.readCountMax, limits.readCountMax);
    // The next answer is not even read while the connection cannot take it (HF-7.2).
    await this.#connection.whenReady();
    this.#reply(id, await readForViewer({ ...this.#services, log, viewer: this.#identity, grant }, range, count));
  }

  async #signal({ topic: name, data }: SignalRequest): Promise<void> {
    const { topic } = await this.#subscriptions.live(name);
    await this.ask('signal', name);
    const { client } = this;
    const { subject } = this.#identity;
    const text = encodeServerMessage({ type: 'signal', topic: name, from: subject, client, data });
    if (isLongerThan(text, this.#services.limits.frameBytesMax)) throw new HoldfastError('TOO_LARGE', 'a signal is larger than a frame');
    const frame = new SharedFrame(text);
    // HF-7.4: what this client published before comes first, even if it is still with a hook.
    await this.#publishes.settled(name);
    this.#services.sequencer.afterPending(topic.log, () => {
      for (const subscriber of topic.subscribers) subscriber.onSignal(senderName(client, subject), frame);
    });
  }

  async #presence({ topic, state, id }: PresenceRequest): Promise<void> {
    await this.#subscriptions.live(topic);
    await this.ask('presence', topic);
    await this.#subscriptions.show(topic, state);
    this.#reply(id, null);
  }

  async #register({ id, topic, key, merge, value, ifRevision }: RegisterRequest): Promise<void> {
    const { limits, nodeLimits, sequencer } = this.#services;
    if (isLongerThan(JSON.stringify(value), limits.frameBytesMax - ENVELOPE_BYTES))
      throw new HoldfastError('TOO_LARGE', `the value of "${key}" is too large for a frame`);
    const room = { countMax: nodeLimits.registersMax, bytesMax: nodeLimits.registersBytesMax };
    const onLimited = (limit: LimitName): void => this.limited(limit);
    // Writes get their places in the order of the requests; they need not wait for each other's commits.
    const { written } = await this.#lanes.run(`register ${topic}`, async () => {
      await this.ask('register', topic, key);
      return { written: sequencer.register({ topic, key, merge, value, ifRevision, room, onLimited }) };
    });
    const stands = await written;
    this.#reply(id, { key, value: JSON.parse(stands.value) as Json, revision: stands.revision });
  }

  /** Answered in the turn of its arrival where nothing makes it wait: neither the right, nor the method, nor the connection. */
  #call(call: Call): void {
    if (!this.#hasRoom(call.id)) return;
    try {
      const result = this.#resultOf(call);
      if (!isThenable(result) && this.isReady) return this.#sendResult(call, result);
      this.#unanswered += 1;
      this.#answer(call.id, () => this.#sendLater(call, result).finally(() => (this.#unanswered -= 1)));
    } catch (error) {
      this.#refuse(call.id, error);
    }
  }

  #resultOf({ method: name, data = null }: Call): Result | PromiseLike<Result> {
    const method = this.#connection.endpoint.method(name);
    const grant = this.#grant('call', name);
    const call = (): Result | PromiseLike<Result> => method(data, { identity: this.#identity, client: this.client });
    return isThenable(grant) ? grant.then(call) : call();
  }

  async #sendLater(call: Call, result: Result | PromiseLike<Result>): Promise<void> {
    const data = await result;
    await this.#connection.whenReady();
    this.#sendResult(call, data);
  }

  #sendResult({ id, method }: Call, data: Result): void {
    const frame = encodeServerMessage({ type: 'reply', id, data: data ?? null });
    if (isLongerThan(frame, this.#services.limits.frameBytesMax))
      throw new HoldfastError('TOO_LARGE', `the answer of "${method.slice(0, 80)}" is larger than a frame`);
    this.send(frame);
  }

  async #auth({ id, token }: Auth): Promise<void> {
    let identity: Identity;
    try {
      identity = await this.#connection.authenticate(token);
      if (identity.subject !== this.#identity.subject) {
        const message = `the new token is of "${identity.subject}", the connection of "${this.#identity.subject}"`;
        throw new HoldfastError('UNAUTHENTICATED', message);
      }
    } catch (error) {
      const refusal = this.#services.refusalOf(error);
      if (!isCredentialRefusal(refusal)) throw refusal;
      this.sendMessage(errorMessage(refusal, { id }));
      return this.#connection.close(CLOSE_CODES.UNAUTHENTICATED.code, refusal.code);
    }
    this.#identity = identity;
    this.#connection.renew(identity);
    const { subject, expiresAtMs } = identity;
    this.#reply(id, { subject, ...(expiresAtMs === undefined ? {} : { expiresAt: expiresAtMs }) });
  }
}
