/**
 * One topic's log as the sequencer sees it: the head, what each producer did last, the registers. All of it is volatile:
 * it runs ahead of the store by what is pending, and is thrown away and read again when a commit fails (PROTOCOL.md
 * HF-6.14). It decides; it does no I/O and knows no connection.
 */

import { HoldfastError, isErrorCode, type Json } from '@holdfast/wire';
import type { Kind } from './kind.ts';
import type { PendingBatch } from './pending-batch.ts';
import type { Identity } from './rights.ts';
import { StoppedProducers } from './stopped-producers.ts';
import type { Entry, Head, Outcome, Payload, ProducerMemory, Register } from './store.ts';

/** A publish that has passed the hooks. `verdict`: what they refused it with. */
export interface PublishRequest {
  readonly topic: string;
  readonly identity: Identity;
  readonly producer: string;
  readonly seq: number;
  readonly digest: string;
  readonly payloads: readonly Payload[];
  readonly epoch?: string | undefined;
  readonly ifHead?: number | undefined;
  readonly verdict?: HoldfastError | undefined;
}

/** What became of a publish; given only after the commit that holds it. */
export type Decision =
  | { readonly kind: 'accepted'; readonly offset: number; readonly count: number; readonly epoch: string; readonly duplicate: boolean }
  | { readonly kind: 'refused'; readonly error: HoldfastError };

export interface RegisterWrite {
  readonly topic: string;
  readonly key: string;
  readonly merge: 'max' | 'replace';
  readonly value: Json;
  readonly ifRevision?: number | undefined;
  /** How many registers the topic may hold, and of how much: UTF-16 units of keys and JSON. Default: no bound. */
  readonly room?: { readonly countMax: number; readonly bytesMax: number } | undefined;
  /** Is told which bound was reached. */
  readonly onLimited?: ((limit: 'registersMax' | 'registersBytesMax') => void) | undefined;
}

interface Recent {
  readonly seq: number;
  readonly digest: string;
  readonly outcome: Outcome;
  /** The batch that makes it durable; an answer waits for it. */
  readonly batch: PendingBatch | undefined;
}

/** The volatile memory of one producer. */
export interface ProducerState {
  readonly key: string;
  seq: number;
  at: number;
  recent: Recent[];
}

interface RegisterState extends Register {
  readonly batch: PendingBatch | undefined;
}

/** Decided: the answer is due when `batch` is settled, or at once where it is `undefined`. */
export interface Verdict<Answer> {
  readonly answer: Answer;
  readonly batch: PendingBatch | undefined;
}

/** HF-6.11: a producer belongs to the subject that used it. */
export function producerKey(subject: string, producer: string): string {
  return `${producer} ${subject}`;
}

/** Producers of a topic that are kept in memory; the store remembers them all. And how many of the oldest are looked at for one. */
const PRODUCERS_MAX = 1_024;
const EXAMINED_MAX = 16;
/** Refusals kept in memory for a topic that is not there; with more it is founded. */
const UNRECORDED_MAX = 64;

export class TopicLog {
  readonly topic: string;
  readonly kind: Kind;
  readonly #outcomesMax: number;
  epoch = '';
  first = 1;
  /** The last offset that was given out, and the last that is durable. */
  last = 0;
  committed = 0;
  revision = 0;
  committedRevision = 0;
  /** The batch that makes this epoch durable; `undefined` once it is. Nobody may be shown the log before. */
  founding: PendingBatch | undefined;
  readonly producers: Map<string, ProducerState> = new Map();
  /** Those of all topics. */
  readonly #stopped: StoppedProducers;
  /** The store does not know the topic, and nobody has asked for it to be there. Only refusals are decided on it, and only in memory (HF-6.4). */
  isVacant = false;
  /** What was refused while it was vacant, in order. */
  #unrecorded: { readonly request: PublishRequest; readonly outcome: Outcome; readonly at: number }[] = [];
  registers: Map<string, RegisterState> | undefined;
  /** UTF-16 units of them. */
  #registersLength = 0;

  constructor(topic: string, kind: Kind, outcomesMax: number, stopped: StoppedProducers = new StoppedProducers()) {
    this.topic = topic;
    this.kind = kind;
    this.#outcomesMax = outcomesMax;
    this.#stopped = stopped;
  }

  /** Forgets what is volatile and takes the store's word; what is stopped stays so. */
  load({ epoch, first, last, revision }: Head): void {
    this.epoch = epoch;
    this.first = first;
    this.last = this.committed = last;
    this.revision = this.committedRevision = revision;
    this.founding = undefined;
    this.isVacant = false;
    this.#unrecorded = [];
    this.producers.clear();
    this.registers = undefined;
  }

