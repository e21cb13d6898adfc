/** A plain client's connection (PROTOCOL.md HF-13): its handler gets each frame in order, one after the other. */

import { CLOSE_CODES, HoldfastError, type Data, type Json, type Position } from '@holdfast/wire';
import type { Connection } from './connection.ts';
import { startOf } from './cursor.ts';
import { Follower } from './follower.ts';
import { handlePlainFrame, type PlainClient, type PlainHandler, type PlainItem } from './plain.ts';
import type { Action, Grant, Identity } from './rights.ts';
import type { Services } from './services.ts';
import { Speaker } from './speaker.ts';

/** Frames that wait for a slow handler before the connection is closed. */
const WAITING_FRAMES_MAX = 256;

export class PlainSession implements PlainClient {
  readonly #services: Services;
  readonly #connection: Connection;
  readonly #handler: PlainHandler;
  readonly #speaker: Speaker;
  /** `undefined` while it is being opened. */
  readonly #followers = new Map<string, Follower | undefined>();
  readonly #waiting: (string | Uint8Array)[] = [];
  #identity: Identity | undefined;
  #isBusy = false;

  constructor(services: Services, connection: Connection, handler: PlainHandler) {
    this.#services = services;
    this.#connection = connection;
    this.#handler = handler;
    this.#speaker = new Speaker(services.intake, `plain-${connection.session}`);
  }

  get identity(): Identity {
    if (this.#identity === undefined) throw new HoldfastError('UNAUTHENTICATED');
    return this.#identity;
  }

  receive(frame: string | Uint8Array): void {
    if (this.#waiting.length >= WAITING_FRAMES_MAX) return this.close(CLOSE_CODES.OVERLOADED.code, 'OVERLOADED');
    this.#waiting.push(frame);
    if (!this.#isBusy) void this.#work();
  }

  /** The connection can take more. */
  resume(): void {
    for (const follower of this.#followers.values()) follower?.cursor.pump();
  }

  send(message: string | Uint8Array | Json): void {
    this.#connection.send(typeof message === 'string' || message instanceof Uint8Array ? message : JSON.stringify(message));
  }

  publish(topic: string, data: Data): Promise<{ readonly offset: number }> {
    const { identity } = this;
    return this.#speaker.publish(topic, identity, data, async () => {
      await this.#ask('publish', topic);
      return this.#services.beforePublishOf(topic)?.({ topic, identity, items: [data] });
    });
  }

  async follow(topic: string, { position, last }: { readonly position?: Position; readonly last?: number }, onItem: (item: PlainItem) => void): Promise<void> {
    if (this.#followers.has(topic)) return;
    this.#followers.set(topic, undefined);
    try {
      const ask = (): Promise<Grant> => this.#ask('subscribe', topic);
      const grant = await ask();
      const { topic: opened, head } = await this.#services.openTopic(topic);
      if (!this.#followers.has(topic)) return;
      const start = position ?? startOf(opened.log, head, last);
      const isReady = (): boolean => this.#connection.isReady;
      const onPaused = (error: HoldfastError): void => this.#answer(error);
      this.#followers.set(topic, new Follower({ ...this.#services, topic: opened, viewer: this.identity, start, grant, ask, isReady, onItem, onPaused }));
    } catch (error) {
      this.#followers.delete(topic);
      throw error;
    }
  }

  unfollow(topic: string): void {
    this.#followers.get(topic)?.close();
    this.#followers.delete(topic);
  }

  close(code = 1000, reason = ''): void {
    this.#connection.close(code, reason);
  }

  /** The connection is gone. */
  ended(): void {
    for (const follower of this.#followers.values()) follower?.close();
    this.#followers.clear();
    this.#waiting.length = 0;
    if (this.#identity !== undefined) this.#handler.closed?.(this);
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    if (this.#identity === undefined) await this.#open();
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
  async #open(): Promise<void> {
    try {
      this.#identity = await this.#connection.authenticate(undefined);
      await this.#handler.opened?.(this);
    } catch (error) {
      this.#answer(error);
      this.close(CLOSE_CODES.UNAUTHENTICATED.code, 'UNAUTHENTICATED');
    }
  }

  #answer(error: unknown): void {
    const { code, message } = this.#services.refusalOf(error);
    this.send({ type: 'error', code, message });
  }

  async #ask(action: Action, topic: string): Promise<Grant> {
    const { endpoint } = this.#connection;
    if (!endpoint.hasTopic(topic) || !this.#services.hasTopic(topic)) throw new HoldfastError('UNKNOWN_TOPIC', `no topic "${topic}" here`);
    return endpoint.ask({ identity: this.identity, action, topic });
  }
}
