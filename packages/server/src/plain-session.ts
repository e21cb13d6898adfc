/** A plain client's connection (PROTOCOL.md HF-13): its handler gets each frame in order, one after the other. */

import { CLOSE_CODES, HoldfastError, isTopicName, type Data, type Json, type Position } from '@holdfast/wire';
import type { Connection } from './connection.ts';
import { startOf } from './cursor.ts';
import { Follower } from './follower.ts';
import { handlePlainFrame, type PlainClient, type PlainHandler, type PlainItem } from './plain.ts';
import type { Action, Grant, Identity } from './rights.ts';
import type { OpenTopic, Services } from './services.ts';
import { Speaker } from './speaker.ts';
import { isThenable } from './thenable.ts';

/** Frames that wait for a slow handler before the connection is closed. */
const WAITING_FRAMES_MAX = 256;

/** A topic that is followed, or about to be. */
interface Following {
  follower: Follower | undefined;
}

export class PlainSession implements PlainClient {
  readonly #services: Services;
  readonly #connection: Connection;
  readonly #handler: PlainHandler;
  readonly #speaker: Speaker;
  readonly #followings = new Map<string, Following>();
  readonly #waiting: (string | Uint8Array)[] = [];
  #identity: Identity | undefined;
  /** How often rights were asked anew. */
  #rechecks = 0;
  #isBusy = false;
  #isEnded = false;

  constructor(services: Services, connection: Connection, handler: PlainHandler) {
    this.#services = services;
    this.#connection = connection;
    this.#handler = handler;
    this.#speaker = new Speaker(services.intake, `plain-${connection.session}`, services.limits);
  }

  get identity(): Identity {
    if (this.#identity === undefined) throw new HoldfastError('UNAUTHENTICATED');
    return this.#identity;
  }

  get followingCount(): number {
    return this.#followings.size;
  }

  /** Finds out who it is, then takes the first frame, if there was one. */
  begin(frame: string | Uint8Array | undefined): void {
    if (frame !== undefined) this.receive(frame);
    else void this.#work();
  }

  receive(frame: string | Uint8Array): void {
    if (this.#waiting.length >= WAITING_FRAMES_MAX) return this.close(CLOSE_CODES.OVERLOADED.code, 'OVERLOADED');
    this.#waiting.push(frame);
    if (!this.#isBusy) void this.#work();
  }

  /** The connection can take more. */
  resume(): void {
    for (const { follower } of this.#followings.values()) follower?.cursor.pump();
  }

  /** HF-5.10: asks the rights of everything followed again. */
  async recheck(): Promise<void> {
    this.#rechecks += 1;
    await Promise.all([...this.#followings.values()].map(async ({ follower }) => follower?.cursor.recheck()));
  }

  send(message: string | Uint8Array | Json): void {
    const frame = typeof message === 'string' || message instanceof Uint8Array ? message : (JSON.stringify(message) as string | undefined);
    if (frame === undefined) throw new TypeError(`send: ${typeof message} is not JSON`);
    this.#connection.send(frame);
  }

  publish(topic: string, data: Data): Promise<{ readonly offset: number }> {
    const { identity } = this;
    if (!isTopicName(topic)) return Promise.reject(noTopicName());
    const refusal = this.#connection.charge({ Publishes: 1 });
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.#speaker.publish(topic, identity, data, async ({ items }) => {
      await this.#ask('publish', topic);
      return this.#services.beforePublishOf(topic)?.({ topic, identity, items });
    });
  }

  async follow(
    topic: string,
    { position, last }: { readonly position?: Position; readonly last?: number },
    onItem: (item: PlainItem) => void,
  ): Promise<void> {
    if (this.#isEnded) throw new HoldfastError('CLOSED', 'the client is gone');
    if (this.#followings.has(topic)) return;
    const { subscriptionsMax } = this.#services.limits;
    if (this.#followings.size >= subscriptionsMax)
      throw new HoldfastError('TOO_MANY_SUBSCRIPTIONS', `this connection follows ${subscriptionsMax} topics`);
    const refusal = this.#connection.charge({ Subscribes: 1 });
    if (refusal !== undefined) throw refusal;
    const following: Following = { follower: undefined };
    this.#followings.set(topic, following);
    try {
      const { grant, opened } = await this.#open(topic, following);
      if (this.#followings.get(topic) !== following) return;
      const { topic: place, head } = opened;
      following.follower = new Follower({
        services: this.#services,
        topic: place,
        viewer: () => this.identity,
        start: position ?? startOf(place.log, head, last),
        grant,
        ask: () => this.#ask('subscribe', topic),
        isReady: () => this.#connection.isReady,
        onItem,
        onPaused: (error) => this.#answer(error),
      });
      following.follower.start();
    } catch (error) {
      if (this.#followings.get(topic) === following) this.#followings.delete(topic);
      throw error;
    }
  }

  unfollow(topic: string): void {
    this.#followings.get(topic)?.follower?.close();
    this.#followings.delete(topic);
  }

  close(code = 1000, reason = ''): void {
    this.#connection.close(code, reason);
  }

  /** The connection is gone. */
  ended(): void {
    this.#isEnded = true;
    for (const { follower } of this.#followings.values()) follower?.close();
    this.#followings.clear();
    this.#waiting.length = 0;
    if (this.#identity === undefined) return;
    try {
      this.#handler.closed?.(this);
    } catch (error) {
      this.#services.refusalOf(error);
    }
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    if (this.#identity === undefined) await this.#enter();
    for (let frame = this.#waiting.shift(); frame !== undefined; frame = this.#waiting.shift()) {
      try {
        await handlePlainFrame(this.#handler, this, frame);
      } catch (error) {
        this.#answer(error);
      }
    }
    this.#isBusy = false;
  }

  /** Finds out who it is, from the upgrade alone, and closes the connection if that is refused. */
  async #enter(): Promise<void> {
    try {
      const identity = await this.#connection.authenticate(undefined);
      if (this.#isEnded) return;
      this.#connection.settle(identity);
      this.#identity = identity;
      await this.#handler.opened?.(this);
    } catch (error) {
      this.#connection.refuse(this.#services.refusalOf(error));
    }
  }

  async #open(topic: string, following: Following): Promise<{ readonly grant: Grant; readonly opened: OpenTopic }> {
    for (;;) {
      const round = this.#rechecks;
      const grant = await this.#ask('subscribe', topic);
      const opened = await this.#services.openTopic(topic);
      if (round === this.#rechecks || this.#followings.get(topic) !== following) return { grant, opened };
    }
  }

  /** HF-13.4: tells what cannot be done. */
  explain({ code, message }: HoldfastError): void {
    this.#services.counters.countError(code);
    this.send({ type: 'error', code, message });
  }

  #answer(error: unknown): void {
    this.explain(this.#services.refusalOf(error));
  }

  async #ask(action: Action, topic: string): Promise<Grant> {
    const { endpoint } = this.#connection;
    // A handler hands on what its client sent: a name that is none must found nothing.
    if (!isTopicName(topic)) throw noTopicName();
    if (!endpoint.hasTopic(topic) || !this.#services.hasTopic(topic)) throw new HoldfastError('UNKNOWN_TOPIC', `no topic "${topic}" here`);
    const grant = endpoint.ask({ identity: this.identity, action, topic }, this.#services.clock);
    return isThenable(grant) ? this.#services.inTime(`authorize (${action} "${topic}")`, grant) : grant;
  }
}

function noTopicName(): HoldfastError {
  return new HoldfastError('UNKNOWN_TOPIC', 'what was asked for is not a topic name (HF-1.1)');
}
