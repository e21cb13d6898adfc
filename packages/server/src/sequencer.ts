/**
 * Gives every publish its place. Requests of one turn of the event loop are decided in memory, committed as one batch,
 * and answered only after the commit; while one batch is under way the next collects (group commit). One `apply` is in
 * flight at a time, so the store sees offsets in order and a failure has a clear edge: everything undecided by the store
 * is refused as retryable and read again (PROTOCOL.md HF-6.14).
 *
 * It knows the store and the clock; never a connection, a subscription or a right.
 */

import { HoldfastError, type Position } from '@holdfast/wire';
import type { Clock, Random } from './clock.ts';
import type { Kind } from './kind.ts';
import { LogTable } from './log-table.ts';
import { PendingBatch, type TopicCommit } from './pending-batch.ts';
import type { Register, Retention, TopicStore } from './store.ts';
import { storeError } from './store-error.ts';
import { producerKey, type Decision, type PublishRequest, type RegisterWrite, type TopicLog } from './topic-log.ts';

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
}

export class Sequencer {
  readonly #store: TopicStore;
  readonly #clock: Clock;
  readonly #listener: SequencerListener;
  readonly #logs: LogTable;
  #collecting = new PendingBatch();
  #committing: PendingBatch | undefined;
  #isFlushDue = false;
  #whenIdle: (() => void)[] = [];

  constructor({ listener, ...options }: SequencerOptions) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#listener = listener;
    this.#logs = new LogTable({ ...options, found: (log) => this.#found(log), onReload: (log) => listener.onReload(log) });
  }

  /**
   * The topic's log, read from the store or founded there, and its head at the moment of the call; resolves when the log
   * is durable. Rejects with a retryable `STORE_*`.
   */
  open(topic: string): Promise<OpenLog> {
    return new Promise((resolve, reject) => {
      this.#logs.withLog(topic, (log) => {
        if (log instanceof HoldfastError) return reject(log);
        const opened = { log, head: { epoch: log.epoch, offset: log.committed, revision: log.committedRevision } };
        if (log.founding === undefined) return resolve(opened);
        log.founding.whenSettled((error) => (error === undefined ? resolve(opened) : reject(error)));
      });
    });
  }

  /** Decides one publish. Requests of one producer to one topic are decided in the order of the calls. */
  publish(request: PublishRequest, answer: (decision: Decision) => void): void {
    const { topic, producer, identity, verdict } = request;
    const decide = (log: TopicLog | HoldfastError): void => {
      if (log instanceof HoldfastError) return answer(this.#stop(request, log));
      if (log.isVacant && log.isOvergrown) return this.#logs.withLog(topic, decide);
      this.#logs.withProducer(log, identity.subject, producer, (state) => {
        if (state instanceof HoldfastError) return answer(this.#stop(request, state));
        const { answer: decision, batch } = log.decide(request, state, this.#clock.now(), this.#collecting);
        this.#answerAfter(batch, (error) => answer(error === undefined ? decision : this.#stop(request, error)));
      });
    };
    if (verdict === undefined) this.#logs.withLog(topic, decide);
    else this.#logs.withVacantLog(topic, decide);
  }

  /**
   * Writes a register; resolves after the commit with what stands. Writes to one topic are decided in the order of the
   * calls. Rejects with `REVISION_MISMATCH` or a retryable error.
   */
  register(write: RegisterWrite): Promise<Register> {
    return new Promise((resolve, reject) => {
      this.#logs.withRegisters(write.topic, (log) => {
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
    const head = await this.#store.trim(topic, keep);
    const log = this.#logs.peek(topic);
    if (head !== undefined && log?.epoch === head.epoch) log.first = Math.max(log.first, head.first);
  }

  /** Deletes a topic; it begins anew in another epoch. What was pending is committed first; what comes meanwhile waits. */
  async remove(topic: string): Promise<void> {
    const { log } = await this.open(topic);
    const release = this.#logs.hold(topic);
    try {
      await new Promise<void>((resolve) => this.afterPending(log, resolve));
      await this.#store.remove(topic);
    } finally {
      release();
    }
    await this.open(topic);
  }

  /** Drops the volatile state of what was not used since `since` (wall clock, ms), logs only where `isNeeded` does not hold them. */
  forgetIdle(since: number, isNeeded: (topic: string) => boolean): void {
    const isPending = (log: TopicLog): boolean => this.#collecting.commits.has(log) || this.#committing?.commits.has(log) === true;
    this.#logs.forgetIdle(since, (log) => isNeeded(log.topic) || isPending(log));
  }

  /** Refuses everything from now on as retryable; resolves when what is pending is committed. */
  async close(): Promise<void> {
    this.#logs.close();
    if (this.#committing === undefined && this.#collecting.isEmpty) return;
    await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  #found(log: TopicLog): void {
    const batch = this.#collecting;
    batch.found(log, log.epoch);
    log.recordRefusals(batch);
    log.founding = batch;
    batch.whenSettled((error) => {
      // After a failure the log is read again; until then it is not to be shown.
      if (error !== undefined || log.founding !== batch) return;
      log.founding = undefined;
      this.#listener.onReload(log);
    });
    this.#schedule();
  }

  #answerAfter(batch: PendingBatch | undefined, answer: (error: HoldfastError | undefined) => void): void {
    if (batch === undefined || batch.isSettled) return answer(undefined);
    batch.whenSettled(answer);
    this.#schedule();
  }

  /** HF-6.6: whatever of this producer comes next is behind what was refused. */
  #stop({ topic, identity, producer }: PublishRequest, error: HoldfastError): Decision {
    this.#logs.stopped.add(topic, producerKey(identity.subject, producer), this.#clock.now());
    return { kind: 'refused', error };
  }

  #schedule(): void {
    if (this.#isFlushDue || this.#committing !== undefined || this.#collecting.isEmpty) return;
    this.#isFlushDue = true;
    this.#clock.defer(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#committing !== undefined || this.#collecting.isEmpty) return;
    const batch = (this.#committing = this.#collecting);
    this.#collecting = new PendingBatch();
    this.#store.apply(batch.toBatch()).then(
      () => this.#committed(batch),
      (error: unknown) => this.#failed(batch, storeError(error)),
    );
  }

  #committed(batch: PendingBatch): void {
    for (const [log, { entries, registers }] of batch.commits) {
      log.committed = entries.at(-1)?.offset ?? log.committed;
      log.committedRevision = registers.at(-1)?.revision ?? log.committedRevision;
    }
    this.#committing = undefined;
    // The next commit starts before this one is announced: the disk works while the sockets are written.
    this.#flush();
    for (const [log, commit] of batch.commits) this.#listener.onCommit(log, commit);
    batch.settle();
    this.#settleIdle();
  }

  /** HF-6.14: whatever was decided on top of the failed batch is void as well, in every topic. */
  #failed(batch: PendingBatch, error: HoldfastError): void {
    const next = this.#collecting;
    this.#collecting = new PendingBatch();
    this.#committing = undefined;
    const logs = new Set([...batch.commits.keys(), ...next.commits.keys()]);
    for (const log of logs) this.#logs.reload(log);
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
