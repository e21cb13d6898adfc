/**
 * What one consumer may see: compares each item with the ledger. It takes the position that the consumer was started
 * from as given; from there on nothing may be missing, come twice, or come out of its place (PROTOCOL.md HF-5.9).
 */

import type { EntryItem, GapItem, Item, RegisterItem } from '@holdfast/client';
import type { Position } from '@holdfast/wire';
import { emptyFold, foldedWith, type Fold } from './fold.ts';
import type { Ledger, Log } from './ledger.ts';
import { contentOf } from './payload.ts';
import type { Verdict } from './properties.ts';
import type { Tally } from './tally.ts';

export interface WitnessOptions {
  readonly name: string;
  readonly topic: string;
  /** Who reads: entries hidden from this subject are not for it. */
  readonly subject: string;
  readonly ledger: Ledger;
  readonly verdict: Verdict;
  readonly tally: Tally;
  /** The highest floor that the reader's right ever had. Default: none. */
  readonly floor?: () => number;
}

export class Witness {
  readonly #options: WitnessOptions;
  /** Where the last item was. `undefined`: started at the head, and nothing came yet. */
  #place: Position | undefined;
  #fold: Fold | undefined;

  constructor(options: WitnessOptions) {
    this.#options = options;
  }

  /** A reader begins after this position; without one, wherever it is placed. */
  begin(position: Position | undefined, fold?: Fold): void {
    this.#place = position;
    this.#fold = fold;
  }

  /** What was made of all that was delivered. */
  get fold(): Fold | undefined {
    return this.#fold;
  }

  /** Decision 20: what the consumer made of what it saw is what the log makes. Only once it has arrived. */
  compareFold(): void {
    const { ledger, topic, subject, verdict } = this.#options;
    const fold = this.#fold;
    const log = fold === undefined ? undefined : ledger.log(topic, fold.epoch);
    if (fold === undefined || log === undefined) return;
    let want = emptyFold(fold.epoch, fold.from);
    for (const { id, hiddenFrom } of log.contents.slice(fold.from)) if (hiddenFrom !== subject) want = foldedWith(want, id);
    verdict.expect(
      want.digest === fold.digest && want.count === fold.count,
      'folds-agree',
      () => `${this.#name} has folded ${fold.count} entries after ${fold.from} of ${fold.epoch}, the log has ${want.count} for it`,
    );
  }

  /** An item was delivered. `position`: the reader's own, which must be before it. */
  deliver(item: Item, position: Position | undefined): void {
    this.#options.tally.count(item.type === 'gap' ? `seen gap ${item.reason}` : `seen ${item.type}`);
    this.#place ??= position;
    if (this.#place === undefined)
      return this.#options.verdict.violated('position-is-processed', `${this.#name} got an item and has no position`);
    this.#fold ??= emptyFold(this.#place.epoch, this.#place.offset);
    if (item.type === 'entry') this.#entry(item, this.#place);
    else if (item.type === 'gap') this.#gap(item, this.#place);
    else this.#register(item, this.#place);
  }

  /** The next item was asked for, so everything delivered is processed: the reader's position must say so. */
  asked(position: Position | undefined): void {
    const place = this.#place;
    if (place === undefined) return;
    const isThere =
      position !== undefined &&
      position.epoch === place.epoch &&
      position.revision >= place.revision &&
      this.#isHidden(place, position.offset);
    this.#options.verdict.expect(
      isThere,
      'position-is-processed',
      () => `${this.#name} has processed ${show(place)}, its position says ${show(position)}`,
    );
  }

  /** Whether nothing is left to see. `position`: the reader's own. */
  hasArrived(position: Position | undefined): boolean {
    const { ledger, topic } = this.#options;
    const log = ledger.current(topic);
    const place = position ?? this.#place;
    if (log === undefined || place === undefined || place.epoch !== log.epoch) return false;
    return this.#isHidden(place, log.contents.length) && place.revision === log.registers.length;
  }

  #entry({ offset, from, data }: EntryItem, place: Position): void {
    const { ledger, topic, subject, verdict } = this.#options;
    const log = ledger.log(topic, place.epoch);
    const want = log === undefined ? undefined : nextVisible(log, place.offset, subject);
    verdict.expect(
      offset === want,
      'consumer-order',
      () => `${this.#name} sees ${offset} after ${show(place)} where ${want ?? 'nothing'} is next`,
    );
    const id = log?.contents[offset - 1]?.id;
    const seen = contentOf(data).id;
    verdict.expect(
      seen === id && from === id?.slice(id.indexOf('@') + 1, id.indexOf('/')),
      'consumer-order',
      () => `${this.#name} sees ${seen} from ${from} at ${offset} of ${place.epoch}, where ${id ?? 'nothing'} is`,
    );
    this.#place = { ...place, offset };
    this.#fold = foldedWith(this.#fold!, seen);
  }

  #gap({ reason, before, after }: GapItem, place: Position): void {
    const { ledger, topic, verdict } = this.#options;
    const log = ledger.log(topic, after.epoch);
    const isBefore = before.epoch === place.epoch && this.#isHidden(place, before.offset);
    const bound = reason === 'floor' ? (this.#options.floor?.() ?? 1) : (log?.first ?? 0);
    const isCut = log !== undefined && after.offset < bound;
    const isLegal =
      reason === 'retention' || reason === 'floor'
        ? after.epoch === before.epoch && after.offset > before.offset
        : reason === 'epoch' && after.epoch !== before.epoch && ledger.current(topic)?.epoch !== before.epoch;
    verdict.expect(
      isBefore && isCut && isLegal,
      'gaps-legal',
      () =>
        `${this.#name} at ${show(place)} gets a gap ${reason} from ${show(before)} to ${show(after)}, where the log begins at ${log?.first ?? 'nothing'}`,
    );
    this.#place = after;
    this.#fold = emptyFold(after.epoch, after.offset);
  }

  #register({ key, value, revision }: RegisterItem, place: Position): void {
    const { ledger, topic, verdict } = this.#options;
    const written = ledger.log(topic, place.epoch)?.registers[revision - 1];
    const isWritten = written?.key === key && written.value === JSON.stringify(value);
    verdict.expect(
      revision > place.revision && isWritten,
      'registers-rise',
      () =>
        `${this.#name} at ${show(place)} sees ${key} = ${JSON.stringify(value)} at revision ${revision}, where ${JSON.stringify(written)} was written`,
    );
    this.#place = { ...place, revision };
  }

  /** Whether everything after the place and up to `offset` is hidden from this reader. */
  #isHidden(place: Position, offset: number): boolean {
    if (offset < place.offset) return false;
    if (offset === place.offset) return true;
    const log = this.#options.ledger.log(this.#options.topic, place.epoch);
    return (
      log !== undefined && offset <= log.contents.length && (nextVisible(log, place.offset, this.#options.subject) ?? Infinity) > offset
    );
  }

  get #name(): string {
    return `${this.#options.name} (${this.#options.topic})`;
  }
}

/** The next offset after `offset` that `subject` may see. */
function nextVisible(log: Log, offset: number, subject: string): number | undefined {
  for (let at = offset + 1; at <= log.contents.length; at++) if (log.contents[at - 1]!.hiddenFrom !== subject) return at;
  return undefined;
}

function show(position: Position | undefined): string {
  return position === undefined ? 'nowhere' : `${position.epoch}:${position.offset}:${position.revision}`;
}
