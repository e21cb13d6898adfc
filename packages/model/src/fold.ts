/**
 * The server's half: a model folded over a log. It holds the state at a position, says of what wants to be stored whether it
 * may and as what, and writes checkpoints down, of which any can be made anew from the log. It stores nothing itself.
 *
 * An operation of a model with `rebase` was made on an older state: its `base`. It is rebased over each entry since, which
 * is why the newest entries are remembered here.
 */

import { HoldfastError, type Data, type EntryRecord } from '@holdfast/wire';
import { Confirmed, type UnusableListener } from './confirmed.ts';
import type { Identity, Model, StatePosition } from './model.ts';
import { rebaseOver } from './rebase.ts';
import { decodeSnapshot, initialSnapshot, type Snapshot } from './snapshot.ts';

export interface FoldOptions {
  /** Entries that operations can be rebased over; what was made on an older state gets `HEAD_MISMATCH`. Default 1,000. Without `rebase` none are kept. */
  readonly recentCountMax?: number | undefined;
  readonly onUnusable?: UnusableListener | undefined;
}

/** What wants to be stored, together or not at all. */
export interface Submission {
  /** Payloads, each made on the state that the one before it leaves. */
  readonly operations: readonly Data[];
  /** The confirmed state on which the first was made. Default: the present one. */
  readonly base?: StatePosition | undefined;
  /** Whose submissions: a producer must have seen each confirmed before the next, if the model rebases. */
  readonly producer?: string | undefined;
}

interface Recent<Operation> {
  readonly offset: number;
  readonly from: string;
  readonly producer: string;
  readonly operation: Operation | null;
}

const RECENT_COUNT = 1_000;

export class Fold<State, Operation> {
  readonly model: Model<State, Operation>;
  readonly #options: FoldOptions;
  readonly #recentCountMax: number;
  #log: Confirmed<State, Operation>;
  /** Ascending and without a hole, up to the position. */
  #recent: Recent<Operation>[] = [];

  /** Goes on from a checkpoint, or from `initialSnapshot`. Throws what `decodeSnapshot` throws. */
  constructor(model: Model<State, Operation>, checkpoint: Snapshot, options: FoldOptions = {}) {
    const { epoch, offset } = checkpoint;
    this.model = model;
    this.#options = options;
    this.#recentCountMax = model.rebase === undefined ? 0 : (options.recentCountMax ?? RECENT_COUNT);
    this.#log = new Confirmed(model, decodeSnapshot(model, checkpoint), { epoch, offset }, options.onUnusable);
  }

  get state(): State {
    return this.#log.state;
  }

  get position(): StatePosition {
    return this.#log.position;
  }

  /** Takes the next entry of the log; one that was taken already is ignored. Returns whether it was new. Throws `USAGE` at a hole. */
  take(entry: EntryRecord): boolean {
    const operation = this.#log.take(entry);
    if (operation === undefined) return false;
    if (this.#recentCountMax > 0) {
      const { offset, from, producer } = entry;
      this.#recent.push({ offset, from, producer, operation });
      // In steps, so that a full list is not moved for each entry.
      if (this.#recent.length >= 2 * this.#recentCountMax) this.#recent = this.#recent.slice(-this.#recentCountMax);
    }
    return true;
  }

  /** The state and its position, to be written down. */
  checkpoint(): Snapshot {
    return this.#log.snapshot();
  }

  /** Another fold that goes on from here by itself: one for what is decided, one for what is committed. */
  fork(): Fold<State, Operation> {
    const other = new Fold(this.model, initialSnapshot(this.model, this.position.epoch), this.#options);
    other.#log = this.#log.fork();
    other.#recent = [...this.#recent];
    return other;
  }

  /** What of the state somebody may see. */
  view(who: Identity): unknown {
    return this.model.view === undefined ? this.state : this.model.view(this.state, who);
  }

  /**
   * What is to be stored: the operations, rebased to the present state, those of which nothing is left excepted. Or why not:
   * `REFUSED` (cannot be read, cannot be done, nothing is left), what the model's `admit` says, or `HEAD_MISMATCH`: it was
   * made on a state from which it cannot be brought here, and may be sent again as it is once its sender has caught up.
   * Changes nothing: what was stored comes back through `take`.
   */
  admit({ operations, base, producer }: Submission, who: Identity): HoldfastError | readonly Operation[] {
    try {
      const parsed = operations.map((data) => this.model.parse(data));
      const rebased = base === undefined ? parsed : this.#rebase(parsed, base, who, producer);
      return this.#judge(rebased, who);
    } catch (error) {
      if (error instanceof HoldfastError && !error.retryable) return error;
      return new HoldfastError('REFUSED', error instanceof Error ? error.message : undefined, { cause: error });
    }
  }

  #rebase(operations: readonly Operation[], base: StatePosition, who: Identity, producer: string | undefined): readonly Operation[] {
    if (this.model.rebase === undefined) return operations;
    const { epoch, offset } = this.position;
    const since = offset - base.offset;
    if (base.epoch !== epoch || !(since >= 0 && since <= this.#recent.length))
      throw new HoldfastError('HEAD_MISMATCH', `made at ${base.epoch}/${base.offset}; the log is at ${epoch}/${offset}`);
    let rebased: readonly (Operation | null)[] = operations;
    for (const over of this.#recent.slice(this.#recent.length - since)) {
      // It was made on top of that one, as it was before it was ordered, which is not known here.
      if (over.from === who.subject && over.producer === producer)
        throw new HoldfastError('HEAD_MISMATCH', `made before its producer had seen its own entry ${over.offset}`);
      if (over.operation !== null) rebased = rebaseOver(this.model, rebased, over.operation);
    }
    return rebased.filter((operation) => operation !== null);
  }

  #judge(operations: readonly Operation[], who: Identity): readonly Operation[] {
    if (operations.length === 0) throw new HoldfastError('REFUSED', 'nothing is left of it: what it changes is gone');
    let { state } = this;
    for (const operation of operations) {
      const refusal = this.model.admit?.(state, operation, who);
      if (refusal !== undefined) throw refusal;
      state = this.model.apply(state, operation, { from: who.subject });
    }
    return operations;
  }
}
