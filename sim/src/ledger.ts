/**
 * The truth of a run, kept apart from everything that is being tested: what was published, what became durable, what
 * was answered. It hears of storage from the disk, of answers from the client's promises, and checks each against the
 * rest at the moment when it happens (properties.ts).
 */

import type { OutboxChanges, OutboxRecord, Published } from '@holdfast/client';
import type { Batch, DecidedPublish, Head, MemoryDisk } from '@holdfast/server';
import type { HoldfastError } from '@holdfast/wire';
import type { Disk, DiskWitness } from './disk.ts';
import { contentOf, type Content } from './payload.ts';
import type { Verdict } from './properties.ts';
import type { Tally } from './tally.ts';

/** One epoch of one topic, as the disk has it or had it. */
export interface Log {
  readonly topic: string;
  readonly epoch: string;
  /** By offset, from 1. Trimmed ones stay here. */
  readonly contents: Content[];
  /** The first offset that is still on the disk. */
  first: number;
  /** Values by revision, from 1. */
  readonly registers: { readonly key: string; readonly value: string }[];
  /** The publish counter seen last, by line. */
  readonly counters: Map<string, number>;
}

/** One call of `publish` or `publishAll`. */
export interface Publication {
  readonly device: string;
  /** What keeps its order as one, where that is not the device: one process of a tab, whose rows another may take over. */
  readonly line?: string;
  readonly subject: string;
  readonly topic: string;
  /** Ascending per device. */
  readonly counter: number;
  readonly ids: readonly string[];
  /** With `ifHead`, a time to live, or something that the hook refuses: it may end otherwise than stored. */
  readonly mayMismatch: boolean;
  readonly mayExpire: boolean;
  readonly mayAbort?: boolean;
  readonly isRefused: boolean;
  state: 'open' | 'acknowledged' | 'refused' | 'uncertain';
  isDurable: boolean;
  /** The producer and the epoch that it was sent for, as its outbox says; `undefined`: never sent, none known. */
  producer: string | undefined;
  epoch: string | undefined;
  /** A second device has its row too: it may be stored twice, and after it was refused. */
  isCloned: boolean;
  /** Where it was stored, by epoch. */
  readonly places: Map<string, number>;
}

/** Refusals that the workload provokes, and whether this publish may get one. */
const LEGAL: Readonly<Record<string, (publication: Publication) => boolean>> = {
  HEAD_MISMATCH: ({ mayMismatch }) => mayMismatch,
  REFUSED: ({ isRefused }) => isRefused,
  EXPIRED: ({ mayExpire }) => mayExpire,
  ABORTED: ({ mayAbort }) => mayAbort === true,
};

export interface LedgerOptions {
  /** Producers are forgotten so soon in this run that an outage can do it. */
  readonly isForgetful: boolean;
  /** No wall clock is set anew: what has expired once stays so. */
  readonly isClockSteady: boolean;
  /** Whether the right to publish there was ever taken away. Default: never. */
  readonly wasForbidden?: (subject: string, topic: string) => boolean;
}

export class Ledger implements DiskWitness {
  readonly #verdict: Verdict;
  readonly #tally: Tally;
  readonly #options: LedgerOptions;
  readonly #publications = new Map<string, Publication>();
  readonly #logs = new Map<string, Log>();
  /** The present epoch of each topic. */
  readonly #current = new Map<string, Log>();
  /** The epochs that a producer's publishes were sent for. */
  readonly #epochsOf = new Map<string, Set<string | undefined>>();
  /** Topics of which an epoch has ended. */
  readonly #isRenewed = new Set<string>();
  /** Producers that two devices have. */
  readonly #sharedProducers = new Set<string>();
  /** Devices whose outbox others have too. */
  readonly #clonedDevices = new Set<string>();
  /** Devices whose outbox is gone for good. */
  readonly #abandoned = new Set<string>();

  constructor(verdict: Verdict, tally: Tally, options: LedgerOptions) {
    this.#verdict = verdict;
    this.#tally = tally;
    this.#options = options;
  }

