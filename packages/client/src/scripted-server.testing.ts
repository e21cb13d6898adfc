/**
 * An honest little server for the client's tests: logs with dense seqs, remembered outcomes, credit, registers and
 * presence, in one turn and in memory. What a test wants otherwise it says through `onPublish` and `onMessage`.
 */

import {
  DEFAULT_LIMITS,
  encodeEntryBinary,
  encodeEntryText,
  encodeReadEntry,
  encodeServerMessage,
  parseClientFrame,
  type ClientMessage,
  type Data,
  type EntryMessage,
  type EntryRecord,
  type ErrorCode,
  type Hello,
  type Json,
  type Limits,
  type Member,
  type Publish,
  type ServerMessage,
  type SubscribeRequest,
} from '@holdfast/wire';
import type { ServerPort } from './memory-network.testing.ts';

interface Outcome {
  readonly digest: string;
  readonly offset?: number;
  readonly count?: number;
  readonly refusal?: ErrorCode;
}

interface Producer {
  seq: number;
  stoppedAt: number | undefined;
  readonly outcomes: Map<number, Outcome>;
}

export class Log {
  readonly topic: string;
  readonly number: number;
  epoch = 'e1';
  first = 1;
  entries: EntryRecord[] = [];
  registers = new Map<string, { value: Json; revision: number }>();
  revision = 0;
  producers = new Map<string, Producer>();
  readonly members = new Map<string, Member>();

  constructor(topic: string, number: number) {
    this.topic = topic;
    this.number = number;
  }

  get last(): number {
    return this.first + this.entries.length - 1;
  }

  /** Appends as somebody else. */
  append(data: Data, from = 'other'): EntryRecord {
    const entry = { offset: this.last + 1, producer: 'other', seq: this.last + 1, from, at: 1, data };
    this.entries.push(entry);
    return entry;
  }

  /** Cuts history before `first`. */
  trim(first: number): void {
    this.entries = this.entries.filter(({ offset }) => offset >= first);
    this.first = first;
  }

  /** A memory store that restarted. */
  restart(epoch: string): void {
    this.epoch = epoch;
    this.first = 1;
    this.entries = [];
    this.registers.clear();
    this.revision = 0;
    this.producers.clear();
  }
}

interface Cursor {
  readonly log: Log;
  readonly credit: number;
  epoch: string;
  offset: number;
  revision: number;
  upTo: number;
  presence: boolean;
}

type Refusal = { readonly code: ErrorCode; readonly retryable?: boolean; readonly retryAfterMs?: number };

/** One connection of the server. */
export class ServerConnection {
  readonly end: ServerPort;
  readonly cursors = new Map<string, Cursor>();
  readonly received: ClientMessage[] = [];
  hello: Hello | undefined;

  constructor(end: ServerPort) {
    this.end = end;
  }

  send(message: Exclude<ServerMessage, EntryMessage>): void {
    this.end.send(encodeServerMessage(message));
  }
}

export class ScriptedServer {
  readonly logs = new Map<string, Log>();
  readonly connections = new Set<ServerConnection>();
  /** Everything that was published and received, in order. */
  readonly published: Publish[] = [];
  readonly hellos: Hello[] = [];
  limits: Limits = DEFAULT_LIMITS;
  subject = 'alice';
  /** It never beats by itself, so it promises none for long. */
  heartbeatMs = 1_000_000_000;
  spreadMs = 250;
  /** Whether members may be seen. */
  showsMembers = true;
  /** When a client is welcomed, by its own clock. */
  readonly timeMs = 1_000_000;
  /** Until when credentials are valid that are shown from now on, by its own clock. */
  expiresAtMs: number | undefined;
  /** Says how a publish is refused, instead of storing it; `store`: stored before the refusal is sent. */
  onPublish: (publish: Publish) => (Refusal & { readonly store?: boolean }) | undefined = () => undefined;
  /** `true`: the message was taken care of. */
  onMessage: (message: ClientMessage, connection: ServerConnection) => boolean = () => false;
  /** Topics that no pattern matches: refused before anything is looked at, so that no seq is spent (HF-6.4). */
  readonly unknownTopics = new Set<string>();
  readonly #topics = new Map<number, string>();

