/** A durable entry with its frame, made once and shared by every subscriber (PROTOCOL.md HF-9.1). */

import { encodeEntryBinary, encodeEntryText } from '@holdfast/wire';
import { SharedFrame, SharedRun } from './shared-frame.ts';
import type { Entry } from './store.ts';

/** Entries in a run at the most, and units of their payloads. A run ends where the offset is a multiple of the first. */
const RUN_COUNT_MAX = 16;
const RUN_SIZE_MAX = 16_384;

/** Entries of one commit that follow each other, for subscribers that get all of them. */
export class EntryRun {
  readonly entries: readonly FramedEntry[];
  /** The last offset. */
  readonly last: number;
  #frames: SharedRun | undefined;

  constructor(entries: readonly FramedEntry[]) {
    this.entries = entries;
    this.last = entries.at(-1)!.entry.offset;
  }

  get frames(): SharedRun {
    return (this.#frames ??= new SharedRun(this.entries.map(({ frame }) => frame)));
  }
}

export class FramedEntry {
  readonly entry: Entry;
  readonly #topic: string;
  readonly #number: number;
  #frame: SharedFrame | undefined;
  /** Set where a run begins. */
  run: EntryRun | undefined;

  constructor(topic: string, number: number, entry: Entry) {
    this.entry = entry;
    this.#topic = topic;
    this.#number = number;
  }

  get frame(): SharedFrame {
    return (this.#frame ??= new SharedFrame(this.#encode()));
  }

  #encode(): string | Uint8Array {
    const { payload } = this.entry;
    if (typeof payload === 'string') return encodeEntryText(this.#topic, this.entry, payload);
    return encodeEntryBinary(this.#number, this.entry, payload);
  }
}

/** Marks the runs of two entries and more among those of one commit. */
export function markRuns(entries: readonly FramedEntry[]): void {
  let begin = 0;
  let size = 0;
  for (const [at, { entry }] of entries.entries()) {
    size += entry.payload.length;
    const isEnd = at === entries.length - 1 || entry.offset % RUN_COUNT_MAX === 0 || size > RUN_SIZE_MAX;
    if (!isEnd) continue;
    if (at > begin) entries[begin]!.run = new EntryRun(entries.slice(begin, at + 1));
    begin = at + 1;
    size = 0;
  }
}
