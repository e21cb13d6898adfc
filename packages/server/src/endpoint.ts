/** What one path of a server allows: its topics, its rights, its methods, its plain handler (PROTOCOL.md HF-2.2). */

import { HoldfastError, type Json } from '@holdfast/wire';
import type { Clock } from './clock.ts';
import type { PlainHandler } from './plain.ts';
import { anonymous, grantOf, type Authenticate, type Authorize, type Grant, type Identity, type Question } from './rights.ts';
import { isThenable } from './thenable.ts';
import { isSystemTopic } from './system-topic.ts';
import { parseTopicPattern } from './topic-pattern.ts';

/** Who calls a method, from where. */
export interface CallContext {
  readonly identity: Identity;
  readonly client: string;
}

/** Answers a `call` (HF-7.9). A thrown `HoldfastError` becomes its answer; any other error becomes `INTERNAL`. */
export type Method = (data: Json, context: CallContext) => Json | Promise<Json>;

export interface EndpointOptions {
  /** Patterns of the topics that exist on this path. Default: all of the hub's. */
  readonly topics?: readonly string[];
  /** Default: `anonymous`, for development. */
  readonly authenticate?: Authenticate;
  /** Asked on every action. Default: everything is allowed. */
  readonly authorize?: Authorize;
  readonly methods?: Readonly<Record<string, Method>>;
  /** For clients that do not speak the protocol (HF-13). */
  readonly plain?: PlainHandler;
}

export class Endpoint {
  readonly authenticate: Authenticate;
  readonly plain: PlainHandler | undefined;
  readonly #authorize: Authorize;
  readonly #methods: Readonly<Record<string, Method>>;
  readonly #hasTopic: (topic: string) => boolean;

  constructor({ topics = ['*'], authenticate = anonymous, authorize = () => true, methods = {}, plain }: EndpointOptions = {}) {
    const patterns = topics.map(parseTopicPattern);
    this.#hasTopic = (topic) => patterns.some((pattern) => pattern.matches(topic));
    this.authenticate = authenticate;
    this.#authorize = authorize;
    this.#methods = methods;
    this.plain = plain;
  }

  hasTopic(topic: string): boolean {
    return !isSystemTopic(topic) && this.#hasTopic(topic);
  }

  /** A grant, at once if the hook answers at once. Throws or rejects with `FORBIDDEN`, or with what the hook threw. */
  ask(question: Question, clock: Pick<Clock, 'now'>): Grant | Promise<Grant> {
    const answer: unknown = this.#authorize(question);
    return isThenable(answer) ? Promise.resolve(answer).then((later) => grantOf(later, question, clock)) : grantOf(answer, question, clock);
  }

  /** Throws `UNKNOWN_METHOD`. */
  method(name: string): Method {
    const method = Object.hasOwn(this.#methods, name) ? this.#methods[name] : undefined;
    if (method === undefined) throw new HoldfastError('UNKNOWN_METHOD', `no method "${name.slice(0, 80)}"`);
    return method;
  }
}
