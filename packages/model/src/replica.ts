/**
 * The client's half: the confirmed state, and what is pending on top of it. An operation is *predicted* (shown at once),
 * *ordered* (by the server's log), *confirmed* (applied in its place), and what is still pending is *rebased* over it.
 *
 * It knows no connection and sends nothing. Its owner publishes what is `due`, says with `sent` under which name, hands over
 * everything that comes from the topic in its order, and says what became of each publish. Calls that repeat what was said
 * before do nothing.
 */

import { HoldfastError, type EntryRecord, type GapReason } from '@holdfast/wire';
import { Confirmed, type UnusableListener } from './confirmed.ts';
import type { Model, StatePosition } from './model.ts';
import { Watched, type Observable } from './observable.ts';
import { rebaseOver } from './rebase.ts';
import { initialSnapshot, type Snapshot } from './snapshot.ts';

/** An operation that was predicted and not yet confirmed. */
export interface Pending<Operation> {
  readonly id: number;
  /** As it stands now, rebased over everything confirmed; `null`: it was sent, and nothing is left of it. */
  readonly operation: Operation | null;
  /** `queued`: not sent. `sent`: its outcome will come. `uncertain`: its outcome cannot be learnt (PROTOCOL.md HF-6.10). */
  readonly state: 'queued' | 'sent' | 'uncertain';
  /** Under which its entry will come, once it was sent. */
  readonly producer: string | undefined;
  readonly seq: number | undefined;
  /** Where it stands in the log, once that was told. */
  readonly acknowledged: StatePosition | undefined;
}

export interface ReplicaStatus<Operation> {
  /** `stale`: what is shown is the last that was known, until `restore`. */
  readonly phase: 'live' | 'stale';
  /** Where the confirmed state stands, and where to follow the topic from; `undefined` before the first `restore`. */
  readonly position: StatePosition | undefined;
  /** In the order in which they were predicted. */
  readonly pending: readonly Pending<Operation>[];
  /** By `id`: why a pending operation does nothing on the present state. It stays pending; the server decides. */
  readonly problems: ReadonlyMap<number, unknown>;
}

/** What is to be published next. */
export interface Proposal<Operation> {
  readonly ids: readonly number[];
  readonly operations: readonly Operation[];
  /** On what they were made; only of a model with `rebase`, and then they are to be published together. */
  readonly base: StatePosition | undefined;
}

export interface ReplicaOptions {
  /** Who predicts: the subject that its entries will carry. */
  readonly from: string;
  /** Operations pending at a time; `predict` throws `OUTBOX_FULL` beyond. Default 1,000: each foreign entry does them all again. */
  readonly pendingCountMax?: number | undefined;
  readonly onUnusable?: UnusableListener | undefined;
  /** Nothing was left of an operation that had not been sent: it is not pending any more. Must neither throw nor call the replica. */
  readonly onDropped?: ((id: number) => void) | undefined;
}

/** What came of applying `rows` to `over`: true as long as these two are what there is. */
interface Prediction<State, Operation> {
  readonly over: State;
  readonly rows: readonly Pending<Operation>[];
  readonly state: State;
  readonly problems: ReadonlyMap<number, unknown>;
}

const PENDING_COUNT_MAX = 1_000;

export class Replica<State, Operation> {
  readonly model: Model<State, Operation>;
  /** The state that the log says. */
  readonly confirmed: Observable<State>;
  /** The same with everything pending on top; the same reference where nothing is. */
  readonly predicted: Observable<State>;
  readonly status: Observable<ReplicaStatus<Operation>>;
  readonly #options: ReplicaOptions;
  readonly #log: Confirmed<State, Operation>;
  readonly #watched: readonly [Watched<State>, Watched<State>, Watched<ReplicaStatus<Operation>>];
  #hasBegun = false;
  #isStale = true;
  #pending: readonly Pending<Operation>[] = [];
  #nextId = 1;
  #prediction: Prediction<State, Operation> | undefined;
  #status: ReplicaStatus<Operation> | undefined;

