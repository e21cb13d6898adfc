import { describe, expect, test } from 'vitest';
import { entry, thrown } from './entry.testing.ts';
import type { Model } from './model.ts';
import { journal, list, type Journal, type JournalOperation, type List, type ListOperation } from './models.testing.ts';
import { Replica, type ReplicaOptions } from './replica.ts';
import { initialSnapshot } from './snapshot.ts';

const ALICE = { from: 'alice', producer: 'tab' };

function sums(options?: Partial<ReplicaOptions>): Replica<Journal, JournalOperation> {
  const replica = new Replica(journal, { from: 'alice', ...options });
  replica.restore(initialSnapshot(journal, 'e1'));
  return replica;
}

function lists(items: readonly string[], options?: Partial<ReplicaOptions>): Replica<List, ListOperation> {
  const replica = new Replica(list, { from: 'alice', ...options });
  replica.restore({ epoch: 'e1', offset: 10, model: 'list@1', state: { items: [...items], applied: [] } });
  return replica;
}

const shown = (replica: Replica<Journal, JournalOperation>): readonly string[] => replica.predicted.getSnapshot().applied;
const known = (replica: Replica<Journal, JournalOperation>): readonly string[] => replica.confirmed.getSnapshot().applied;
const pending = <Operation>(replica: Replica<unknown, Operation>): readonly (Operation | null)[] =>
  replica.status.getSnapshot().pending.map(({ operation }) => operation);

describe('predict', () => {
  test('shows an operation at once, on top of everything pending, and confirms nothing', () => {
    const replica = sums();
    expect([replica.predict({ id: 'x', add: 2 }), replica.predict({ id: 'y', add: -1 })]).toEqual([1, 2]);
    expect([shown(replica), known(replica)]).toEqual([['x', 'y'], []]);
  });

  test('throws what apply throws, and nothing has changed', () => {
    const replica = sums();
    replica.predict({ id: 'x', add: 2 });
    const before = [replica.predicted.getSnapshot(), replica.status.getSnapshot()];
    expect(thrown(() => replica.predict({ id: 'y', add: -3 }))).toBe('REFUSED');
    expect(replica.predicted.getSnapshot()).toBe(before[0]);
    expect(replica.status.getSnapshot()).toBe(before[1]);
  });

  test('is refused with OUTBOX_FULL when too many are pending', () => {
    const replica = sums({ pendingCountMax: 1 });
    replica.predict({ id: 'x', add: 1 });
    expect(thrown(() => replica.predict({ id: 'y', add: 1 }))).toBe('OUTBOX_FULL');
    expect(shown(replica)).toEqual(['x']);
  });

  test('applies the new operation only, not all that are pending', () => {
    let calls = 0;
    const counting: Model<Journal, JournalOperation> = {
      ...journal,
      apply(...args) {
        calls += 1;
        return journal.apply(...args);
      },
    };
    const replica = new Replica(counting, { from: 'alice' });
    for (let index = 0; index < 100; index += 1) replica.predict({ id: `x${index}`, add: 1 });
    expect(calls).toBe(100);
    replica.restore(initialSnapshot(counting, 'e1'));
    // Fifty foreign entries in one turn: each once, and what is pending once in all.
    for (let offset = 1; offset <= 50; offset += 1) replica.confirm(entry(offset, { id: `b${offset}`, add: 1 }));
    expect(replica.predicted.getSnapshot().sum).toBe(150);
    expect(calls).toBe(250);
  });

  test('works before there is a position, on the initial state', () => {
    const replica = new Replica(journal, { from: 'alice' });
    replica.predict({ id: 'x', add: 1 });
    expect(replica.status.getSnapshot()).toMatchObject({ phase: 'stale', position: undefined });
    expect(thrown(() => replica.snapshot())).toBe('USAGE');
    replica.restore({ epoch: 'e1', offset: 7, model: 'journal@1', state: { sum: 5, applied: ['a'] } });
    expect(shown(replica)).toEqual(['a', 'x']);
    expect(replica.snapshot()).toEqual({ epoch: 'e1', offset: 7, model: 'journal@1', state: { sum: 5, applied: ['a'] } });
  });
});

