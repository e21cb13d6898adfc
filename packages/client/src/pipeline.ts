/**
 * The publishes of one subject to one topic, in order (PROTOCOL.md HF-6). It never knows of sockets or stores: it decides
 * what may be sent now, and what an answer means.
 *
 * A row gets its seq as late as possible: when there is a connection and room in the window. So a row without a seq was
 * never sent; it can expire, be aborted or move to another producer, and leaves no hole. The row and the producer's next
 * seq are made durable as one change, and only then is the row sent.
 *
 *   flowing --a refusal that may be retried--> stopped --all answered, wait over--> flowing
 *      |                                          |
 *      +--the producer is void (HF-6.10)----------+--> voiding --all answered, or cut--> flowing, under a new producer
 */

import { backoffDelayMs, HoldfastError, type Ack, type BackoffOptions, type ErrorMessage, type Limits, type Publish } from '@holdfast/wire';
import type { Clock } from './clock.ts';
import type { ProducerRecord } from './outbox.ts';
import type { OutboxWriter } from './outbox-writer.ts';
import { FRAME_OVERHEAD_BYTES } from './payload.ts';
import type { Random } from './random.ts';
import { refusalOf } from './refusal.ts';
import type { Published, Row } from './row.ts';

/** The producer cannot go on after these (HF-6.10); what they answer was not stored by that transmission. */
const VOIDING: ReadonlySet<string> = new Set(['SEQ_GAP', 'SEQ_CONFLICT', 'STALE_SEQ', 'PRODUCER_UNKNOWN', 'EPOCH_CHANGED']);
/** Terminal refusals that spend their seq (HF-6.4): they hold for every transmission. The others say nothing of an earlier one. */
const SPENT: ReadonlySet<string> = new Set(['FORBIDDEN', 'REFUSED', 'HEAD_MISMATCH', 'TOO_LARGE']);
/** Retryable refusals that are given before anything is handed to the store. After the others a commit may have happened. */
const NOTHING_STORED: ReadonlySet<string> = new Set([
  'PIPELINE_STOPPED',
  'OVERLOADED',
  'GOING_AWAY',
  'TOO_MANY_IN_FLIGHT',
  'RATE_LIMITED',
  'STORE_READ_ONLY',
]);

/** The waits after refusals: they are the server's, so they begin small. */
const RETRY: BackoffOptions = { baseMs: 200, capMs: 20_000 };

/** Of the time after which a producer is forgotten, the part that a resend may take: two clocks never run alike. */
const SILENCE_SHARE = 0.9;

/** Where a pipeline's decisions go. */
export interface PipelineHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly writer: OutboxWriter;
  limits(): Limits;
  /** The epoch of the topic's log, if a subscription knows it. */
  epochOf(topic: string): string | undefined;
  /** A name that no producer ever had. */
  producerName(): string;
  transmit(publish: Publish): void;
  accepted(row: Row, published: Published): void;
  refused(row: Row, error: HoldfastError): void;
  uncertain(row: Row): void;
  /** Whether the row still waits for its first transmission; if it expired or was aborted, it is settled by this. */
  mayBeSent(row: Row): boolean;
  changed(): void;
}

export class Pipeline {
  readonly subject: string;
  readonly topic: string;
  readonly #host: PipelineHost;
  #producer: ProducerRecord;
  /** Rows with a seq, ascending, unanswered. From the first to the last at most W seqs, but for those of a server that had a larger W. */
  #assigned: Row[] = [];
  /** Rows without. */
  #queue: Row[] = [];
  #phase: 'flowing' | 'stopped' | 'voiding' = 'flowing';
  #isOpen = false;
  #inFlightCount = 0;
  /** Refusals since the last acknowledgement. */
  #attempt = 0;
  /** The wait after the refusal, ms, and when it is over, wall clock ms. */
  #waitMs = 0;
  #resumeAtMs = 0;
  #timer: unknown;

  constructor(subject: string, topic: string, host: PipelineHost, producer?: ProducerRecord) {
    this.subject = subject;
    this.topic = topic;
    this.#host = host;
    this.#producer = producer ?? this.#newProducer();
  }

  get producer(): string {
    return this.#producer.producer;
  }

  get isIdle(): boolean {
    return this.#assigned.length === 0 && this.#queue.length === 0;
  }

  /** Rows of this producer as an earlier process left them: it may have sent them. */
  restore(rows: readonly Row[]): void {
    this.#assigned = [...rows].sort((a, b) => a.record.seq! - b.record.seq!);
    for (const row of this.#assigned) {
      row.doubts = 1;
      row.isDurable = true;
    }
  }

  add(row: Row): void {
    this.#queue.push(row);
    this.#pump();
  }