  /** The present log of a topic; `undefined` if it was never founded or is gone. */
  current(topic: string): Log | undefined {
    return this.#current.get(topic);
  }

  /** One incarnation, present or gone. */
  log(topic: string, epoch: string): Log | undefined {
    return this.#logs.get(`${topic} ${epoch}`);
  }

  /** Whether an epoch of the topic has ended. */
  isRenewed(topic: string): boolean {
    return this.#isRenewed.has(topic);
  }

  published(fields: Omit<Publication, 'state' | 'isDurable' | 'producer' | 'epoch' | 'isCloned' | 'places'>): Publication {
    const publication: Publication = {
      ...fields,
      state: 'open',
      isDurable: false,
      producer: undefined,
      epoch: undefined,
      isCloned: false,
      places: new Map(),
    };
    for (const id of publication.ids) this.#publications.set(id, publication);
    return publication;
  }

  /** The device's outbox disk holds these rows by now. */
  durable({ rows = [] }: OutboxChanges): void {
    for (const { items, epoch, producer } of rows) {
      const publication = this.#publications.get(contentOf(items[0]!).id);
      if (publication === undefined) continue;
      Object.assign(publication, { isDurable: true, epoch });
      if (producer === undefined) continue;
      publication.producer = producer;
      this.#epochsOf.set(producer, (this.#epochsOf.get(producer) ?? new Set()).add(epoch));
    }
  }

  /** A second device has all of this from now on: HF-6.12 is broken, and with it the order, for both (HF-6.10). */
  cloned({ producers, rows }: OutboxRecord, devices: readonly string[]): void {
    for (const device of devices) this.#clonedDevices.add(device);
    for (const { producer } of producers) this.#sharedProducers.add(producer);
    for (const { items } of rows) {
      const publication = this.#publications.get(contentOf(items[0]!).id);
      if (publication !== undefined) publication.isCloned = true;
    }
  }

  /** A device's outbox is gone for good: what was in it may never be stored. */
  abandoned(device: string): void {
    this.#abandoned.add(device);
  }

