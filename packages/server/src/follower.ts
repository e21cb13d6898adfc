/** A cursor whose sink is a function: how code inside the server follows a topic. Signals and members do not reach it. */

import type { GapReason, HoldfastError, Json, Position } from '@holdfast/wire';
import { Cursor, type CursorOptions, type CursorServices, type CursorSink } from './cursor.ts';
import type { FramedEntry } from './framed-entry.ts';
import type { TopicCommit } from './pending-batch.ts';
import type { PlainItem } from './plain.ts';
import type { Grant, Identity } from './rights.ts';
import { isThenable } from './thenable.ts';
import type { Topic, TopicSubscriber } from './topic.ts';

export interface FollowerOptions extends Pick<CursorOptions, 'start' | 'grant'> {
  readonly services: CursorServices;
  readonly topic: Topic;
  /** Who reads, as of now. */
  readonly viewer: () => Identity;
  /** Asks for the right again; rejects with `FORBIDDEN`. */
  readonly ask: () => Promise<Grant>;
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
    const { services, topic, start, grant } = options;
    this.#options = options;
    this.cursor = new Cursor({ services, topic, sink: this, start, credit: undefined, grant });
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

  get viewer(): Identity {
    return this.#options.viewer();
  }

  ask(): Promise<Grant> {
    return this.#options.ask();
  }

  get isReady(): boolean {
    return this.#options.isReady();
  }

  entry({ entry: { payload, ...fields } }: FramedEntry): void {
    // A copy: the same bytes are framed for everybody else.
    const data = typeof payload === 'string' ? (JSON.parse(payload) as Json) : new Uint8Array(payload);
    this.#give({ type: 'entry', ...fields, data });
  }

  /** One by one: whoever is given an item is asked before the next. */
  entries(): boolean {
    return false;
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
    const { onItem, services } = this.#options;
    try {
      const result = onItem(item);
      if (isThenable(result)) result.then(undefined, services.refusalOf);
    } catch (error) {
      services.refusalOf(error);
    }
  }
}