describe('confirm', () => {
  test("one's own entry is recognised by producer and seq, and is pending no more", () => {
    const replica = sums();
    replica.sent([replica.predict({ id: 'x', add: 1 })], 'tab', 1);
    replica.predict({ id: 'y', add: 1 });
    expect(replica.confirm(entry(1, { id: 'x', add: 1 }, { ...ALICE, seq: 1 }))).toBe(true);
    expect([known(replica), shown(replica), pending(replica)]).toEqual([['x'], ['x', 'y'], [{ id: 'y', add: 1 }]]);
  });

  test('of several sent under one producer it is the one with that seq, also while a refusal before it is not yet known', () => {
    const replica = sums();
    for (const [index, id] of ['x', 'y'].entries()) replica.sent([replica.predict({ id, add: 1 })], 'tab', index + 1);
    replica.confirm(entry(1, { id: 'y', add: 1 }, { ...ALICE, seq: 2 }));
    expect(pending(replica)).toEqual([{ id: 'x', add: 1 }]);
  });

  test('HF-6.11: the same producer and seq of another subject is not one of one’s own', () => {
    const replica = sums();
    replica.sent([replica.predict({ id: 'x', add: 1 })], 'tab', 1);
    replica.confirm(entry(1, { id: 'evil', add: 1 }, { producer: 'tab', seq: 1, from: 'mallory' }));
    expect(shown(replica)).toEqual(['evil', 'x']);
  });

  test('entries of an atomic publish confirm its operations one by one', () => {
    const replica = sums();
    const ids = [replica.predict({ id: 'x', add: 1 }), replica.predict({ id: 'y', add: 1 })];
    replica.sent(ids, 'tab', 1);
    replica.confirm(entry(1, { id: 'x', add: 1 }, { ...ALICE, seq: 1 }));
    expect([known(replica), shown(replica)]).toEqual([['x'], ['x', 'y']]);
    replica.confirm(entry(2, { id: 'y', add: 1 }, { ...ALICE, seq: 1 }));
    expect([known(replica), pending(replica)]).toEqual([['x', 'y'], []]);
  });

  test('exactly once for each offset: what was taken is ignored, a hole is a bug', () => {
    const replica = sums();
    expect(replica.confirm(entry(1, { id: 'a', add: 1 }))).toBe(true);
    expect(replica.confirm(entry(1, { id: 'a', add: 1 }))).toBe(false);
    expect(thrown(() => replica.confirm(entry(3, { id: 'c', add: 1 })))).toBe('USAGE');
    expect(replica.status.getSnapshot().position).toEqual({ epoch: 'e1', offset: 1 });
    expect(known(replica)).toEqual(['a']);
  });

  test('HF-5.6: a skip moves the position', () => {
    const replica = sums();
    expect([replica.skip(1, 3), replica.skip(2, 3), replica.skip(3, 5)]).toEqual([true, false, true]);
    expect(thrown(() => replica.skip(7, 9))).toBe('USAGE');
    replica.confirm(entry(6, { id: 'a', add: 1 }));
    expect(known(replica)).toEqual(['a']);
  });

  test('an entry that cannot be read or done does nothing, is told, and stops nobody', () => {
    const told: unknown[] = [];
    const replica = sums({ onUnusable: ({ offset }, error) => told.push([offset, (error as Error).message]) });
    replica.confirm(entry(1, 'of an older version'));
    replica.confirm(entry(2, { id: 'a', add: -1 }));
    replica.confirm(entry(3, { id: 'b', add: 1 }));
    expect(known(replica)).toEqual(['b']);
    expect(told).toEqual([
      [1, 'no operation'],
      [2, 'only 0 left'],
    ]);
  });

  test('what cannot be done on the present state stays pending and does nothing, until it can', () => {
    const replica = sums();
    replica.confirm(entry(1, { id: 'a', add: 5 }));
    const id = replica.predict({ id: 'x', add: -4 });
    replica.predict({ id: 'y', add: 1 });
    replica.confirm(entry(2, { id: 'b', add: -3 }));
    expect(shown(replica)).toEqual(['a', 'b', 'y']);
    expect([...replica.status.getSnapshot().problems].map(([key, error]) => [key, (error as Error).message])).toEqual([
      [id, 'only 2 left'],
    ]);
    replica.confirm(entry(3, { id: 'c', add: 2 }));
    expect(shown(replica)).toEqual(['a', 'b', 'c', 'x', 'y']);
    expect(replica.status.getSnapshot().problems.size).toBe(0);
  });

  test('the model is told what is known: the place of an entry, and who predicts', () => {
    const metas: unknown[] = [];
    const replica = new Replica({ ...journal, apply: (state: Journal, _operation, meta) => (metas.push(meta), state) }, { from: 'alice' });
    replica.restore(initialSnapshot(journal, 'e1'));
    replica.predict({ id: 'x', add: 1 });
    replica.confirm(entry(1, { id: 'a', add: 1 }));
    expect(metas).toEqual([{ from: 'alice' }, { from: 'bob', offset: 1, at: 1_001, producer: 'other', seq: 1 }]);
  });
});

