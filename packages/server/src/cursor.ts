/**
 * The reading place of one subscription (PROTOCOL.md HF-5.5). There is no follow buffer: behind the head a cursor reads
 * pages from the store; when its offset equals the committed head it is live, in that same turn, and takes each commit
 * as it comes. Resuming, a slow reader, missing credit and an ended right are all "not at the head, and may not read".
 *
 * It knows a topic, a store and a sink; never a socket.
 */

import { HoldfastError, type GapReason, type Position } from '@holdfast/wire';
import type { Timer } from './clock.ts';
import { FramedEntry, type EntryRun } from './framed-entry.ts';
import type { Grant, Identity } from './rights.ts';
import type { Services } from './services.ts';
import type { Register } from './store.ts';
import type { TopicLog } from './topic-log.ts';
import type { TopicTail } from './topic-tail.ts';

/** How long after a failed reading or asking it is tried again, ms. */
const RETRY_DELAY_MS = 500;

/** Where a cursor sends what it reads, in order. */
export interface CursorSink {
  /** False while what was sent before has not drained, and after the end. */
  readonly isReady: boolean;
  entry(entry: FramedEntry): void;
  /** Takes all of it, or nothing: then they are handed over one by one. */
  entries(run: EntryRun): boolean;
  skip(first: number, last: number): void;
  gap(reason: GapReason, before: Position, after: Position): void;
  register(register: Register): void;
  /** The right to read ended; nothing comes until `recheck` finds a new one. */
  paused(error: HoldfastError): void;
  /** The cursor has nothing to do now. */
  rested(): void;
  /** Who reads, as of now. */
  readonly viewer: Identity;
  /** Asks for the right again; rejects with `FORBIDDEN`. Asked for every page. */
  ask(): Promise<Grant>;
}

/** What cursors share on one node. */
export type CursorServices = Pick<Services, 'store' | 'clock' | 'reads' | 'page' | 'refusalOf'>;

export interface CursorOptions {
  readonly services: CursorServices;
  /** The log, its number on this node, and its newest entries. */
  readonly topic: { readonly log: TopicLog; readonly number: number; readonly tail: TopicTail };
  readonly sink: CursorSink;
  /** The place to begin after. */
  readonly start: Position;
  /** Entries that may be sent after `start` before more credit comes; `undefined`: no credit flow (HF-7.1). */
  readonly credit: number | undefined;
  readonly grant: Grant;
}

/** Where a subscription without a position begins (HF-5.1): at the head, or `last` entries before it, with all registers. */
export function startOf({ first }: TopicLog, head: Position, last: number | undefined): Position {
  return last === undefined ? head : { ...head, offset: Math.max(first - 1, head.offset - last), revision: 0 };
}

type Step = 'ask' | 'registers' | 'entries';

export class Cursor {
  // Fields and no options: there is one of these for each subscription of each connection.
  readonly #services: CursorServices;
  readonly #topic: CursorOptions['topic'];
  readonly #sink: CursorSink;
  #epoch: string;
  #offset: number;
  #revision: number;
  #creditUpTo: number;
  #grant: Grant;
  /** `due`: nothing is handed over until the right was asked for again. */
  #right: 'granted' | 'due' | 'refused' = 'granted';
  /** Whether the sink was told that the right ended. */
  #isPaused = false;
  /** Goes up with every asking: only the answer to the latest counts. */
  #asked = 0;
  #rechecking = 0;
  #isPumping = false;
  #isClosed = false;
  /** How often the topic had something to announce, and the count at which the registers could not be had without more. */
  #news = 0;
  #stuckAt = -1;
  #retry: Timer | undefined;

  constructor({ services, topic, sink, start, credit, grant }: CursorOptions) {
    this.#services = services;
    this.#topic = topic;
    this.#sink = sink;
    this.#epoch = start.epoch;
    this.#offset = start.offset;
    this.#revision = start.revision;
    this.#grant = grant;
    this.#creditUpTo = start.offset + (credit ?? Infinity);
  }

