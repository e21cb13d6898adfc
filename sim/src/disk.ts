/**
 * A server's disk: the topics that survive it, and the time and trouble of reaching them. The store on it is the real
 * memory store behind a queue: calls are carried out in their order (`store.ts`), their answers come later, and a process
 * that dies in between leaves what was carried out and nothing else. A commit can fail in two ways: nothing was
 * stored, or all of it was and only the answer is bad.
 */

import {
  createMemoryDisk,
  createMemoryStore,
  type Batch,
  type Head,
  type MemoryDisk,
  type Page,
  type PageLimits,
  type ProducerMemory,
  type Range,
  type Register,
  type Retention,
  type TopicStore,
} from '@holdfast/server';
import { HoldfastError } from '@holdfast/wire';
import type { Process } from './process.ts';
import type { Chance } from './random.ts';
import type { Timeline } from './timeline.ts';
import type { Trace } from './trace.ts';

/** How a disk behaves now; may change at any time. */
export interface DiskHealth {
  /** The mean time of one call, ms. */
  meanMs: number;
  /** The share of commits that fail, with nothing stored. */
  commitFailures: number;
  /** The share of commits that are stored and said to have failed. */
  lostAnswers: number;
  /** The share of other calls that fail. */
  otherFailures: number;
}

/** The life of a commit: handed over and not carried out; carried out and not answered; answered. */
export const COMMIT_STAGES = ['decided', 'stored', 'answered'] as const;

export type CommitStage = (typeof COMMIT_STAGES)[number];

/** An older state of a disk. */
export interface Backup {
  readonly takenAtMs: number;
  readonly disk: MemoryDisk;
}

/** What is told of everything that becomes durable, at the moment when it does. */
export interface DiskWitness {
  stored(batch: Batch): void;
  trimmed(topic: string, head: Head): void;
  removed(topic: string): void;
  wiped(): void;
  /** The disk is an older state of itself by now, under these epochs; topics that were not yet there are gone. */
  restored(topics: MemoryDisk['topics']): void;
  /** The store found a batch that is not dense: the sequencer is wrong. */
  notDense(error: unknown): void;
}

/** How a commit fails. A full disk says so and stores nothing; otherwise the caller cannot know. */
const COMMIT_FAILURES = ['read-only', 'nothing stored'] as const;

export class Disk {
  readonly health: DiskHealth;
  readonly #timeline: Timeline;
  readonly #chance: Chance;
  readonly #trace: Trace;
  readonly #witness: DiskWitness;
  readonly #outcomesMax: number;
  #memory: MemoryDisk = createMemoryDisk();
  #restoreCount = 0;
  /** Is called once, when the next commit has come so far. */
  #onCommit: { readonly stage: CommitStage; readonly task: () => void } | undefined;

  constructor(options: {
    timeline: Timeline;
    chance: Chance;
    trace: Trace;
    witness: DiskWitness;
    health: DiskHealth;
    outcomesMax: number;
  }) {
    this.#timeline = options.timeline;
    this.#chance = options.chance;
    this.#trace = options.trace;
    this.#witness = options.witness;
    this.health = options.health;
    this.#outcomesMax = options.outcomesMax;
  }

  /** What is on it. */
  get topics(): MemoryDisk['topics'] {
    return this.#memory.topics;
  }

  /** Everything on it is lost: what a restart of a memory store means. Only while no store is open on it. */
  wipe(): void {
    this.#memory = createMemoryDisk();
    this.#trace.line('disk', 'wiped');
    this.#witness.wiped();
  }

