/**
 * The client: one connection, an outbox, and topics over them. It only routes; each part decides its own affairs.
 * Source: PROTOCOL.md HF-3, HF-4.
 */

import {
  DEFAULT_LIMITS,
  HoldfastError,
  isName,
  isTopicName,
  type BackoffOptions,
  type Hello,
  type Json,
  type Limits,
  type ServerMessage,
  type Welcome,
} from '@holdfast/wire';
import { systemClock, type Clock } from './clock.ts';
import { Credentials, type TokenSource } from './credentials.ts';
import { pageLifecycle, type Lifecycle } from './lifecycle.ts';
import { Link } from './link.ts';
import { Computed, type Observable } from './observable.ts';
import { createMemoryOutbox } from './outbox-memory.ts';
import type { OutboxStore } from './outbox.ts';
import { assertFrameJson } from './payload.ts';
import { Publisher, type OutboxRow, type PublishOptions } from './publisher.ts';
import { systemRandom, type Random } from './random.ts';
import { refusalOf } from './refusal.ts';
import { Requests, type AskOptions, type Sendable } from './requests.ts';
import type { Published } from './row.ts';
import { webSocketFactory } from './socket-class.ts';
import type { WebSocketClass } from './socket-whatwg.ts';
import type { SocketFactory } from './socket.ts';
import { statusOf, type ConnectionStatus } from './status.ts';
import { Subscription } from './subscription.ts';
import { ASYNC_DISPOSE, defineMethod } from './symbols.ts';
import { ClientTopic, type Topic } from './topic.ts';

export interface ClientOptions {
  /** `ws://` or `wss://`; of several the first is preferred, and the others are tried in a random order. */
  readonly url: string | readonly string[];
  /** Who this is: a token, or what gets a fresh one, asked for at every attempt to connect and before the credentials end. */
  readonly token?: TokenSource | undefined;
  /** Where the outbox is kept. Default: memory. */
  readonly store?: OutboxStore | undefined;
  /** The stable name of this installation, tab or process (HF-1.2). Default: a random one, kept in the outbox. */
  readonly client?: string | undefined;
  /** The WebSocket class where the platform has none: `ws`'s in Node 20. */
  readonly WebSocket?: WebSocketClass | undefined;
  /** In place of a class: any socket. */
  readonly socket?: SocketFactory | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  /** Rows that the outbox holds; more are refused with `OUTBOX_FULL`. Default 10,000. */
  readonly outboxCountMax?: number | undefined;
  /** Entries that may wait for a reader (HF-7.1). Default 256. */
  readonly window?: number | undefined;
  readonly backoff?: BackoffOptions | undefined;
  /** Failed attempts in a row after which the client stops trying. Default: never. */
  readonly attemptsMax?: number | undefined;
  /** Default: the page's or worker's own events. For React Native: `appLifecycle(AppState)`. */
  readonly lifecycle?: Lifecycle | undefined;
}

/**
 * What a user interface shows of the connection and the outbox. In the phase `idle` the outbox is being loaded, again and again
 * if its store fails, or the client is paused. `retryAtMs` may be that of a store, `lastError` its error. `queuedCount`: publishes that
 * are not acknowledged yet.
 */
export interface ClientStatus extends ConnectionStatus {
  /** Publishes whose outcome cannot be learnt. */
  readonly uncertainCount: number;
  /** Who the server says this is, as of the last `welcome`. */
  readonly subject: string | undefined;
  /** When the credentials end, wall clock ms; `undefined` if they do not, or nobody said so. */
  readonly expiresAtMs: number | undefined;
}

