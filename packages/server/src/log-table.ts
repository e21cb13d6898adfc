/**
 * The logs that a node has open: reads a topic's head, its producers and its registers from the store when they are first
 * needed, and again after a failed commit (PROTOCOL.md HF-6.14). Whatever asks meanwhile waits, and goes on in the order
 * in which it came. It decides nothing, and knows no batch.
 */

import { HoldfastError } from '@holdfast/wire';
import { randomName, type Clock, type Random } from './clock.ts';
import type { Kind } from './kind.ts';
import type { Head, ProducerMemory, TopicStore } from './store.ts';
import { StoppedProducers } from './stopped-producers.ts';
import { storeError } from './store-error.ts';
import { producerKey, TopicLog, type ProducerState } from './topic-log.ts';

/** How long after a failed reading the store is tried again, ms. */
const RELOAD_DELAY_MS = 500;

export interface LogTableOptions {
  readonly store: TopicStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly kindOf: (topic: string) => Kind;
  /** HF-6.9, ms. */
  readonly producerSilenceMs: number;
  /** The store does not know this topic: the log has a new epoch, which must be made durable. */
  readonly found: (log: TopicLog) => void;
  /** A log's state was read again, and is durable. */
  readonly onReload: (log: TopicLog) => void;
}

type Task<Ready> = (ready: Ready | HoldfastError) => void;

interface WaitingPublish {
  readonly subject: string;
  readonly producer: string;
  readonly task: Task<ProducerState>;
}

interface Slot {
  readonly log: TopicLog;
  isReady: boolean;
  /** Whether the topic is to be there: founded, should the store not know it. Refusals alone do not ask for that. */
  isWanted: boolean;
  /** While it is above 0 the log is not read: it is being removed. */
  holds: number;
  /** What arrived while the log was being read; carried out in order of arrival. */
  waiting: Task<TopicLog>[];
  /** Publishes whose producer is being read, by producer, in order of arrival. */
  readonly producersLoading: Map<string, WaitingPublish[]>;
  /** Register writes that came while the registers are being read, in order of arrival. */
  registersLoading: Task<TopicLog>[] | undefined;
  /** Goes up whenever the log is to be read anew: what was read for an older one is not used. */
  generation: number;
  /** Wall clock, ms. */
  usedAt: number;
  sweptAt: number;
}

/** Topics that are not there, and of which it is remembered what was refused; beyond it the oldest is forgotten. */
const VACANT_MAX = 10_000;

export class LogTable {
  readonly #options: LogTableOptions;
  /** Of all logs. */
  readonly stopped: StoppedProducers = new StoppedProducers();
  readonly #slots = new Map<string, Slot>();
  /** Ready, and not there. */
  readonly #vacant = new Set<Slot>();
  #isClosed = false;

  constructor(options: LogTableOptions) {
    this.#options = options;
  }

  /** The log if it is open, ready or not. */
  peek(topic: string): TopicLog | undefined {
    return this.#slots.get(topic)?.log;
  }

  /**
   * Runs `task` with the topic's log, at once if it is ready; a topic that is not there is founded. Tasks of one topic run in
   * the order of the calls.
   */
  withLog(topic: string, task: Task<TopicLog>): void {
    if (this.#isClosed) return task(new HoldfastError('GOING_AWAY'));
    const slot = this.#slots.get(topic) ?? this.#open(topic);
    slot.usedAt = this.#options.clock.now();
    slot.isWanted = true;
    if (!slot.isReady) return void slot.waiting.push(task);
    if (slot.log.isVacant) this.#found(slot);
    task(slot.log);
  }

  /** The same for what will be refused: a topic that is not there stays so, and its log `isVacant`. */
  withVacantLog(topic: string, task: Task<TopicLog>): void {
    if (this.#isClosed) return task(new HoldfastError('GOING_AWAY'));
    const slot = this.#slots.get(topic) ?? this.#open(topic);
    slot.usedAt = this.#options.clock.now();
    if (slot.isReady) task(slot.log);
    else slot.waiting.push(task);
  }

  /** Runs `task` with what is known of a producer. Tasks of one producer run in the order of the calls. `log` must be ready. */
  withProducer(log: TopicLog, subject: string, producer: string, task: Task<ProducerState>): void {
    const { clock, producerSilenceMs } = this.#options;
    const key = producerKey(subject, producer);
    const oldest = clock.now() - producerSilenceMs;
    const slot = this.#slots.get(log.topic)!;
    const waiting = slot.producersLoading.get(key);
    if (waiting !== undefined) return void waiting.push({ subject, producer, task });
    const known = log.producers.get(key);
    if (known !== undefined && known.at >= oldest) return task(known);
    // Who is forgotten is not stopped any more either, else it would never hear that it is unknown.
    this.stopped.deleteBefore(log.topic, key, oldest);
    const publishes: WaitingPublish[] = [{ subject, producer, task }];
    slot.producersLoading.set(key, publishes);
    const { generation } = slot;
    const settle = (stateOf: () => ProducerState | HoldfastError): void => {
      if (slot.generation !== generation) return;
      slot.producersLoading.delete(key);
      const state = stateOf();
      for (const publish of publishes) publish.task(state);
    };
    this.#recall(log.topic, subject, producer, oldest).then(
      (memory) => settle(() => log.loadProducer(key, memory)),
      (error: unknown) => settle(() => storeError(error)),
    );
  }

  /** Runs `task` with the topic's log, its registers read. Tasks of one topic run in the order of the calls. */
  withRegisters(topic: string, task: Task<TopicLog>): void {
    this.withLog(topic, (log) => {
      if (log instanceof HoldfastError || log.registers !== undefined) return task(log);
      const slot = this.#slots.get(topic)!;
      if (slot.registersLoading !== undefined) return void slot.registersLoading.push(task);
      const writes = (slot.registersLoading = [task]);
      const { generation } = slot;
      const settle = (ready: () => TopicLog | HoldfastError): void => {
        if (slot.generation !== generation) return;
        slot.registersLoading = undefined;
        const result = ready();
        for (const write of writes) write(result);
      };
      this.#options.store.registers(topic, 0).then(
        (registers) =>
          settle(() => {
            log.loadRegisters(registers);
            return log;
          }),
        (error: unknown) => settle(() => storeError(error)),
      );
    });
  }

