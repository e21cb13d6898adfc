/**
 * The server's heart: connections, topics, fan-out. It knows neither a socket library nor a database; both are ports, as
 * are the clock and chance, so that a simulator drives this very code.
 */

import { CLOSE_CODES, HoldfastError, isTopicName, limitsWith, type Data, type Limits } from '@holdfast/wire';
import { randomName, systemClock, systemRandom, type Clock, type Random, type Timer } from './clock.ts';
import { Connection, type Arrival, type ConnectionHost } from './connection.ts';
import { guardedKind } from './guarded-kind.ts';
import { Intake, type BeforePublish } from './intake.ts';
import { log, type Kind } from './kind.ts';
import { isSubject } from './rights.ts';
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
/** After this time without use a topic's state is dropped from memory, ms. */
const IDLE_MS = 600_000;
/** Topics whose retention is examined in one step. */
const SWEEP_COUNT = 256;
const EXPIRE_INTERVAL_MS = 3_600_000;
/** HF-3.4: a node takes about a thousand returning clients a second, and a lone one need not wait long. */
const SPREAD_MIN_MS = 100;
const SPREAD_MAX_MS = 30_000;
/** How long `close` waits for hooks and commits before it lets go of what is unanswered, ms. */
const CLOSE_TIMEOUT_MS = 10_000;

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
  readonly #speaker: Speaker;
  #nextNumber = 1;
  #nextHello = 1;
  #sweptTopic: string | undefined;
  #expiredAt: number;
  #timer: Timer | undefined;
  #goingAway: string | undefined;
  #closing: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(options: HubOptions) {
    const { store, topics = [{ pattern: '*' }], clock = systemClock, random = systemRandom } = options;
    const { heartbeatMs = 25_000, helloTimeoutMs = 10_000, presenceGraceMs = 10_000, maintainIntervalMs = 1_000 } = options;
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
    const limits = limitsWith({ inFlightMax: store.outcomesMax, ...options.limits });
    if (limits.inFlightMax > store.outcomesMax) {
      const message = `limits.inFlightMax is ${limits.inFlightMax}, and the store keeps ${store.outcomesMax} outcomes of a producer`;
      throw new HoldfastError('USAGE', message, { hint: 'Open the store with a larger outcomesMax.' });
    }
    this.services = this.#makeServices(limits);
    this.#speaker = new Speaker(this.services.intake, `server-${randomName(random, 12)}`, limits);
    this.#scheduleMaintenance();
  }

  /** How many connections there are. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Takes over an accepted socket. */
  accept(socket: Socket, arrival: Arrival): void {
    const connection = new Connection(this, socket, arrival);
    if (this.#closing !== undefined) return connection.end(new HoldfastError('GOING_AWAY'), CLOSE_CODES.GOING_AWAY);
    this.#connections.add(connection);
  }

  /**
   * Publishes on behalf of the application; resolves after the commit. No rights and no `beforePublish` are asked. It has
   * no outbox: a retryable refusal (`STORE_*`, `OVERLOADED`) is the caller's to repeat, and may then be stored twice.
   * Publishes of one `from` to one topic keep the order of the calls. Throws `USAGE` at once for what can be no publish.
   */
  publish(
    topic: string,
    data: Data,
    { from = 'server' }: { readonly from?: string } = {},
  ): Promise<{ readonly offset: number; readonly epoch: string }> {
    if (!isTopicName(topic)) throw new HoldfastError('USAGE', `"${topic}" is not a topic name (HF-1.1)`);
    if (!isSubject(from)) throw new HoldfastError('USAGE', '"from" must have 1 to 256 characters');
    if (!this.services.hasTopic(topic)) throw new HoldfastError('UNKNOWN_TOPIC', `no rule of this hub matches "${topic}"`);
    return this.#speaker.publish(topic, { subject: from }, data, () => undefined);
  }

  /** Deletes a topic's log; subscribers get a `gap` with reason `epoch`. */
  async deleteTopic(topic: string): Promise<void> {
    if (!isTopicName(topic)) throw new HoldfastError('USAGE', `"${topic}" is not a topic name (HF-1.1)`);
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
    this.#forgetIdle(now - IDLE_MS);
    const page = await this.#store.topics(this.#sweptTopic, SWEEP_COUNT);
    this.#sweptTopic = page.length < SWEEP_COUNT ? undefined : page.at(-1)!.topic;
    for (const { topic, first, last } of page) {
      const rule = this.#ruleOf(topic)?.retention;
      if (rule === undefined || last < first) continue;
      const { countMax, bytesMax, ageMaxMs } = rule;
      const isWithin = bytesMax === undefined && ageMaxMs === undefined && last - first < (countMax ?? Infinity);
      if (isWithin) continue;
      const keep = {
        ...(countMax === undefined ? {} : { countMax }),
        ...(bytesMax === undefined ? {} : { bytesMax }),
        ...(ageMaxMs === undefined ? {} : { atMin: now - ageMaxMs }),
      };
      await this.services.sequencer.trim(topic, keep);
    }
    if (now - this.#expiredAt < EXPIRE_INTERVAL_MS) return;
    await this.#store.expireProducers(now - this.services.limits.producerSilenceMs);
    this.#expiredAt = now;
  }

  /**
   * Ends everything: `goaway` to all, and for up to `drainMs` (default 0) what still comes is carried out (HF-8.3); then
   * what was published is committed and acknowledged, which is waited for up to 10 s, and connections are closed with
   * 4200. The store is the caller's to close. Every call resolves when all of this is done.
   */
  close({ reason = 'the server is shutting down', drainMs = 0 }: CloseOptions = {}): Promise<void> {
    return (this.#closing ??= this.#close(reason, drainMs));
  }

  get goingAway(): string | undefined {
    return this.#goingAway;
  }

  spreadMs(): number {
    return Math.min(SPREAD_MAX_MS, Math.max(SPREAD_MIN_MS, this.#connections.size));
  }

  sessionName(): string {
    return randomName(this.#random, 12);
  }

  helloNumber(): number {
    return this.#nextHello++;
  }

  fence(connection: Connection): boolean {
    const key = sessionKey(connection);
    const other = this.#sessions.get(key);
    // Credentials are examined at different speeds: what counts is whose hello came last.
    if (other !== undefined && other.helloNumber > connection.helloNumber) return false;
    this.#sessions.set(key, connection);
    other?.close(CLOSE_CODES.FENCED.code, 'FENCED');
    return true;
  }

  closed(connection: Connection): void {
    this.#connections.delete(connection);
    const key = sessionKey(connection);
    if (this.#sessions.get(key) === connection) this.#sessions.delete(key);
    if (this.#connections.size === 0) this.#onEmpty?.();
  }

  async #close(reason: string, drainMs: number): Promise<void> {
    this.#goingAway = reason;
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    for (const connection of this.#connections) connection.goaway(reason);
    if (drainMs > 0 && this.#connections.size > 0) await this.#within(drainMs, new Promise<void>((resolve) => (this.#onEmpty = resolve)));
    const { intake, sequencer } = this.services;
    const settled = intake.close().then(() => sequencer.close());
    await this.#within(CLOSE_TIMEOUT_MS, settled);
    for (const connection of this.#connections) connection.close(CLOSE_CODES.GOING_AWAY.code, 'GOING_AWAY');
    for (const topic of this.#topics.values()) topic.presence.close();
  }

  /** Resolves when `event` does, or when the time is over. */
  async #within(timeoutMs: number, event: Promise<void>): Promise<void> {
    let timer: Timer;
    const timeout = new Promise<void>((resolve) => (timer = this.#clock.setTimeout(resolve, timeoutMs)));
    await Promise.race([event, timeout]);
    this.#clock.clearTimeout(timer);
  }

  #forgetIdle(since: number): void {
    for (const [name, topic] of this.#topics) if (topic.isIdle && topic.usedAt < since) this.#topics.delete(name);
    this.services.sequencer.forgetIdle(since, (topic) => this.#topics.has(topic));
  }

  #makeServices(limits: Limits): Services {
    const refusalOf = (error: unknown): HoldfastError => this.#refusalOf(error);
    const sequencer = new Sequencer({
      store: this.#store,
      clock: this.#clock,
      random: this.#random,
      producerSilenceMs: limits.producerSilenceMs,
      kindOf: (topic) => guardedKind(this.#ruleOf(topic)?.kind ?? log(), refusalOf),
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
      intake: new Intake({ sequencer, limits, clock: this.#clock, refusalOf }),
      reads: new Turnstile(PAGES_MAX),
      page: PAGE,
      hasTopic: (topic) => this.#ruleOf(topic) !== undefined,
      beforePublishOf: (topic) => this.#ruleOf(topic)?.beforePublish,
      openTopic: (topic) => this.#openTopic(topic),
      refusalOf,
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
    }
    topic.usedAt = this.#clock.now();
    return { topic, head };
  }

  #refusalOf(error: unknown): HoldfastError {
    if (error instanceof HoldfastError) return error;
    this.#report(error);
    return new HoldfastError('INTERNAL', undefined, { cause: error });
  }

  #report(error: unknown): void {
    try {
      this.#onError(error);
    } catch {
      // There is nobody left to tell, and what is under way must not suffer.
    }
  }

  #scheduleMaintenance(): void {
    if (this.#maintainIntervalMs === 0 || this.#closing !== undefined) return;
    this.#timer = this.#clock.setTimeout(() => {
      void this.maintain()
        .catch((error: unknown) => this.#report(error))
        .finally(() => this.#scheduleMaintenance());
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