describe('rebase', () => {
  test("what is pending moves over everybody else's entries, step by step", () => {
    const replica = lists(['a', 'b', 'c', 'd']);
    replica.predict({ id: 'x', remove: 0 });
    replica.predict({ id: 'y', insert: 2 });
    // Between c and d, as `y`; ordered before it, so it stays on its left.
    replica.confirm(entry(11, { id: 'z', insert: 3 }));
    expect(pending(replica)).toEqual([
      { id: 'x', remove: 0 },
      { id: 'y', insert: 3 },
    ]);
    expect(replica.predicted.getSnapshot().items).toEqual(['b', 'c', 'z', 'y', 'd']);
  });

  test('what is left of nothing is dropped: at once if it was not sent, else with its outcome', () => {
    const dropped: number[] = [];
    const replica = lists(['a', 'b'], { onDropped: (id) => dropped.push(id) });
    const sent = replica.predict({ id: 'x', remove: 0 });
    replica.sent([sent], 'tab', 1);
    const queued = replica.predict({ id: 'y', remove: 0 });
    replica.confirm(entry(11, { id: 'z', remove: 1 }));
    expect([dropped, pending(replica)]).toEqual([[queued], [{ id: 'x', remove: 0 }]]);
    replica.confirm(entry(12, { id: 'w', remove: 0 }));
    expect([dropped, pending(replica)]).toEqual([[queued], [null]]);
    replica.refuse(sent);
    expect(pending(replica)).toEqual([]);
  });

  test('of an atomic publish what the server left out ends with the rest', () => {
    const replica = lists(['a', 'b']);
    const ids = [replica.predict({ id: 'x', insert: 2 }), replica.predict({ id: 'y', remove: 0 })];
    replica.sent(ids, 'tab', 1);
    replica.confirm(entry(11, { id: 'z', remove: 0 }));
    replica.confirm(entry(12, { id: 'x', insert: 1 }, { ...ALICE, seq: 1 }));
    expect([pending(replica), replica.predicted.getSnapshot().items]).toEqual([[], ['b', 'x']]);
  });

  test('what is pending is shown as it is rebased, also over an entry that left the state as it was', () => {
    const silent: Model<List, ListOperation> = {
      ...list,
      apply: (state, operation, meta) => (operation.id === 'z' ? state : list.apply(state, operation, meta)),
    };
    const replica = new Replica(silent, { from: 'alice' });
    replica.restore({ epoch: 'e1', offset: 10, model: 'list@1', state: { items: ['a', 'b'], applied: [] } });
    replica.predict({ id: 'x', insert: 0 });
    expect(replica.predicted.getSnapshot().items).toEqual(['x', 'a', 'b']);
    replica.confirm(entry(11, { id: 'z', insert: 0 }));
    expect(replica.predicted.getSnapshot().items).toEqual(['a', 'x', 'b']);
  });

  test('nothing is due while something is sent, uncertain or stale; then all of it on the present base', () => {
    const replica = lists(['a']);
    const first = replica.predict({ id: 'x', insert: 0 });
    expect(replica.due()).toEqual({ ids: [first], operations: [{ id: 'x', insert: 0 }], base: { epoch: 'e1', offset: 10 } });
    replica.sent([first], 'tab', 1);
    replica.predict({ id: 'y', insert: 1 });
    replica.predict({ id: 'z', insert: 2 });
    expect(replica.due()).toBeUndefined();
    replica.confirm(entry(11, { id: 'x', insert: 0 }, { ...ALICE, seq: 1 }));
    expect(replica.due()).toMatchObject({ operations: [{ id: 'y' }, { id: 'z' }], base: { epoch: 'e1', offset: 11 } });
    expect(replica.due(1)).toMatchObject({ operations: [{ id: 'y' }] });
    replica.gap({ reason: 'retention', after: { epoch: 'e1', offset: 20 } });
    expect(replica.due()).toBeUndefined();
  });

  test('an entry that does nothing moves nothing, and a rebase that throws leaves things as they are', () => {
    const replica = lists(['a']);
    replica.predict({ id: 'x', insert: 1 });
    replica.confirm(entry(11, { id: 'z', insert: 7 }));
    expect(pending(replica)).toEqual([{ id: 'x', insert: 1 }]);
    const failing = { ...list, rebase: () => thrown(() => null) as never };
    failing.rebase = () => {
      throw new Error('a fault in the model');
    };
    const other = new Replica<List, ListOperation>(failing, { from: 'alice' });
    other.restore(initialSnapshot(list, 'e1'));
    other.predict({ id: 'x', insert: 0 });
    other.confirm(entry(1, { id: 'z', insert: 0 }));
    expect([pending(other), other.confirmed.getSnapshot().items]).toEqual([[{ id: 'x', insert: 0 }], ['z']]);
  });

  test('without it all that is queued is due at any time, and nothing has a base', () => {
    const replica = sums();
    const first = replica.predict({ id: 'x', add: 1 });
    const second = replica.predict({ id: 'y', add: 1 });
    replica.sent([first], 'tab', 1);
    expect(replica.due()).toEqual({ ids: [second], operations: [{ id: 'y', add: 1 }], base: undefined });
    replica.sent([second], 'tab', 2);
    expect(replica.due()).toBeUndefined();
  });
});

