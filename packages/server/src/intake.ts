/**
 * Publishes on their way to the sequencer: rights and hooks are asked, one publish of a producer and topic after the
 * other, whatever time they take (PROTOCOL.md HF-6.6). A lane belongs to (topic, subject, producer), not to a
 * connection: what an old connection left in it stays ahead of what the new one sends.
 *
 * It also keeps the account of what is unanswered on the node: beyond a bound publishes are refused as retryable, in their
 * place in the lane, without their payloads.
 */

import { assertJson, HoldfastError, type Data, type Limits, type Publish } from '@holdfast/wire';
import type { Clock } from './clock.ts';
import { digestOf } from './digest.ts';
import type { LimitName } from './node-limits.ts';
import type { Identity } from './rights.ts';
import type { Sequencer } from './sequencer.ts';
import type { Payload } from './store.ts';
import { isLongerThan } from './text-size.ts';
import { isThenable } from './thenable.ts';
import { producerKey, type Decision } from './topic-log.ts';

/** What an application may do to a publish before it gets its place: refuse (throw), replace the payloads, or let pass. */
export type BeforePublish = (publish: {
  readonly topic: string;
  readonly identity: Identity;
  readonly items: readonly Data[];
}) => readonly Data[] | undefined | Promise<readonly Data[] | undefined>;

/** Who publishes: a connection, or the server itself. */
export interface PublishSource {
  /** Settles if the publish is allowed; throws or rejects with what refuses it. Payloads that it returns replace the sent ones. */
  judge(message: Publish, identity: Identity): ReturnType<BeforePublish>;
  /** Called once for each request, after its commit or its refusal. What is refused without a commit waits for none. */
  answered(request: IntakeRequest, decision: Decision): void;
}

export interface IntakeRequest {
  /** Without its payloads once they are of no use. */
  message: Publish;
  readonly identity: Identity;
  readonly source: PublishSource;
  /** Whether W bounds what may be unanswered (HF-6.3): for everybody who sends again what was not answered. */
  readonly isBounded: boolean;
  /** Why it was refused before it came here, retryable: it still takes its place in the lane. */
  readonly refusal?: HoldfastError | undefined;
}

export interface IntakeOptions {
  readonly sequencer: Sequencer;
  readonly limits: Limits;
  readonly clock: Clock;
  /** Anything thrown, as a refusal; what is none is reported. */
  readonly refusalOf: (error: unknown) => HoldfastError;
  /** Bounds of what may be unanswered on the node before publishes are refused with `OVERLOADED`. */
  readonly countMax: number;
  readonly bytesMax: number;
  /** How long the hooks may take for one publish, ms: one that never answers would stop its producer for ever. */
  readonly hookTimeoutMs: number;
  /** A bound was reached. */
  readonly onLimited: (limit: LimitName, key: string) => void;
}

/**
 * Room for an entry's own fields in the frame that carries it to readers, bytes: topic 200, producer 64, from 6 times 256
 * (every character escaped), four numbers of 16, names and punctuation 110: 1,974.
 */
export const ENVELOPE_BYTES = 2_048;
/** With `OVERLOADED`: some dozens of commits later. */
const RETRY_AFTER_MS = 250;

/** A publish in its lane. */
interface Arrived {
  readonly request: IntakeRequest;
  readonly payloads: readonly Payload[];
  readonly digest: string;
  /** What the node holds of it, bytes. */
  readonly bytes: number;
  /** What refused it before any hook was asked. */
  readonly refusal: HoldfastError | undefined;
}

interface Lane {
  readonly key: string;
  readonly queue: Arrived[];
  isBusy: boolean;
  /** Sent and not answered. */
  unanswered: number;
}

type Judged = readonly Data[] | undefined | HoldfastError;

export class Intake {
  readonly #options: IntakeOptions;
  readonly #lanes = new Map<string, Lane>();
  #count = 0;
  #bytes = 0;
  #isClosed = false;
  #whenIdle: (() => void)[] = [];

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** How many lanes are open: none while nothing is unanswered. */
  get laneCount(): number {
    return this.#lanes.size;
  }

