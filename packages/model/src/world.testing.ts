/**
 * A server, a log and several replicas in one process, every step of them by hand: messages lie on the wire until they
 * arrive, entries until they are delivered. What must hold after each step is asserted here, by the omniscient.
 */

import { HoldfastError, type Data, type EntryRecord } from '@holdfast/wire';
import { expect } from 'vitest';
import { Fold } from './fold.ts';
import type { Model, StatePosition } from './model.ts';
import { Replica, type Pending } from './replica.ts';
import { initialSnapshot, type Snapshot } from './snapshot.ts';

interface Message {
  readonly ids: readonly number[];
  readonly producer: string;
  readonly seq: number;
  readonly epoch: string;
  readonly operations: readonly Data[];
  readonly base: StatePosition | undefined;
}

type Answer = { readonly of: Message; readonly outcome: StatePosition | HoldfastError };

/** Through JSON, as over a wire. */
function copy<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

export class World<State extends { readonly applied: readonly string[] }, Operation extends { readonly id: string }> {
  readonly model: Model<State, Operation>;
  readonly peers: readonly Peer<State, Operation>[];
  fold: Fold<State, Operation>;
  log: EntryRecord[] = [];
  epoch = 'e1';
  /** History up to here is gone. */
  trimmed = 0;
  /** By offset: the state after each entry of the present log. */
  states: State[];
  #outcomes = new Map<string, StatePosition | HoldfastError>();
  readonly fates = new Map<string, 'refused' | 'dropped' | 'discarded'>();
  readonly predicted: Operation[] = [];
  crashes = 0;

  constructor(model: Model<State, Operation>, names: readonly string[], recentCountMax = 8) {
    this.model = model;
    this.recentCountMax = recentCountMax;
    this.fold = this.#begin();
    this.states = [this.fold.state];
    this.peers = names.map((name) => new Peer(this, name));
  }

  readonly recentCountMax: number;

  #begin(): Fold<State, Operation> {
    return new Fold(this.model, initialSnapshot(this.model, this.epoch), { recentCountMax: this.recentCountMax });
  }

  append(from: string, producer: string, seq: number, data: Data): void {
    const entry = { offset: this.log.length + 1, from, producer, seq, at: 1_000 + this.log.length, data: copy(data) };
    this.log.push(entry);
    expect(this.fold.take(copy(entry))).toBe(true);
    this.states.push(this.fold.state);
  }

  receive(from: string, { producer, seq, epoch, operations, base }: Message): StatePosition | HoldfastError {
    if (epoch !== this.epoch) return new HoldfastError('EPOCH_CHANGED');
    const key = `${from} ${producer} ${seq}`;
    const known = this.#outcomes.get(key);
    if (known !== undefined) return known;
    const verdict = this.fold.admit({ operations, base, producer }, { subject: from });
    if (!(verdict instanceof HoldfastError))
      for (const operation of verdict) this.append(from, producer, seq, operation as unknown as Data);
    const outcome = verdict instanceof HoldfastError ? verdict : this.fold.position;
    this.#outcomes.set(key, outcome);
    return outcome;
  }

  /** The server comes back with another log: what a backup held, or nothing. */
  crash(kept: number): void {
    const entries = this.log.slice(0, kept);
    this.epoch = `e${Number(this.epoch.slice(1)) + 1}`;
    this.crashes += 1;
    this.trimmed = 0;
    this.#outcomes.clear();
    this.fold = this.#begin();
    this.states = [this.fold.state];
    this.log = [];
    for (const { from, producer, seq, data } of entries) this.append(from, producer, seq, data);
    for (const peer of this.peers) peer.lose();
  }

  /** A server that starts again from its checkpoint remembers no recent entries. */
  restart(): void {
    this.fold = new Fold(this.model, copy(this.fold.checkpoint()), { recentCountMax: this.recentCountMax });
    for (const peer of this.peers) peer.drop(0);
  }

  snapshot(): Snapshot {
    return copy(this.fold.checkpoint());
  }

  holds(id: string): boolean {
    return this.log.some(({ data }) => (data as { readonly id?: string } | null)?.id === id);
  }

  /** Everything arrives, is answered and delivered, until nothing is pending. */
  settle(): void {
    for (let round = 0; round < 60; round += 1) {
      for (const peer of this.peers) peer.round();
      if (this.peers.every(({ pending, unanswered }) => pending.length === 0 && unanswered.length === 0)) break;
    }
    for (const peer of this.peers) peer.deliver(Number.POSITIVE_INFINITY);
  }
}