describe('what becomes of a publish', () => {
  test('a refusal is undone, and what depends on it does nothing until it is refused too', () => {
    const replica = sums();
    const first = replica.predict({ id: 'x', add: 3 });
    const second = replica.predict({ id: 'y', add: -2 });
    replica.predict({ id: 'z', add: 1 });
    replica.refuse(first);
    expect(shown(replica)).toEqual(['z']);
    expect([...replica.status.getSnapshot().problems.keys()]).toEqual([second]);
    replica.refuse(second);
    replica.refuse(second);
    expect([shown(replica), replica.status.getSnapshot().problems.size]).toEqual([['z'], 0]);
  });

  test('what is uncertain stays shown, until its entry comes', () => {
    const replica = sums();
    const id = replica.predict({ id: 'x', add: 1 });
    replica.sent([id], 'tab', 1);
    replica.uncertain(id);
    expect([shown(replica), replica.status.getSnapshot().pending[0]!.state, replica.due()]).toEqual([['x'], 'uncertain', undefined]);
    replica.confirm(entry(1, { id: 'x', add: 1 }, { ...ALICE, seq: 1 }));
    expect([known(replica), pending(replica)]).toEqual([['x'], []]);
  });

  test('what is sent again has a new name, and the old one is forgotten', () => {
    const replica = sums();
    const id = replica.predict({ id: 'x', add: 1 });
    replica.sent([id], 'tab', 1);
    replica.uncertain(id);
    replica.resend(id);
    expect(replica.due()?.ids).toEqual([id]);
    replica.sent([id], 'tab2', 1);
    replica.confirm(entry(1, { id: 'x', add: 1 }, { from: 'alice', producer: 'tab2', seq: 1 }));
    expect(pending(replica)).toEqual([]);
  });

  test('HF-5.9: an acknowledgement moves nothing; it ends what a snapshot holds already', () => {
    const replica = sums();
    const id = replica.predict({ id: 'x', add: 1 });
    replica.sent([id], 'tab', 1);
    replica.acknowledge(id, { epoch: 'e1', offset: 3 });
    expect([known(replica), shown(replica)]).toEqual([[], ['x']]);
    replica.gap({ reason: 'retention', after: { epoch: 'e1', offset: 4 } });
    replica.restore({ epoch: 'e1', offset: 4, model: 'journal@1', state: { sum: 4, applied: ['a', 'b', 'x', 'c'] } });
    expect([shown(replica), pending(replica)]).toEqual([['a', 'b', 'x', 'c'], []]);
  });

  test('an acknowledgement that comes after the snapshot ends it as well', () => {
    const replica = sums();
    const id = replica.predict({ id: 'x', add: 1 });
    replica.restore({ epoch: 'e1', offset: 4, model: 'journal@1', state: { sum: 1, applied: ['x'] } });
    replica.acknowledge(id, { epoch: 'e1', offset: 3 });
    expect(shown(replica)).toEqual(['x']);
  });

  test('an own entry that is skipped ends with its acknowledgement', () => {
    const replica = sums();
    const id = replica.predict({ id: 'x', add: 1 });
    replica.acknowledge(id, { epoch: 'e1', offset: 1 });
    replica.skip(1, 1);
    expect(pending(replica)).toEqual([]);
  });
});