  get #log(): TopicLog {
    return this.#topic.log;
  }

  /** What was sent last. */
  get position(): Position {
    return { epoch: this.#epoch, offset: this.#offset, revision: this.#revision };
  }

  /** At the committed head, with nothing more to read, and allowed to be there. */
  get isLive(): boolean {
    return this.#isAtHead && this.#log.founding === undefined && !this.#isPumping && this.checkRight();
  }

  get #isAtHead(): boolean {
    const log = this.#log;
    return this.#offset === log.committed && this.#revision === log.committedRevision && this.#epoch === log.epoch;
  }

  /** Whether the right stands at this moment (HF-5.10); an end of it pauses. */
  checkRight(): boolean {
    if (this.#isClosed || this.#right !== 'granted') return false;
    const { untilMs } = this.#grant;
    if (untilMs === undefined || this.#services.clock.now() < untilMs) return true;
    this.#refuse(new HoldfastError('FORBIDDEN', `the right to read "${this.#log.topic}" has ended`));
    return false;
  }

  close(): void {
    this.#isClosed = true;
    this.#forgetRetry();
  }

  /** HF-7.1: cumulative. What was meant for another log than the one that is sent counts for nothing. */
  credit(upTo: number, epoch?: string): void {
    if (epoch !== undefined && epoch !== this.#epoch) return;
    this.#creditUpTo = Math.max(this.#creditUpTo, upTo);
    this.pump();
  }

  /** A commit of the topic. A cursor at the head takes it as it is; one that is behind finds it in the store. */
  onCommit(entries: readonly FramedEntry[], registers: readonly Register[]): void {
    this.#news += 1;
    if (this.#isPumping || this.#isClosed) return;
    if (this.#isNext(entries, registers) && this.#mayDeliver()) {
      this.#isPumping = true;
      this.#send(entries);
      this.#sendRegisters(registers);
      this.#isPumping = false;
      if (this.#isAtHead && this.#right === 'granted' && !this.#isClosed) return this.#sink.rested();
    }
    this.pump();
  }

  /** The topic's log was read again: its head or epoch may be another. */
  onReload(): void {
    this.#news += 1;
    this.#forgetRetry();
    this.pump();
  }

  /** Reads on, if there is something to read and nothing forbids it. Call it whenever one of the two may have changed. */
  pump(): void {
    if (this.#isPumping || this.#isClosed || this.#retry !== undefined) return;
    this.#isPumping = true;
    const step = this.#nextStep();
    if (step !== undefined) return void this.#run(step);
    this.#isPumping = false;
    this.#sink.rested();
  }

  /** Asks for the right again, after new credentials or a revocation. Nothing more is handed over until the answer. */
  async recheck(): Promise<void> {
    if (this.#isClosed) return;
    this.#right = 'due';
    this.#rechecking += 1;
    try {
      await this.#ask();
      this.#forgetRetry();
    } catch (error) {
      this.#tryLater(error);
    }
    this.#rechecking -= 1;
    this.pump();
  }

  async #run(first: Step): Promise<void> {
    try {
      for (let step: Step | undefined = first; step !== undefined; step = this.#nextStep()) {
        if (step === 'ask') await this.#ask();
        else if (step === 'registers') await this.#readRegisters();
        else await this.#readPage();
      }
    } catch (error) {
      this.#tryLater(error);
    }
    // In the same turn as the comparison with the head: the commit that comes next finds this cursor live.
    this.#isPumping = false;
    if (!this.#isClosed) this.#sink.rested();
  }

  /** What is to be done now; `undefined`: nothing, or nothing may be. Says first what cannot be had. */
  #nextStep(): Step | undefined {
    const log = this.#log;
    if (this.#isClosed) return undefined;
    if (this.#right === 'due') return this.#rechecking > 0 ? undefined : 'ask';
    if (!this.#mayDeliver()) return undefined;
    this.#leap();
    if (!this.#isOpen) return undefined;
    if (this.#revision < log.committedRevision && this.#stuckAt !== this.#news) return 'registers';
    while (this.#offset < log.committed && this.#offset < this.#creditUpTo) {
      // A little behind is as good as live: the same frames, under the right that stands.
      const entries = this.#topic.tail.from(this.#offset + 1, this.#creditUpTo - this.#offset);
      if (entries === undefined) return 'entries';
      const before = this.#offset;
      this.#send(entries);
      if (!this.#mayDeliver()) return undefined;
      // A tail that leads nowhere would be asked for ever.
      if (this.#offset === before) return 'entries';
    }
    return undefined;
  }

  async #readRegisters(): Promise<void> {
    const log = this.#log;
    const { store, reads } = this.#services;
    const epoch = this.#epoch;
    const news = this.#news;
    const registers = await reads.run(() => store.registers(log.topic, this.#revision));
    if (epoch !== log.epoch || !this.#mayDeliver()) return;
    if (registers.length === 0) throw notSettled(log);
    // What the store has beyond the head known here is not announced yet, and hides what it replaced: its commit brings it.
    const announced = registers.filter(({ revision }) => revision <= log.committedRevision);
    if (announced.length === 0) this.#stuckAt = news;
    this.#sendRegisters(announced);
  }

  async #readPage(): Promise<void> {
    const { log, number } = this.#topic;
    const { store, reads, page: limits } = this.#services;
    const epoch = this.#epoch;
    const offset = this.#offset;
    await this.#ask();
    if (this.#right !== 'granted') return;
    const page = await reads.run(() => store.read(log.topic, { after: offset }, limits));
    // The right may be another one by now, and the log too: the next step sees to it.
    if (epoch !== log.epoch || !this.#mayDeliver() || this.#isBelowFloor(offset + 1)) return;
    if (page?.epoch !== epoch) throw notSettled(log);
    if (page.first > offset + 1) this.#gap('retention', { ...this.position, offset: Math.min(page.first - 1, log.committed) });
    else if (page.entries.length === 0) throw notSettled(log);
    // What the store has beyond the head known here is not announced yet.
    const entries = page.entries.filter((entry) => entry.offset <= log.committed);
    this.#send(entries.map((entry) => new FramedEntry(log.topic, number, entry)));
  }

  /** Whether a commit follows this place. */
  #isNext(entries: readonly FramedEntry[], registers: readonly Register[]): boolean {
    if (this.#epoch !== this.#log.epoch) return false;
    const next = this.#offset + 1;
    const isNextEntry = entries.length === 0 || (entries[0]!.entry.offset === next && !this.#isBelowFloor(next));
    return isNextEntry && (registers.length === 0 || registers[0]!.revision === this.#revision + 1);
  }

  #isBelowFloor(offset: number): boolean {
    return offset < (this.#grant.floor ?? 1);
  }

  /** Says what cannot be had before the next entry (HF-5.7). */
  #leap(): void {
    const { epoch, committed, committedRevision, first } = this.#log;
    const cut = Math.min(first - 1, committed);
    const beginning = { epoch, offset: cut, revision: 0 };
    if (epoch !== this.#epoch) this.#gap('epoch', beginning);
    else if (this.#offset > committed || this.#revision > committedRevision) this.#gap('ahead', beginning);
    else if (this.#offset < cut) this.#gap('retention', { ...beginning, revision: this.#revision });
    const floored = Math.min((this.#grant.floor ?? 1) - 1, committed);
    if (this.#offset < floored && this.#isOpen) this.#gap('floor', { ...this.position, offset: floored });
  }

  #gap(reason: GapReason, after: Position): void {
    const before = this.position;
    this.#epoch = after.epoch;
    this.#offset = after.offset;
    this.#revision = after.revision;
    // The unused credit goes on from there. A whole window anew with each gap would pile up at a reader that stands still.
    this.#creditUpTo = after.offset + (this.#creditUpTo - before.offset);
    this.#sink.gap(reason, before, after);
  }

  /** Entries that follow the position, as far as credit and the sink allow; hidden ones as skips. */
  #send(entries: readonly FramedEntry[]): void {
    const sink = this.#sink;
    const log = this.#log;
    let hiddenFrom: number | undefined;
    for (let at = 0; at < entries.length; at++) {
      const framed = entries[at]!;
      const { offset } = framed.entry;
      if (offset <= this.#offset) continue;
      const { run } = framed;
      if (run !== undefined && this.#sendRun(run)) {
        at += run.entries.length - 1;
        continue;
      }
      if (offset > this.#creditUpTo || !this.#isOpen) break;
      if (log.kind.isVisible?.(framed.entry, sink.viewer) === false) {
        this.#offset = offset;
        hiddenFrom ??= offset;
        continue;
      }
      if (hiddenFrom !== undefined) sink.skip(hiddenFrom, offset - 1);
      hiddenFrom = undefined;
      if (!this.#isOpen) break;
      this.#offset = offset;
      sink.entry(framed);
    }
    if (hiddenFrom !== undefined && !this.#isClosed) sink.skip(hiddenFrom, this.#offset);
  }

  /** All of a run at once, if everybody may see everything of it and there is credit and room for it. */
  #sendRun(run: EntryRun): boolean {
    if (run.last > this.#creditUpTo || this.#log.kind.isVisible !== undefined || this.#isClosed || !this.#sink.entries(run)) return false;
    this.#offset = run.last;
    return true;
  }

  #sendRegisters(registers: readonly Register[]): void {
    const sink = this.#sink;
    for (const register of registers) {
      if (register.revision <= this.#revision) continue;
      if (!this.#isOpen) return;
      this.#revision = register.revision;
      sink.register(register);
    }
  }

  /** Whether the sink takes one more; it may have closed this cursor with the last one. */
  get #isOpen(): boolean {
    return this.#sink.isReady && !this.#isClosed;
  }

  #mayDeliver(): boolean {
    return this.checkRight() && this.#sink.isReady && this.#log.founding === undefined;
  }

  /** Sets `#right` to the answer, unless a later asking has overtaken this one. Rejects with what can be tried again. */
  async #ask(): Promise<void> {
    const asked = ++this.#asked;
    let grant: Grant;
    try {
      grant = await this.#sink.ask();
    } catch (error) {
      if (asked !== this.#asked || this.#isClosed) return;
      const refusal = this.#services.refusalOf(error);
      if (!refusal.retryable) return this.#refuse(refusal);
      this.#right = 'due';
      throw refusal;
    }
    if (asked !== this.#asked || this.#isClosed) return;
    this.#grant = grant;
    this.#right = 'granted';
    this.#isPaused = false;
  }

  #refuse(error: HoldfastError): void {
    this.#right = 'refused';
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#sink.paused(error);
  }

  #tryLater(error: unknown): void {
    this.#services.refusalOf(error);
    if (this.#isClosed || this.#retry !== undefined) return;
    this.#retry = this.#services.clock.setTimeout(() => {
      this.#retry = undefined;
      this.pump();
    }, RETRY_DELAY_MS);
  }

  #forgetRetry(): void {
    if (this.#retry !== undefined) this.#services.clock.clearTimeout(this.#retry);
    this.#retry = undefined;
  }
}

/** The store and the log disagree: while a topic begins anew, or a commit is durable and not yet announced. It passes. */
function notSettled(log: TopicLog): HoldfastError {
  return new HoldfastError('STORE_UNAVAILABLE', `the log of "${log.topic}" is being read again`);
}
