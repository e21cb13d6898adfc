/**
 * The server's heart: connections, topics, fan-out. It knows neither a socket library nor a database; both are ports, as
 * are the clock and chance, so that a simulator drives this very code.
 */

import { CLOSE_CODES, HoldfastError, isTopicName, type Data } from '@holdfast/wire';
import { Actor, type PublishOptions } from './actor.ts';
import type { Account } from './accounts.ts';
import { Admission } from './admission.ts';
import { addressGroup } from './client-address.ts';
import { randomName, systemClock, systemRandom, type Clock, type Random, type Timer } from './clock.ts';
import { Connection, type Arrival, type ConnectionHost } from './connection.ts';
import { guardedKind } from './guarded-kind.ts';
import { Counters, type HubStats } from './counters.ts';
import type { Endpoint } from './endpoint.ts';
import type { HubEvent } from './events.ts';
import { Intake, type BeforePublish } from './intake.ts';
import { log, type Kind } from './kind.ts';
import { systemMemory, systemMemoryBytesMax } from './memory.ts';
import { limitSetWith, type LimitChanges, type LimitName, type LimitSet } from './node-limits.ts';
import { isSubject, type Identity } from './rights.ts';
import { Sequencer } from './sequencer.ts';
import type { OpenTopic, Services } from './services.ts';
import type { Socket } from './socket.ts';
import { Speaker, type Published } from './speaker.ts';
import type { TopicStore } from './store.ts';
import { SYSTEM_PREFIX } from './system-topic.ts';
import { Topic } from './topic.ts';
import type { TailBudget } from './topic-tail.ts';
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
  /** Any of the two tables of limits: those announced in `welcome`, and those of the node. `Infinity` lifts one of the node. */
  readonly limits?: LimitChanges;
  /** HF-8.1, ms. Default 25,000: below the 30 s after which the strictest proxies drop a silent connection. */
  readonly heartbeatMs?: number;
  /**
   * HF-3.4, HF-11.3: over how long clients that lost their connection spread their return, whole ms; or a function that tells
   * it for a number of connections. Default: one ms for each connection, from 100 to 30,000.
   */
  readonly spreadMs?: number | ((connections: number) => number);
  /** HF-7.6, ms. Default 10,000. */
  readonly presenceGraceMs?: number;
  /** How often retention and forgetting take their next step, ms. Default 1,000; 0: only when `maintain` is called. */
  readonly maintainIntervalMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Memory in use, bytes: what `limits.memoryBytesMax` bounds. Default: the process's heap and buffers. */
  readonly memory?: () => number;
  /** Under which key an address is counted. Default: the address, of IPv6 its /64. */
  readonly addressGroup?: (address: string) => string;
  /** Is told what happens, for logs. Never a token, never a payload. */
  readonly onEvent?: (event: HubEvent) => void;
  /** Gets what a hook, a method or a handler threw and no client may read. Default: `console.error`. */
  readonly onError?: (error: unknown) => void;
}

export interface CloseOptions {
  /** What `goaway` says. */
  readonly reason?: string;
  readonly drainMs?: number;
  /** Where clients should go instead (HF-8.3). */
  readonly alternate?: string;
}

/** Whose connections: all that fit everything that is given. */
export interface ConnectionFilter {
  readonly subject?: string | undefined;
  readonly client?: string | undefined;
  readonly session?: string | undefined;
  readonly credentialId?: string | undefined;
  /** Credentials issued before, ms since 1970; those without a time fit. */
  readonly issuedBeforeMs?: number | undefined;
}

/** The bounds of a page of replay (HF-5.12). */
const PAGE = { countMax: 256, bytesMax: 262_144 };
/** After this time without use a topic's state is dropped from memory, ms. */
const IDLE_MS = 60_000;
/** Topics whose retention is examined in one step. */
const SWEEP_COUNT = 256;
const EXPIRE_INTERVAL_MS = 3_600_000;
/** HF-3.4: a node takes about a thousand returning clients a second, and a lone one need not wait long. */
const SPREAD_MIN_MS = 100;
const SPREAD_MAX_MS = 30_000;
/** How long `close` waits for hooks and commits before it lets go of what is unanswered, ms. */
const CLOSE_TIMEOUT_MS = 10_000;
/** How many connections are told at a time that the server goes away, and how much of the drain that may take. */
const GOAWAY_SLICE_COUNT = 500;
const GOAWAY_SHARE = 0.5;
/** What the tails of all topics may hold, about so many bytes. */
const TAILS_MAX = 67_108_864;
/** How often in a beat it is looked who is due: one timer for all. */
const LOOKS_PER_BEAT = 10;
/** `retryAfterMs` of what a closing node refuses. */
const CLOSING_RETRY_MS = 1_000;