  /** A copy of what is on it now. */
  backup(): Backup {
    const topics: MemoryDisk['topics'] = new Map();
    for (const [name, topic] of this.#memory.topics) topics.set(name, copyOf(topic, topic.epoch));
    return { takenAtMs: this.#timeline.nowMs, disk: { topics } };
  }

  /** What `holdfast restore` does: the copy in place of what is there, every topic under a new epoch. Only while no store is open on it. */
  restore({ disk }: Backup): void {
    const prefix = `restored${++this.#restoreCount}`;
    const topics: MemoryDisk['topics'] = new Map();
    for (const [name, topic] of disk.topics) topics.set(name, copyOf(topic, `${prefix}-${topics.size + 1}`));
    this.#memory = { topics };
    this.#trace.line('disk', prefix);
    this.#witness.restored(topics);
  }

  /** `task` happens when the next commit has come so far; replaces what was asked before. `undefined`: nothing does. */
  atNextCommit(stage: CommitStage | undefined, task: () => void): void {
    this.#onCommit = stage === undefined ? undefined : { stage, task };
  }

  #reached(stage: CommitStage): void {
    if (this.#onCommit?.stage !== stage) return;
    const { task } = this.#onCommit;
    this.#onCommit = undefined;
    task();
  }

  /** The store as one process sees it. */
  open(process: Process): TopicStore {
    const inner = createMemoryStore({ disk: this.#memory, outcomesMax: this.#outcomesMax });
    return new DiskStore({
      inner,
      process,
      timeline: this.#timeline,
      chance: this.#chance,
      trace: this.#trace,
      witness: this.#witness,
      health: this.health,
      reached: (stage) => this.#reached(stage),
    });
  }
}

interface StoreOptions {
  readonly inner: TopicStore;
  readonly process: Process;
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly trace: Trace;
  readonly witness: DiskWitness;
  readonly health: DiskHealth;
  readonly reached: (stage: CommitStage) => void;
}

class DiskStore implements TopicStore {
  readonly durability = 'fsync';
  readonly outcomesMax: number;
  readonly #options: StoreOptions;
  #carriedOutAtMs = 0;
  #commitAnsweredAtMs = 0;
  #readAnsweredAtMs = 0;

  constructor(options: StoreOptions) {
    this.#options = options;
    this.outcomesMax = options.inner.outcomesMax;
  }

  apply(batch: Batch): Promise<void> {
    const { chance, health, inner, witness } = this.#options;
    const isLost = chance.is(health.lostAnswers);
    const failure = chance.is(health.commitFailures) ? chance.pick(COMMIT_FAILURES) : isLost ? 'stored all the same' : undefined;
    const what = `apply ${batch.found.length} topics, ${batch.publishes.length} publishes, ${batch.registers.length} registers`;
    return this.#carryOut(what, 'commit', failure, async () => {
      if (failure !== undefined && failure !== 'stored all the same') return;
      try {
        await inner.apply(batch);
      } catch (error) {
        // A store that is closed says so; anything else is its assertion.
        if (!(error instanceof HoldfastError)) witness.notDense(error);
        throw error;
      }
      witness.stored(batch);
    });
  }

  head(topic: string): Promise<Head | undefined> {
    return this.#read(`head ${topic}`, () => this.#options.inner.head(topic));
  }

  read(topic: string, range: Range, limits: PageLimits): Promise<Page | undefined> {
    return this.#read(`read ${topic} ${JSON.stringify(range)}`, () => this.#options.inner.read(topic, range, limits));
  }

  outcomes(topic: string, subject: string, producer: string): Promise<ProducerMemory | undefined> {
    return this.#read(`outcomes ${topic} ${producer}`, () => this.#options.inner.outcomes(topic, subject, producer));
  }

  registers(topic: string, afterRevision: number): Promise<readonly Register[]> {
    return this.#read(`registers ${topic} ${afterRevision}`, () => this.#options.inner.registers(topic, afterRevision));
  }

  topics(after: string | undefined, countMax: number): Promise<readonly ({ readonly topic: string } & Head)[]> {
    return this.#read('topics', () => this.#options.inner.topics(after, countMax));
  }

  trim(topic: string, keep: Retention): Promise<Head | undefined> {
    return this.#write(`trim ${topic}`, async () => {
      const head = await this.#options.inner.trim(topic, keep);
      if (head !== undefined) this.#options.witness.trimmed(topic, head);
      return head;
    });
  }

  remove(topic: string): Promise<void> {
    return this.#write(`remove ${topic}`, async () => {
      await this.#options.inner.remove(topic);
      this.#options.witness.removed(topic);
    });
  }

  expireProducers(at: number): Promise<number> {
    return this.#write('expire', () => this.#options.inner.expireProducers(at));
  }

  backup(path: string): Promise<void> {
    return this.#options.inner.backup(path);
  }

  close(): Promise<void> {
    return this.#carryOut('close', 'write', undefined, () => this.#options.inner.close());
  }

  #read<T>(what: string, task: () => Promise<T>): Promise<T> {
    return this.#carryOut(what, 'read', this.#otherFailure(), task);
  }

  #write<T>(what: string, task: () => Promise<T>): Promise<T> {
    return this.#carryOut(what, 'write', this.#otherFailure(), task);
  }

  #otherFailure(): string | undefined {
    return this.#options.chance.is(this.#options.health.otherFailures) ? 'failed' : undefined;
  }

  /** One call: carried out when its turn has come, answered some time later, each kind in its order. */
  #carryOut<T>(what: string, type: 'read' | 'write' | 'commit', failure: string | undefined, task: () => Promise<T>): Promise<T> {
    const { timeline, chance, process, trace, health } = this.#options;
    const { meanMs } = health;
    this.#carriedOutAtMs = Math.max(this.#carriedOutAtMs, timeline.nowMs) + chance.exponential(meanMs / 2);
    let answeredAtMs = this.#carriedOutAtMs + chance.exponential(meanMs / 2);
    if (type === 'read') answeredAtMs = this.#readAnsweredAtMs = Math.max(answeredAtMs, this.#readAnsweredAtMs);
    else answeredAtMs = this.#commitAnsweredAtMs = Math.max(answeredAtMs, this.#commitAnsweredAtMs);
    const reached = (stage: CommitStage): void => {
      if (type === 'commit' && process.isAlive) this.#options.reached(stage);
    };
    let outcome: Promise<T>;
    timeline.at(this.#carriedOutAtMs, () => {
      reached('decided');
      // The dead carry out nothing: what the process had not handed over yet is lost with it.
      if (!process.isAlive) return;
      trace.line('disk', failure === undefined ? what : `${what}: ${failure}`);
      outcome = failure === 'failed' ? Promise.reject(unavailable(what)) : task();
      outcome.catch(() => {});
      reached('stored');
    });
    return new Promise((resolve, reject) => {
      timeline.at(answeredAtMs, () => {
        process.run(() => {
          if (failure === undefined || failure === 'failed') outcome.then(resolve, reject);
          else reject(failure === 'read-only' ? new HoldfastError('STORE_READ_ONLY', `simulated trouble: ${what}`) : unavailable(what));
        });
        // What the answer leads to in this turn still happens, and no further event.
        timeline.afterEvents(1, () => reached('answered'));
      });
    });
  }
}

type MemoryTopic = MemoryDisk['topics'] extends Map<string, infer T> ? T : never;

function copyOf(topic: MemoryTopic, epoch: string): MemoryTopic {
  const producers: MemoryTopic['producers'] = new Map();
  for (const [key, producer] of topic.producers) producers.set(key, { ...producer, recent: [...producer.recent] });
  return { ...topic, epoch, entries: [...topic.entries], registers: new Map(topic.registers), producers };
}

function unavailable(what: string): HoldfastError {
  return new HoldfastError('STORE_UNAVAILABLE', `simulated trouble: ${what}`);
}