  /** A publish was resolved. */
  acknowledged(publication: Publication, { offset, epoch, duplicate }: Published): void {
    const { ids, topic } = publication;
    this.#tally.count('acknowledged');
    if (duplicate) this.#tally.count('acknowledged as duplicate');
    publication.state = 'acknowledged';
    const there =
      this.log(topic, epoch)
        ?.contents.slice(offset - 1, offset - 1 + ids.length)
        .map(({ id }) => id) ?? [];
    this.#verdict.expect(
      there.join() === ids.join(),
      'acknowledged-at-its-offset',
      () => `${ids[0]} resolved with ${offset} in ${topic} ${epoch}, where ${there.join(' ') || 'nothing'} is`,
    );
  }

  /** A publish was rejected. */
  refused(publication: Publication, error: HoldfastError): void {
    const { code } = error;
    this.#tally.count(`refused ${code}`);
    // Settles the promise only: the row stays in the outbox.
    if (code === 'PENDING') return;
    const isUncertain = code === 'UNCERTAIN';
    const isForbidden = code === 'FORBIDDEN' && this.#wasForbidden(publication);
    const isLegal = isUncertain ? this.mayBeUncertain(publication) : isForbidden || LEGAL[code]?.(publication) === true;
    this.#verdict.expect(isLegal, 'refusals-legal', () => `${publication.ids[0]} was rejected with ${code}: ${error.message}`);
    // Its row may come back with a clock that was set back, if the device dies before the row's end is durable.
    if (code === 'EXPIRED' && !this.#options.isClockSteady) return;
    publication.state = isUncertain ? 'uncertain' : 'refused';
    if (!isUncertain && !publication.isCloned)
      this.#verdict.expect(
        publication.places.size === 0,
        'refused-is-not-stored',
        () => `${publication.ids[0]} was rejected with ${code} and is stored`,
      );
  }

  /** HF-6.10: a log that its producer was used for is gone, or the producer was forgotten. */
  mayBeUncertain({ topic, producer = '' }: Publication): boolean {
    const isOtherLog = (epoch: string | undefined): boolean =>
      epoch === undefined ? this.#isRenewed.has(topic) : this.#current.get(topic)?.epoch !== epoch;
    return this.#options.isForgetful || this.#sharedProducers.has(producer) || [...(this.#epochsOf.get(producer) ?? [])].some(isOtherLog);
  }

  /** HF-6.7: what a server says while it says it. */
  acknowledging(topic: string, epoch: string, offset: number): void {
    const log = this.log(topic, epoch);
    this.#verdict.expect(
      (log?.contents.length ?? 0) >= offset,
      'acknowledged-when-durable',
      () => `a server acknowledges ${offset} of ${topic} ${epoch}, which ends at ${log?.contents.length ?? 0}`,
    );
  }

  /** A register write was resolved with what stands. */
  registered(topic: string, { key, value, revision }: { readonly key: string; readonly value: unknown; readonly revision: number }): void {
    const isThere = [...this.#logs.values()].some(
      (log) =>
        log.topic === topic && log.registers[revision - 1]?.key === key && log.registers[revision - 1]?.value === JSON.stringify(value),
    );
    this.#verdict.expect(
      isThere,
      'registers-rise',
      () => `${key} of ${topic} is said to stand at ${JSON.stringify(value)} since revision ${revision}, and was never so`,
    );
  }

  stored({ found, publishes, registers }: Batch): void {
    for (const { topic, epoch } of found) {
      const log: Log = { topic, epoch, contents: [], first: 1, registers: [], counters: new Map() };
      this.#verdict.expect(
        !this.#current.has(topic) && !this.#logs.has(`${topic} ${epoch}`),
        'offsets-dense',
        () => `${topic} is founded twice`,
      );
      this.#logs.set(`${topic} ${epoch}`, log);
      this.#current.set(topic, log);
    }
    for (const publish of publishes) if (publish.outcome.kind === 'accepted') this.#append(publish, publish.outcome.offset);
    for (const { topic, key, value, revision } of registers) {
      const log = this.#current.get(topic)!;
      log.registers.push({ key, value });
      this.#verdict.expect(
        log.registers.length === revision,
        'offsets-dense',
        () => `revision ${revision} of ${topic} comes as number ${log.registers.length}`,
      );
    }
  }

  trimmed(topic: string, { first }: Head): void {
    this.#current.get(topic)!.first = first;
  }

  removed(topic: string): void {
    this.#end(topic);
  }

  wiped(): void {
    for (const topic of this.#current.keys()) this.#end(topic);
  }

  restored(topics: MemoryDisk['topics']): void {
    for (const topic of this.#current.keys()) this.#end(topic);
    for (const [name, { epoch, cut, entries, revision, registers }] of topics) {
      // Of what the copy does not hold any more nobody will be told.
      const contents: Content[] = Array.from({ length: cut }, () => ({ id: '', padding: '' }));
      contents.push(...entries.map(({ payload }) => contentOf(payload)));
      const changes = Array.from({ length: revision }, () => ({ key: '', value: '' }));
      for (const { key, value, revision: at } of registers.values()) changes[at - 1] = { key, value };
      const log: Log = { topic: name, epoch, contents, first: cut + 1, registers: changes, counters: new Map() };
      this.#logs.set(`${name} ${epoch}`, log);
      this.#current.set(name, log);
      entries.forEach(({ producer }, at) => {
        const publication = this.#publications.get(contents[cut + at]!.id);
        if (publication === undefined) return;
        log.counters.set(lineOf(publication, producer), publication.counter);
        if (!publication.places.has(epoch)) publication.places.set(epoch, cut + at + 1);
      });
    }
  }

  notDense(error: unknown): void {
    this.#verdict.violated('offsets-dense', String(error));
  }

  /** The disk against the truth: every entry that was stored and not cut is there, as it was stored. */
  compare(disk: Disk): void {
    for (const [topic, log] of this.#current) {
      const there = disk.topics.get(topic)?.entries ?? [];
      const want = log.contents.slice(log.first - 1).map(({ id }) => id);
      const have = there.map(({ payload }) => contentOf(payload).id);
      const isSame = want.join() === have.join() && there.every(({ offset }, at) => offset === log.first + at);
      this.#verdict.expect(
        isSame,
        'acknowledged-stays',
        () => `${topic} ${log.epoch} holds ${have.length} entries where ${want.length} were stored`,
      );
      for (const { key, value, revision } of disk.topics.get(topic)?.registers.values() ?? []) {
        const newest = log.registers.findLastIndex((register) => register.key === key) + 1;
        const stands = newest === revision && log.registers[revision - 1]!.value === value;
        this.#verdict.expect(
          stands,
          'acknowledged-stays',
          () => `${key} of ${topic} is ${value} of revision ${revision} on the disk, and was written last at ${newest}`,
        );
      }
    }
  }

  /** Everything is over: what was durable in an outbox is stored, or ended in a way that is legal. */
  settled(): void {
    for (const publication of new Set(this.#publications.values())) {
      const { state, isDurable, places, ids, mayMismatch, mayExpire, mayAbort, isRefused } = publication;
      if (state !== 'open' || !isDurable || places.size > 0 || this.#abandoned.has(publication.device)) continue;
      // Its process died before it heard what became of it.
      const isLegal =
        mayMismatch || mayExpire || mayAbort === true || isRefused || this.#wasForbidden(publication) || this.mayBeUncertain(publication);
      this.#verdict.expect(isLegal, 'all-settled', () => `${ids[0]} was durable in an outbox and is nowhere`);
    }
  }

  #wasForbidden({ subject, topic }: Publication): boolean {
    return this.#options.wasForbidden?.(subject, topic) === true;
  }

  #append({ topic, subject, producer, payloads }: DecidedPublish, offset: number): void {
    const verdict = this.#verdict;
    const log = this.#current.get(topic)!;
    verdict.expect(
      offset === log.contents.length + 1,
      'offsets-dense',
      () => `offset ${offset} of ${topic} comes after ${log.contents.length}`,
    );
    const contents = payloads.map(contentOf);
    log.contents.push(...contents);
    const ids = contents.map(({ id }) => id);
    const publication = this.#publications.get(ids[0]!);
    if (publication === undefined || publication.topic !== topic || publication.subject !== subject) {
      return verdict.violated(
        'nothing-invented',
        `${subject} stored ${ids[0]} in ${topic}, which was ${publication === undefined ? 'never published' : `published in ${publication.topic} by ${publication.subject}`}`,
      );
    }
    const { device, counter, places, state, isDurable, isCloned } = publication;
    verdict.expect(
      publication.ids.join() === ids.join(),
      'publish-together',
      () => `${ids.join(' ')} was stored where ${publication.ids.join(' ')} was published`,
    );
    // A publish that could not name the log for which it was first sent (HF-6.8) is new to the next one.
    const isTwice = places.has(log.epoch) || (places.size > 0 && publication.epoch !== undefined);
    verdict.expect(
      !isTwice || isCloned,
      'nothing-twice',
      () =>
        `${ids[0]} is stored at ${offset} of ${topic} ${log.epoch}, and before at ${[...places].map(([epoch, at]) => `${at} of ${epoch}`).join()}`,
    );
    places.set(log.epoch, offset);
    const line = lineOf(publication, producer);
    const last = log.counters.get(line) ?? 0;
    verdict.expect(
      counter > last || this.#clonedDevices.has(device),
      'publish-order',
      () => `${ids[0]} is stored in ${topic} after number ${last} of ${device}`,
    );
    log.counters.set(line, Math.max(last, counter));
    verdict.expect(isDurable, 'durable-before-sent', () => `${ids[0]} is stored and was never durable in the outbox of ${device}`);
    verdict.expect(state !== 'refused' || isCloned, 'refused-is-not-stored', () => `${ids[0]} is stored after it was refused`);
  }

  #end(topic: string): void {
    this.#current.delete(topic);
    this.#isRenewed.add(topic);
  }
}

/** Whose order a publish keeps. Rows of a tab that another took over go on under the producers that they had. */
function lineOf({ device, line }: Publication, producer: string): string {
  return line === undefined ? device : `${line} ${producer}`;
}
