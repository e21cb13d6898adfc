/**
 * What an application says of its state: where it begins, what an operation does to it, and who may do what. All of it is
 * pure, without clock, chance or input: client and server run the same code over the same log and come to the same state.
 */

import type { Data, HoldfastError, Json } from '@holdfast/wire';

/** Where a state stands: every entry of that log up to the offset is in it, and none beyond. */
export interface StatePosition {
  readonly epoch: string;
  readonly offset: number;
}

/** What is known of an operation that has its place in the log. `at` is the server's clock, ms since 1970. */
export interface EntryMeta {
  readonly from: string;
  readonly offset: number;
  readonly at: number;
  readonly producer: string;
  readonly seq: number;
}

/** What is known of an operation before it has a place: who made it. */
export interface PredictedMeta {
  readonly from: string;
  readonly offset?: undefined;
  readonly at?: undefined;
  readonly producer?: undefined;
  readonly seq?: undefined;
}

/** What is known of an operation beside itself. An `offset` says that it is confirmed. */
export type Meta = EntryMeta | PredictedMeta;

/** Who acts or looks: the subject that entries carry as `from`, and what else the credentials say. */
export interface Identity {
  readonly subject: string;
  readonly claims?: unknown;
}

/** On which side of the other one an operation stands in the log: what decides a tie, such as two inserts at one place. */
export type Order = 'after' | 'before';

/**
 * A state and its operations. States and operations are never changed: `apply` returns a new state, which may share what
 * did not change, and the same one where nothing did. An operation is what a topic takes as payload: JSON, or bytes.
 */
export interface Model<State, Operation> {
  /** With `version` it names the form of the states in snapshots. */
  readonly name: string;
  /** An integer, one higher whenever states, or what operations do to them, change. */
  readonly version: number;
  /** The state before the first entry of a log. */
  initial(): State;
  /**
   * Turns a payload into an operation, or throws. A log holds what older and newer versions wrote, and, where no server
   * asked `admit`, what anybody wrote: so this is not left out. An entry that it refuses does nothing, on every replica alike.
   */
  parse(data: Data): Operation;
  /**
   * The state after an operation. Throws if it cannot be done on this state: then it does nothing. Same arguments, same
   * result, on every machine; what is new (ids, times, dice) is in the operation or in `meta`.
   */
  apply(state: State, operation: Operation, meta: Meta): State;
  /**
   * What becomes of an operation that was made on the same state as `over`, once `over` was done: the operation that has
   * its effect there, or `null` if nothing is left of it. `order` says where it stands in the log. For any two operations,
   * `a` and then `rebase(b, a, 'after')` must come to the same as `b` and then `rebase(a, b, 'before')`.
   * Default: none, operations are done as they are, wherever they come to stand.
   */
  rebase?(operation: Operation, over: Operation, order: Order): Operation | null;
  /**
   * On the server: why this operation must not be stored, such as `new HoldfastError('FORBIDDEN', ...)` or `REFUSED`; nothing if
   * it may. What `apply` throws is refused anyway. Default: everything may.
   */
  admit?(state: State, operation: Operation, who: Identity): HoldfastError | undefined;
  /** On the server: what of the state somebody may see. Default: all. */
  view?(state: State, who: Identity): unknown;
  /** The state as JSON, and back, for snapshots. Default: it is JSON. */
  encode?(state: State): Json;
  decode?(json: Json): State;
  /** Brings an encoded state of an older version to this one. Default: snapshots of older versions are refused. */
  upgrade?(state: Json, fromVersion: number): Json;
}
