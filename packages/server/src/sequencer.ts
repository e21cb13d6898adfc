/**
 * Gives every publish its place. Requests of one turn of the event loop are decided in memory, committed as one batch,
 * and answered only after the commit; while one batch is under way the next collects (group commit). One `apply` is in
 * flight at a time, so the store sees offsets in order and a failure has a clear edge: everything undecided by the store
 * is refused as retryable and read again (PROTOCOL.md HF-6.14).
 *
 * It knows the store and the clock; never a connection, a subscription or a right.
 */

import { HoldfastError, type Position } from '@holdfast/wire';
import { randomName, type Clock, type Random } from './clock.ts';
import type { Kind } from './kind.ts';
import { PendingBatch, type TopicCommit } from './pending-batch.ts';
import type { Register, Retention, TopicStore } from './store.ts';
import { producerKey, TopicLog, type Decision, type ProducerState, type PublishRequest, type RegisterWrite } from './topic-log.ts';

/** How long after a failed load the store is tried again, ms. */
const RELOAD_DELAY_MS = 500;

export interface SequencerListener {
  /** New durable entries and registers of a topic, offsets and revisions ascending. Called in order, once each. */
  onCommit(log: TopicLog, commit: TopicCommit): void;
  /** The topic's state was read again from the store: the head may have moved, or the epoch be another. */
  onReload(log: TopicLog): void;
}

/** An opened log. `head`: the last durable offset and revision when it was asked for. */
export interface OpenLog {
  readonly log: TopicLog;
  readonly head: Position;
}

export interface SequencerOptions {
  readonly store: TopicStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly kindOf: (topic: string) => Kind;
  readonly listener: SequencerListener;
  /** HF-6.9, ms. */
  readonly producerSilenceMs: number;
  /** Decisions waiting for a commit before publishes are refused with `OVERLOADED`. */
  readonly pendingMax: number;
}

type Ready = (log: TopicLog | HoldfastError) => void;

interface Slot {
  readonly log: TopicLog;
  isReady: boolean;
  /** What arrived while the log was being read; carried out in order of arrival. */
  waiting: Ready[];
  /** The batch that founds the topic, until it is settled. */
  founding: PendingBatch | undefined;
  /** Publishes whose producer is being read, by producer, in order of arrival. */
  readonly producersLoading: Map<string, WaitingPublish[]>;
  /** Goes up with every reading of the log: what was read for an older one is not used. */
  generation: number;
  usedAt: number;
}

interface WaitingPublish {
  readonly request: PublishRequest;
  readonly task: (producer: ProducerState | HoldfastError) => void;
}

export class Sequencer {
  readonly #options: SequencerOptions;
  readonly #slots = new Map<string, Slot>();
  #collecting = new PendingBatch();
  #committing: PendingBatch | undefined;
  #isFlushDue = false;
  #isClosed = false;
  #whenIdle: (() => void)[] = [];

  constructor(options: SequencerOptions) {
    this.#options = options;
  }

