/** A cursor whose sink is a function: how code inside the server follows a topic. Signals and members do not reach it. */

import type { GapReason, HoldfastError, Json, Position } from '@holdfast/wire';
import { Cursor, type CursorOptions, type CursorSink } from './cursor.ts';
import type { FramedEntry } from './framed-entry.ts';
import type { TopicCommit } from './pending-batch.ts';
import type { PlainItem } from './plain.ts';
import type { Topic, TopicSubscriber } from './topic.ts';

export interface FollowerOptions extends Omit<CursorOptions, 'sink' | 'log' | 'number' | 'credit'> {
  readonly topic: Topic;
  /** Whether more can be taken now; asked before every item. Call `cursor.pump()` when it can again. */
  readonly isReady: () => boolean;
  readonly onItem: (item: PlainItem) => void;
  readonly onPaused: (error: HoldfastError) => void;
}

export class Follower implements TopicSubscriber, CursorSink {
  readonly cursor: Cursor;
  readonly #options: FollowerOptions;

  /** Begins at once. */
  constructor(options: FollowerOptions) {
    this.#options = options;
    const { topic } = options;
    this.cursor = new Cursor({ ...options, credit: undefined, log: topic.log, number: topic.number, sink: this });
    topic.subscribers.add(this);
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
    const data = typeof payload === 'string' ? (JSON.parse(payload) as Json) : payload;
    this.#options.onItem({ type: 'entry', ...fields, data });
  }

  gap(reason: GapReason, before: Position, after: Position): void {
    this.#options.onItem({ type: 'gap', topic: this.#options.topic.name, reason, before, after });
  }

  skip(): void {}

  register(): void {}

  live(): void {}

  paused(error: HoldfastError): void {
    this.#options.onPaused(error);
  }
}
