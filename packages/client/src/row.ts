/** One publish in the client's memory: its record, what is known of its transmissions, and the promise of its outcome. */

import type { HoldfastError } from '@holdfast/wire';
import type { Clock } from './clock.ts';
import { Deferred } from './deferred.ts';
import type { RowRecord } from './outbox.ts';

/** What became of a publish: where it stands in the log. */
export interface Published {
  /** Of the first entry; those of an atomic publish follow each other. */
  readonly offset: number;
  readonly epoch: string;
  /** The log had it already: an earlier transmission had arrived. */
  readonly duplicate: boolean;
}

export class Row {
  readonly outcome: Deferred<Published> = new Deferred();
  /** The application's abort; acts only before the first transmission. */
  readonly signal: AbortSignal | undefined;
  record: RowRecord;
  /** The payloads' share of a frame, bytes. */
  readonly sizeBytes: number;
  /** The record with its present seq is in the store. */
  isDurable = false;
  /** Transmitted on the present connection and not answered. */
  isInFlight = false;
  /** Transmissions of which it is not known that they stored nothing. */
  doubts = 0;
  readonly #clock: Clock;
  readonly #endings: (() => void)[] = [];

  constructor(record: RowRecord, sizeBytes: number, clock: Clock, signal?: AbortSignal) {
    this.record = record;
    this.sizeBytes = sizeBytes;
    this.#clock = clock;
    this.signal = signal;
  }

  /** Calls back after a delay, unless the row is settled before. */
  after(delayMs: number, callback: () => void): void {
    const timer = this.#clock.setTimeout(callback, delayMs);
    this.#endings.push(() => this.#clock.clearTimeout(timer));
  }

  onAbort(callback: () => void): void {
    const { signal } = this;
    if (signal === undefined) return;
    signal.addEventListener('abort', callback);
    this.#endings.push(() => signal.removeEventListener('abort', callback));
  }

  accept(published: Published): void {
    this.release();
    this.outcome.resolve(published);
  }

  refuse(error: HoldfastError): void {
    this.release();
    this.outcome.reject(error);
  }

  /** Ends its timers and listeners; the promise stays as it is. */
  release(): void {
    for (const end of this.#endings.splice(0)) end();
  }
}