describe('HF-5.7: a gap', () => {
  test('of cut history makes the state stale: entries are ignored until a snapshot is there', () => {
    const replica = sums();
    replica.confirm(entry(1, { id: 'a', add: 1 }));
    replica.gap({ reason: 'retention', after: { epoch: 'e1', offset: 5 } });
    expect(replica.status.getSnapshot()).toMatchObject({ phase: 'stale', position: { epoch: 'e1', offset: 1 } });
    expect([replica.confirm(entry(6, { id: 'f', add: 1 })), replica.skip(7, 7), known(replica)]).toEqual([false, false, ['a']]);
    replica.predict({ id: 'x', add: 1 });
    replica.restore({ epoch: 'e1', offset: 6, model: 'journal@1', state: { sum: 9, applied: ['f'] } });
    expect(replica.status.getSnapshot().phase).toBe('live');
    expect(replica.confirm(entry(7, { id: 'g', add: 1 }))).toBe(true);
    expect(shown(replica)).toEqual(['f', 'g', 'x']);
  });

  test('to a log that begins anew begins with the initial state, and what was acknowledged in the old one is gone', () => {
    const replica = sums();
    replica.confirm(entry(1, { id: 'a', add: 1 }));
    const stored = replica.predict({ id: 'x', add: 1 });
    replica.acknowledge(stored, { epoch: 'e1', offset: 2 });
    replica.predict({ id: 'y', add: 1 });
    replica.gap({ reason: 'epoch', after: { epoch: 'e2', offset: 0 } });
    expect(replica.status.getSnapshot()).toMatchObject({ phase: 'live', position: { epoch: 'e2', offset: 0 } });
    expect(shown(replica)).toEqual(['y']);
    expect(replica.confirm(entry(1, { id: 'b', add: 1 }))).toBe(true);
    expect(shown(replica)).toEqual(['b', 'y']);
  });

  test('to another epoch or back within one, which is never what a state can go on from', () => {
    for (const [reason, epoch] of [
      ['epoch', 'e2'],
      ['ahead', 'e1'],
    ] as const) {
      const replica = lists(['a']);
      replica.gap({ reason, after: { epoch, offset: 3 } });
      expect(replica.status.getSnapshot().phase).toBe('stale');
    }
  });

  test('in what the state holds already changes nothing', () => {
    const replica = lists(['a']);
    replica.gap({ reason: 'floor', after: { epoch: 'e1', offset: 10 } });
    expect(replica.status.getSnapshot().phase).toBe('live');
  });

  test('a snapshot that does not fit leaves everything as it is', () => {
    const replica = sums();
    replica.confirm(entry(1, { id: 'a', add: 1 }));
    const before = replica.status.getSnapshot();
    expect(thrown(() => replica.restore({ epoch: 'e2', offset: 9, model: 'list@1', state: null }))).toBe('USAGE');
    expect([replica.status.getSnapshot(), known(replica)]).toEqual([before, ['a']]);
  });
});

describe('observing', () => {
  test('the same reference as long as nothing changed, whatever became known of what is pending', () => {
    const replica = sums();
    expect(replica.predicted.getSnapshot()).toBe(replica.confirmed.getSnapshot());
    const id = replica.predict({ id: 'x', add: 1 });
    const before = replica.predicted.getSnapshot();
    replica.sent([id], 'tab', 1);
    replica.uncertain(id);
    replica.skip(1, 2);
    replica.confirm(entry(3, 'junk'));
    expect(replica.predicted.getSnapshot()).toBe(before);
    expect(replica.status.getSnapshot().position?.offset).toBe(3);
  });

  test('listeners are called once for all changes of a turn, and only if their value is another one', async () => {
    const replica = sums();
    const calls: string[] = [];
    replica.confirmed.subscribe(() => calls.push('confirmed'));
    const end = replica.predicted.subscribe(() => calls.push('predicted'));
    replica.status.subscribe(() => calls.push('status'));
    const id = replica.predict({ id: 'x', add: 1 });
    replica.sent([id], 'tab', 1);
    await Promise.resolve();
    expect(calls.splice(0)).toEqual(['predicted', 'status']);
    replica.confirm(entry(1, { id: 'a', add: 1 }));
    replica.confirm(entry(2, { id: 'b', add: 1 }));
    await Promise.resolve();
    expect(calls.splice(0)).toEqual(['confirmed', 'predicted', 'status']);
    end();
    replica.refuse(id);
    await Promise.resolve();
    expect(calls).toEqual(['status']);
  });
});
