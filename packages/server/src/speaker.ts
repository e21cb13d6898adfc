/**
 * A producer inside the server: what the application itself publishes, and what it publishes for plain clients. It has
 * no outbox, so a refused publish is the caller's to repeat; a retryable refusal begins a new producer, since nothing
 * can be resent under the old one.
 */

import { assertJson, type Data, type HoldfastError } from '@holdfast/wire';
import type { Intake, PublishSource } from './intake.ts';
import type { Identity } from './rights.ts';

interface Voice {
  readonly producer: string;
  seq: number;
  unanswered: number;
}

/** Topics whose producer is remembered; beyond it the one that was new the longest ago begins anew at its next publish. */
const VOICES_MAX = 10_000;

export class Speaker {
  readonly #intake: Intake;
  readonly #name: string;
  readonly #depthMax: number;
  readonly #voices = new Map<string, Voice>();
  #generation = 0;

  /** `name` must be new in the world: nothing is known of an earlier use of it. */
  constructor(intake: Intake, name: string, depthMax: number) {
    this.#intake = intake;
    this.#name = name;
    this.#depthMax = depthMax;
  }

  /**
   * Resolves after the commit; rejects with the refusal. Publishes to one topic keep the order of the calls. Throws at
   * once for data that is no payload.
   */
  publish(
    topic: string,
    identity: Identity,
    data: Data,
    judge: PublishSource['judge'],
  ): Promise<{ readonly offset: number; readonly epoch: string }> {
    const item = this.#item(data);
    const voice = this.#voice(topic);
    voice.seq += 1;
    voice.unanswered += 1;
    const message = { type: 'publish' as const, topic, producer: voice.producer, seq: voice.seq, items: [item] };
    return new Promise((resolve, reject) => {
      const answered: PublishSource['answered'] = (_request, decision) => {
        voice.unanswered -= 1;
        if (decision.kind === 'accepted') return resolve({ offset: decision.offset, epoch: decision.epoch });
        if (isLost(decision.error) && this.#voices.get(topic) === voice) this.#voices.delete(topic);
        reject(decision.error);
      };
      this.#intake.publish({ message, identity, source: { judge, answered }, isBounded: false });
    });
  }

  /** A copy of bytes: the log keeps what it is given, and the caller may go on with his buffer. */
  #item(data: Data): Data {
    if (data instanceof Uint8Array) return new Uint8Array(data);
    // A frame's own object is the first level.
    assertJson('publish', data, this.#depthMax - 1);
    return data;
  }

  #voice(topic: string): Voice {
    let voice = this.#voices.get(topic);
    if (voice === undefined) {
      this.#forgetOne();
      voice = { producer: `${this.#name}.${this.#generation++}`, seq: 0, unanswered: 0 };
      this.#voices.set(topic, voice);
    }
    return voice;
  }

  /** Only one that waits for nothing: another producer would not keep the order with what is under way. */
  #forgetOne(): void {
    if (this.#voices.size < VOICES_MAX) return;
    for (const [topic, { unanswered }] of this.#voices) {
      if (unanswered === 0) return void this.#voices.delete(topic);
    }
  }
}

/** Whether the producer cannot go on at the next seq. */
function isLost({ code, retryable }: HoldfastError): boolean {
  return retryable || code === 'SEQ_GAP' || code === 'PRODUCER_UNKNOWN' || code === 'EPOCH_CHANGED';
}