export class Peer<State extends { readonly applied: readonly string[] }, Operation extends { readonly id: string }> {
  readonly replica: Replica<State, Operation>;
  readonly name: string;
  readonly #world: World<State, Operation>;
  readonly #ids = new Map<number, string>();
  #producer = 'p1';
  #seq = 0;
  #cursor = 1;
  #epoch: string;
  /** What was sent last was rebased over each entry since. */
  #isExact = false;
  outbound: Message[] = [];
  answers: Answer[] = [];
  unanswered: Message[] = [];

  constructor(world: World<State, Operation>, name: string) {
    this.#world = world;
    this.name = name;
    this.#epoch = world.epoch;
    this.replica = new Replica(world.model, { from: name, onDropped: (id) => world.fates.set(this.#ids.get(id)!, 'dropped') });
    this.replica.restore(initialSnapshot(world.model, world.epoch));
  }

  get pending(): readonly Pending<Operation>[] {
    return this.replica.status.getSnapshot().pending;
  }

  predict(operation: Operation): void {
    try {
      this.#ids.set(this.replica.predict(operation), operation.id);
    } catch (error) {
      expect(error).toBeInstanceOf(HoldfastError);
      return;
    }
    this.#world.predicted.push(operation);
    this.check();
  }

  send(countMax: number): void {
    const proposal = this.replica.due(countMax);
    if (proposal === undefined || this.#epoch !== this.#world.epoch) return;
    const { ids, operations, base } = proposal;
    this.#seq += 1;
    this.replica.sent(ids, this.#producer, this.#seq);
    const message = {
      ids,
      producer: this.#producer,
      seq: this.#seq,
      epoch: this.#epoch,
      operations: copy(operations) as unknown as Data[],
      base,
    };
    this.outbound.push(message);
    this.unanswered.push(message);
    this.#isExact = true;
    this.check();
  }

  arrive(): void {
    const of = this.outbound.shift();
    if (of !== undefined) this.answers.push({ of, outcome: this.#world.receive(this.name, of) });
  }

  answer(): void {
    const answer = this.answers.shift();
    if (answer === undefined) return;
    const { of, outcome } = answer;
    this.unanswered = this.unanswered.filter((message) => message !== of);
    for (const id of of.ids) {
      if (!(outcome instanceof HoldfastError)) this.replica.acknowledge(id, outcome);
      else if (outcome.code === 'HEAD_MISMATCH') this.replica.resend(id);
      else {
        this.replica.refuse(id);
        this.#world.fates.set(this.#ids.get(id)!, 'refused');
      }
    }
    this.check();
  }

  deliver(count: number): void {
    const { log, trimmed, epoch } = this.#world;
    if (this.#epoch !== epoch) this.#follow(0, 'epoch');
    for (let left = count; left > 0 && this.#cursor <= log.length; left -= 1) {
      if (this.#cursor <= trimmed) this.#follow(trimmed, 'retention');
      else {
        this.#confirm(copy(log[this.#cursor - 1]!));
        this.#cursor += 1;
      }
    }
  }

  #follow(offset: number, reason: 'epoch' | 'retention'): void {
    const { epoch } = this.#world;
    this.#epoch = epoch;
    this.#cursor = offset + 1;
    this.#isExact = false;
    this.replica.gap({ reason, after: { epoch, offset } });
    this.check();
  }

  #confirm(entry: EntryRecord): void {
    const { replica } = this;
    const { phase, position } = replica.status.getSnapshot();
    const isOwn = ({ producer, seq, operation }: Pending<Operation>): boolean =>
      operation !== null && entry.from === this.name && entry.producer === producer && entry.seq === seq;
    const own = this.pending.find(isOwn);
    const before = replica.predicted.getSnapshot();
    const isNew = replica.confirm(entry);
    expect(isNew).toBe(phase === 'live' && entry.offset > position!.offset);
    if (own !== undefined && isNew) expect(this.pending.map(({ id }) => id)).not.toContain(own.id);
    if (own !== undefined && isNew && this.#isExact && this.#world.model.rebase !== undefined) {
      // What was rebased here, entry by entry, is what the server made of it; so nothing flickers.
      expect(entry.data).toEqual(own.operation);
      expect(replica.predicted.getSnapshot()).toMatchObject({ items: (before as unknown as { items: string[] }).items });
    }
    this.check();
  }

  /** The connection breaks, and there is another one: everything unanswered is sent again, some entries come twice. */
  drop(again: number): void {
    this.answers = [];
    this.outbound = [...this.unanswered];
    const { position } = this.replica.status.getSnapshot();
    if (position!.epoch === this.#world.epoch) this.#cursor = Math.max(1, position!.offset + 1 - again);
  }

  /** The server does not know this log any more: what was not answered is uncertain, and a new producer begins. */
  lose(): void {
    for (const { ids } of this.unanswered) for (const id of ids) this.replica.uncertain(id);
    [this.unanswered, this.outbound, this.answers] = [[], [], []];
    this.#producer = `p${Number(this.#producer.slice(1)) + 1}`;
    this.#seq = 0;
    this.check();
  }

  /** Begins again from the server's newest snapshot. */
  rejoin(): void {
    const snapshot = this.#world.snapshot();
    this.replica.restore(snapshot);
    this.#epoch = snapshot.epoch;
    this.#cursor = snapshot.offset + 1;
    this.#isExact = false;
    this.check();
  }

  /** The application looks at what is uncertain: what was stored is let go, the rest is sent again or given up. */
  decide(isResent: boolean): void {
    for (const { id, state } of this.pending) {
      if (state !== 'uncertain') continue;
      const name = this.#ids.get(id)!;
      if (isResent && !this.#world.holds(name)) this.replica.resend(id);
      else {
        this.replica.refuse(id);
        this.#world.fates.set(name, 'discarded');
      }
    }
    this.check();
  }

  round(): void {
    this.drop(2);
    this.deliver(Number.POSITIVE_INFINITY);
    if (this.replica.status.getSnapshot().phase === 'stale') this.rejoin();
    this.decide(true);
    this.send(3);
    while (this.outbound.length > 0) this.arrive();
    while (this.answers.length > 0) this.answer();
    this.deliver(Number.POSITIVE_INFINITY);
  }

  /** What always holds. */
  check(): void {
    const { confirmed, predicted, status } = this.replica;
    const { phase, position, pending, problems } = status.getSnapshot();
    const { model, states, epoch } = this.#world;
    if (phase === 'live' && position!.epoch === epoch) expect(confirmed.getSnapshot()).toEqual(states[position!.offset]);
    if (pending.length === 0) expect(predicted.getSnapshot()).toBe(confirmed.getSnapshot());
    let state = confirmed.getSnapshot();
    for (const { id, operation } of pending) {
      if (operation === null) continue;
      try {
        state = model.apply(state, operation, { from: this.name });
        expect(problems.has(id)).toBe(false);
      } catch {
        expect(problems.has(id)).toBe(true);
      }
    }
    expect(predicted.getSnapshot()).toEqual(state);
    expect(predicted.getSnapshot()).toBe(predicted.getSnapshot());
    expect(status.getSnapshot()).toBe(status.getSnapshot());
  }
}
