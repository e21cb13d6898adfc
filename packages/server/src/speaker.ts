/**
 * A producer inside the server: what the application itself publishes, and what it publishes for plain clients. It has
 * no outbox, so a refused publish is the caller's to repeat; a retryable refusal begins a new producer, since nothing
 * can be resent under the old one.
 */

import { createHash } from 'node:crypto';
import { assertJson, HoldfastError, type Data, type Limits } from '@holdfast/wire';
import type { Intake, PublishSource } from './intake.ts';
import type { Identity } from './rights.ts';

/** Where a publish is. */
export interface Published {
  readonly offset: number;
  readonly epoch: string;
  /** `true`: it had been stored before under the same idempotency key. */
  readonly duplicate?: boolean;
}

/** One producer. */
interface Voice {
  readonly producer: string;
  seq: number;
  unanswered: number;
}

/** Producers that are remembered; beyond it the one that was new the longest ago begins anew at its next publish. */
const VOICES_MAX = 10_000;

export class Speaker {
  readonly #intake: Intake;
  readonly #name: string;
  readonly #limits: Pick<Limits, 'depthMax' | 'keysMax'>;
  /** By topic and subject: a producer belongs to both (HF-6.11). */
  readonly #voices = new Map<string, Voice>();
  #generation = 0;

  /** `name` must be new in the world: nothing is known of an earlier use of it. */
  constructor(intake: Intake, name: string, limits: Pick<Limits, 'depthMax' | 'keysMax'>) {
    this.#intake = intake;
    this.#name = name;
    this.#limits = limits;
  }

  /**
   * Resolves after the commit; rejects with the refusal. Publishes of one identity to one topic keep the order of the
   * calls. Throws at once for data that is no payload.
   */
  publish(topic: string, identity: Identity, data: Data, judge: PublishSource['judge']): Promise<Published> {
    const item = this.#item(data);
    return this.#say(topic, identity, item, judge).catch((error: unknown) => {
      // The topic was deleted, or was silent for so long that its producers are forgotten. Nothing was stored.
      if (!isForgotten(error)) throw error;
      return this.#say(topic, identity, item, judge);
    });
  }

  /**
   * Publishes under a key of the caller's: the same key with the same data is stored once, however often it comes, for as
   * long as a silent producer is remembered (HF-6.9). Rejects with `SEQ_CONFLICT` for the same key with other data.
   */
  publishOnce(topic: string, identity: Identity, data: Data, key: string, judge: PublishSource['judge']): Promise<Published> {
    const message = { type: 'publish' as const, topic, producer: `once.${nameOf(key)}`, seq: 1, items: [this.#item(data)] };
    return new Promise((resolve, reject) => {
      const answered: PublishSource['answered'] = (_request, decision) => {
        if (decision.kind === 'refused') return reject(decision.error);
        const { offset, epoch, duplicate } = decision;
        resolve({ offset, epoch, ...(duplicate ? { duplicate } : {}) });
      };
      this.#intake.publish({ message, identity, source: { judge, answered }, isBounded: false });
    });
  }

  #say(topic: string, identity: Identity, item: Data, judge: PublishSource['judge']): Promise<Published> {
    const key = `${topic} ${identity.subject}`;
    const voice = this.#voice(key);
    voice.seq += 1;
    voice.unanswered += 1;
    const message = { type: 'publish' as const, topic, producer: voice.producer, seq: voice.seq, items: [item] };
    return new Promise((resolve, reject) => {
      const answered: PublishSource['answered'] = (_request, decision) => {
        voice.unanswered -= 1;
        if (decision.kind === 'accepted') return resolve({ offset: decision.offset, epoch: decision.epoch });
        const isLost = decision.error.retryable || isForgotten(decision.error);
        if (isLost && this.#voices.get(key) === voice) this.#voices.delete(key);
        reject(decision.error);
      };
      this.#intake.publish({ message, identity, source: { judge, answered }, isBounded: false });
    });
  }

  /** A copy of bytes: the log keeps what it is given, and the caller may go on with his buffer. */
  #item(data: Data): Data {
    if (data instanceof Uint8Array) return new Uint8Array(data);
    // A frame's own object is the first level.
    assertJson('publish', data, this.#limits.depthMax - 1, this.#limits.keysMax);
    return data;
  }

  #voice(key: string): Voice {
    let voice = this.#voices.get(key);
    if (voice === undefined) {
      this.#forgetOne();
      voice = { producer: `${this.#name}.${this.#generation++}`, seq: 0, unanswered: 0 };
      this.#voices.set(key, voice);
    }
    return voice;
  }

  /** Only one that waits for nothing: another producer would not keep the order with what is under way. */
  #forgetOne(): void {
    if (this.#voices.size < VOICES_MAX) return;
    for (const [key, { unanswered }] of this.#voices) {
      if (unanswered === 0) return void this.#voices.delete(key);
    }
  }
}

/** A producer's name for any key: 43 characters of its SHA-256. */
function nameOf(key: string): string {
  return createHash('sha256').update(key).digest('base64url');
}

/** Whether the log does not know the producer any more, so that it cannot go on at its next seq. */
function isForgotten(error: unknown): boolean {
  return error instanceof HoldfastError && (error.code === 'PRODUCER_UNKNOWN' || error.code === 'SEQ_GAP');
}