  constructor(network: { onConnect: (end: never) => void }) {
    network.onConnect = (end: ServerPort) => this.#accept(end);
  }

  log(topic: string): Log {
    let log = this.logs.get(topic);
    if (log === undefined) {
      log = new Log(topic, this.logs.size + 1);
      this.logs.set(topic, log);
      this.#topics.set(log.number, topic);
    }
    return log;
  }

  /** Appends as somebody else and sends it on. */
  append(topic: string, data: Data): EntryRecord {
    const entry = this.log(topic).append(data);
    this.pump();
    return entry;
  }

  /** The one connection; fails if there is none or are several. */
  get connection(): ServerConnection {
    const [first, second] = this.connections;
    if (first === undefined || second !== undefined) throw new Error(`${this.connections.size} connections`);
    return first;
  }

  register(topic: string, key: string, value: Json): void {
    const log = this.log(topic);
    log.registers.delete(key);
    log.registers.set(key, { value, revision: ++log.revision });
    this.pump();
  }

  /** Sends every cursor what it may have. */
  pump(): void {
    for (const connection of this.connections) for (const cursor of connection.cursors.values()) this.#flow(connection, cursor);
  }

  #accept(end: ServerPort): void {
    const connection = new ServerConnection(end);
    this.connections.add(connection);
    end.onFrame = (frame) => {
      const message = parseClientFrame(frame, this.limits, (number) => this.#topics.get(number));
      connection.received.push(message);
      if (!this.onMessage(message, connection)) this.handle(message, connection);
    };
    end.onGone = () => this.connections.delete(connection);
    end.open();
  }

