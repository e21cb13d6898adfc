/** What connections share on one node: the ports, the sequencer, the topics. Made by the hub. */

import type { HoldfastError, Limits, Position } from '@holdfast/wire';
import type { Charge } from './allowance.ts';
import type { Clock } from './clock.ts';
import type { Counters } from './counters.ts';
import type { BeforePublish, Intake } from './intake.ts';
import type { NodeLimits } from './node-limits.ts';
import type { Sequencer } from './sequencer.ts';
import type { PageLimits, TopicStore } from './store.ts';
import type { Topic } from './topic.ts';
import type { Turnstile } from './turnstile.ts';

export interface OpenTopic {
  readonly topic: Topic;
  readonly head: Position;
}

export interface Services {
  readonly clock: Clock;
  readonly store: TopicStore;
  readonly limits: Limits;
  readonly nodeLimits: NodeLimits;
  readonly counters: Counters;
  readonly sequencer: Sequencer;
  readonly intake: Intake;
  readonly reads: Turnstile;
  readonly page: PageLimits;
  /** Whether any rule of the hub matches. */
  hasTopic(topic: string): boolean;
  beforePublishOf(topic: string): BeforePublish | undefined;
  /** The name of the topic that has a number on this node (HF-9.1). */
  topicNumbered(number: number): string | undefined;
  /** The topic with its log read or founded, and its head at the moment of the call. Rejects with a retryable error if the store cannot. */
  openTopic(topic: string): Promise<OpenTopic>;
  /** Charges an address, and a subject if it is known, for what comes without a connection; the refusal, or `undefined`. */
  chargeRequest(subject: string | undefined, address: string, charge: Charge): HoldfastError | undefined;
  /** The refusal of what would take more memory, while there is too little of it. */
  lackOfMemory(): HoldfastError | undefined;
  /** What a hook gives, or a retryable refusal when it takes longer than it may. */
  inTime<Result>(what: string, promise: PromiseLike<Result>): Promise<Result>;
  /** Anything thrown, as something that a client can be told; what is not a `HoldfastError` is reported to the operator. */
  refusalOf(error: unknown): HoldfastError;
}
