/**
 * The reading place of one subscription (PROTOCOL.md HF-5.5). There is no follow buffer: behind the head a cursor reads
 * pages from the store; when its offset equals the committed head it is live, in that same turn, and takes each commit
 * as it comes. Resuming, a slow reader, missing credit and an ended right are all "not at the head, and may not read".
 *
 * It knows a topic, a store and a sink; never a socket.
 */

import { HoldfastError, type GapReason, type Position } from '@holdfast/wire';
import type { Clock } from './clock.ts';
import { FramedEntry } from './framed-entry.ts';
import type { Grant, Identity } from './rights.ts';
import type { PageLimits, Register, TopicStore } from './store.ts';
import type { TopicLog } from './topic-log.ts';
import type { Turnstile } from './turnstile.ts';

/** How long after a failed read the store is asked again, ms. */
const RETRY_DELAY_MS = 500;

/** Where a cursor sends what it reads, in order. */
export interface CursorSink {
  /** False while what was sent before has not drained, and after the end. */
  readonly isReady: boolean;
  entry(entry: FramedEntry): void;
  skip(first: number, last: number): void;
  gap(reason: GapReason, before: Position, after: Position): void;
  register(register: Register): void;
  /** The right to read ended; nothing comes until `recheck` finds a new one. */
  paused(error: HoldfastError): void;
  /** The cursor has just reached the head. */
  live(): void;
}

export interface CursorOptions {
  readonly log: TopicLog;
  /** The topic's number on this node. */
  readonly number: number;
  readonly store: TopicStore;
  readonly clock: Clock;
  readonly reads: Turnstile;
  readonly page: PageLimits;
  readonly viewer: Identity;
  readonly sink: CursorSink;
  /** The place to begin after. */
  readonly start: Position;
  /** Entries that may be sent beyond `start` before more credit comes; `undefined`: no credit flow (HF-7.1). */
  readonly credit: number | undefined;
  readonly grant: Grant;
  /** Asks for the right again; rejects with `FORBIDDEN`. Asked for every page. */
  readonly ask: () => Promise<Grant>;
}

/** Where a subscription without a position begins (HF-5.1): at the head, or `last` entries before it, with all registers. */
export function startOf({ first }: TopicLog, head: Position, last: number | undefined): Position {
  return last === undefined ? head : { ...head, offset: Math.max(first - 1, head.offset - last), revision: 0 };
}

export class Cursor {
  readonly #options: CursorOptions;
  #position: Position;
  #creditUpTo: number;
  #grant: Grant;
  #isPumping = false;
  #isPaused = false;
  #isClosed = false;
  #onReload: (() => void) | undefined;

  constructor(options: CursorOptions) {
    this.#options = options;
    this.#position = options.start;
    this.#grant = options.grant;
    this.#creditUpTo = options.start.offset + (options.credit ?? Infinity);
  }

  /** What was sent last. */
  get position(): Position {
    return this.#position;
  }

  /** At the committed head, with nothing more to read. */
  get isLive(): boolean {
    const { log } = this.#options;
    const { epoch, offset, revision } = this.#position;
    return !this.#isPumping && !this.#isPaused && epoch === log.epoch && offset === log.committed && revision === log.committedRevision;
  }

  close(): void {
    this.#isClosed = true;
    this.onReload();
  }

  /** HF-7.1: cumulative. */
  credit(upTo: number): void {
    this.#creditUpTo = Math.max(this.#creditUpTo, upTo);
    this.pump();
  }

