/**
 * The outbox in the client's memory: which rows there are, whose they are, and the pipeline that each belongs to
 * (PROTOCOL.md HF-6.11 to HF-6.13). It knows no socket: the client tells it when there is a connection, and of whom.
 *
 * Rows published before the first `welcome` of this process wait until it says who is logged in: they are that subject's.
 * Rows that an earlier process left keep the subject they were published for; those of another subject are held.
 */

import { DEFAULT_LIMITS, HoldfastError, type Ack, type Data, type ErrorMessage, type Limits, type Publish } from '@holdfast/wire';
import type { Clock } from './clock.ts';
import { Deferred } from './deferred.ts';
import { Computed } from './observable.ts';
import type { OutboxIdentity, OutboxRecord, OutboxStore, ProducerRecord, RowRecord } from './outbox.ts';
import { OutboxWriter } from './outbox-writer.ts';
import { copyPayload, FRAME_KEYS, frameBytes } from './payload.ts';
import { Pipeline, type PipelineHost } from './pipeline.ts';
import { randomName, type Random } from './random.ts';
import { Row, type Published } from './row.ts';

export interface PublishOptions {
  /** The promise rejects with `PENDING` after this time, ms; the row stays and is sent. Default: none. */
  readonly deadlineMs?: number | undefined;
  /** If it was not sent within this time, ms, it never will be: `EXPIRED`. Default: none. */
  readonly ttlMs?: number | undefined;
  /** Before the first transmission: `ABORTED`. Afterwards without effect. */
  readonly signal?: AbortSignal | undefined;
  /** Stores only if the topic's last offset is this one, else `HEAD_MISMATCH`. */
  readonly ifHead?: number | undefined;
}

/** One row of the outbox, as user interfaces show it. */
export interface OutboxRow {
  readonly id: number;
  readonly topic: string;
  readonly items: readonly Data[];
  /** When it was published, wall clock ms. */
  readonly at: number;
  /**
   * `queued`: never sent. `sending`: has a seq, may have been sent. `uncertain`: sent, and its outcome cannot be learnt
   * (HF-6.10). `held`: belongs to another subject than the one that is logged in.
   */
  readonly state: 'queued' | 'sending' | 'uncertain' | 'held';
  readonly subject: string | undefined;
  readonly producer: string | undefined;
  readonly seq: number | undefined;
}

export interface PublisherOptions {
  readonly store: OutboxStore;
  readonly clock: Clock;
  readonly random: Random;
  /** The client's name; a random one otherwise, kept in the record. */
  readonly client: string | undefined;
  readonly countMax: number;
  readonly transmit: (publish: Publish) => void;
  readonly epochOf: (topic: string) => string | undefined;
  /** Counts or rows changed. */
  readonly onChange: () => void;
  readonly onTrouble: (error: unknown) => void;
}

/** What an earlier process took in was checked then. */
const DEPTH_MAX = 1_000;
/** A producer that was silent for longer is forgotten by servers too (HF-6.9), ms: 30 days. */
const PRODUCER_SILENCE_MS = DEFAULT_LIMITS.producerSilenceMs;