  /** `stale` at the initial state, until the first `restore`. */
  constructor(model: Model<State, Operation>, options: ReplicaOptions) {
    this.model = model;
    this.#options = options;
    this.#log = new Confirmed(model, model.initial(), { epoch: '', offset: 0 }, options.onUnusable);
    const confirmed = new Watched(() => this.#log.state);
    const predicted = new Watched(() => this.#predict().state);
    const status = new Watched(() => this.#now());
    this.confirmed = confirmed;
    this.predicted = predicted;
    this.status = status;
    this.#watched = [confirmed, predicted, status];
  }

  /**
   * Applies an operation at once, on top of everything pending. Returns its id. Throws what the model's `apply` throws, and
   * `OUTBOX_FULL`; nothing has changed then.
   */
  predict(operation: Operation): number {
    const { pendingCountMax = PENDING_COUNT_MAX, from } = this.#options;
    if (this.#pending.length >= pendingCountMax) throw new HoldfastError('OUTBOX_FULL', `${pendingCountMax} operations are pending`);
    const { state, problems } = this.#predict();
    const next = this.model.apply(state, operation, { from });
    const id = this.#nextId++;
    const row: Pending<Operation> = { id, operation, state: 'queued', producer: undefined, seq: undefined, acknowledged: undefined };
    this.#changed([...this.#pending, row]);
    this.#prediction = { over: this.#log.state, rows: this.#pending, state: next, problems };
    return id;
  }

  /**
   * What may be published now, oldest first, at most `countMax`. Without `rebase` each may be published by itself, at any
   * time. With it nothing is due while something is sent or uncertain, or the state is stale: the server could not know on
   * which state it was made.
   */
  due(countMax: number = Number.POSITIVE_INFINITY): Proposal<Operation> | undefined {
    const rebases = this.model.rebase !== undefined;
    if (rebases && (this.#isStale || this.#pending.some(({ state }) => state !== 'queued'))) return undefined;
    const ids: number[] = [];
    const operations: Operation[] = [];
    for (const { id, state, operation } of this.#pending) {
      if (state !== 'queued' || operation === null || ids.length >= countMax) continue;
      ids.push(id);
      operations.push(operation);
    }
    return ids.length === 0 ? undefined : { ids, operations, base: rebases ? this.#log.position : undefined };
  }

  /** Operations are about to be published under this name: one by itself, or several as one atomic publish. */
  sent(ids: readonly number[], producer: string, seq: number): void {
    for (const id of ids) this.#change(id, { state: 'sent', producer, seq });
  }

  /**
   * The server has stored it: where, for an atomic publish the place of its last entry. It stays pending until the state has
   * got there; a snapshot of a later state holds it already.
   */
  acknowledge(id: number, { epoch, offset }: StatePosition): void {
    this.#change(id, { acknowledged: { epoch, offset } });
    if (this.#hasBegun) this.#settle();
  }

  /** The server has refused it, or the application takes it back: it is undone, and what is pending after it is applied anew. */
  refuse(id: number): void {
    if (this.#pending.some((row) => row.id === id)) this.#changed(this.#pending.filter((row) => row.id !== id));
  }

  /** Its outcome cannot be learnt. It is shown until its entry comes, or until `resend` or `refuse`. */
  uncertain(id: number): void {
    this.#change(id, { state: 'uncertain' });
  }

  /** It is not stored under its old name and is due again, as it stands now: after `HEAD_MISMATCH`, or as an answer to uncertainty. */
  resend(id: number): void {
    this.#change(id, { state: 'queued', producer: undefined, seq: undefined, acknowledged: undefined });
  }

  /**
   * The next entry of the topic. One's own is recognised by producer and seq; what is pending is rebased over anybody else's.
   * Returns whether it was new: while stale nothing is. Throws `USAGE` at a hole.
   */
  confirm(entry: EntryRecord): boolean {
    if (this.#isStale) return false;
    const operation = this.#log.take(entry);
    if (operation === undefined) return false;
    const isOwn = (row: Pending<Operation>): boolean =>
      row.producer === entry.producer && row.seq === entry.seq && entry.from === this.#options.from;
    const own = this.#pending.find((row) => isOwn(row) && row.operation !== null) ?? this.#pending.find(isOwn);
    if (own === undefined) this.#changed(this.#rebase(this.#pending, operation));
    else {
      const index = this.#pending.indexOf(own);
      // What stands before it was overtaken; what stands after it was made on top of it.
      const rows = [...this.#rebase(this.#pending.slice(0, index), operation), ...this.#pending.slice(index + 1)];
      // Of an atomic publish nothing more will come when nothing is left of the others.
      const isLast = !rows.some((row) => isOwn(row) && row.operation !== null);
      this.#changed(isLast ? rows.filter((row) => !isOwn(row)) : rows);
    }
    this.#settle();
    return true;
  }

  /** Entries that are not for this viewer. Returns whether the position moved. Throws `USAGE` at a hole. */
  skip(first: number, last: number): boolean {
    if (this.#isStale || !this.#log.skip(first, last)) return false;
    this.#changed(this.#pending);
    this.#settle();
    return true;
  }

  /**
   * What lies before `after` cannot be had (HF-5.7). At a log's beginning the state is the initial one, and all is well. Elsewhere it is
   * `stale`: entries are ignored until `restore`, and the topic is to be followed from that snapshot on.
   */
  gap({ reason, after }: { readonly reason: GapReason; readonly after: StatePosition }): void {
    const { epoch, offset } = this.#log.position;
    const isKnown = !this.#isStale && reason !== 'ahead' && after.epoch === epoch && after.offset <= offset;
    if (isKnown) return;
    if (after.offset === 0) return this.restore(initialSnapshot(this.model, after.epoch));
    this.#isStale = true;
    this.#changed(this.#pending);
  }

  /**
   * Goes on from a snapshot, with everything pending on top that is not known to be in it; it could not be rebased over what
   * lies between. What was acknowledged in a log that is no more is gone with it. Throws what `decodeSnapshot` throws.
   */
  restore(snapshot: Snapshot): void {
    this.#log.restore(snapshot);
    this.#hasBegun = true;
    this.#isStale = false;
    this.#changed(this.#pending.filter(({ acknowledged }) => acknowledged === undefined || acknowledged.epoch === snapshot.epoch));
    this.#settle();
  }

  /** The confirmed state at its position, to begin with another time. Throws `USAGE` before the first `restore`. */
  snapshot(): Snapshot {
    if (!this.#hasBegun) throw new HoldfastError('USAGE', 'the replica has no state yet');
    return this.#log.snapshot();
  }

  #rebase(rows: readonly Pending<Operation>[], over: Operation | null): readonly Pending<Operation>[] {
    if (over === null || rows.length === 0 || this.model.rebase === undefined) return rows;
    let operations: readonly (Operation | null)[];
    try {
      operations = rebaseOver(
        this.model,
        rows.map(({ operation }) => operation),
        over,
      );
    } catch {
      // The server fails in the same way and refuses them.
      return rows;
    }
    const rebased = rows.map((row, index) => (operations[index] === row.operation ? row : { ...row, operation: operations[index]! }));
    const dropped = rebased.filter(({ state, operation }) => state === 'queued' && operation === null);
    for (const { id } of dropped) this.#options.onDropped?.(id);
    return dropped.length === 0 ? rebased : rebased.filter((row) => !dropped.includes(row));
  }

  /** Ends what is known to be in the confirmed state. */
  #settle(): void {
    const { epoch, offset } = this.#log.position;
    const isIn = ({ acknowledged }: Pending<Operation>): boolean =>
      acknowledged !== undefined && acknowledged.epoch === epoch && acknowledged.offset <= offset;
    if (this.#pending.some(isIn)) this.#changed(this.#pending.filter((row) => !isIn(row)));
  }

  #change(id: number, change: Partial<Pending<Operation>>): void {
    this.#changed(this.#pending.map((row) => (row.id === id ? { ...row, ...change } : row)));
  }

  #changed(pending: readonly Pending<Operation>[]): void {
    this.#pending = pending;
    this.#status = undefined;
    for (const watched of this.#watched) watched.touch();
  }

  /** Lazily, so that many entries in one turn cost the pending operations once. */
  #predict(): Prediction<State, Operation> {
    const over = this.#log.state;
    const rows = this.#pending;
    if (this.#prediction !== undefined && this.#prediction.over === over && isSame(this.#prediction.rows, rows)) return this.#prediction;
    const { from } = this.#options;
    const problems = new Map<number, unknown>();
    let state = over;
    for (const { id, operation } of rows) {
      if (operation === null) continue;
      try {
        state = this.model.apply(state, operation, { from });
      } catch (error) {
        problems.set(id, error);
      }
    }
    this.#prediction = { over, rows, state, problems };
    return this.#prediction;
  }

  #now(): ReplicaStatus<Operation> {
    this.#status ??= {
      phase: this.#isStale ? 'stale' : 'live',
      position: this.#hasBegun ? this.#log.position : undefined,
      pending: this.#pending,
      problems: this.#predict().problems,
    };
    return this.#status;
  }
}

/** Whether the same operations are pending in the same order, whatever became known of them. */
function isSame<Operation>(some: readonly Pending<Operation>[], others: readonly Pending<Operation>[]): boolean {
  if (some === others) return true;
  return (
    some.length === others.length &&
    some.every(({ id, operation }, index) => id === others[index]!.id && operation === others[index]!.operation)
  );
}
