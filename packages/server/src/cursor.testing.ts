/** A cursor on a real log and store, and a consumer that writes down what it is given. */

import { HoldfastError, type GapReason, type Position } from '@holdfast/wire';
import { Cursor, type CursorSink } from './cursor.ts';
import { FramedEntry, markRuns, type EntryRun } from './framed-entry.ts';
import { log, type Kind } from './kind.ts';
import { repeatableRandom } from './chance.testing.ts';
import { ScriptedStore } from './scripted-store.testing.ts';
import { Sequencer } from './sequencer.ts';
import type { Grant, Identity } from './rights.ts';
import type { PageLimits, Register } from './store.ts';
import { createMemoryDisk, type MemoryDisk } from './store-memory.ts';
import type { TopicLog } from './topic-log.ts';
import { TopicTail } from './topic-tail.ts';
import { Turnstile } from './turnstile.ts';
import { VirtualClock } from './virtual-clock.testing.ts';

export interface CursorStageOptions {
  readonly kind?: Kind;
  readonly page?: PageLimits;
  readonly readsMax?: number;
  /** Entries in the tail. Default: none, so that everything is read from the store. */
  readonly tailCount?: number;
}

/** One for all: an epoch never comes twice. */
const random = repeatableRandom(2);

export class CursorStage {
  readonly clock: VirtualClock = new VirtualClock();
  readonly disk: MemoryDisk = createMemoryDisk();
  readonly store: ScriptedStore = new ScriptedStore({ disk: this.disk });
  readonly sequencer: Sequencer;
  readonly reads: Turnstile;
  /** Short, so that cursors are within it and beyond it. */
  readonly tail: TopicTail;
  readonly consumers: Consumer[] = [];
  /** What hooks threw that was no refusal. */
  readonly reported: unknown[] = [];
  readonly page: PageLimits;
  #seq = 0;
  #log: TopicLog | undefined;

  constructor({ kind = log(), page = { countMax: 3, bytesMax: 1_000_000 }, readsMax = 16, tailCount = 0 }: CursorStageOptions = {}) {
    this.tail = new TopicTail({ held: 0, heldMax: 1_000_000 }, tailCount);
    this.page = page;
    this.reads = new Turnstile(readsMax, this.clock);
    this.sequencer = new Sequencer({
      store: this.store,
      clock: this.clock,
      random,
      kindOf: () => kind,
      producerSilenceMs: 1e12,
      listener: {
        onCommit: (_log, { entries, registers }) => {
          const framed = entries.map((entry) => new FramedEntry('t', 1, entry));
          markRuns(framed);
          this.tail.add(framed);
          for (const { cursor } of this.consumers) cursor.onCommit(framed, registers);
        },
        onReload: () => {
          this.tail.clear();
          for (const { cursor } of this.consumers) cursor.onReload();
        },
      },
    });
  }

  /** Opens the topic's log. */
  async log(): Promise<TopicLog> {
    const opening = this.sequencer.open('t');
    await this.clock.settle();
    return (this.#log = (await opening).log);
  }

  /** The topic's log as it is now. */
  peek(): TopicLog {
    return this.#log!;
  }

  /** Publishes `count` entries, each with a payload of its own. */
  publish(count: number): void {
    for (let made = 0; made < count; made++) {
      this.#seq += 1;
      const payload = JSON.stringify(this.#seq);
      this.sequencer.publish(
        { topic: 't', identity: { subject: 's' }, producer: `p${this.#seq}`, seq: 1, digest: payload, payloads: [payload] },
        () => undefined,
      );
    }
  }

  /** Publishes `count` entries and sees them committed. */
  async fill(count: number): Promise<void> {
    this.publish(count);
    await this.clock.settle();
  }

  write(key: string, value: number): void {
    this.sequencer.register({ topic: 't', key, merge: 'replace', value }).catch(() => undefined);
  }

  /** A consumer that begins after `start`, which may leave out what the log itself would say. */
  async consume(start: Partial<Position> = {}, options: ConsumerOptions = {}): Promise<Consumer> {
    const topicLog = await this.log();
    return this.begin(new Consumer(this, topicLog, { epoch: topicLog.epoch, offset: 0, revision: 0, ...start }, options));
  }

  begin<Kind extends Consumer>(consumer: Kind): Kind {
    this.consumers.push(consumer);
    consumer.cursor.pump();
    return consumer;
  }
}

export interface ConsumerOptions {
  readonly credit?: number;
  readonly grant?: Grant;
  readonly ask?: () => Promise<Grant>;
}

export class Consumer implements CursorSink {
  readonly cursor: Cursor;
  readonly clock: VirtualClock;
  readonly #ask: (() => Promise<Grant>) | undefined;
  isReady = true;
  /** How many runs it took as one. */
  runCount = 0;
  /** How many items it takes before it is no longer ready. */
  appetite: number = Infinity;
  /** What `ask` answers. */
  grant: Grant | HoldfastError;
  /** Such as `1`, `skip 2-3`, `gap retention 0>4`, `reg a=1@1`, `paused FORBIDDEN`. */
  readonly items: string[] = [];

  constructor(stage: CursorStage, topicLog: TopicLog, start: Position, { credit, grant = {}, ask }: ConsumerOptions) {
    this.clock = stage.clock;
    this.grant = grant;
    this.#ask = ask;
    const { store, clock, reads, page } = stage;
    const refusalOf = (error: unknown): HoldfastError => {
      if (error instanceof HoldfastError) return error;
      stage.reported.push(error);
      return new HoldfastError('INTERNAL');
    };
    const services = { store, clock, reads, page, refusalOf };
    this.cursor = new Cursor({ services, topic: { log: topicLog, number: 1, tail: stage.tail }, sink: this, start, credit, grant });
  }

  get viewer(): Identity {
    return { subject: 'viewer' };
  }

  async ask(): Promise<Grant> {
    if (this.#ask !== undefined) return this.#ask();
    if (this.grant instanceof HoldfastError) throw this.grant;
    return this.grant;
  }

  /** What came since it was asked last, after everything that can happen now has happened. */
  async got(): Promise<string[]> {
    await this.clock.settle();
    return this.items.splice(0);
  }

  entry({ entry }: FramedEntry): void {
    this.#take(String(entry.offset));
  }

  entries(run: EntryRun): boolean {
    if (!this.isReady || this.appetite < run.entries.length) return false;
    this.runCount += 1;
    for (const entry of run.entries) this.entry(entry);
    return true;
  }

  skip(first: number, last: number): void {
    this.#take(`skip ${first}-${last}`);
  }

  gap(reason: GapReason, before: Position, after: Position): void {
    const isOther = before.epoch !== after.epoch;
    this.#take(
      `gap ${reason} ${before.offset}>${isOther ? 'new ' : ''}${after.offset}${before.revision === after.revision ? '' : ` r${after.revision}`}`,
    );
  }

  register({ key, value, revision }: Register): void {
    this.items.push(`reg ${key}=${value}@${revision}`);
  }

  paused({ code }: HoldfastError): void {
    this.items.push(`paused ${code}`);
  }

  rested(): void {}

  #take(item: string): void {
    this.items.push(item);
    this.appetite -= 1;
    if (this.appetite <= 0) this.isReady = false;
  }
}
