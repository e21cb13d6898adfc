/**
 * Publishes on their way to the sequencer: rights and hooks are asked, one publish of a producer and topic after the
 * other, whatever time they take (PROTOCOL.md HF-6.6). A lane belongs to (topic, subject, producer), not to a
 * connection: what an old connection left in it stays ahead of what the new one sends.
 */

import { HoldfastError, utf8Length, type Data, type Limits, type Publish } from '@holdfast/wire';
import { digestOf } from './digest.ts';
import type { Identity } from './rights.ts';
import type { Sequencer } from './sequencer.ts';
import type { Payload } from './store.ts';
import { producerKey, type Decision } from './topic-log.ts';

/** What an application may do to a publish before it gets its place: refuse (throw), replace the payloads, or let pass. */
export type BeforePublish = (publish: { readonly topic: string; readonly identity: Identity; readonly items: readonly Data[] }) => readonly Data[] | undefined | Promise<readonly Data[] | undefined>;

/** A publish with everything that its judgement needs. */
export interface IntakeRequest {
  readonly message: Publish;
  readonly identity: Identity;
  /** Settles if the publish is allowed; throws or rejects with what refuses it. Payloads that it returns replace the sent ones. */
  readonly judge: () => readonly Data[] | undefined | Promise<readonly Data[] | undefined>;
  readonly answer: (decision: Decision) => void;
}

/** Room for an entry's own fields in the frame that carries it to readers, bytes: topic 200, from and producer 64 each, numbers, names. */
const ENVELOPE_BYTES = 1_024;

interface Lane {
  readonly queue: IntakeRequest[];
  isBusy: boolean;
  /** Sent and not answered. */
  unanswered: number;
}

export class Intake {
  readonly #sequencer: Sequencer;
  readonly #limits: Limits;
  readonly #lanes = new Map<string, Lane>();

  constructor(sequencer: Sequencer, limits: Limits) {
    this.#sequencer = sequencer;
    this.#limits = limits;
  }

  /** Takes a publish; the answer comes after its commit. Answers of one lane come in the order of its publishes. */
  publish(request: IntakeRequest): void {
    const { message, identity, answer } = request;
    const key = `${message.topic} ${producerKey(identity.subject, message.producer)}`;
    let lane = this.#lanes.get(key);
    if (lane === undefined) this.#lanes.set(key, (lane = { queue: [], isBusy: false, unanswered: 0 }));
    const open = lane;
    open.unanswered += 1;
    const tracked = {
      ...request,
      answer: (decision: Decision) => {
        open.unanswered -= 1;
        if (open.unanswered === 0) this.#lanes.delete(key);
        answer(decision);
      },
    };
    open.queue.push(open.unanswered > this.#limits.inFlightMax ? { ...tracked, judge: tooMany } : tracked);
    this.#run(open);
  }

  #run(lane: Lane): void {
    while (!lane.isBusy && lane.queue.length > 0) {
      const request = lane.queue.shift()!;
      let judged: ReturnType<IntakeRequest['judge']>;
      try {
        judged = request.judge();
      } catch (error) {
        this.#submit(request, refusalOf(error));
        continue;
      }
      if (!(judged instanceof Promise)) {
        this.#submit(request, judged);
        continue;
      }
      lane.isBusy = true;
      judged.then(
        (items) => this.#goOn(lane, request, items),
        (error: unknown) => this.#goOn(lane, request, refusalOf(error)),
      );
    }
  }

  #goOn(lane: Lane, request: IntakeRequest, judged: readonly Data[] | undefined | HoldfastError): void {
    lane.isBusy = false;
    this.#submit(request, judged);
    this.#run(lane);
  }

  #submit({ message, identity, answer }: IntakeRequest, judged: readonly Data[] | undefined | HoldfastError): void {
    const { topic, producer, seq, epoch, ifHead, items } = message;
    const sent = items.map(payloadOf);
    const refusal = judged instanceof HoldfastError ? judged : undefined;
    const payloads = judged === undefined || judged instanceof HoldfastError ? sent : judged.map(payloadOf);
    const verdict = refusal ?? this.#oversize(payloads);
    this.#sequencer.publish({ topic, identity, producer, seq, epoch, ifHead, digest: digestOf(sent), payloads, verdict }, answer);
  }

  #oversize(payloads: readonly Payload[]): HoldfastError | undefined {
    const bytesMax = this.#limits.frameBytesMax - ENVELOPE_BYTES;
    const large = payloads.find((payload) => payload.length > bytesMax || (typeof payload === 'string' && payload.length * 3 > bytesMax && utf8Length(payload) > bytesMax));
    return large === undefined ? undefined : new HoldfastError('TOO_LARGE', `a payload of more than ${bytesMax} bytes`);
  }
}

function payloadOf(data: Data): Payload {
  return data instanceof Uint8Array ? data : JSON.stringify(data);
}

function tooMany(): never {
  throw new HoldfastError('TOO_MANY_IN_FLIGHT', 'more publishes are unanswered than limits.inFlightMax');
}

/** What a hook threw, as a refusal: its own `HoldfastError`, or `INTERNAL`, which is retryable and stops the producer. */
function refusalOf(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  return new HoldfastError('INTERNAL', 'a hook of the server failed', { cause: error });
}