  handle(message: ClientMessage, connection: ServerConnection): void {
    switch (message.type) {
      case 'hello':
        return this.#welcome(message, connection);
      case 'subscribe':
        return this.#subscribe(message, connection);
      case 'unsubscribe':
        connection.cursors.delete(message.topic);
        if (message.id !== undefined) connection.send({ type: 'reply', id: message.id, data: null });
        return;
      case 'publish':
        this.published.push(message);
        return this.#publish(message, connection);
      case 'read': {
        const { epoch, first, last, entries } = this.log(message.topic);
        const { after, before, limit = 1_000 } = message;
        const page =
          after === undefined
            ? entries.filter(({ offset }) => offset < before!).slice(-limit)
            : entries.filter(({ offset }) => offset > after).slice(0, limit);
        return connection.send({ type: 'reply', id: message.id, data: { epoch, first, last, entries: page.map(encodeReadEntry) } });
      }
      case 'credit': {
        const cursor = connection.cursors.get(message.topic);
        if (cursor === undefined || (message.epoch ?? cursor.epoch) !== cursor.epoch) return;
        cursor.upTo = Math.max(cursor.upTo, message.upTo);
        return this.#flow(connection, cursor);
      }
      case 'register': {
        const { topic, key, merge, value, id, ifRevision } = message;
        const known = this.log(topic).registers.get(key);
        if (ifRevision !== undefined && ifRevision !== (known?.revision ?? 0))
          return this.refuse(connection, { id }, { code: 'REVISION_MISMATCH' });
        const isNew = merge === 'replace' || known === undefined || (value as number) > (known.value as number);
        if (isNew) this.register(topic, key, value);
        return connection.send({ type: 'reply', id, data: { key, ...this.log(topic).registers.get(key)! } });
      }
      case 'signal':
        for (const other of this.connections) {
          if (other !== connection && other.cursors.has(message.topic))
            other.send({ type: 'signal', topic: message.topic, from: this.subject, client: connection.hello!.client, data: message.data });
        }
        return;
      case 'presence':
        return this.#presence(connection, message.topic, message.state, message.id);
      case 'call':
        return connection.send({ type: 'reply', id: message.id, data: { method: message.method, data: message.data ?? null } });
      case 'auth':
        return connection.send({ type: 'reply', id: message.id, data: { subject: this.subject, ...this.#expiry() } });
      case 'ping':
        return connection.send({ type: 'pong' });
      case 'pong':
        return;
    }
  }

  refuse(
    connection: ServerConnection,
    about: { id?: string | number; topic?: string; producer?: string; seq?: number },
    { code, retryable = false, retryAfterMs }: Refusal,
  ): void {
    connection.send({ type: 'error', code, message: code, retryable, ...(retryAfterMs === undefined ? {} : { retryAfterMs }), ...about });
  }

  #welcome(hello: Hello, connection: ServerConnection): void {
    connection.hello = hello;
    this.hellos.push(hello);
    const { limits, subject, heartbeatMs, spreadMs, timeMs: time } = this;
    connection.send({ type: 'welcome', session: 's', subject, heartbeatMs, spreadMs, time, ...this.#expiry(), limits });
    for (const request of hello.subscribe ?? []) this.#subscribe(request, connection);
  }

  #expiry(): { expiresAt?: number } {
    return this.expiresAtMs === undefined ? {} : { expiresAt: this.expiresAtMs };
  }

  #subscribe(
    { id, topic, position, last, credit = Number.MAX_SAFE_INTEGER, presence = false }: SubscribeRequest,
    connection: ServerConnection,
  ): void {
    const log = this.log(topic);
    const start = position ?? {
      epoch: log.epoch,
      offset: last === undefined ? log.last : Math.max(log.first - 1, log.last - last),
      revision: 0,
    };
    const hidden = presence && !this.showsMembers ? { presence: false } : {};
    connection.send({ type: 'subscribed', id, topic, number: log.number, position: start, head: log.last, ...hidden });
    const upTo = start.offset + credit;
    const cursor: Cursor = { log, credit, ...start, upTo, presence: presence && this.showsMembers };
    connection.cursors.set(topic, cursor);
    if (presence && this.showsMembers) connection.send({ type: 'presence', topic, event: 'members', members: [...log.members.values()] });
    this.#flow(connection, cursor);
  }

  #flow(connection: ServerConnection, cursor: Cursor): void {
    const { log } = cursor;
    const { topic } = log;
    const isOther = cursor.epoch !== log.epoch;
    const isAhead = !isOther && cursor.offset > log.last;
    if (isOther || isAhead || cursor.offset < log.first - 1) {
      const before = { epoch: cursor.epoch, offset: cursor.offset, revision: cursor.revision };
      const after = { epoch: log.epoch, offset: log.first - 1, revision: isOther || isAhead ? 0 : cursor.revision };
      Object.assign(cursor, after, { upTo: after.offset + cursor.upTo - cursor.offset });
      connection.send({ type: 'gap', topic, reason: isOther ? 'epoch' : isAhead ? 'ahead' : 'retention', before, after });
    }
    for (const [key, { value, revision }] of log.registers) {
      if (revision <= cursor.revision) continue;
      cursor.revision = revision;
      connection.send({ type: 'register', topic: log.topic, key, value, revision });
    }
    while (cursor.offset < log.last && cursor.offset < cursor.upTo) {
      const { data, ...entry } = log.entries[++cursor.offset - log.first]!;
      connection.end.send(
        data instanceof Uint8Array ? encodeEntryBinary(log.number, entry, data) : encodeEntryText(log.topic, entry, JSON.stringify(data)),
      );
    }
  }

  #publish(publish: Publish, connection: ServerConnection): void {
    const { topic, producer: name, seq, items, epoch, ifHead } = publish;
    const log = this.log(topic);
    const about = { topic, producer: name, seq };
    const refuse = (refusal: Refusal): void => this.refuse(connection, about, refusal);
    if (this.unknownTopics.has(topic)) return refuse({ code: 'UNKNOWN_TOPIC' });
    if (epoch !== undefined && epoch !== log.epoch) return refuse({ code: 'EPOCH_CHANGED' });
    const key = `${this.subject} ${name}`;
    const producer = log.producers.get(key) ?? { seq: 0, stoppedAt: undefined, outcomes: new Map<number, Outcome>() };
    if (!log.producers.has(key) && seq > 1) return refuse({ code: 'PRODUCER_UNKNOWN' });
    log.producers.set(key, producer);
    const digest = JSON.stringify(items.map((item) => (item instanceof Uint8Array ? [...item] : { item })));
    if (seq <= producer.seq) return this.#again(connection, publish, log, producer.outcomes.get(seq), digest);
    if (producer.stoppedAt !== undefined && seq > producer.stoppedAt) return refuse({ code: 'PIPELINE_STOPPED', retryable: true });
    if (seq > producer.seq + 1) return refuse({ code: 'SEQ_GAP' });
    const { store = false, ...refusal } = this.onPublish(publish) ?? { code: undefined };
    if (refusal.code !== undefined && refusal.retryable === true && !store) {
      producer.stoppedAt = seq;
      return refuse(refusal as Refusal);
    }
    producer.seq = seq;
    producer.stoppedAt = undefined;
    for (const old of producer.outcomes.keys()) if (old <= seq - this.limits.inFlightMax) producer.outcomes.delete(old);
    const isMismatch = ifHead !== undefined && ifHead !== log.last;
    if ((refusal.code !== undefined && !store) || isMismatch) {
      const code = refusal.code ?? 'HEAD_MISMATCH';
      producer.outcomes.set(seq, { digest, refusal: code });
      return refuse({ code });
    }
    const offset = log.last + 1;
    items.forEach((data, at) => log.entries.push({ offset: offset + at, producer: name, seq, from: this.subject, at: 1, data }));
    producer.outcomes.set(seq, { digest, offset, count: items.length });
    if (refusal.code !== undefined) {
      producer.stoppedAt = seq;
      refuse(refusal as Refusal);
    } else connection.send({ type: 'ack', ...about, offset, epoch: log.epoch, ...(items.length === 1 ? {} : { count: items.length }) });
    this.pump();
  }

