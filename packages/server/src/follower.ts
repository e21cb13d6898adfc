/** A cursor whose sink is a function: how code inside the server follows a topic. Signals and members do not reach it. */

import type { GapReason, HoldfastError, Json, Position } from '@holdfast/wire';
import { Cursor, type CursorOptions, type CursorSink } from './cursor.ts';
import type { FramedEntry } from './framed-entry.ts';
import type { TopicCommit } from './pending-batch.ts';
import type { PlainItem } from './plain.ts';
import { isThenable } from './thenable.ts';
import type { Topic, TopicSubscriber } from './topic.ts';

export interface FollowerOptions extends Omit<CursorOptions, 'sink' | 'log' | 'number' | 'credit'> {
  readonly topic: Topic;
  /** Whether more can be taken now; asked before every item. Call `cursor.pump()` when it can again. */
  readonly isReady: () => boolean;
  /** What it throws is reported, and the item counts as taken. */
  readonly onItem: (item: PlainItem) => unknown;
  readonly onPaused: (error: HoldfastError) => void;
}

export class Follower implements TopicSubscriber, CursorSink {
  readonly cursor: Cursor;
  readonly #options: FollowerOptions;

  /** Call `start` when it may begin. */
  constructor(options: FollowerOptions) {
    this.#options = options;
    const { topic } = options;
    this.cursor = new Cursor({ ...options, credit: undefined, log: topic.log, number: topic.number, sink: this });
  }

  start(): void {
    this.#options.topic.subscribers.add(this);
    this.cursor.pump();
  }

  close(): void {
    this.cursor.close();
    this.#options.topic.subscribers.delete(this);
  }

  onCommit(entries: readonly FramedEntry[], { registers }: TopicCommit): void {
    this.cursor.onCommit(entries, registers);
  }

  onReload(): void {
    this.cursor.onReload();
  }

  onPresence(): void {}

  onSignal(): void {}

  get isReady(): boolean {
    return this.#options.isReady();
  }

  entry({ entry: { payload, ...fields } }: FramedEntry): void {
    // A copy: the same bytes are framed for everybody else.
    const data = typeof payload === 'string' ? (JSON.parse(payload) as Json) : new Uint8Array(payload);
    this.#give({ type: 'entry', ...fields, data });
  }

  gap(reason: GapReason, before: Position, after: Position): void {
    this.#give({ type: 'gap', topic: this.#options.topic.name, reason, before, after });
  }

  skip(): void {}

  register(): void {}

  rested(): void {}

  paused(error: HoldfastError): void {
    this.#options.onPaused(error);
  }

  #give(item: PlainItem): void {
    const { onItem, refusalOf } = this.#options;
    try {
      const result = onItem(item);
      if (isThenable(result)) result.then(undefined, refusalOf);
    } catch (error) {
      refusalOf(error);
    }
  }
}
