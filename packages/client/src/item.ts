/** What a reader of a topic gets, in the topic's order (PROTOCOL.md HF-5). */

import type { EntryRecord, GapReason, Json, Position } from '@holdfast/wire';

/** One record of the log. */
export interface EntryItem extends EntryRecord {
  readonly type: 'entry';
}

/** History between the two positions cannot be had; reading goes on after `after`. Never left out, never out of its place. */
export interface GapItem {
  readonly type: 'gap';
  readonly reason: GapReason;
  /** This reader's position, not the subscription's. */
  readonly before: Position;
  readonly after: Position;
}

/** A register changed. Of several changes that wait only the newest of each key remains. */
export interface RegisterItem {
  readonly type: 'register';
  readonly key: string;
  readonly value: Json;
  readonly revision: number;
}

export type Item = EntryItem | GapItem | RegisterItem;