  /** The log is no longer what the store has: reads it again. What asks meanwhile waits. */
  reload(log: TopicLog): void {
    const slot = this.#slots.get(log.topic);
    if (slot?.log === log) this.#load(slot);
  }

  /** Keeps everybody from a topic until the function that it returns is called, which reads the log again. */
  hold(topic: string): () => void {
    const slot = this.#slots.get(topic) ?? this.#open(topic);
    slot.isWanted = true;
    slot.holds += 1;
    this.#invalidate(slot);
    return () => {
      slot.holds -= 1;
      this.stopped.deleteTopic(topic);
      this.#load(slot);
    };
  }

  /** Drops what was not used since `since` (wall clock, ms): producers, and logs that `isNeeded` does not hold. */
  forgetIdle(since: number, isNeeded: (log: TopicLog) => boolean): void {
    const now = this.#options.clock.now();
    this.stopped.sweep();
    for (const [topic, slot] of this.#slots) {
      const isBusy = !slot.isReady || slot.producersLoading.size > 0 || slot.registersLoading !== undefined;
      if (isBusy) continue;
      if (slot.usedAt < since && !isNeeded(slot.log)) {
        this.#slots.delete(topic);
        this.#vacant.delete(slot);
      } else if (slot.sweptAt < since) {
        slot.sweptAt = now;
        slot.log.forgetProducers(since);
      }
    }
  }

  /** Refuses everything from now on with `GOING_AWAY`. */
  close(): void {
    this.#isClosed = true;
  }

  #open(topic: string): Slot {
    const { kindOf, store, clock } = this.#options;
    const slot: Slot = {
      log: new TopicLog(topic, kindOf(topic), store.outcomesMax, this.stopped),
      isReady: false,
      isWanted: false,
      holds: 0,
      waiting: [],
      producersLoading: new Map(),
      registersLoading: undefined,
      generation: 0,
      usedAt: clock.now(),
      sweptAt: clock.now(),
    };
    this.#slots.set(topic, slot);
    this.#load(slot);
    return slot;
  }

  #load(slot: Slot): void {
    this.#invalidate(slot);
    if (slot.holds > 0) return;
    const { generation, log } = slot;
    this.#options.store.head(log.topic).then(
      (head) => {
        if (slot.generation === generation) this.#loaded(slot, head);
      },
      (error: unknown) => {
        if (slot.generation === generation) this.#notLoaded(slot, storeError(error));
      },
    );
  }

  #loaded(slot: Slot, head: Head | undefined): void {
    const { random, onReload } = this.#options;
    const { log } = slot;
    log.load(head ?? { epoch: randomName(random, 12), first: 1, last: 0, revision: 0 });
    slot.isReady = true;
    log.isVacant = head === undefined;
    if (head !== undefined) onReload(log);
    else if (slot.isWanted) this.#found(slot);
    else this.#keepVacant(slot);
    this.#wake(slot, log);
  }

  #found(slot: Slot): void {
    this.#vacant.delete(slot);
    this.#options.found(slot.log);
  }

  /** Whoever can make up names must not fill the memory with them. */
  #keepVacant(slot: Slot): void {
    this.#vacant.add(slot);
    for (const oldest of this.#vacant) {
      if (this.#vacant.size <= VACANT_MAX) return;
      this.#vacant.delete(oldest);
      const isQuiet = oldest.isReady && oldest.producersLoading.size === 0 && oldest.registersLoading === undefined;
      if (isQuiet && oldest !== slot) this.#slots.delete(oldest.log.topic);
    }
  }

  /** Those who follow the log have nobody to ask for it again, so it is read until that succeeds. */
  #notLoaded(slot: Slot, error: HoldfastError): void {
    const { generation } = slot;
    this.#wake(slot, error);
    this.#options.clock.setTimeout(() => {
      if (slot.generation === generation && !this.#isClosed) this.#load(slot);
    }, RELOAD_DELAY_MS);
  }

  /** Those who wait for a producer or the registers come first again, in their order: they came before whatever comes now. */
  #invalidate(slot: Slot): void {
    const { log, producersLoading, registersLoading = [] } = slot;
    const again: Task<TopicLog>[] = [];
    for (const task of registersLoading) {
      again.push((ready) => (ready instanceof HoldfastError ? task(ready) : this.withRegisters(log.topic, task)));
    }
    for (const publishes of producersLoading.values()) {
      for (const { subject, producer, task } of publishes) {
        again.push((ready) => (ready instanceof HoldfastError ? task(ready) : this.withProducer(ready, subject, producer, task)));
      }
    }
    producersLoading.clear();
    slot.registersLoading = undefined;
    slot.waiting.unshift(...again);
    slot.isReady = false;
    slot.generation += 1;
  }

  #wake(slot: Slot, ready: TopicLog | HoldfastError): void {
    const { waiting } = slot;
    slot.waiting = [];
    for (const task of waiting) task(ready);
  }

  async #recall(topic: string, subject: string, producer: string, oldest: number): Promise<ProducerMemory | undefined> {
    const { store } = this.#options;
    const memory = await store.outcomes(topic, subject, producer);
    if (memory === undefined || memory.at >= oldest) return memory;
    await store.expireProducers(oldest);
    return undefined;
  }
}
