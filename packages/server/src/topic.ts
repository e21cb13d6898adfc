/** A topic that somebody follows: its subscriptions, its members, and the fan-out of what was committed. */

import type { Member } from '@holdfast/wire';
import type { Clock } from './clock.ts';
import { FramedEntry, markRuns } from './framed-entry.ts';
import type { TopicCommit } from './pending-batch.ts';
import { Presence, type PresenceEvent } from './presence.ts';
import type { SharedFrame } from './shared-frame.ts';
import type { TopicLog } from './topic-log.ts';
import { TopicTail, type TailBudget } from './topic-tail.ts';

/** What a topic asks of its subscriptions. None of it may throw. */
export interface TopicSubscriber {
  onCommit(entries: readonly FramedEntry[], commit: TopicCommit): void;
  onReload(): void;
  onPresence(event: PresenceEvent, member: Member): void;
  /** The newest signal of `sender`, as a frame. */
  onSignal(sender: string, frame: SharedFrame): void;
}

export interface TopicOptions {
  readonly log: TopicLog;
  /** HF-9.1. */
  readonly number: number;
  readonly clock: Clock;
  readonly graceMs: number;
  readonly tails: TailBudget;
}

export class Topic {
  readonly log: TopicLog;
  readonly number: number;
  readonly subscribers: Set<TopicSubscriber> = new Set();
  readonly presence: Presence;
  readonly tail: TopicTail;
  /** When somebody last asked for it, wall clock, ms. */
  usedAt = 0;

  constructor({ log, number, clock, graceMs, tails }: TopicOptions) {
    this.tail = new TopicTail(tails);
    this.log = log;
    this.number = number;
    this.presence = new Presence({
      clock,
      graceMs,
      onChange: (event, member) => {
        for (const subscriber of this.subscribers) subscriber.onPresence(event, member);
      },
    });
  }

  get name(): string {
    return this.log.topic;
  }

  /** Nobody follows it and nobody is on it. */
  get isIdle(): boolean {
    return this.subscribers.size === 0 && this.presence.isEmpty;
  }

  /** Frames a commit once and hands it to every subscription (HF-5.4). */
  deliver(commit: TopicCommit): void {
    if (this.subscribers.size === 0) return this.tail.clear();
    const entries = commit.entries.map((entry) => new FramedEntry(this.name, this.number, entry));
    if (entries.length > 1 && this.subscribers.size > 1) markRuns(entries);
    this.tail.add(entries);
    for (const subscriber of this.subscribers) subscriber.onCommit(entries, commit);
  }

  reloaded(): void {
    this.tail.clear();
    for (const subscriber of this.subscribers) subscriber.onReload();
  }
}