  /** Publishes under way, and what the node holds of them, bytes. */
  get unanswered(): { readonly count: number; readonly bytes: number } {
    return { count: this.#count, bytes: this.#bytes };
  }

  /** Takes a publish; the answer comes after its commit. Those of one subject, producer and topic are decided in the order of the calls. */
  publish(request: IntakeRequest): void {
    const { message, identity } = request;
    const key = `${message.topic} ${producerKey(identity.subject, message.producer)}`;
    let lane = this.#lanes.get(key);
    if (lane === undefined) this.#lanes.set(key, (lane = { key, queue: [], isBusy: false, unanswered: 0 }));
    const arrived = this.#receive(lane, request);
    lane.unanswered += 1;
    this.#count += 1;
    this.#bytes += arrived.bytes;
    lane.queue.push(arrived);
    this.#run(lane);
  }

  /** Refuses everything from now on with `GOING_AWAY`; resolves when everything is answered. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#lanes.size > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  #receive(lane: Lane, request: IntakeRequest): Arrived {
    const payloads = request.message.items.map(payloadOf);
    const digest = digestOf(payloads);
    const bytes = payloads.reduce((sum, payload) => sum + payload.length, 0);
    const refusal = this.#refusalAtTheDoor(lane, request, bytes);
    if (refusal === undefined) return { request, payloads, digest, bytes, refusal };
    request.message = { ...request.message, items: [] };
    return { request, payloads: [], digest, bytes: 0, refusal };
  }

  #refusalAtTheDoor(lane: Lane, { isBounded, refusal, identity }: IntakeRequest, bytes: number): HoldfastError | undefined {
    const { limits, countMax, bytesMax, onLimited } = this.#options;
    if (this.#isClosed) return new HoldfastError('GOING_AWAY');
    if (refusal !== undefined) return refusal;
    if (isBounded && lane.unanswered >= limits.inFlightMax) {
      onLimited('inFlightMax', identity.subject);
      return new HoldfastError('TOO_MANY_IN_FLIGHT', 'more publishes are unanswered than limits.inFlightMax');
    }
    if (this.#count < countMax && this.#bytes + bytes <= bytesMax) return undefined;
    const limit = this.#count >= countMax ? 'unansweredPublishesMax' : 'unansweredBytesMax';
    onLimited(limit, identity.subject);
    return new HoldfastError('OVERLOADED', `too many publishes are under way (limits.${limit})`, { retryAfterMs: RETRY_AFTER_MS });
  }

  #run(lane: Lane): void {
    for (let arrived = next(lane); arrived !== undefined; arrived = next(lane)) {
      const judged = this.#judge(arrived);
      if (isThenable(judged)) this.#await(lane, arrived, judged);
      else this.#submit(lane, arrived, judged);
    }
  }

  #judge({ request, refusal }: Arrived): Judged | PromiseLike<readonly Data[] | undefined> {
    if (refusal !== undefined) return refusal;
    try {
      return request.source.judge(request.message, request.identity);
    } catch (error) {
      return this.#options.refusalOf(error);
    }
  }

  #await(lane: Lane, arrived: Arrived, judged: PromiseLike<readonly Data[] | undefined>): void {
    const { clock, refusalOf, hookTimeoutMs, onLimited } = this.#options;
    lane.isBusy = true;
    let isOver = false;
    const proceed = (outcome: Judged): void => {
      if (isOver) return;
      isOver = true;
      clock.clearTimeout(timer);
      lane.isBusy = false;
      this.#submit(lane, arrived, outcome);
      this.#run(lane);
    };
    const { topic } = arrived.request.message;
    const tooSlow = (): void => {
      onLimited('hookTimeoutMs', topic);
      proceed(refusalOf(new Error(`a hook did not answer within ${hookTimeoutMs} ms to a publish to "${topic}"`)));
    };
    const timer = clock.setTimeout(tooSlow, hookTimeoutMs);
    judged.then(proceed, (error: unknown) => proceed(refusalOf(error)));
  }

  #submit(lane: Lane, arrived: Arrived, judged: Judged): void {
    const { request, digest } = arrived;
    const { identity } = request;
    // HF-6.4: a topic that no rule knows is not founded, not even for its refusals.
    if (judged instanceof HoldfastError && judged.code === 'UNKNOWN_TOPIC')
      return this.#answer(lane, arrived, { kind: 'refused', error: judged });
    const { topic, producer, seq, epoch, ifHead } = request.message;
    const payloads = this.#payloadsOf(arrived, judged);
    const verdict = payloads instanceof HoldfastError ? payloads : undefined;
    const accepted = payloads instanceof HoldfastError ? [] : payloads;
    this.#options.sequencer.publish({ topic, identity, producer, seq, epoch, ifHead, digest, payloads: accepted, verdict }, (decision) =>
      this.#answer(lane, arrived, decision),
    );
  }

  #payloadsOf({ payloads }: Arrived, judged: Judged): readonly Payload[] | HoldfastError {
    if (judged instanceof HoldfastError) return judged;
    const { refusalOf, limits } = this.#options;
    let final = payloads;
    try {
      if (judged !== undefined) final = replacement(judged, limits);
    } catch (error) {
      return refusalOf(new Error('beforePublish gave payloads that cannot be stored', { cause: error }));
    }
    return final.some((payload) => this.#isOversize(payload)) ? this.#tooLarge() : final;
  }

  #isOversize(payload: Payload): boolean {
    const bytesMax = this.#payloadBytesMax;
    return typeof payload === 'string' ? isLongerThan(payload, bytesMax) : payload.length > bytesMax;
  }

  #tooLarge(): HoldfastError {
    return new HoldfastError('TOO_LARGE', `a payload of more than ${this.#payloadBytesMax} bytes`);
  }

  get #payloadBytesMax(): number {
    return this.#options.limits.frameBytesMax - ENVELOPE_BYTES;
  }

  #answer(lane: Lane, { request, bytes }: Arrived, decision: Decision): void {
    lane.unanswered -= 1;
    this.#count -= 1;
    this.#bytes -= bytes;
    if (lane.unanswered === 0) this.#lanes.delete(lane.key);
    request.source.answered(request, decision);
    if (this.#lanes.size > 0) return;
    const waiting = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of waiting) resolve();
  }
}

function next(lane: Lane): Arrived | undefined {
  return lane.isBusy ? undefined : lane.queue.shift();
}

function payloadOf(data: Data): Payload {
  return data instanceof Uint8Array ? data : JSON.stringify(data);
}

/** What a hook put in the place of what was sent. Throws if it is not one payload or more. */
function replacement(items: readonly Data[], { depthMax, keysMax }: Limits): readonly Payload[] {
  if (!Array.isArray(items) || items.length === 0) throw new TypeError('want a list of one payload or more');
  return items.map((item: Data) => {
    // A frame's own object is the first level.
    if (!(item instanceof Uint8Array)) assertJson('beforePublish', item, depthMax - 1, keysMax);
    return payloadOf(item);
  });
}