  /** Takes out a row that is not under way. If it had a seq, the hole that it leaves may cost a new producer. */
  withdraw(row: Row): void {
    for (const rows of [this.#queue, this.#assigned]) {
      const at = rows.indexOf(row);
      if (at >= 0) rows.splice(at, 1);
    }
  }

  /** There is a connection of this subject: what is unanswered is sent again, in order. */
  open(): void {
    this.#isOpen = true;
    this.#pump();
  }

  down(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#inFlightCount = 0;
    for (const row of this.#assigned) row.isInFlight = false;
    if (this.#phase === 'voiding') this.#renew();
    else this.#retreat();
    // The wait is the server's wish, whatever becomes of the connection.
    if (this.#phase === 'stopped' && this.#timer === undefined) this.#resumeLater();
  }

  close(): void {
    this.#isOpen = false;
    this.#host.clock.clearTimeout(this.#timer);
  }

  /** HF-6.7. */
  ack({ seq, offset, epoch, duplicate = false }: Ack): void {
    const row = this.#take(seq);
    if (row === undefined) return;
    this.#attempt = 0;
    if (this.#producer.epoch !== epoch) {
      this.#producer = { ...this.#producer, epoch };
      this.#host.writer.putProducer(this.#producer);
    }
    this.#host.accepted(row, { offset, epoch, duplicate });
    this.#step();
  }

  /** HF-6.4, HF-6.6, HF-6.10. */
  refuse(message: ErrorMessage): void {
    const row = this.#assigned.find(({ record }) => record.seq === message.seq);
    if (row === undefined || !row.isInFlight) return;
    if (VOIDING.has(message.code)) {
      this.#answered(row);
      row.doubts -= 1;
      this.#phase = 'voiding';
      this.#clearTimer();
    } else if (message.retryable) {
      this.#answered(row);
      if (NOTHING_STORED.has(message.code)) row.doubts -= 1;
      this.#stop(message.retryAfterMs);
    } else {
      this.#take(row.record.seq!);
      const isDecided = row.doubts === 1 || SPENT.has(message.code);
      if (isDecided) this.#host.refused(row, refusalOf(message));
      else this.#host.uncertain(row);
    }
    this.#step();
  }

  #answered(row: Row): void {
    row.isInFlight = false;
    this.#inFlightCount -= 1;
  }

  #take(seq: number): Row | undefined {
    const at = this.#assigned.findIndex(({ record }) => record.seq === seq);
    if (at < 0) return undefined;
    const row = this.#assigned[at]!;
    this.#assigned.splice(at, 1);
    if (row.isInFlight) this.#answered(row);
    return row;
  }

  /** The first refusal of a run begins the wait; a later one that asks for more prolongs it. */
  #stop(retryAfterMs = 0): void {
    const { clock, random } = this.#host;
    const now = clock.now();
    if (this.#phase === 'flowing') this.#attempt += 1;
    else if (this.#phase === 'voiding' || retryAfterMs === 0 || now + retryAfterMs <= this.#resumeAtMs) return;
    this.#phase = 'stopped';
    this.#waitMs = retryAfterMs + backoffDelayMs(this.#attempt, 0, random(), RETRY);
    this.#resumeAtMs = now + this.#waitMs;
  }

  /** After an answer: what was waited for may have come about. */
  #step(): void {
    if (this.#phase === 'flowing') return this.#pump();
    // Only when everything of this run is answered: an answer that comes later could be taken for one of the next run.
    if (this.#inFlightCount > 0) return;
    if (this.#phase === 'voiding') this.#renew();
    else if (this.#timer === undefined) this.#resumeLater();
  }

  #resumeLater(): void {
    const { clock } = this.#host;
    this.#timer = clock.setTimeout(
      () => {
        this.#timer = undefined;
        this.#phase = 'flowing';
        this.#pump();
      },
      // Never longer than the wait itself, though the clock be set back.
      Math.min(this.#waitMs, Math.max(0, this.#resumeAtMs - clock.now())),
    );
  }

  #clearTimer(): void {
    this.#host.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #pump(): void {
    this.#transmit();
    const rows = this.#assign();
    if (rows.length === 0) return;
    const records = rows.map(({ record }) => record);
    void this.#host.writer.durable().then(() => {
      rows.forEach((row, at) => {
        if (row.record === records[at]) row.isDurable = true;
      });
      this.#transmit();
    });
  }

  #transmit(): void {
    if (!this.#isOpen || this.#phase !== 'flowing') return;
    const { inFlightMax } = this.#host.limits();
    for (const row of this.#assigned) {
      if (row.isInFlight) continue;
      if (!row.isDurable || this.#inFlightCount >= inFlightMax) return;
      if (!this.#fits(row) || this.#isForgotten(row)) {
        // It was sent to a server with larger limits, or too long ago; sending it again would end the connection, or store it twice.
        this.#phase = 'voiding';
        return this.#step();
      }
      row.isInFlight = true;
      row.doubts += 1;
      this.#inFlightCount += 1;
      const { topic, items, producer, seq, epoch, ifHead } = row.record;
      const fields = { type: 'publish', topic, producer: producer!, seq: seq!, items } as const;
      this.#host.transmit({ ...fields, ...(epoch === undefined ? {} : { epoch }), ...(ifHead === undefined ? {} : { ifHead }) });
    }
  }

  /** HF-6.9: a server that has forgotten the producer by now takes its seq 1 for a new producer's, and stores it again. */
  #isForgotten({ record, doubts }: Row): boolean {
    if (record.seq !== 1 || doubts === 0) return false;
    const { firstAt, at } = this.#producer;
    const { producerSilenceMs } = this.#host.limits();
    return this.#host.clock.now() - (firstAt ?? at) >= producerSilenceMs * SILENCE_SHARE;
  }

  /** Gives seqs while there is room; returns the rows that got one. */
  #assign(): readonly Row[] {
    if (!this.#isOpen || this.#phase !== 'flowing' || this.#queue.length === 0) return [];
    const { clock, writer } = this.#host;
    const { inFlightMax } = this.#host.limits();
    const epoch = this.#producer.epoch ?? this.#host.epochOf(this.topic);
    const rows: Row[] = [];
    // Answers may come out of order after a refusal; the server must still remember the lowest seq that has none (HF-6.5).
    const first = this.#assigned[0]?.record.seq ?? this.#producer.nextSeq;
    while (this.#producer.nextSeq - first < inFlightMax) {
      const row = this.#queue.shift();
      if (row === undefined) break;
      if (!this.#host.mayBeSent(row)) continue;
      if (!this.#fits(row)) {
        this.#host.refused(row, new HoldfastError('TOO_LARGE', `${row.sizeBytes} bytes in ${row.record.items.length} payloads`));
        continue;
      }
      const { producer, nextSeq } = this.#producer;
      row.record = { ...row.record, producer, seq: nextSeq, ...(epoch === undefined ? {} : { epoch }) };
      const at = clock.now();
      this.#producer = { ...this.#producer, nextSeq: nextSeq + 1, at, ...(nextSeq === 1 ? { firstAt: at } : {}) };
      this.#assigned.push(row);
      writer.putRow(row.record);
      rows.push(row);
    }
    if (rows.length > 0) writer.putProducer(this.#producer);
    this.#host.changed();
    return rows;
  }

  #fits({ sizeBytes, record }: Row): boolean {
    const { frameBytesMax, entriesPerPublishMax } = this.#host.limits();
    return sizeBytes + FRAME_OVERHEAD_BYTES <= frameBytesMax && record.items.length <= entriesPerPublishMax;
  }

  /** Rows that got a seq and were never sent give it back: what is not sent can still expire or be aborted. */
  #retreat(): void {
    let first = this.#assigned.length;
    while (first > 0 && this.#assigned[first - 1]!.doubts === 0) first -= 1;
    const rows = this.#assigned.splice(first);
    if (rows.length === 0) return;
    this.#producer = { ...this.#producer, nextSeq: rows[0]!.record.seq! };
    this.#host.writer.putProducer(this.#producer);
    this.#requeue(rows);
  }

  #requeue(rows: readonly Row[]): void {
    for (const row of rows) {
      const { producer: _producer, seq: _seq, epoch: _epoch, ...record } = row.record;
      row.record = record;
      row.isDurable = false;
      this.#host.writer.putRow(record);
    }
    this.#queue = [...rows, ...this.#queue].filter((row) => this.#host.mayBeSent(row));
    this.#host.changed();
  }

  /** HF-6.10: what may have been stored is uncertain; what certainly was not goes on under a producer that is new. */
  #renew(): void {
    const rows = this.#assigned;
    this.#assigned = [];
    const isSecond = this.#attempt > 0;
    this.#host.writer.removeProducer(this.#producer);
    this.#producer = this.#newProducer();
    for (const row of rows) if (row.doubts > 0) this.#host.uncertain(row);
    this.#requeue(rows.filter(({ doubts }) => doubts === 0));
    this.#phase = 'flowing';
    // A server that voids every producer must not be asked in a tight loop.
    if (isSecond) this.#stop();
    else this.#attempt += 1;
    this.#step();
  }

  #newProducer(): ProducerRecord {
    return { subject: this.subject, topic: this.topic, producer: this.#host.producerName(), nextSeq: 1, at: this.#host.clock.now() };
  }
}