export interface Client {
  readonly status: Observable<ClientStatus>;
  /** The publishes that are not acknowledged, in the order of publishing. */
  readonly outbox: Observable<readonly OutboxRow[]>;
  /** The topic of a name; the same object for the same name. Throws `USAGE` for a name that is none (HF-1.1). */
  topic(name: string): Topic;
  /**
   * Calls a method of the server; never resent by itself. Rejects with `OFFLINE` if there was no connection within the
   * deadline, `UNKNOWN_OUTCOME` if the connection broke before the answer, or the server's refusal.
   */
  call(method: string, data?: Json, options?: AskOptions): Promise<Json>;
  /** Removes a row that is not under way; says whether it could. */
  discard(rowId: number): boolean;
  /** Publishes an uncertain row anew. */
  republish(rowId: number, options?: PublishOptions): Promise<Published>;
  /** Resolves when everything published is acknowledged; rejects with `PENDING` after `timeoutMs` (default 10,000). */
  flush(options?: { readonly timeoutMs?: number | undefined }): Promise<void>;
  /** Connects now instead of later. */
  retryNow(): void;
  /** Closes the socket and leaves the connection without a timer until `resume`: for an app in the background. What is published waits. */
  pause(): void;
  /** Connects at once. */
  resume(): void;
  /**
   * Shows a token to the server (HF-3.6), after a role changed for example; without one it asks the option `token` for one.
   * Resolves when the server has accepted it: subscriptions whose right had ended go on if the new rights allow. Where the
   * option is no function, the token takes its place, and a client that was closed for want of a valid one connects again.
   * Throws `USAGE` without any token; rejects as `call` does, and with `UNAUTHENTICATED` if there is none or it was refused.
   */
  authenticate(token?: string): Promise<void>;
  /** Waits up to `drainMs` (default 0) for the outbox, then ends everything: every promise settles, every iteration ends. */
  close(options?: { readonly drainMs?: number | undefined }): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Makes a client and connects it. Throws `USAGE` for options that cannot work. Closed by `close`. */
export function createClient(options: ClientOptions): Client {
  return new HoldfastClient(options);
}

const WINDOW = 256;
const OUTBOX_COUNT_MAX = 10_000;
const FLUSH_TIMEOUT_MS = 10_000;
const CLOSE_DEADLINE_MS = 10_000;
/** Until a server announced its own. HF-3.2: every server takes 64 subscriptions in one `hello`. */
const FIRST_LIMITS: Limits = { ...DEFAULT_LIMITS, topicsPerFrameMax: 64 };

class HoldfastClient implements Client {
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;
  readonly status: Computed<ClientStatus> = new Computed(() => this.#statusNow());
  readonly outbox: Observable<readonly OutboxRow[]>;
  readonly #clock: Clock;
  readonly #credentials: Credentials;
  readonly #random: Random;
  readonly #window: number;
  readonly #link: Link;
  readonly #requests: Requests;
  readonly #publisher: Publisher;
  readonly #topics = new Map<string, { readonly topic: ClientTopic; readonly subscription: Subscription }>();
  #client = '';
  #isLoaded = false;
  #isPaused = false;
  #subject: string | undefined;
  #limits: Limits = FIRST_LIMITS;
  #storeError: HoldfastError | undefined;
  #closing: Promise<void> | undefined;
  /** Draining is over: nothing is to be connected any more. */
  #isEnding = false;

  constructor(options: ClientOptions) {
    assertOptions(options);
    const { url, token, clock = systemClock, random = systemRandom, backoff, attemptsMax, lifecycle = pageLifecycle() } = options;
    const socket = options.socket ?? webSocketFactory(options.WebSocket);
    this.#clock = clock;
    this.#random = random;
    this.#window = options.window ?? WINDOW;
    this.#credentials = new Credentials({
      source: token,
      clock,
      random,
      isOpen: () => this.#link.isOpen,
      show: (fresh) => this.#requests.ask((id) => ({ type: 'auth', id, token: fresh }), false),
      onAccepted: () => {
        for (const { subscription } of this.#topics.values()) subscription.renewed();
      },
      onChange: () => this.status.touch(),
    });
    this.#link = new Link(
      {
        urls: typeof url === 'string' ? [url] : url,
        socket,
        token: () => this.#credentials.token(),
        // A token that cannot change is not tried twice.
        refusalsMax: () => (this.#credentials.isRenewable ? 2 : 1),
        clock,
        random,
        backoff,
        attemptsMax,
        lifecycle,
      },
      {
        hello: () => this.#hello(),
        onOpen: (welcome) => this.#onOpen(welcome),
        onMessage: (message) => this.#onMessage(message),
        onDown: () => this.#onDown(),
        onChange: () => this.status.touch(),
      },
    );
    this.#requests = new Requests(clock, (message) => this.#link.send(message));
    this.#publisher = new Publisher({
      store: options.store ?? createMemoryOutbox(),
      clock,
      random,
      client: options.client,
      countMax: options.outboxCountMax ?? OUTBOX_COUNT_MAX,
      transmit: (publish) => this.#link.send(publish),
      epochOf: (topic) => this.#topics.get(topic)?.subscription.epoch,
      onChange: () => this.status.touch(),
      onTrouble: (error) => this.#onStoreTrouble(error),
    });
    this.outbox = this.#publisher.rows;
    void this.#load();
  }

  topic(name: string): Topic {
    const known = this.#topics.get(name);
    if (known !== undefined) return known.topic;
    if (!isTopicName(name))
      throw new HoldfastError('USAGE', `"${String(name)}" is not a topic name`, {
        hint: 'Segments of A-Z a-z 0-9 _ . : @ ~ + = , - between single slashes, 200 characters at most (HF-1.1).',
      });
    const send = (message: Sendable): void => this.#link.send(message);
    const requests = this.#requests;
    const subscription = new Subscription(name, this.#window, {
      clock: this.#clock,
      random: this.#random,
      requests,
      isOpen: () => this.#link.isOpen,
      send,
      resync: (error) => this.#link.resync(error),
    });
    if (this.#closing !== undefined) subscription.close();
    const topic = new ClientTopic({ name, publisher: this.#publisher, requests, subscription, limits: () => this.#limits, send });
    this.#topics.set(name, { topic, subscription });
    return topic;
  }

  call(method: string, data?: Json, options?: AskOptions): Promise<Json> {
    if (data !== undefined) assertFrameJson('call', data, this.#limits);
    return this.#requests.ask((id) => ({ type: 'call', id, method, ...(data === undefined ? {} : { data }) }), false, options);
  }

  discard(rowId: number): boolean {
    return this.#publisher.discard(rowId);
  }

  republish(rowId: number, options: PublishOptions = {}): Promise<Published> {
    return this.#publisher.republish(rowId, options);
  }

  flush({ timeoutMs = FLUSH_TIMEOUT_MS }: { readonly timeoutMs?: number | undefined } = {}): Promise<void> {
    return this.#publisher.flush(timeoutMs);
  }

  retryNow(): void {
    if (this.#closing !== undefined) return;
    this.#publisher.retryNow();
    if (this.#isLoaded) this.#link.driver.dispatch({ type: 'retryNow' });
  }

  pause(): void {
    this.#isPaused = true;
    if (this.#isLoaded) this.#link.driver.dispatch({ type: 'pause' });
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#isLoaded) this.#link.driver.dispatch({ type: 'resume' });
  }

  authenticate(token?: string): Promise<void> {
    const accepted = this.#credentials.authenticate(token);
    this.retryNow();
    return accepted;
  }

  close({ drainMs = 0 }: { readonly drainMs?: number | undefined } = {}): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  async #load(): Promise<void> {
    try {
      this.#client = await this.#publisher.load();
      this.#isLoaded = true;
    } catch {
      return this.#link.driver.dispatch({ type: 'close', problem: this.#storeError });
    }
    if (!this.#isEnding) this.#link.driver.dispatch({ type: this.#isPaused ? 'pause' : 'start' });
  }

  async #close(drainMs: number): Promise<void> {
    if (drainMs > 0) await this.#publisher.flush(drainMs).catch(() => {});
    this.#isEnding = true;
    this.#link.driver.dispatch({ type: 'close' });
    this.#credentials.close();
    this.#requests.close();
    for (const { subscription } of this.#topics.values()) subscription.close();
    const ended = this.#publisher.close();
    // A store that never answers must not keep anybody waiting.
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimeout(() => {
        this.#publisher.settle(false);
        resolve();
      }, CLOSE_DEADLINE_MS);
      void ended.then(() => {
        this.#clock.clearTimeout(timer);
        resolve();
      });
    });
  }

  #hello(): Hello {
    const subscribe = [];
    for (const { subscription } of this.#topics.values()) {
      if (subscribe.length >= this.#limits.topicsPerFrameMax) break;
      if (subscription.isNeeded) subscribe.push(subscription.helloPart());
    }
    return { type: 'hello', client: this.#client, ...(subscribe.length === 0 ? {} : { subscribe }) };
  }

  #onOpen(welcome: Welcome): void {
    const { subject, limits } = welcome;
    this.#credentials.welcomed(welcome);
    this.#subject = subject;
    this.#limits = limits;
    // In this order: a signal or a presence, also one that waited, finds its subscription on the server.
    this.#requests.open(limits.requestsMax, () => {
      for (const { subscription } of this.#topics.values()) subscription.sync();
      for (const { topic } of this.#topics.values()) topic.presence.open();
    });
    this.#publisher.open(subject, limits);
  }

  #onDown(): void {
    for (const { subscription } of this.#topics.values()) subscription.down();
    this.#requests.down();
    this.#credentials.down();
    this.#publisher.down();
  }

  #onMessage(message: ServerMessage): void {
    switch (message.type) {
      case 'entry':
        return this.#subscription(message.topic)?.entry(message);
      case 'skip':
        return this.#subscription(message.topic)?.skip(message);
      case 'gap':
        return this.#subscription(message.topic)?.gap(message);
      case 'register':
        return this.#subscription(message.topic)?.register(message);
      case 'ack':
        this.#subscription(message.topic)?.acked(message.offset);
        return this.#publisher.ack(message);
      case 'subscribed':
      case 'reply':
        this.#requests.answer(message);
        return;
      case 'error':
        if (this.#publisher.refuse(message) || this.#requests.answer(message)) return;
        if (message.topic === undefined) this.#link.explain(refusalOf(message));
        else this.#subscription(message.topic)?.paused(refusalOf(message));
        return;
      case 'expiring':
        return this.#credentials.expiring(message.expiresAt);
      case 'signal':
        return this.#topics.get(message.topic)?.topic.onSignalMessage(message);
      case 'presence':
        return this.#topics.get(message.topic)?.topic.presence.message(message);
      case 'welcome':
      case 'goaway':
      case 'ping':
      case 'pong':
        return;
    }
  }

  #subscription(topic: string): Subscription | undefined {
    return this.#topics.get(topic)?.subscription;
  }

  #onStoreTrouble(error: unknown): void {
    if (error === undefined) this.#storeError = undefined;
    else
      this.#storeError =
        error instanceof HoldfastError
          ? error
          : new HoldfastError('STORE_UNAVAILABLE', `the outbox store failed: ${messageOf(error)}`, { cause: error });
    this.status.touch();
  }

  #statusNow(): ClientStatus {
    const { queuedCount, uncertainCount } = this.#publisher;
    const { expiresAtMs, problem } = this.#credentials;
    const status = statusOf(this.#link.driver, queuedCount);
    return {
      ...status,
      retryAtMs: status.retryAtMs ?? this.#publisher.retryAtMs,
      uncertainCount,
      subject: this.#subject,
      expiresAtMs,
      lastError: this.#storeError ?? status.lastError ?? problem,
    };
  }
}

defineMethod(HoldfastClient.prototype, ASYNC_DISPOSE, function (this: HoldfastClient) {
  return this.close();
});

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : JSON.stringify(error);
}

function assertOptions({ url, client, window = WINDOW, outboxCountMax = OUTBOX_COUNT_MAX }: ClientOptions): void {
  const urls = typeof url === 'string' ? [url] : url;
  if (!Array.isArray(urls) || urls.length === 0 || !urls.every((one) => /^wss?:\/\/./.test(String(one))))
    throw new HoldfastError('USAGE', `url: want "ws://..." or "wss://...", got "${String(url)}"`);
  if (client !== undefined && !isName(client))
    throw new HoldfastError('USAGE', 'client: want 1 to 64 characters of A-Z a-z 0-9 _ . ~ - (HF-1.2)');
  if (!Number.isInteger(window) || window < 1) throw new HoldfastError('USAGE', 'window: want an integer from 1');
  if (!Number.isInteger(outboxCountMax) || outboxCountMax < 1) throw new HoldfastError('USAGE', 'outboxCountMax: want an integer from 1');
}