export class Publisher {
  readonly rows: Computed<readonly OutboxRow[]> = new Computed(() => [...this.#rows.values()].map((row) => this.#view(row)));
  readonly #options: PublisherOptions;
  readonly #writer: OutboxWriter;
  readonly #host: PipelineHost;
  readonly #rows = new Map<number, Row>();
  /** By topic and subject; where there are several, the first takes new rows. */
  readonly #pipelines = new Map<string, Pipeline[]>();
  /** Published before it was known for whom. */
  #unbound: Row[] = [];
  /** Expired, aborted or discarded, and that is not durable yet. */
  readonly #withdrawn = new Set<Row>();
  #identity: OutboxIdentity | undefined;
  #subject: string | undefined;
  #limits: Limits = DEFAULT_LIMITS;
  #isLoaded = false;
  #isOpen = false;
  #isClosed = false;
  #nextId = 1;
  #loading: Promise<unknown> = Promise.resolve();
  /** Why there will never be a record. */
  #failure: HoldfastError | undefined;
  readonly #flushes = new Set<Deferred<void>>();

  constructor(options: PublisherOptions) {
    this.#options = options;
    const { store, clock, random, onTrouble } = options;
    this.#writer = new OutboxWriter({ store, clock, random, onTrouble });
    this.#host = {
      clock,
      random,
      writer: this.#writer,
      limits: () => this.#limits,
      epochOf: options.epochOf,
      producerName: () => `${this.#identity!.client.slice(0, 55)}.${randomName(random, 8)}`,
      transmit: options.transmit,
      accepted: (row, published) => this.#remove(row, () => row.accept(published)),
      refused: (row, error) => this.#remove(row, () => row.refuse(error)),
      uncertain: (row) => this.#doubt(row),
      mayBeSent: (row) => this.#mayBeSent(row),
      changed: () => this.#changed(),
    };
  }

  /** Rows that are still to be sent or acknowledged for whoever is logged in. */
  get queuedCount(): number {
    let count = 0;
    for (const row of this.#rows.values()) if (this.#isOnItsWay(row)) count += 1;
    return count;
  }

  get uncertainCount(): number {
    let count = 0;
    for (const { record } of this.#rows.values()) if (record.isUncertain === true) count += 1;
    return count;
  }

  /** When a store that failed is tried again, wall clock ms. */
  get retryAtMs(): number | undefined {
    return this.#writer.retryAtMs;
  }

  /** Tries a store that failed again now. */
  retryNow(): void {
    this.#writer.retryNow();
  }

  /**
   * Takes the record; resolves with the client's name. A store that fails is tried again; rejects if its failure is final,
   * and everything published with it.
   */
  load(): Promise<string> {
    const loading = this.#writer.load().then((record) => this.#begin(record));
    this.#loading = loading.catch((error: HoldfastError) => {
      if (!this.#isClosed) this.#fail(error);
    });
    return loading;
  }

  #begin({ identity, producers, rows }: OutboxRecord): string {
    const { client, random } = this.#options;
    const name = client ?? identity?.client ?? randomName(random, 20);
    this.#identity = { ...identity, client: name };
    if (identity?.client !== name) this.#writer.putIdentity(this.#identity);
    const early = [...this.#rows.values()];
    this.#rows.clear();
    this.#nextId = rows.reduce((max, { id }) => Math.max(max, id), 0) + 1;
    // From here on ids are those of the record.
    this.#isLoaded = true;
    this.#restore(producers, rows);
    for (const row of early) this.#admit(row);
    this.#changed();
    this.#options.store.watch?.({
      reserveIds: (count) => {
        if (this.#isClosed) return undefined;
        this.#nextId += count;
        return this.#nextId - count;
      },
      adopted: (left) => {
        if (this.#isClosed) return;
        this.#restore(left.producers, left.rows);
        this.#changed();
      },
    });
    return name;
  }

  /** Takes in what an earlier process has left in the record, or another one in its own. */
  #restore(producers: readonly ProducerRecord[], rows: readonly RowRecord[]): void {
    const { clock } = this.#options;
    const restored = rows.map(
      (record) =>
        new Row(record, frameBytes(record.items.map((item) => copyPayload('outbox', item, DEPTH_MAX, Number.POSITIVE_INFINITY))), clock),
    );
    for (const producer of producers) {
      const own = restored.filter(
        ({ record }) => record.producer === producer.producer && record.topic === producer.topic && record.isUncertain !== true,
      );
      if (own.length > 0 || clock.now() - producer.at < PRODUCER_SILENCE_MS) {
        const pipeline = new Pipeline(producer.subject, producer.topic, this.#host, producer);
        pipeline.restore(own);
        this.#addPipeline(pipeline);
      } else this.#writer.removeProducer(producer);
    }
    for (const row of restored) {
      this.#rows.set(row.record.id, row);
      this.#watch(row);
      const { subject, seq, topic, isUncertain } = row.record;
      if (isUncertain === true) continue;
      if (seq !== undefined) {
        // Without its producer it cannot be sent again under its seq.
        if (!producers.some(({ producer }) => producer === row.record.producer)) this.#doubt(row);
        continue;
      }
      if (!this.#mayBeSent(row)) continue;
      // Whoever logs in first: nobody else was ever known with this record.
      if (subject !== undefined) this.#pipeline(subject, topic).add(row);
      else if (this.#subject === undefined) this.#unbound.push(row);
      else this.#bind(row, this.#subject);
    }
  }

  /** Throws `USAGE`, `TOO_DEEP`, `TOO_MANY_KEYS` or `FORBIDDEN_KEY` for a payload that no server takes. Everything else settles the promise. */
  publish(topic: string, items: readonly Data[], options: PublishOptions = {}): Promise<Published> {
    return this.#publish(topic, items, options, this.#options.countMax).outcome.promise;
  }

  #publish(topic: string, items: readonly Data[], { deadlineMs, ttlMs, signal, ifHead }: PublishOptions, countMax: number): Row {
    const { clock } = this.#options;
    if (items.length === 0) throw new HoldfastError('USAGE', 'publishAll: want at least one item');
    // A frame, a list of entries and an entry are levels of their own (HF-4.1).
    const depthMax = this.#limits.depthMax - (items.length === 1 ? 1 : 3);
    // Each entry is an item with a key; what one has too few of, another may have.
    let keysMax = this.#limits.keysMax - FRAME_KEYS - (items.length === 1 ? 0 : 2 * items.length);
    const payloads = items.map((item) => {
      const payload = copyPayload('publish', item, depthMax, keysMax);
      keysMax -= payload.keysCount;
      return payload;
    });
    const at = clock.now();
    const options = { ...(ifHead === undefined ? {} : { ifHead }), ...(ttlMs === undefined ? {} : { expiresAtMs: at + ttlMs }) };
    const row = new Row({ id: 0, topic, items: payloads.map(({ data }) => data), at, ...options }, frameBytes(payloads), clock, signal);
    const refusal = this.#refusal(row, countMax);
    if (refusal !== undefined) {
      row.refuse(refusal);
      return row;
    }
    if (deadlineMs !== undefined)
      row.after(deadlineMs, () =>
        row.outcome.reject(new HoldfastError('PENDING', `not acknowledged within ${deadlineMs} ms; it stays in the outbox`)),
      );
    this.#watch(row);
    this.#admit(row);
    return row;
  }

  /** There is a connection of `subject`. */
  open(subject: string, limits: Limits): void {
    this.#limits = limits;
    this.#isOpen = true;
    if (this.#identity!.subject !== subject) {
      this.#identity = { ...this.#identity!, subject };
      this.#writer.putIdentity(this.#identity);
    }
    this.#subject = subject;
    const unbound = this.#unbound;
    this.#unbound = [];
    for (const row of unbound) this.#bind(row, subject);
    for (const row of this.#rows.values()) {
      if (!this.#isHeld(row) || row.outcome.isSettled) continue;
      row.outcome.reject(
        new HoldfastError('PENDING', `the connection is "${subject}"'s by now; the message stays in the outbox of "${row.record.subject}"`),
      );
    }
    for (const pipeline of this.#all()) if (pipeline.subject === subject) pipeline.open();
    this.#changed();
  }

  down(): void {
    this.#isOpen = false;
    for (const pipeline of this.#all()) pipeline.down();
    this.#changed();
  }

  ack(message: Ack): void {
    this.#find(message.topic, message.producer)?.ack(message);
  }

  /** Says whether it is about a publish. */
  refuse(message: ErrorMessage): boolean {
    const { topic, producer, seq } = message;
    if (topic === undefined || producer === undefined || seq === undefined) return false;
    this.#find(topic, producer)?.refuse(message);
    return true;
  }

  /** Removes a row that is not under way; says whether it could. Its promise rejects with `ABORTED`. */
  discard(id: number): boolean {
    const row = this.#rows.get(id);
    if (row === undefined || (row.record.seq !== undefined && row.record.isUncertain !== true && !this.#isHeld(row))) return false;
    this.#withdraw(row, new HoldfastError('ABORTED', 'discarded from the outbox'));
    return true;
  }

  /** Publishes an uncertain row anew, at the end of its topic's queue. Throws `USAGE` for any other. */
  republish(id: number, options: PublishOptions): Promise<Published> {
    const row = this.#rows.get(id);
    if (row === undefined || row.record.isUncertain !== true) throw new HoldfastError('USAGE', `the outbox has no uncertain row ${id}`);
    if (this.#isHeld(row)) throw new HoldfastError('USAGE', `row ${id} belongs to "${row.record.subject}"`);
    // In place of itself, so there is room for it.
    const next = this.#publish(row.record.topic, row.record.items, options, this.#options.countMax + 1);
    // Both in one turn, so both in one write: at no time are there two of it, or none. What is refused changes nothing.
    if (!next.outcome.isSettled) this.#remove(row, () => row.release());
    return next.outcome.promise;
  }

  /** Resolves when nothing is on its way any more; rejects with `PENDING` after `timeoutMs`. */
  flush(timeoutMs: number): Promise<void> {
    const deferred = new Deferred<void>();
    const refusal = this.#isClosed ? new HoldfastError('CLOSED') : this.#failure;
    if (refusal !== undefined) {
      deferred.reject(refusal);
      return deferred.promise;
    }
    this.#flushes.add(deferred);
    const timer = this.#options.clock.setTimeout(
      () => deferred.reject(new HoldfastError('PENDING', `the outbox is not empty after ${timeoutMs} ms`)),
      timeoutMs,
    );
    this.#changed();
    const finish = (): void => {
      this.#options.clock.clearTimeout(timer);
      this.#flushes.delete(deferred);
    };
    deferred.promise.then(finish, finish);
    return deferred.promise;
  }

  /** Writes what is left and settles every promise: `PENDING` where the row remains in a persistent store, else `CLOSED`. */
  async close(): Promise<void> {
    this.#isClosed = true;
    // Nothing that fails is tried again from here on. What was published before the record came is written to it first.
    void this.#writer.stop();
    await this.#loading;
    for (const pipeline of this.#all()) {
      pipeline.down();
      pipeline.close();
    }
    const { store } = this.#options;
    const isKept = (await this.#writer.stop()) && store.isPersistent && this.#isLoaded;
    this.settle(isKept);
    await store.close().catch(this.#options.onTrouble);
  }

  /** Settles what is left; `isKept`: the rows remain in a persistent store. */
  settle(isKept: boolean): void {
    this.#isClosed = true;
    for (const row of [...this.#rows.values(), ...this.#withdrawn]) {
      row.refuse(
        isKept ? new HoldfastError('PENDING', 'the client was closed; the message stays in the outbox') : new HoldfastError('CLOSED'),
      );
    }
    for (const flush of this.#flushes) flush.reject(new HoldfastError('CLOSED'));
  }

  /** There will be no record: nothing can be sent. */
  #fail(error: HoldfastError): void {
    this.#failure = error;
    for (const row of this.#rows.values()) row.refuse(error);
    this.#rows.clear();
    for (const flush of this.#flushes) flush.reject(error);
    this.#changed();
  }

  #refusal(row: Row, countMax: number): HoldfastError | undefined {
    if (this.#isClosed) return new HoldfastError('CLOSED');
    if (this.#failure !== undefined) return this.#failure;
    if (row.signal?.aborted === true) return new HoldfastError('ABORTED', 'aborted before it was published');
    if (this.#rows.size >= countMax) return new HoldfastError('OUTBOX_FULL', `the outbox holds ${countMax} messages`);
    return undefined;
  }

  /** Takes a row of this process in. */
  #admit(row: Row): void {
    const id = this.#nextId++;
    const subject = this.#subject ?? this.#identity?.subject;
    row.record = { ...row.record, id, ...(subject === undefined ? {} : { subject }) };
    this.#rows.set(id, row);
    if (!this.#isLoaded) return this.#changed();
    this.#writer.putRow(row.record);
    if (this.#subject === undefined) this.#unbound.push(row);
    else this.#pipeline(this.#subject, row.record.topic).add(row);
    this.#changed();
  }

  #bind(row: Row, subject: string): void {
    if (row.record.subject !== subject) {
      row.record = { ...row.record, subject };
      this.#writer.putRow(row.record);
    }
    this.#pipeline(subject, row.record.topic).add(row);
  }

  /** Time to live and abort, for as long as the row was not sent. */
  #watch(row: Row): void {
    const { expiresAtMs } = row.record;
    const recheck = (): void => {
      if (row.record.seq === undefined && !this.#mayBeSent(row)) this.#changed();
    };
    if (expiresAtMs !== undefined && row.record.seq === undefined) row.after(Math.max(0, expiresAtMs - this.#options.clock.now()), recheck);
    row.onAbort(recheck);
  }

  #mayBeSent(row: Row): boolean {
    const { expiresAtMs } = row.record;
    const isExpired = expiresAtMs !== undefined && expiresAtMs <= this.#options.clock.now();
    if (isExpired) this.#withdraw(row, new HoldfastError('EXPIRED'));
    else if (row.signal?.aborted === true) this.#withdraw(row, new HoldfastError('ABORTED'));
    return this.#rows.has(row.record.id);
  }

  #withdraw(row: Row, error: HoldfastError): void {
    const { subject, topic } = row.record;
    this.#unbound = this.#unbound.filter((other) => other !== row);
    if (subject !== undefined) for (const pipeline of this.#pipelines.get(pipelineKey(subject, topic)) ?? []) pipeline.withdraw(row);
    if (!this.#isLoaded) return this.#remove(row, () => row.refuse(error));
    // Told only when the row's end is durable: as long as the record holds it, a new process would still send it.
    this.#remove(row, () => row.release());
    this.#withdrawn.add(row);
    void this.#writer.durable().then(() => {
      this.#withdrawn.delete(row);
      row.refuse(error);
    });
  }

  #remove(row: Row, settle: () => void): void {
    this.#rows.delete(row.record.id);
    // Before the record is loaded, ids are not yet those of the record.
    if (this.#isLoaded) this.#writer.removeRow(row.record.id);
    settle();
    this.#changed();
  }

  #doubt(row: Row): void {
    row.record = { ...row.record, isUncertain: true };
    this.#writer.putRow(row.record);
    row.refuse(new HoldfastError('UNCERTAIN'));
    this.#changed();
  }

  #pipeline(subject: string, topic: string): Pipeline {
    const [first] = this.#pipelines.get(pipelineKey(subject, topic)) ?? [];
    return first ?? this.#addPipeline(new Pipeline(subject, topic, this.#host));
  }

  #addPipeline(pipeline: Pipeline): Pipeline {
    const key = pipelineKey(pipeline.subject, pipeline.topic);
    this.#pipelines.set(key, [...(this.#pipelines.get(key) ?? []), pipeline]);
    if (this.#isOpen && pipeline.subject === this.#subject) pipeline.open();
    return pipeline;
  }

  #find(topic: string, producer: string): Pipeline | undefined {
    return this.#pipelines.get(pipelineKey(this.#subject ?? '', topic))?.find((pipeline) => pipeline.producer === producer);
  }

  *#all(): Iterable<Pipeline> {
    for (const pipelines of this.#pipelines.values()) yield* pipelines;
  }

  #isHeld({ record }: Row): boolean {
    return this.#subject !== undefined && record.subject !== undefined && record.subject !== this.#subject;
  }

  #isOnItsWay(row: Row): boolean {
    return row.record.isUncertain !== true && !this.#isHeld(row);
  }

  #view(row: Row): OutboxRow {
    const { id, topic, items, at, subject, producer, seq, isUncertain } = row.record;
    const state = isUncertain === true ? 'uncertain' : this.#isHeld(row) ? 'held' : seq === undefined ? 'queued' : 'sending';
    return { id, topic, items, at, state, subject, producer, seq };
  }

  #changed(): void {
    this.rows.touch();
    this.#options.onChange();
    // Before the record is read nobody knows what is in it.
    if (!this.#isLoaded || this.#flushes.size === 0 || this.queuedCount > 0) return;
    for (const flush of this.#flushes) flush.resolve();
  }
}

function pipelineKey(subject: string, topic: string): string {
  // A topic holds no space; a subject may.
  return `${topic} ${subject}`;
}
