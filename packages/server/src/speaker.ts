/**
 * A producer inside the server: what the application itself publishes, and what it publishes for plain clients. It has
 * no outbox, so a refused publish is the caller's to repeat; a retryable refusal begins a new producer, since nothing
 * can be resent under the old one.
 */

import type { HoldfastError, Data } from '@holdfast/wire';
import type { Intake, IntakeRequest } from './intake.ts';
import type { Identity } from './rights.ts';

interface Voice {
  readonly producer: string;
  seq: number;
}

export class Speaker {
  readonly #intake: Intake;
  readonly #name: string;
  readonly #voices = new Map<string, Voice>();
  #generation = 0;

  /** `name` must be new in the world: nothing is known of an earlier use of it. */
  constructor(intake: Intake, name: string) {
    this.#intake = intake;
    this.#name = name;
  }

  /** Resolves after the commit; rejects with the refusal. Publishes to one topic keep the order of the calls. */
  publish(topic: string, identity: Identity, data: Data, judge: IntakeRequest['judge']): Promise<{ readonly offset: number; readonly epoch: string }> {
    let voice = this.#voices.get(topic);
    if (voice === undefined) this.#voices.set(topic, (voice = { producer: `${this.#name}.${this.#generation++}`, seq: 0 }));
    const own = voice;
    own.seq += 1;
    const message = { type: 'publish' as const, topic, producer: own.producer, seq: own.seq, items: [data] };
    return new Promise((resolve, reject) => {
      this.#intake.publish({
        message,
        identity,
        judge,
        answer: (decision) => {
          if (decision.kind === 'accepted') return resolve({ offset: decision.offset, epoch: decision.epoch });
          if (isLost(decision.error) && this.#voices.get(topic) === own) this.#voices.delete(topic);
          reject(decision.error);
        },
      });
    });
  }
}

/** Whether the producer cannot go on at the next seq. */
function isLost({ code, retryable }: HoldfastError): boolean {
  return retryable || code === 'SEQ_GAP' || code === 'PRODUCER_UNKNOWN' || code === 'EPOCH_CHANGED';
}
