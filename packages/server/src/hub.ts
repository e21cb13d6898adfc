/**
 * The server's heart: connections, topics, fan-out. It knows neither a socket library nor a database; both are ports, as
 * are the clock and chance, so that a simulator drives this very code.
 */

import { CLOSE_CODES, DEFAULT_LIMITS, HoldfastError, isTopicName, type Data, type Limits } from '@holdfast/wire';
import { randomName, systemClock, type Clock, type Random, type Timer } from './clock.ts';
import { Connection, type Arrival, type ConnectionHost } from './connection.ts';
import { Intake, type BeforePublish } from './intake.ts';
import { log, type Kind } from './kind.ts';
import { Sequencer } from './sequencer.ts';
import type { OpenTopic, Services } from './services.ts';
import type { Socket } from './socket.ts';
import { Speaker } from './speaker.ts';
import type { TopicStore } from './store.ts';
import { Topic } from './topic.ts';
import { parseTopicPattern, type TopicPattern } from './topic-pattern.ts';
import { Turnstile } from './turnstile.ts';

/** What history a topic keeps; an entry goes when any bound says so. Default: all of it. */
export interface RetentionRule {
  readonly countMax?: number;
  readonly bytesMax?: number;
  readonly ageMaxMs?: number;
}

/** How topics of one pattern behave. The first rule that matches counts. */
export interface TopicRule {
  /** Such as `chat/:room`, `market/*` or `*`. */
  readonly pattern: string;
  /** Default: `log()`. */
  readonly kind?: Kind;
  readonly retention?: RetentionRule;
  readonly beforePublish?: BeforePublish;
}

export interface HubOptions {
  readonly store: TopicStore;
  /** Default: one rule, `*`, a log that keeps everything. */
  readonly topics?: readonly TopicRule[];
  readonly limits?: Partial<Limits>;
  /** HF-8.1, ms. Default 25,000: below the 30 s after which the strictest proxies drop a silent connection. */
  readonly heartbeatMs?: number;
  /** HF-3.1, ms. Default 10,000. */
  readonly helloTimeoutMs?: number;
  /** HF-7.6, ms. Default 10,000. */
  readonly presenceGraceMs?: number;
  /** How often retention and forgetting take their next step, ms. Default 1,000; 0: only when `maintain` is called. */
  readonly maintainIntervalMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Gets what a hook, a method or a handler threw and no client may read. Default: `console.error`. */
  readonly onError?: (error: unknown) => void;
}

export interface CloseOptions {
  /** What `goaway` says. */
  readonly reason?: string;
  readonly drainMs?: number;
}

/** Pages of replay read at a time on a node (HF-5.12), and their bounds. */
const PAGES_MAX = 16;
const PAGE = { countMax: 256, bytesMax: 262_144 };
/** Publishes decided and not yet committed before `OVERLOADED`: two seconds' worth of a fast disk. */
const PENDING_MAX = 100_000;
/** After this time without use a topic's state is dropped from memory, ms. */
const IDLE_MS = 600_000;
/** Topics whose retention is examined in one step. */
const SWEEP_COUNT = 256;
const EXPIRE_INTERVAL_MS = 3_600_000;
/** HF-3.4: a node takes about a thousand returning clients a second, and a lone one need not wait long. */
const SPREAD_MIN_MS = 100;
const SPREAD_MAX_MS = 30_000;

interface CompiledRule extends TopicRule {
  readonly matcher: TopicPattern;
}

export class Hub implements ConnectionHost {
  readonly services: Services;
  readonly heartbeatMs: number;
  readonly helloTimeoutMs: number;
  readonly #store: TopicStore;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #rules: readonly CompiledRule[];
  readonly #onError: (error: unknown) => void;
  readonly #presenceGraceMs: number;
  readonly #maintainIntervalMs: number;
  readonly #connections = new Set<Connection>();
  readonly #sessions = new Map<string, Connection>();
  readonly #topics = new Map<string, Topic>();
  readonly #numbers = new Map<number, Topic>();
  readonly #speaker: Speaker;
  #nextNumber = 1;
  #sweptTopic: string | undefined;
  #expiredAt: number;
  #timer: Timer | undefined;
  #isClosed = false;
  #onEmpty: (() => void) | undefined;