  /** What the store remembers of a producer. It is kept here from its first decided publish on. */
  loadProducer(key: string, memory: ProducerMemory | undefined): ProducerState {
    const recent = memory?.recent.map((outcome) => ({ ...outcome, batch: undefined })) ?? [];
    const state = { key, seq: memory?.seq ?? 0, at: memory?.at ?? 0, recent };
    this.producers.delete(key);
    this.#keep(state);
    return state;
  }

  loadRegisters(registers: readonly Register[]): void {
    this.registers = new Map(registers.map((register) => [register.key, { ...register, batch: undefined }]));
    this.#registersLength = registers.reduce((sum, register) => sum + lengthOf(register), 0);
  }

  /** Forgets the producers that did nothing since `since` (wall clock, ms); the store remembers them. */
  forgetProducers(since: number): void {
    for (const [key, { at, recent }] of this.producers) {
      if (at < since && recent.at(-1)?.batch?.isSettled !== false) this.producers.delete(key);
    }
  }

  /** Whoever can make up producers must not fill the memory with them: of too many the oldest that wait for nothing go. */
  #forgetOldest(): void {
    let examined = 0;
    for (const [key, { recent }] of this.producers) {
      if (this.producers.size <= PRODUCERS_MAX || ++examined > EXAMINED_MAX) return;
      if (recent.at(-1)?.batch?.isSettled !== false) this.producers.delete(key);
    }
  }

  /** Whether so much was refused of a topic that is not there that it had better be there. */
  get isOvergrown(): boolean {
    return this.#unrecorded.length >= UNRECORDED_MAX;
  }

  /** The topic is to be there: what was refused of it before goes into the batch that founds it. */
  recordRefusals(batch: PendingBatch): void {
    this.isVacant = false;
    for (const { request, outcome, at } of this.#unrecorded) this.#append(request, [], outcome, at, batch);
    this.#unrecorded = [];
  }

  /** HF-6.2 to HF-6.9, in one synchronous step: nothing can come in between. */
  decide(request: PublishRequest, producer: ProducerState, now: number, batch: PendingBatch): Verdict<Decision> {
    const { seq, epoch } = request;
    // The epoch itself is told to subscribers alone: who is refused here may have no right to the topic.
    if (epoch !== undefined && epoch !== this.epoch)
      return refused(new HoldfastError('EPOCH_CHANGED', `"${this.topic}" is in another epoch than ${epoch}`));
    if (seq <= producer.seq) return this.#recall(request, producer);
    if (seq > producer.seq + 1) return refused(this.#overtaking(request, producer));
    const payloads = request.verdict ?? this.#admit(request);
    if (payloads instanceof HoldfastError && payloads.retryable) {
      this.#stopped.add(this.topic, producer.key, now);
      return refused(payloads);
    }
    this.#stopped.delete(this.topic, producer.key);
    const isRefused = payloads instanceof HoldfastError;
    const outcome: Outcome = isRefused
      ? { kind: 'refused', code: payloads.code, message: payloads.message }
      : { kind: 'accepted', offset: this.last + 1, count: payloads.length };
    producer.seq = seq;
    producer.at = now;
    producer.recent.push({ seq, digest: request.digest, outcome, batch: this.isVacant ? undefined : batch });
    if (producer.recent.length > this.#outcomesMax) producer.recent.shift();
    this.#keep(producer);
    if (this.isVacant) {
      this.#unrecorded.push({ request, outcome, at: now });
      return { answer: this.#decision(outcome, false), batch: undefined };
    }
    this.#append(request, isRefused ? [] : payloads, outcome, now, batch);
    return { answer: this.#decision(outcome, false), batch };
  }

  /** HF-7.7. `registers` must be loaded. */
  write(request: RegisterWrite, batch: PendingBatch): Verdict<Register | HoldfastError> {
    const { key, merge, value, ifRevision } = request;
    const current = this.registers!.get(key);
    if (ifRevision !== undefined && ifRevision !== (current?.revision ?? 0)) {
      const message = `register "${key}" is at revision ${current?.revision ?? 0}, not ${ifRevision}`;
      return { answer: new HoldfastError('REVISION_MISMATCH', message), batch: current?.batch };
    }
    if (merge === 'max' && current !== undefined) {
      const standing: unknown = JSON.parse(current.value);
      if (typeof standing === 'number' && standing >= (value as number)) return { answer: plain(current), batch: current.batch };
    }
    const register = { key, value: JSON.stringify(value), revision: this.revision + 1 };
    const length = this.#registersLength + lengthOf(register) - (current === undefined ? 0 : lengthOf(current));
    const refusal = this.#lackOfRoom(request, current === undefined, length);
    if (refusal !== undefined) return { answer: refusal, batch: undefined };
    this.revision += 1;
    this.#registersLength = length;
    this.registers!.set(key, { ...register, batch });
    batch.register(this, register);
    return { answer: register, batch };
  }

  /** Registers are kept in memory as long as their topic is in use, and sent whole to who begins anew. */
  #lackOfRoom({ room, onLimited }: RegisterWrite, isNew: boolean, length: number): HoldfastError | undefined {
    if (room === undefined) return undefined;
    const isFull = isNew && this.registers!.size >= room.countMax;
    // What only shrinks them is let through.
    if (!isFull && (length <= room.bytesMax || length <= this.#registersLength)) return undefined;
    const limit = isFull ? 'registersMax' : 'registersBytesMax';
    onLimited?.(limit);
    return new HoldfastError('TOO_LARGE', `the registers of "${this.topic}" are as many, or as large, as they may be (limits.${limit})`);
  }

  /** A producer of which nothing was decided is not kept: names that lead to nothing cost no memory. */
  #keep(producer: ProducerState): void {
    if (producer.seq === 0) return;
    this.producers.delete(producer.key);
    this.producers.set(producer.key, producer);
    if (this.producers.size > PRODUCERS_MAX && !this.isVacant) this.#forgetOldest();
  }

  #recall({ seq, digest, producer: name }: PublishRequest, producer: ProducerState): Verdict<Decision> {
    const known = producer.recent.find((recent) => recent.seq === seq);
    if (known === undefined) {
      const message = `seq ${seq} of producer "${name}" is older than the last ${this.#outcomesMax} outcomes`;
      return refused(new HoldfastError('STALE_SEQ', message));
    }
    if (known.digest !== digest)
      return refused(new HoldfastError('SEQ_CONFLICT', `producer "${name}" published something else under seq ${seq}`));
    return { answer: this.#decision(known.outcome, true), batch: known.batch };
  }

  #overtaking({ seq, producer: name }: PublishRequest, producer: ProducerState): HoldfastError {
    if (this.#stopped.has(this.topic, producer.key))
      return new HoldfastError('PIPELINE_STOPPED', `seq ${producer.seq + 1} of producer "${name}" must succeed first`);
    if (producer.seq === 0)
      return new HoldfastError('PRODUCER_UNKNOWN', `"${this.topic}" does not know producer "${name}", so seq ${seq} cannot follow`);
    return new HoldfastError('SEQ_GAP', `seq ${producer.seq + 1} of producer "${name}" is next, not ${seq}`);
  }

  #admit({ identity, ifHead, payloads }: PublishRequest): readonly Payload[] | HoldfastError {
    if (ifHead !== undefined && ifHead !== this.last)
      return new HoldfastError('HEAD_MISMATCH', `the last offset of "${this.topic}" is ${this.last}, not ${ifHead}`);
    return this.kind.admit?.({ topic: this.topic, identity, offset: this.last + 1, payloads }) ?? payloads;
  }

  #append(request: PublishRequest, payloads: readonly Payload[], outcome: Outcome, at: number, batch: PendingBatch): void {
    const { identity, producer, seq, digest } = request;
    const { subject } = identity;
    const entries: Entry[] = [];
    for (const payload of payloads) entries.push({ offset: ++this.last, producer, seq, from: subject, at, payload });
    batch.publish(this, { topic: this.topic, subject, producer, seq, digest, at, outcome, payloads }, entries);
  }

  #decision(outcome: Outcome, duplicate: boolean): Decision {
    if (outcome.kind === 'accepted')
      return { kind: 'accepted', offset: outcome.offset, count: outcome.count, epoch: this.epoch, duplicate };
    // A later version may have refused it with a code that this one does not know; it is no less terminal.
    const code = isErrorCode(outcome.code) ? outcome.code : 'REFUSED';
    return { kind: 'refused', error: new HoldfastError(code, outcome.message) };
  }
}

function refused(error: HoldfastError): Verdict<Decision> {
  return { answer: { kind: 'refused', error }, batch: undefined };
}

function lengthOf({ key, value }: Pick<Register, 'key' | 'value'>): number {
  return key.length + value.length;
}

function plain({ key, value, revision }: Register): Register {
  return { key, value, revision };
}