  #again(connection: ServerConnection, { topic, producer, seq }: Publish, log: Log, outcome: Outcome | undefined, digest: string): void {
    const about = { topic, producer, seq };
    if (outcome === undefined) return this.refuse(connection, about, { code: 'STALE_SEQ' });
    if (outcome.digest !== digest) return this.refuse(connection, about, { code: 'SEQ_CONFLICT' });
    if (outcome.refusal !== undefined) return this.refuse(connection, about, { code: outcome.refusal });
    const memory = log.producers.get(`${this.subject} ${producer}`)!;
    if (memory.stoppedAt === seq) memory.stoppedAt = undefined;
    connection.send({ type: 'ack', ...about, offset: outcome.offset!, epoch: log.epoch, duplicate: true });
  }

  #presence(connection: ServerConnection, topic: string, state: Json, id: string | number | undefined): void {
    const { members } = this.log(topic);
    const { client } = connection.hello!;
    const known = members.get(client);
    const member = { subject: this.subject, client, state: state ?? known?.state ?? null, since: known?.since ?? 1 };
    const event = state === null ? 'leave' : known === undefined ? 'enter' : 'update';
    if (state === null) members.delete(client);
    else members.set(client, member);
    if (id !== undefined) connection.send({ type: 'reply', id, data: null });
    for (const other of this.connections)
      if (other.cursors.get(topic)?.presence === true) other.send({ type: 'presence', topic, event, member });
  }
}
