/** What connections share on one node: the ports, the sequencer, the topics. Made by the hub. */

import type { HoldfastError, Limits, Position } from '@holdfast/wire';
import type { Clock } from './clock.ts';
import type { BeforePublish, Intake } from './intake.ts';
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
  readonly sequencer: Sequencer;
  readonly intake: Intake;
  readonly reads: Turnstile;
  readonly page: PageLimits;
  /** Whether any rule of the hub matches. */
  hasTopic(topic: string): boolean;
  beforePublishOf(topic: string): BeforePublish | undefined;
  /** The topic with its log read or founded, and its head at the moment of the call. Rejects with a retryable error if the store cannot. */
  openTopic(topic: string): Promise<OpenTopic>;
  /** Anything thrown, as something that a client can be told; what is not a `HoldfastError` is reported to the operator. */
  refusalOf(error: unknown): HoldfastError;
}
