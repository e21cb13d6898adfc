/**
 * What arrived, counted anew from what the page shows, without asking the client whether all is well. Offsets are dense: a hole
 * is a missing entry. An entry that is there twice has its offset twice, or its publish's producer and seq at two places.
 */

import type { Shown } from './stream.ts';

export interface Tally {
  readonly received: number;
  readonly duplicates: number;
  readonly missing: number;
  /** Entries that the server said it had cut from history. */
  readonly cut: number;
  readonly firstOffset: number | undefined;
  readonly lastOffset: number | undefined;
}

export function tallyOf({ entries, gap }: Shown): Tally {
  const offsets = new Set<number>();
  const lastOfPublish = new Map<string, number>();
  let duplicates = 0;
  for (const { offset, producer, seq } of entries) {
    const publish = `${producer} ${seq}`;
    const before = lastOfPublish.get(publish);
    // The entries of an atomic publish share a seq and follow each other.
    if (offsets.has(offset) || (before !== undefined && before !== offset - 1)) duplicates += 1;
    offsets.add(offset);
    lastOfPublish.set(publish, offset);
  }
  const firstOffset = offsets.size === 0 ? undefined : Math.min(...offsets);
  const lastOffset = offsets.size === 0 ? undefined : Math.max(...offsets);
  const missing = firstOffset === undefined ? 0 : lastOffset! - firstOffset + 1 - offsets.size;
  const cut = gap !== undefined && gap.before.epoch === gap.after.epoch ? Math.max(0, gap.after.offset - gap.before.offset) : 0;
  return { received: entries.length, duplicates, missing, cut, firstOffset, lastOffset };
}
