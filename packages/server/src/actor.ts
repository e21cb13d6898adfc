/**
 * Somebody who acts on topics without a connection: a back end over HTTP, or the program that runs the hub. One with an
 * endpoint has that endpoint's topics and rights; one without may do everything.
 */

import { HoldfastError, isTopicName, type Data, type Json, type Member, type Position } from '@holdfast/wire';
import type { Charge } from './allowance.ts';
import { startOf } from './cursor.ts';
import type { Endpoint } from './endpoint.ts';
import { Follower } from './follower.ts';
import type { PlainItem } from './plain.ts';
import { readForViewer } from './reading.ts';
import { isSubject, type Action, type Grant, type Identity } from './rights.ts';
import type { Services } from './services.ts';
import type { Published, Speaker } from './speaker.ts';
import type { Range } from './store.ts';
import { isThenable } from './thenable.ts';

export interface PublishOptions {
  /**
   * The same key with the same data is stored once, however often it comes, for as long as silent producers are remembered
   * (30 days by default); other data under it are refused with `SEQ_CONFLICT`. 1 to 256 characters.
   */
  readonly idempotencyKey?: string | undefined;
}

/** From where to follow: after a position, from the newest `last` entries, or from now on. */
export interface FollowOptions {
  readonly position?: Position;
  readonly last?: number;
}

const KEY_LENGTH_MAX = 256;

export class Actor {
  readonly identity: Identity;
  readonly #services: Services;
  readonly #speaker: Speaker;
  readonly #endpoint: Endpoint | undefined;
  #address: string | undefined;

  /** Throws `USAGE` if the identity has no legal subject. */
  constructor(services: Services, speaker: Speaker, identity: Identity, endpoint?: Endpoint) {
    if (!isSubject(identity.subject)) throw new HoldfastError('USAGE', 'a subject has 1 to 256 characters');
    this.#services = services;
    this.#speaker = speaker;
    this.identity = identity;
    this.#endpoint = endpoint;
  }

  /**
   * The same one, asking from a client's address: what it does counts for its subject and for that address as what comes
   * over connections does, and is refused with `RATE_LIMITED`, or with
   * `OVERLOADED` while there is too little memory. An actor without an address is never limited.
   */
  calledFrom(address: string): Actor {
    const actor = new Actor(this.#services, this.#speaker, this.identity, this.#endpoint);
    actor.#address = address;
    return actor;
  }

  /**
   * Resolves after the commit. Rejects with the refusal; a retryable one is the caller's to repeat, and only with a key is
   * it then certain to be stored once. Throws `USAGE` at once for what can be no publish.
   */
  publish(topic: string, data: Data, { idempotencyKey }: PublishOptions = {}): Promise<Published> {
    this.#assertTopic(topic);
    const isKey = idempotencyKey === undefined || (idempotencyKey.length >= 1 && idempotencyKey.length <= KEY_LENGTH_MAX);
    if (!isKey) throw new HoldfastError('USAGE', `an idempotency key has 1 to ${KEY_LENGTH_MAX} characters`);
    const refusal = this.#charge(() => ({ Publishes: 1, Bytes: sizeOf(data) }));
    if (refusal !== undefined) return Promise.reject(refusal);
    const { identity } = this;
    const judge =
      this.#endpoint === undefined
        ? (): undefined => undefined
        : async ({ items }: { readonly items: readonly Data[] }): Promise<readonly Data[] | undefined> => {
            await this.#ask('publish', topic);
            return this.#services.beforePublishOf(topic)?.({ topic, identity, items });
          };
    if (idempotencyKey === undefined) return this.#speaker.publish(topic, identity, data, judge);
    return this.#speaker.publishOnce(topic, identity, data, idempotencyKey, judge);
  }

  /** The answer to a `read` (HF-7.3): entries after or before an offset, at most `limit`, bytes as base64. */
  async read(topic: string, range: Range, limit?: number): Promise<Json> {
    this.#assertTopic(topic);
    this.#pay({ Requests: 1 });
    const { limits } = this.#services;
    const grant = await this.#ask('read', topic);
    const { log } = (await this.#services.openTopic(topic)).topic;
    const count = Math.min(limit ?? limits.readCountMax, limits.readCountMax);
    return readForViewer({ ...this.#services, log, viewer: this.identity, grant }, range, count);
  }

  /** Who shows himself on the topic, in the order of their coming. */
  async members(topic: string): Promise<readonly Member[]> {
    this.#assertTopic(topic);
    this.#pay({ Requests: 1 });
    await this.#ask('members', topic);
    return (await this.#services.openTopic(topic)).topic.presence.members();
  }

  /**
   * Calls `onItem` for each entry and gap, in order; resolves with what ends it, as soon as it stands. With an endpoint the
   * right is asked for again as for any subscription; its end is a pause.
   */
  async follow(topic: string, { position, last }: FollowOptions, onItem: (item: PlainItem) => void): Promise<() => void> {
    this.#assertTopic(topic);
    this.#pay({ Subscribes: 1 });
    const grant = await this.#ask('subscribe', topic);
    const { topic: place, head } = await this.#services.openTopic(topic);
    const follower = new Follower({
      services: this.#services,
      topic: place,
      viewer: () => this.identity,
      start: position ?? startOf(place.log, head, last),
      grant,
      ask: () => this.#ask('subscribe', topic),
      isReady: () => true,
      onItem,
      onPaused: () => undefined,
    });
    follower.start();
    return () => follower.close();
  }

  async #ask(action: Action, topic: string): Promise<Grant> {
    if (this.#endpoint === undefined) return {};
    if (!this.#endpoint.hasTopic(topic)) throw new HoldfastError('UNKNOWN_TOPIC', `no topic "${topic}" here`);
    const grant = this.#endpoint.ask({ identity: this.identity, action, topic }, this.#services.clock);
    return isThenable(grant) ? this.#services.inTime(`authorize (${action} "${topic}")`, grant) : grant;
  }

  /** Throws what refuses it. */
  #pay(charge: Charge): void {
    const refusal = this.#charge(() => charge);
    if (refusal !== undefined) throw refusal;
  }

  #charge(chargeOf: () => Charge): HoldfastError | undefined {
    if (this.#address === undefined) return undefined;
    return this.#services.chargeRequest(this.identity.subject, this.#address, chargeOf()) ?? this.#services.lackOfMemory();
  }

  #assertTopic(topic: string): void {
    if (!isTopicName(topic)) throw new HoldfastError('USAGE', `"${String(topic).slice(0, 200)}" is not a topic name (HF-1.1)`);
    if (!this.#services.hasTopic(topic)) throw new HoldfastError('UNKNOWN_TOPIC', `no rule of this hub matches "${topic}"`);
  }
}

/** About what it took on the way, bytes. */
function sizeOf(data: Data): number {
  if (data instanceof Uint8Array) return data.length;
  try {
    return (JSON.stringify(data) as string | undefined)?.length ?? 0;
  } catch {
    // No JSON: the speaker refuses it, and says why.
    return 0;
  }
}