  /** A commit of the topic. A live cursor takes it as it is; one that is behind finds it in the store. */
  onCommit(entries: readonly FramedEntry[], registers: readonly Register[]): void {
    if (this.#isPumping) return;
    const { offset, revision } = this.#position;
    const follows = this.#position.epoch === this.#options.log.epoch && (entries.length === 0 || entries[0]!.entry.offset === offset + 1) && (registers.length === 0 || registers[0]!.revision === revision + 1);
    if (follows && this.#mayFlush()) {
      this.#send(entries);
      if (this.#options.sink.isReady) this.#sendRegisters(registers);
    }
    this.pump();
  }

  /** The topic's log was read again: its head or epoch may be another. */
  onReload(): void {
    const resume = this.#onReload;
    this.#onReload = undefined;
    resume?.();
    this.pump();
  }

  /** Reads on, if there is something to read and nothing forbids it. Call it whenever one of the two may have changed. */
  pump(): void {
    if (this.#isPumping || this.#isClosed || this.isLive) return;
    this.#isPumping = true;
    void this.#run();
  }

  /** Asks for the right again, after new credentials or a revocation. */
  async recheck(): Promise<void> {
    if (!(await this.#renewGrant())) return;
    this.#isPaused = false;
    this.pump();
  }

  async #run(): Promise<void> {
    const { log, sink, clock } = this.#options;
    try {
      // A log that is being founded is announced by its first commit.
      while (this.#mayFlush() && log.isFounded) {
        this.#leap();
        const { offset, revision } = this.#position;
        if (revision < log.committedRevision) await this.#readRegisters();
        else if (offset < log.committed && offset < this.#creditUpTo) await this.#readPage();
        else break;
      }
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      clock.setTimeout(() => this.pump(), RETRY_DELAY_MS);
    }
    // In the same turn as the comparison with the head: the commit that comes next finds this cursor live.
    this.#isPumping = false;
    if (this.isLive && this.#mayFlush()) sink.live();
  }

  async #readRegisters(): Promise<void> {
    const { log, store, reads } = this.#options;
    const { epoch, revision } = this.#position;
    const registers = await reads.run(() => store.registers(log.topic, revision));
    if (epoch === log.epoch && this.#mayFlush()) this.#sendRegisters(registers);
    else await this.#reloaded();
  }

  async #readPage(): Promise<void> {
    const { log, store, reads, page: limits, number } = this.#options;
    const { epoch, offset } = this.#position;
    if (!(await this.#renewGrant())) return;
    const page = await reads.run(() => store.read(log.topic, { after: offset }, limits));
    if (!this.#mayFlush()) return;
    if (page === undefined || page.epoch !== epoch || epoch !== log.epoch) return this.#reloaded();
    if (page.first > offset + 1) this.#gap('retention', { ...this.#position, offset: page.first - 1 });
    // What the store has beyond the head known here is not announced yet.
    this.#send(page.entries.filter((entry) => entry.offset <= log.committed).map((entry) => new FramedEntry(log.topic, number, entry)));
  }

  /** The store and the log disagree while a topic begins anew: resolves when the log was read again. */
  #reloaded(): Promise<void> {
    if (this.#position.epoch !== this.#options.log.epoch || this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => (this.#onReload = resolve));
  }

  /** Says what cannot be had before the next entry (HF-5.7). */
  #leap(): void {
    const { epoch, first, committed, committedRevision } = this.#options.log;
    const { offset, revision } = this.#position;
    const beginning = { epoch, offset: first - 1, revision: 0 };
    if (epoch !== this.#position.epoch) this.#gap('epoch', beginning);
    else if (offset > committed || revision > committedRevision) this.#gap('ahead', beginning);
    else if (offset < first - 1) this.#gap('retention', { ...beginning, revision });
    const floor = this.#grant.floor ?? 1;
    if (this.#position.offset < floor - 1 && this.#position.offset < committed) this.#gap('floor', { ...this.#position, offset: Math.min(floor - 1, committed) });
  }

  #gap(reason: GapReason, after: Position): void {
    const before = this.#position;
    const window = this.#options.credit ?? Infinity;
    this.#position = after;
    this.#creditUpTo = after.epoch === before.epoch && after.offset >= before.offset ? Math.max(this.#creditUpTo, after.offset + window) : after.offset + window;
    this.#options.sink.gap(reason, before, after);
  }

  /** Entries that follow the position, as far as credit and the sink allow; hidden ones as skips. */
  #send(entries: readonly FramedEntry[]): void {
    const { sink, viewer, log } = this.#options;
    let hiddenFrom: number | undefined;
    for (const framed of entries) {
      const { offset } = framed.entry;
      if (offset <= this.#position.offset) continue;
      if (offset > this.#creditUpTo || !sink.isReady) break;
      const isHidden = log.kind.isVisible?.(framed.entry, viewer) === false;
      if (isHidden) hiddenFrom ??= offset;
      else {
        if (hiddenFrom !== undefined) sink.skip(hiddenFrom, offset - 1);
        hiddenFrom = undefined;
        sink.entry(framed);
      }
      this.#position = { ...this.#position, offset };
    }
    if (hiddenFrom !== undefined) sink.skip(hiddenFrom, this.#position.offset);
  }

  #sendRegisters(registers: readonly Register[]): void {
    for (const register of registers) {
      if (register.revision <= this.#position.revision) continue;
      this.#options.sink.register(register);
      this.#position = { ...this.#position, revision: register.revision };
    }
  }

  /** HF-5.10: asked at every flush; an end of the right pauses. */
  #mayFlush(): boolean {
    if (this.#isClosed || this.#isPaused || !this.#options.sink.isReady) return false;
    const { untilMs } = this.#grant;
    if (untilMs === undefined || this.#options.clock.now() < untilMs) return true;
    this.#pause(new HoldfastError('FORBIDDEN', `the right to read "${this.#options.log.topic}" has ended`));
    return false;
  }

  async #renewGrant(): Promise<boolean> {
    try {
      this.#grant = await this.#options.ask();
      return !this.#isClosed;
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      this.#pause(error);
      return false;
    }
  }

  #pause(error: HoldfastError): void {
    if (this.#isPaused || this.#isClosed) return;
    this.#isPaused = true;
    this.#options.sink.paused(error);
  }
}
