/**
 * A state that follows a log: each entry once and in order (PROTOCOL.md HF-5.3). It is the half that replica and fold
 * share, and knows neither predictions nor rights.
 *
 * An entry that cannot be read, or that `apply` refuses, takes its place and does nothing. Every replica comes to the same
 * verdict, since it has the same state and the same code; so a log is never stuck on one entry, and nobody drifts apart.
 */

import { HoldfastError, type EntryRecord } from '@holdfast/wire';
import type { Model, StatePosition } from './model.ts';
import { decodeSnapshot, encodeSnapshot, type Snapshot } from './snapshot.ts';

/** Told of an entry that does nothing, and why: what `parse` or `apply` threw. Called before the entry counts as taken; must not throw. */
export type UnusableListener = (entry: EntryRecord, error: unknown) => void;

export class Confirmed<State, Operation> {
  readonly model: Model<State, Operation>;
  readonly #onUnusable: UnusableListener | undefined;
  #state: State;
  #position: StatePosition;

  constructor(model: Model<State, Operation>, state: State, position: StatePosition, onUnusable?: UnusableListener) {
    this.model = model;
    this.#onUnusable = onUnusable;
    this.#state = state;
    this.#position = position;
  }

  /** Throws what `decodeSnapshot` throws; nothing has changed then. */
  restore(snapshot: Snapshot): void {
    this.#state = decodeSnapshot(this.model, snapshot);
    this.#position = { epoch: snapshot.epoch, offset: snapshot.offset };
  }

  /** Another one that goes on from here by itself. */
  fork(): Confirmed<State, Operation> {
    return new Confirmed(this.model, this.#state, this.#position, this.#onUnusable);
  }

  get state(): State {
    return this.#state;
  }

  get position(): StatePosition {
    return this.#position;
  }

  /** Takes an entry. Returns its operation, `null` if it did nothing, `undefined` if it was taken before. Throws `USAGE` at a hole. */
  take(entry: EntryRecord): Operation | null | undefined {
    const { offset, from, at, producer, seq } = entry;
    if (!this.#isNext(offset)) return undefined;
    let operation: Operation | null = null;
    try {
      const parsed = this.model.parse(entry.data);
      this.#state = this.model.apply(this.#state, parsed, { from, offset, at, producer, seq });
      operation = parsed;
    } catch (error) {
      this.#onUnusable?.(entry, error);
    }
    this.#position = { epoch: this.#position.epoch, offset };
    return operation;
  }

  /** Passes over entries that are not for this viewer (HF-5.6). Returns whether the position moved. Throws `USAGE` at a hole. */
  skip(first: number, last: number): boolean {
    if (last <= this.#position.offset) return false;
    this.#isNext(Math.max(first, 1 + this.#position.offset));
    this.#position = { epoch: this.#position.epoch, offset: last };
    return true;
  }

  snapshot(): Snapshot {
    return encodeSnapshot(this.model, this.#state, this.#position);
  }

  #isNext(offset: number): boolean {
    const next = this.#position.offset + 1;
    if (offset > next) throw new HoldfastError('USAGE', `entry ${offset} came where ${next} is next`);
    return offset === next;
  }
}
