/** One answer to `read` (PROTOCOL.md HF-7.3): the nearest entries that the viewer may see, as many as fit into a frame. */

import { encodeReadEntry, HoldfastError, utf8Length, type Json, type Limits } from '@holdfast/wire';
import type { Grant, Identity } from './rights.ts';
import type { Entry, Page, PageLimits, Range, TopicStore } from './store.ts';
import type { TopicLog } from './topic-log.ts';
import type { Turnstile } from './turnstile.ts';

export interface ReadingOptions {
  readonly log: TopicLog;
  readonly store: TopicStore;
  readonly reads: Turnstile;
  readonly page: PageLimits;
  readonly limits: Limits;
  readonly viewer: Identity;
  readonly grant: Grant;
}

/** Room for the reply around the entries, bytes: an id of 64 characters, an epoch, two numbers, names. */
const REPLY_BYTES = 1_024;
/** Room for an entry's fields beside its payload, its `from` and its producer, bytes. */
const FIELDS_BYTES = 128;

/**
 * The reply's `data`. Reads page after page until `count` entries are found, the frame is full, or the log ends there, so
 * that fewer entries than asked for mean an end, whatever was hidden. Rejects with a retryable error while the log begins anew.
 */
export async function readForViewer(options: ReadingOptions, range: Range, count: number): Promise<Json> {
  const { log, limits, grant } = options;
  const { floor = 1 } = grant;
  const isForward = 'after' in range;
  const found: Entry[] = [];
  let bytes = REPLY_BYTES;
  let place: Range | undefined = isForward ? { after: Math.max(range.after, floor - 1) } : range;
  let first = floor;
  while (place !== undefined && found.length < count) {
    const page = await readPage(options, place, count - found.length);
    first = Math.max(page.first, floor);
    const nearestFirst = isForward ? page.entries : page.entries.toReversed();
    place = isForward ? nextAfter(page, log) : nextBefore(page, first);
    for (const entry of nearestFirst) {
      if (!isShown(options, entry)) continue;
      bytes += sizeOf(entry);
      const isFull = found.length > 0 && bytes > limits.frameBytesMax;
      if (isFull) place = undefined;
      if (isFull || found.length === count) break;
      found.push(entry);
    }
  }
  if (!isForward) found.reverse();
  return { epoch: log.epoch, first, last: log.committed, entries: found.map(encode) };
}

async function readPage({ log, store, reads, page: limits }: ReadingOptions, place: Range, countMax: number): Promise<Page> {
  const { epoch } = log;
  // Where entries may be hidden, a page of what is still wanted would find next to nothing.
  const wanted = log.kind.isVisible === undefined ? Math.min(limits.countMax, countMax) : limits.countMax;
  const page = await reads.run(() => store.read(log.topic, place, { ...limits, countMax: wanted }));
  if (page?.epoch !== epoch || epoch !== log.epoch)
    throw new HoldfastError('STORE_UNAVAILABLE', `the log of "${log.topic}" is being read again`);
  return page;
}

function nextAfter({ entries }: Page, log: TopicLog): Range | undefined {
  const last = entries.at(-1)?.offset ?? Infinity;
  return last < log.committed ? { after: last } : undefined;
}

function nextBefore({ entries }: Page, first: number): Range | undefined {
  const nearest = entries[0]?.offset ?? 0;
  return nearest > first ? { before: nearest } : undefined;
}

/** What is not announced to subscribers yet is not read either, so that a page never runs ahead of the stream. */
function isShown({ log, viewer, grant }: ReadingOptions, entry: Entry): boolean {
  const { floor = 1 } = grant;
  return entry.offset >= floor && entry.offset <= log.committed && log.kind.isVisible?.(entry, viewer) !== false;
}

/** At least what the entry takes in the reply, bytes. */
function sizeOf({ payload, from, producer }: Entry): number {
  const data = typeof payload === 'string' ? utf8Length(payload) : Math.ceil(payload.length / 3) * 4;
  // A character of a JSON string takes six bytes at most.
  return FIELDS_BYTES + data + from.length * 6 + producer.length;
}

function encode({ payload, ...fields }: Entry): Json {
  return encodeReadEntry({ ...fields, data: typeof payload === 'string' ? (JSON.parse(payload) as Json) : payload });
}