  /**
   * The topic's log, read from the store or founded there, and its head at the moment of the call; resolves when the log
   * is durable. Rejects with a retryable `STORE_*`.
   */
  open(topic: string): Promise<OpenLog> {
    return new Promise((resolve, reject) => {
      this.#withLog(topic, (log) => {
        if (log instanceof HoldfastError) return reject(log);
        const opened = { log, head: { epoch: log.epoch, offset: log.committed, revision: log.committedRevision } };
        const founding = this.#slots.get(topic)?.founding;
        if (founding === undefined) return resolve(opened);
        founding.whenSettled((error) => (error === undefined ? resolve(opened) : reject(error)));
      });
    });
  }

  /** Decides one publish. Requests of one producer to one topic are decided in the order of the calls. */
  publish(request: PublishRequest, answer: (decision: Decision) => void): void {
    this.#withLog(request.topic, (log) => {
      if (log instanceof HoldfastError) return this.#refuse(request, log, answer);
      this.#withProducer(log, request, (producer) => {
        if (producer instanceof HoldfastError) return this.#refuse(request, producer, answer);
        const isOverloaded = this.#collecting.size >= this.#options.pendingMax;
        const sound = isOverloaded && request.verdict === undefined ? { ...request, verdict: new HoldfastError('OVERLOADED', undefined, { retryAfterMs: 250 }) } : request;
        const { answer: decision, batch } = log.decide(sound, producer, this.#options.clock.now(), this.#collecting);
        this.#answerAfter(batch, (error) => answer(error === undefined ? decision : this.#stop(log, producer.key, error)));
      });
    });
  }

  /** Writes a register; resolves after the commit with what stands. Rejects with `REVISION_MISMATCH` or a retryable error. */
  register(write: RegisterWrite): Promise<Register> {
    return new Promise((resolve, reject) => {
      this.#withRegisters(write.topic, (log) => {
        if (log instanceof HoldfastError) return reject(log);
        const { answer, batch } = log.write(write, this.#collecting);
        this.#answerAfter(batch, (failure) => {
          if (failure !== undefined) reject(failure);
          else if (answer instanceof HoldfastError) reject(answer);
          else resolve(answer);
        });
      });
    });
  }

  /** Runs `task` when everything of the topic that has a place now is durable, or is known to have failed. */
  afterPending(log: TopicLog, task: () => void): void {
    if (this.#collecting.commits.has(log)) this.#collecting.whenSettled(task);
    else if (this.#committing?.commits.has(log) === true) this.#committing.whenSettled(task);
    else task();
  }

  /** Cuts history. */
  async trim(topic: string, keep: Retention): Promise<void> {
    const head = await this.#options.store.trim(topic, keep);
    const slot = this.#slots.get(topic);
    if (head !== undefined && slot?.isReady === true && slot.log.epoch === head.epoch) slot.log.first = head.first;
  }

  /** Deletes a topic; it begins anew in another epoch. What was pending is committed first. */
  async remove(topic: string): Promise<void> {
    const { log } = await this.open(topic);
    const slot = this.#slots.get(topic)!;
    slot.isReady = false;
    try {
      await this.idle();
      await this.#options.store.remove(topic);
    } finally {
      log.stopped.clear();
      this.#load(slot);
    }
    await this.open(topic);
  }

  /** Resolves when nothing waits for a commit. */
  idle(): Promise<void> {
    if (this.#committing === undefined && this.#collecting.isEmpty) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  /** Drops the volatile state of topics that were not used since `since` (wall clock, ms) and that `isNeeded` does not hold. */
  forgetIdle(since: number, isNeeded: (topic: string) => boolean): void {
    for (const [topic, slot] of this.#slots) {
      const isPending = this.#collecting.commits.has(slot.log) || this.#committing?.commits.has(slot.log) === true;
      if (!slot.isReady || isPending || slot.producersLoading.size > 0 || slot.usedAt >= since) continue;
      // Whoever was stopped has long lost the connection on which a later seq could still be under way.
      slot.log.stopped.clear();
      slot.log.producers.clear();
      if (!isNeeded(topic)) this.#slots.delete(topic);
    }
  }

  /** Commits what is pending; everything after is refused as retryable. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.idle();
  }

  #withLog(topic: string, task: Ready): void {
    if (this.#isClosed) return task(new HoldfastError('GOING_AWAY'));
    let slot = this.#slots.get(topic);
    if (slot === undefined) {
      const log = new TopicLog(topic, this.#options.kindOf(topic), this.#options.store.outcomesMax);
      slot = { log, isReady: false, waiting: [], founding: undefined, producersLoading: new Map(), generation: 0, usedAt: 0 };
      this.#slots.set(topic, slot);
      this.#load(slot);
    }
    slot.usedAt = this.#options.clock.now();
    if (slot.isReady) task(slot.log);
    else slot.waiting.push(task);
  }

  #load(slot: Slot): void {
    const { store, random, listener } = this.#options;
    const { log } = slot;
    slot.isReady = false;
    slot.generation += 1;
    this.#requeue(slot);
    store.head(log.topic).then(
      (head) => {
        const isNew = head === undefined;
        log.load(head ?? { epoch: randomName(random, 12), first: 1, last: 0, revision: 0 }, !isNew);
        if (isNew) this.#found(slot);
        slot.isReady = true;
        listener.onReload(log);
        this.#wake(slot, log);
      },
      (error: unknown) => {
        this.#wake(slot, storeError(error));
        // A log that somebody follows must find its head again by itself; others are read at their next use.
        this.#options.clock.setTimeout(() => {
          if (!slot.isReady && !this.#isClosed) this.#load(slot);
        }, RELOAD_DELAY_MS);
      },
    );
  }

  /** Publishes that wait for their producer come first again, in their order: they arrived before whatever comes now. */
  #requeue(slot: Slot): void {
    const retries: Ready[] = [];
    for (const waiting of slot.producersLoading.values()) {
      for (const { request, task } of waiting) retries.push((log) => (log instanceof HoldfastError ? task(log) : this.#withProducer(log, request, task)));
    }
    slot.producersLoading.clear();
    slot.waiting.unshift(...retries);
  }

  #found(slot: Slot): void {
    const batch = this.#collecting;
    batch.found(slot.log, slot.log.epoch);
    slot.founding = batch;
    batch.whenSettled(() => (slot.founding = undefined));
    this.#schedule();
  }

  #wake(slot: Slot, log: TopicLog | HoldfastError): void {
    const waiting = slot.waiting;
    slot.waiting = [];
    for (const task of waiting) task(log);
  }

  #withProducer(log: TopicLog, request: PublishRequest, task: (state: ProducerState | HoldfastError) => void): void {
    const { clock, store, producerSilenceMs } = this.#options;
    const { identity, producer, topic } = request;
    const key = producerKey(identity.subject, producer);
    const oldest = clock.now() - producerSilenceMs;
    const known = log.producers.get(key);
    if (known !== undefined && (known.at >= oldest || known.seq === 0)) return task(known);
    const slot = this.#slots.get(topic)!;
    const { generation, producersLoading } = slot;
    const waiting = producersLoading.get(key);
    if (waiting !== undefined) return void waiting.push({ request, task });
    const publishes: WaitingPublish[] = [{ request, task }];
    producersLoading.set(key, publishes);
    const settle = (stateOf: () => ProducerState | HoldfastError): void => {
      if (slot.generation !== generation) return;
      producersLoading.delete(key);
      const state = stateOf();
      for (const publish of publishes) publish.task(state);
    };
    this.#recallProducer(log, identity.subject, producer, oldest, store).then(
      (memory) => settle(() => log.loadProducer(key, memory)),
      (error: unknown) => settle(() => storeError(error)),
    );
  }

  async #recallProducer(log: TopicLog, subject: string, producer: string, oldest: number, store: TopicStore): ReturnType<TopicStore['outcomes']> {
    const memory = await store.outcomes(log.topic, subject, producer);
    if (memory === undefined || memory.at >= oldest) return memory;
    await store.expireProducers(oldest);
    return undefined;
  }

  /** The topic's log with its registers read. */
  #withRegisters(topic: string, task: Ready): void {
    this.#withLog(topic, (log) => {
      if (log instanceof HoldfastError || log.registers !== undefined) return task(log);
      const slot = this.#slots.get(topic)!;
      const { generation } = slot;
      this.#options.store.registers(topic, 0).then(
        (registers) => {
          if (slot.generation !== generation) return this.#withRegisters(topic, task);
          // Another write may have read them meanwhile, and what it wrote must stand.
          if (log.registers === undefined) log.loadRegisters(registers);
          task(log);
        },
        (error: unknown) => task(storeError(error)),
      );
    });
  }

  #answerAfter(batch: PendingBatch | undefined, answer: (error: HoldfastError | undefined) => void): void {
    if (batch === undefined || batch.isSettled) return answer(undefined);
    batch.whenSettled(answer);
    this.#schedule();
  }

  #refuse({ topic, identity, producer }: PublishRequest, error: HoldfastError, answer: (decision: Decision) => void): void {
    const log = this.#slots.get(topic)?.log;
    answer(log === undefined ? { kind: 'refused', error } : this.#stop(log, producerKey(identity.subject, producer), error));
  }

  #stop(log: TopicLog, key: string, error: HoldfastError): Decision {
    if (error.retryable) log.stopped.add(key);
    return { kind: 'refused', error };
  }

  #schedule(): void {
    if (this.#isFlushDue || this.#committing !== undefined || this.#collecting.isEmpty) return;
    this.#isFlushDue = true;
    this.#options.clock.defer(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#committing !== undefined || this.#collecting.isEmpty) return;
    const batch = (this.#committing = this.#collecting);
    this.#collecting = new PendingBatch();
    this.#options.store.apply(batch.toBatch()).then(
      () => this.#committed(batch),
      (error: unknown) => this.#failed(batch, storeError(error)),
    );
  }

  #committed(batch: PendingBatch): void {
    for (const [log, { entries, registers }] of batch.commits) {
      log.isFounded = true;
      log.committed = entries.at(-1)?.offset ?? log.committed;
      log.committedRevision = registers.at(-1)?.revision ?? log.committedRevision;
    }
    this.#committing = undefined;
    // The next commit starts before this one is announced: the disk works while the sockets are written.
    this.#flush();
    for (const [log, commit] of batch.commits) this.#options.listener.onCommit(log, commit);
    batch.settle();
    this.#settleIdle();
  }

  /** HF-6.14: whatever was decided on top of the failed batch is void as well, in every topic. */
  #failed(batch: PendingBatch, error: HoldfastError): void {
    const next = this.#collecting;
    this.#collecting = new PendingBatch();
    this.#committing = undefined;
    const logs = new Set([...batch.commits.keys(), ...next.commits.keys()]);
    for (const log of logs) {
      const slot = this.#slots.get(log.topic);
      if (slot?.log === log) this.#load(slot);
    }
    batch.settle(error);
    next.settle(error);
    this.#settleIdle();
  }

  #settleIdle(): void {
    if (this.#committing !== undefined || !this.#collecting.isEmpty) return;
    const waiting = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of waiting) resolve();
  }
}

/** Whatever a store rejects with, as something that a client can be told. An assertion is a bug here, and says so. */
function storeError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error.retryable ? error : new HoldfastError('STORE_UNAVAILABLE', error.message, { cause: error });
  return new HoldfastError('STORE_UNAVAILABLE', error instanceof Error ? error.message : String(error), { cause: error });
}
