/** What was decided and is not yet durable: one store batch under construction or under way, and who waits for it. */

import type { HoldfastError } from '@holdfast/wire';
import type { Batch, DecidedPublish, Entry, Register } from './store.ts';
import type { TopicLog } from './topic-log.ts';

/** Called once when the batch is durable, or with the error that took it away. */
export type Settled = (error: HoldfastError | undefined) => void;

/** What a batch adds to one topic, to be fanned out after the commit. */
export interface TopicCommit {
  readonly entries: Entry[];
  readonly registers: Register[];
}

export class PendingBatch {
  #found: { topic: string; epoch: string }[] = [];
  #publishes: DecidedPublish[] = [];
  #registers: ({ topic: string } & Register)[] = [];
  #waiters: Settled[] = [];
  /** By topic, in the order in which topics were first touched. */
  readonly commits: Map<TopicLog, TopicCommit> = new Map();
  #isSettled = false;
  #error: HoldfastError | undefined;

  get isSettled(): boolean {
    return this.#isSettled;
  }

  get isEmpty(): boolean {
    return this.commits.size === 0;
  }

  found(log: TopicLog, epoch: string): void {
    this.#found.push({ topic: log.topic, epoch });
    this.#commit(log);
  }

  publish(log: TopicLog, publish: DecidedPublish, entries: readonly Entry[]): void {
    this.#publishes.push(publish);
    this.#commit(log).entries.push(...entries);
  }

  register(log: TopicLog, register: Register): void {
    this.#registers.push({ topic: log.topic, ...register });
    this.#commit(log).registers.push(register);
  }

  /** `waiter` runs when this batch is settled, in the order of the calls; at once if it is. */
  whenSettled(waiter: Settled): void {
    if (this.#isSettled) waiter(this.#error);
    else this.#waiters.push(waiter);
  }

  /** The store's batch. */
  toBatch(): Batch {
    return { found: this.#found, publishes: this.#publishes, registers: this.#registers };
  }

  /** Tells everybody who waits, and lets go of the contents: producers remember their batch long after it is durable. */
  settle(error?: HoldfastError): void {
    this.#isSettled = true;
    this.#error = error;
    const waiters = this.#waiters;
    this.#found = [];
    this.#publishes = [];
    this.#registers = [];
    this.#waiters = [];
    this.commits.clear();
    for (const waiter of waiters) waiter(error);
  }

  #commit(log: TopicLog): TopicCommit {
    let commit = this.commits.get(log);
    if (commit === undefined) this.commits.set(log, (commit = { entries: [], registers: [] }));
    return commit;
  }
}