  constructor(options: HubOptions) {
    const { store, topics = [{ pattern: '*' }], heartbeatMs = 25_000, helloTimeoutMs = 10_000, presenceGraceMs = 10_000, maintainIntervalMs = 1_000, clock = systemClock, random = Math.random } = options;
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
    this.#rules = topics.map((rule) => ({ ...rule, matcher: parseTopicPattern(rule.pattern) }));
    // oxlint-disable-next-line no-console -- the default of a port whose purpose is to be replaced
    this.#onError = options.onError ?? ((error) => console.error(error));
    this.heartbeatMs = heartbeatMs;
    this.helloTimeoutMs = helloTimeoutMs;
    this.#presenceGraceMs = presenceGraceMs;
    this.#maintainIntervalMs = maintainIntervalMs;
    this.#expiredAt = clock.now();
    this.services = this.#makeServices({ ...DEFAULT_LIMITS, inFlightMax: store.outcomesMax, ...options.limits });
    this.#speaker = new Speaker(this.services.intake, `server-${randomName(random, 12)}`);
    this.#scheduleMaintenance();
  }

  /** How many connections there are. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Takes over an accepted socket. */
  accept(socket: Socket, arrival: Arrival): void {
    const connection = new Connection(this, socket, arrival);
    if (this.#isClosed) return connection.end(new HoldfastError('GOING_AWAY'), CLOSE_CODES.GOING_AWAY);
    this.#connections.add(connection);
  }

  /**
   * Publishes on behalf of the application; resolves after the commit. No rights are asked. It has no outbox: a
   * retryable refusal (`STORE_*`, `OVERLOADED`) is the caller's to repeat, and may then be stored twice.
   */
  publish(topic: string, data: Data, { from = 'server' }: { readonly from?: string } = {}): Promise<{ readonly offset: number; readonly epoch: string }> {
    if (!isTopicName(topic)) throw new HoldfastError('USAGE', `"${topic}" is not a topic name (HF-1.1)`);
    if (!this.services.hasTopic(topic)) throw new HoldfastError('UNKNOWN_TOPIC', `no rule of this hub matches "${topic}"`);
    return this.#speaker.publish(topic, { subject: from }, data, () => undefined);
  }

  /** Deletes a topic's log; subscribers get a `gap` with reason `epoch`. */
  async deleteTopic(topic: string): Promise<void> {
    await this.services.sequencer.remove(topic);
  }

  /** Asks the rights of all subscriptions again, or of one subject's: after a role was taken or given (HF-5.10). */
  async recheck(subject?: string): Promise<void> {
    const concerned = [...this.#connections].filter((connection) => subject === undefined || connection.identity?.subject === subject);
    await Promise.all(concerned.map((connection) => connection.recheck()));
  }

  /** One step of retention, of expiry, and of forgetting what nobody uses. Runs by itself every `maintainIntervalMs`. */
  async maintain(): Promise<void> {
    const now = this.#clock.now();
    const page = await this.#store.topics(this.#sweptTopic, SWEEP_COUNT);
    this.#sweptTopic = page.length < SWEEP_COUNT ? undefined : page.at(-1)!.topic;
    for (const { topic, first, last } of page) {
      const rule = this.#ruleOf(topic)?.retention;
      if (rule === undefined || last < first) continue;
      const { countMax, bytesMax, ageMaxMs } = rule;
      const keep = { ...(countMax === undefined ? {} : { countMax }), ...(bytesMax === undefined ? {} : { bytesMax }), ...(ageMaxMs === undefined ? {} : { atMin: now - ageMaxMs }) };
      await this.services.sequencer.trim(topic, keep);
    }
    if (now - this.#expiredAt >= EXPIRE_INTERVAL_MS) {
      this.#expiredAt = now;
      await this.#store.expireProducers(now - this.services.limits.producerSilenceMs);
    }
    for (const [name, topic] of this.#topics) {
      if (!topic.isIdle || topic.usedAt >= now - IDLE_MS) continue;
      this.#topics.delete(name);
      this.#numbers.delete(topic.number);
    }
    this.services.sequencer.forgetIdle(now - IDLE_MS, (topic) => this.#topics.has(topic));
  }

  /**
   * Ends everything: `goaway` to all, and for up to `drainMs` (default 0) what still comes is carried out (HF-8.3); then
   * what was published is committed and acknowledged, and connections are closed with 4200. The store is the caller's
   * to close.
   */
  async close({ reason = 'the server is shutting down', drainMs = 0 }: CloseOptions = {}): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    for (const connection of this.#connections) connection.goaway(reason);
    if (drainMs > 0) await this.#drained(drainMs);
    await this.services.sequencer.close();
    for (const connection of this.#connections) connection.close(CLOSE_CODES.GOING_AWAY.code, 'GOING_AWAY');
    for (const topic of this.#topics.values()) topic.presence.close();
  }

  spreadMs(): number {
    return Math.min(SPREAD_MAX_MS, Math.max(SPREAD_MIN_MS, this.#connections.size));
  }

  sessionName(): string {
    return randomName(this.#random, 12);
  }

  fence(connection: Connection): void {
    const key = sessionKey(connection);
    const older = this.#sessions.get(key);
    this.#sessions.set(key, connection);
    older?.close(CLOSE_CODES.FENCED.code, 'FENCED');
  }

  closed(connection: Connection): void {
    this.#connections.delete(connection);
    const key = sessionKey(connection);
    if (this.#sessions.get(key) === connection) this.#sessions.delete(key);
    if (this.#connections.size === 0) this.#onEmpty?.();
  }

  /** Resolves when every connection has left, or the time is over. */
  async #drained(drainMs: number): Promise<void> {
    if (this.#connections.size === 0) return;
    let timer: Timer;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
      timer = this.#clock.setTimeout(resolve, drainMs);
    });
    this.#clock.clearTimeout(timer);
  }

  #makeServices(limits: Limits): Services {
    const sequencer = new Sequencer({
      store: this.#store,
      clock: this.#clock,
      random: this.#random,
      producerSilenceMs: limits.producerSilenceMs,
      pendingMax: PENDING_MAX,
      kindOf: (topic) => this.#ruleOf(topic)?.kind ?? log(),
      listener: {
        onCommit: (topicLog, commit) => this.#topics.get(topicLog.topic)?.deliver(commit),
        onReload: (topicLog) => this.#topics.get(topicLog.topic)?.reloaded(),
      },
    });
    return {
      clock: this.#clock,
      store: this.#store,
      limits,
      sequencer,
      intake: new Intake(sequencer, limits),
      reads: new Turnstile(PAGES_MAX),
      page: PAGE,
      hasTopic: (topic) => this.#ruleOf(topic) !== undefined,
      beforePublishOf: (topic) => this.#ruleOf(topic)?.beforePublish,
      openTopic: (topic) => this.#openTopic(topic),
      topicOf: (number) => this.#numbers.get(number)?.name,
      refusalOf: (error) => this.#refusalOf(error),
    };
  }

  #ruleOf(topic: string): CompiledRule | undefined {
    return this.#rules.find(({ matcher }) => matcher.match(topic) !== undefined);
  }

  async #openTopic(name: string): Promise<OpenTopic> {
    const { log: topicLog, head } = await this.services.sequencer.open(name);
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      topic = new Topic({ log: topicLog, number: this.#nextNumber++, clock: this.#clock, graceMs: this.#presenceGraceMs });
      this.#topics.set(name, topic);
      this.#numbers.set(topic.number, topic);
    }
    topic.usedAt = this.#clock.now();
    return { topic, head };
  }

  #refusalOf(error: unknown): HoldfastError {
    if (error instanceof HoldfastError) return error;
    this.#onError(error);
    return new HoldfastError('INTERNAL', undefined, { cause: error });
  }

  #scheduleMaintenance(): void {
    if (this.#maintainIntervalMs === 0) return;
    this.#timer = this.#clock.setTimeout(() => {
      void this.maintain()
        .catch((error: unknown) => this.#onError(error))
        .finally(() => {
          if (!this.#isClosed) this.#scheduleMaintenance();
        });
    }, this.#maintainIntervalMs);
  }
}

/** Creates a hub. Its store stays the caller's. */
export function createHub(options: HubOptions): Hub {
  return new Hub(options);
}

function sessionKey({ client, identity }: Connection): string {
  return `${client} ${identity?.subject ?? ''}`;
}