interface CompiledRule extends TopicRule {
  readonly matcher: TopicPattern;
}

export class Hub implements ConnectionHost {
  readonly services: Services;
  readonly heartbeatMs: number;
  /** What it has counted since it began. */
  readonly counters: Counters = new Counters();
  readonly #store: TopicStore;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #rules: readonly CompiledRule[];
  readonly #onError: (error: unknown) => void;
  readonly #onEvent: (event: HubEvent) => void;
  readonly #admission: Admission;
  readonly #spreadMs: (connections: number) => number;
  readonly #presenceGraceMs: number;
  readonly #maintainIntervalMs: number;
  readonly #connections = new Set<Connection>();
  readonly #sessions = new Map<string, Connection>();
  readonly #topics = new Map<string, Topic>();
  /** Topics by number; none is ever given twice. */
  readonly #numbers = new Map<number, string>();
  readonly #speaker: Speaker;
  readonly #tails: TailBudget = { held: 0, heldMax: TAILS_MAX };
  #welcomedCount = 0;
  #nextNumber = 1;
  #nextHello = 1;
  #sweptTopic: string | undefined;
  #expiredAt: number;
  #timer: Timer | undefined;
  #beatTimer: Timer | undefined;
  #goingAway: string | undefined;
  #closing: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(options: HubOptions) {
    const { store, topics = [{ pattern: '*' }], clock = systemClock, random = systemRandom } = options;
    const { heartbeatMs = 25_000, presenceGraceMs = 10_000, maintainIntervalMs = 1_000, spreadMs = defaultSpreadMs } = options;
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
    this.#rules = [{ pattern: `${SYSTEM_PREFIX}*` }, ...topics].map((rule) => ({ ...rule, matcher: parseTopicPattern(rule.pattern) }));
    // oxlint-disable-next-line no-console -- the default of a port whose purpose is to be replaced
    this.#onError = options.onError ?? ((error) => console.error(error));
    this.#onEvent = options.onEvent ?? ((): void => {});
    this.heartbeatMs = heartbeatMs;
    this.#spreadMs = typeof spreadMs === 'number' ? (): number => spreadMs : spreadMs;
    this.#presenceGraceMs = presenceGraceMs;
    this.#maintainIntervalMs = maintainIntervalMs;
    this.#expiredAt = clock.now();
    const limits = limitsOf(options);
    this.#admission = new Admission({
      limits: limits.node,
      clock,
      memory: options.memory ?? systemMemory,
      groupOf: options.addressGroup ?? addressGroup,
      connections: () => ({ all: this.#connections.size, pending: this.#connections.size - this.#welcomedCount }),
      onLimited: (limit, key, isNew) => this.#limited(limit, key, isNew),
    });
    this.services = this.#makeServices(limits);
    this.#speaker = new Speaker(this.services.intake, `server-${randomName(random, 12)}`, limits.announced);
    this.#scheduleMaintenance();
  }

  /** How many connections there are. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** How it stands at this moment. */
  stats(): HubStats {
    const { intake, reads } = this.services;
    const connections = [...this.#connections];
    return {
      connections: connections.length,
      pendingConnections: connections.length - this.#welcomedCount,
      slowConnections: connections.filter(({ isReady }) => !isReady).length,
      subscriptions: connections.reduce((sum, { subscriptionCount }) => sum + subscriptionCount, 0),
      topics: this.#topics.size,
      members: [...this.#topics.values()].reduce((sum, { presence }) => sum + presence.count, 0),
      unansweredPublishes: intake.unanswered.count,
      unansweredBytes: intake.unanswered.bytes,
      waitingReads: reads.waitingCount,
      accounts: this.#admission.subjects.count + this.#admission.addresses.count,
      memoryBytes: this.#admission.memoryBytes,
    };
  }

  /**
   * Asks whether a connection from `address` may come in, before its upgrade is answered, and counts it. `waitingCount`: of
   * those that were let in before, how many have not been handed over. A refusal has a `retryAfterMs` (HF-2.6).
   */
  admit(address: string, waitingCount: number = 0): HoldfastError | undefined {
    if (this.#closing !== undefined) return new HoldfastError('GOING_AWAY', undefined, { retryAfterMs: CLOSING_RETRY_MS });
    return this.#admission.admit(address, waitingCount);
  }

  /** Takes over an accepted socket. */
  accept(socket: Socket, arrival: Arrival): void {
    const { account, isFull } = this.#admission.enterAddress(arrival.address);
    const connection = new Connection(this, socket, arrival, account);
    this.counters.connectionsOpened += 1;
    this.#connections.add(connection);
    if (this.#closing !== undefined) return connection.end(new HoldfastError('GOING_AWAY'), CLOSE_CODES.GOING_AWAY);
    if (arrival.refusal !== undefined) return connection.refuse(arrival.refusal);
    if (!isFull) return;
    connection.limited('addressConnectionsMax');
    const message = 'this address has as many connections as it may (limits.addressConnectionsMax)';
    connection.refuse(new HoldfastError('TOO_MANY_CONNECTIONS', message));
  }

  /**
   * Somebody who acts without a connection. With an endpoint: with its topics and the identity's rights there; without: may
   * do everything. Publishes of one subject to one topic keep the order of the calls.
   */
  actor(identity: Identity, endpoint?: Endpoint): Actor {
    return new Actor(this.services, this.#speaker, identity, endpoint);
  }

  /**
   * Publishes on behalf of the application; resolves after the commit. No rights and no `beforePublish` are asked. It has
   * no outbox: a retryable refusal (`STORE_*`, `OVERLOADED`) is the caller's to repeat, and may then be stored twice.
   * Publishes of one `from` to one topic keep the order of the calls. Throws `USAGE` at once for what can be no publish.
   */
  publish(
    topic: string,
    data: Data,
    { from = 'server', ...options }: PublishOptions & { readonly from?: string } = {},
  ): Promise<Published> {
    if (!isSubject(from)) throw new HoldfastError('USAGE', '"from" must have 1 to 256 characters');
    return this.actor({ subject: from }).publish(topic, data, options);
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

  /**
   * Takes credentials back: every connection that fits the filter is told why, and closed at once. To keep them out is the
   * affair of `authenticate`. Returns how many there were.
   */
  disconnect(filter: ConnectionFilter, reason: HoldfastError = new HoldfastError('REVOKED')): number {
    const concerned = [...this.#connections].filter((connection) => fits(connection, filter));
    for (const connection of concerned) connection.refuse(reason);
    const { subject, credentialId } = filter;
    this.event({
      type: 'disconnected',
      connections: concerned.length,
      ...(subject === undefined ? {} : { subject }),
      ...(credentialId === undefined ? {} : { credentialId }),
    });
    return concerned.length;
  }

  /** One step of retention, of expiry, and of forgetting what nobody uses. Runs by itself every `maintainIntervalMs`. */
  async maintain(): Promise<void> {
    const now = this.#clock.now();
    this.#forgetIdle(now - IDLE_MS);
    this.#admission.sweep();
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
   * Ends everything: `goaway` to all, in slices so that they do not leave at once, and for up to `drainMs` (default 0) what still comes is carried out (HF-8.3); then
   * what was published is committed and acknowledged, which is waited for up to 10 s, and connections are closed with
   * 4200. The store is the caller's to close. Every call resolves when all of this is done.
   */
  close({ reason = 'the server is shutting down', drainMs = 0, alternate }: CloseOptions = {}): Promise<void> {
    return (this.#closing ??= this.#close(reason, drainMs, alternate));
  }

  get goingAway(): string | undefined {
    return this.#goingAway;
  }

  spreadMs(): number {
    return this.#spreadMs(this.#connections.size);
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

  enterSubject(subject: string): Account | undefined {
    const account = this.#admission.enterSubject(subject);
    if (account !== undefined) this.#welcomedCount += 1;
    return account;
  }

  welcomed(connection: Connection): void {
    if (this.#beatTimer === undefined) this.#scheduleBeat();
    this.event({ type: 'welcomed', ...connection.facts });
  }

  event(event: HubEvent): void {
    try {
      this.#onEvent(event);
    } catch (error) {
      this.#report(error);
    }
  }

  closed(connection: Connection, { code }: { readonly code: number }): void {
    this.#connections.delete(connection);
    this.counters.countClosed(code);
    const { subjectAccount, addressAccount } = connection;
    this.#admission.addresses.leave(addressAccount);
    if (subjectAccount !== undefined) {
      this.#welcomedCount -= 1;
      this.#admission.subjects.leave(subjectAccount);
    }
    const key = sessionKey(connection);
    if (this.#sessions.get(key) === connection) this.#sessions.delete(key);
    if (this.#connections.size > 0) return;
    if (this.#beatTimer !== undefined) this.#clock.clearTimeout(this.#beatTimer);
    this.#beatTimer = undefined;
    this.#onEmpty?.();
  }

  async #close(reason: string, drainMs: number, alternate: string | undefined): Promise<void> {
    this.#goingAway = reason;
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.event({ type: 'draining', reason, connections: this.#connections.size });
    const empty = new Promise<void>((resolve) => (this.#onEmpty = resolve));
    const told = this.#sayGoaway([...this.#connections], reason, drainMs * GOAWAY_SHARE, alternate);
    if (drainMs > 0 && this.#connections.size > 0) {
      await this.#within(drainMs, empty);
      await told;
    }
    const { intake, sequencer } = this.services;
    const settled = intake.close().then(() => sequencer.close());
    await this.#within(CLOSE_TIMEOUT_MS, settled);
    for (const connection of this.#connections) connection.close(CLOSE_CODES.GOING_AWAY.code, 'GOING_AWAY');
    for (const topic of this.#topics.values()) topic.presence.close();
  }

  /** Slice by slice over `durationMs`; each client then leaves at a random time of the spread that it is told. */
  async #sayGoaway(connections: readonly Connection[], reason: string, durationMs: number, alternate: string | undefined): Promise<void> {
    const sliceCount = Math.ceil(connections.length / GOAWAY_SLICE_COUNT);
    const pauseMs = sliceCount <= 1 ? 0 : durationMs / (sliceCount - 1);
    for (let slice = 0; slice < sliceCount; slice++) {
      if (this.#connections.size === 0) return;
      const begin = slice * GOAWAY_SLICE_COUNT;
      for (const connection of connections.slice(begin, begin + GOAWAY_SLICE_COUNT)) connection.goaway(reason, alternate);
      if (pauseMs > 0 && slice < sliceCount - 1) await new Promise<void>((resolve) => this.#clock.setTimeout(resolve, pauseMs));
    }
  }

  /** Resolves when `event` does, or when the time is over. */
  async #within(timeoutMs: number, event: Promise<void>): Promise<void> {
    let timer: Timer;
    const timeout = new Promise<void>((resolve) => (timer = this.#clock.setTimeout(resolve, timeoutMs)));
    await Promise.race([event, timeout]);
    this.#clock.clearTimeout(timer);
  }

  #forgetIdle(since: number): void {
    for (const [name, topic] of this.#topics) {
      topic.tail.sweep();
      if (!topic.isIdle || topic.usedAt >= since) continue;
      topic.tail.clear();
      this.#topics.delete(name);
      this.#numbers.delete(topic.number);
    }
    this.services.sequencer.forgetIdle(since, (topic) => this.#topics.has(topic));
  }

  #makeServices({ announced: limits, node }: LimitSet): Services {
    const refusalOf = (error: unknown): HoldfastError => this.#refusalOf(error);
    const sequencer = new Sequencer({
      store: this.#store,
      clock: this.#clock,
      random: this.#random,
      producerSilenceMs: limits.producerSilenceMs,
      kindOf: (topic) => guardedKind(this.#ruleOf(topic)?.kind ?? log(), refusalOf),
      listener: {
        onCommit: (topicLog, commit) => {
          this.counters.entriesPublished += commit.entries.length;
          this.#topics.get(topicLog.topic)?.deliver(commit);
        },
        onReload: (topicLog) => this.#topics.get(topicLog.topic)?.reloaded(),
      },
    });
    return {
      clock: this.#clock,
      store: this.#store,
      limits,
      nodeLimits: node,
      counters: this.counters,
      sequencer,
      intake: new Intake({
        sequencer,
        limits,
        clock: this.#clock,
        refusalOf,
        countMax: node.unansweredPublishesMax,
        bytesMax: node.unansweredBytesMax,
        hookTimeoutMs: node.hookTimeoutMs,
        onLimited: (limit, key) => this.#limited(limit, key, false),
      }),
      reads: new Turnstile(node.replayPagesMax, this.#clock),
      page: PAGE,
      hasTopic: (topic) => this.#ruleOf(topic) !== undefined,
      beforePublishOf: (topic) => this.#ruleOf(topic)?.beforePublish,
      topicNumbered: (number) => this.#numbers.get(number),
      openTopic: (topic) => this.#openTopic(topic),
      chargeRequest: (subject, address, charge) => this.#admission.chargeRequest(subject, address, charge),
      lackOfMemory: () => this.#admission.lackOfMemory(),
      inTime: (what, promise) => this.#inTime(what, promise, node.hookTimeoutMs),
      refusalOf,
    };
  }

  /** What a hook gives; a hook that does not answer is a fault of this program. */
  async #inTime<Result>(what: string, promise: PromiseLike<Result>, timeoutMs: number): Promise<Result> {
    let timer: Timer;
    const tooSlow = new Promise<never>((_resolve, reject) => {
      timer = this.#clock.setTimeout(() => {
        this.#limited('hookTimeoutMs', what, true);
        reject(new Error(`${what} did not answer within ${timeoutMs} ms`));
      }, timeoutMs);
    });
    try {
      return await Promise.race([promise, tooSlow]);
    } finally {
      this.#clock.clearTimeout(timer);
    }
  }

  #limited(limit: LimitName, key: string, isNew: boolean): void {
    this.counters.countLimit(limit);
    if (isNew) this.event({ type: 'limited', limit, key });
  }

  #ruleOf(topic: string): CompiledRule | undefined {
    return this.#rules.find(({ matcher }) => matcher.matches(topic));
  }

  async #openTopic(name: string): Promise<OpenTopic> {
    const { log: topicLog, head } = await this.services.sequencer.open(name);
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      topic = new Topic({
        log: topicLog,
        number: this.#nextNumber++,
        clock: this.#clock,
        graceMs: this.#presenceGraceMs,
        tails: this.#tails,
      });
      this.#topics.set(name, topic);
      this.#numbers.set(topic.number, name);
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

  /** HF-8. */
  #scheduleBeat(): void {
    const periodMs = Math.max(1, Math.floor(this.heartbeatMs / LOOKS_PER_BEAT));
    const dueAtMs = this.#clock.now() + periodMs;
    this.#beatTimer = this.#clock.setTimeout(() => {
      this.#scheduleBeat();
      const now = this.#clock.now();
      const isLate = now - dueAtMs > this.heartbeatMs;
      for (const connection of this.#connections) connection.beat(now, periodMs, isLate);
    }, periodMs);
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

function defaultSpreadMs(connections: number): number {
  return Math.min(SPREAD_MAX_MS, Math.max(SPREAD_MIN_MS, connections));
}

function sessionKey({ client, identity }: Connection): string {
  return `${client} ${identity?.subject ?? ''}`;
}

/** Throws `USAGE` for what cannot be. */
function limitsOf({ store, limits = {} }: HubOptions): LimitSet {
  const set = limitSetWith({ inFlightMax: store.outcomesMax, memoryBytesMax: systemMemoryBytesMax(), ...limits });
  const { inFlightMax } = set.announced;
  if (inFlightMax <= store.outcomesMax) return set;
  const message = `limits.inFlightMax is ${inFlightMax}, and the store keeps ${store.outcomesMax} outcomes of a producer`;
  throw new HoldfastError('USAGE', message, { hint: 'Open the store with a larger outcomesMax.' });
}

function fits({ identity, client, session }: Connection, filter: ConnectionFilter): boolean {
  const { subject, credentialId, issuedBeforeMs } = filter;
  if (subject !== undefined && identity?.subject !== subject) return false;
  if (credentialId !== undefined && identity?.credentialId !== credentialId) return false;
  if (filter.client !== undefined && client !== filter.client) return false;
  if (filter.session !== undefined && session !== filter.session) return false;
  return issuedBeforeMs === undefined || (identity?.issuedAtMs ?? 0) < issuedBeforeMs;
}
