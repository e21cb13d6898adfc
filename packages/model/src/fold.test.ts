import { HoldfastError } from '@holdfast/wire';
import { describe, expect, test } from 'vitest';
import { entry, thrown } from './entry.testing.ts';
import { Fold, type FoldOptions, type Submission } from './fold.ts';
import { journal, list, type Journal, type List, type ListOperation } from './models.testing.ts';
import { initialSnapshot } from './snapshot.ts';

const ALICE = { subject: 'alice' };

function listOf(count: number, options?: FoldOptions): Fold<List, ListOperation> {
  const fold = new Fold(list, initialSnapshot(list, 'e1'), options);
  for (let offset = 1; offset <= count; offset += 1) fold.take(entry(offset, { id: `b${offset}`, insert: 0 }));
  return fold;
}

/** What is stored, or the code of the refusal. */
function admitted(fold: Fold<unknown, unknown>, submission: Submission): unknown {
  const verdict = fold.admit(submission, ALICE);
  return verdict instanceof HoldfastError ? verdict.code : verdict;
}

describe('taking', () => {
  test('each entry once and in order; a hole is a bug', () => {
    const fold = new Fold(journal, initialSnapshot(journal, 'e1'));
    expect([fold.take(entry(1, { id: 'a', add: 1 })), fold.take(entry(1, { id: 'a', add: 1 }))]).toEqual([true, false]);
    expect(thrown(() => fold.take(entry(3, { id: 'c', add: 1 })))).toBe('USAGE');
    expect([fold.state, fold.position]).toEqual([
      { sum: 1, applied: ['a'] },
      { epoch: 'e1', offset: 1 },
    ]);
  });

  test('an entry that cannot be read does nothing and is told', () => {
    const told: number[] = [];
    const fold = new Fold(journal, initialSnapshot(journal, 'e1'), { onUnusable: ({ offset }) => told.push(offset) });
    fold.take(entry(1, null));
    fold.take(entry(2, { id: 'b', add: 2 }));
    expect([fold.state.applied, told]).toEqual([['b'], [1]]);
  });

  test('goes on from a checkpoint as if it had never ended', () => {
    const first = listOf(3);
    const second = new Fold(list, JSON.parse(JSON.stringify(first.checkpoint())));
    for (const fold of [first, second]) fold.take(entry(4, { id: 'd', remove: 1 }));
    expect(second.checkpoint()).toEqual(first.checkpoint());
  });

  test('a fork goes on by itself, and rebases over what was before it', () => {
    const committed = listOf(2);
    const decided = committed.fork();
    decided.take(entry(3, { id: 'c', insert: 0 }));
    expect([committed.state.items, decided.state.items]).toEqual([
      ['b2', 'b1'],
      ['c', 'b2', 'b1'],
    ]);
    expect(admitted(decided, { operations: [{ id: 'x', insert: 1 }], base: { epoch: 'e1', offset: 1 } })).toEqual([{ id: 'x', insert: 3 }]);
    expect(admitted(committed, { operations: [{ id: 'x', insert: 1 }], base: { epoch: 'e1', offset: 1 } })).toEqual([
      { id: 'x', insert: 2 },
    ]);
  });
});

describe('admitting', () => {
  test('changes nothing by itself', () => {
    const fold = listOf(1);
    const before = fold.checkpoint();
    expect(admitted(fold, { operations: [{ id: 'x', insert: 1 }] })).toEqual([{ id: 'x', insert: 1 }]);
    expect(fold.checkpoint()).toEqual(before);
  });

  test('several are judged one on top of the other, and stored together or not at all', () => {
    const fold = new Fold(journal, initialSnapshot(journal, 'e1'));
    expect(
      admitted(fold, {
        operations: [
          { id: 'x', add: 2 },
          { id: 'y', add: -2 },
        ],
      }),
    ).toHaveLength(2);
    expect(
      admitted(fold, {
        operations: [
          { id: 'x', add: 2 },
          { id: 'y', add: -3 },
        ],
      }),
    ).toBe('REFUSED');
    expect(
      admitted(fold, {
        operations: [
          { id: 'x', add: 2 },
          { id: 'y', add: 1, bad: true },
        ],
      }),
    ).toBe('FORBIDDEN');
  });

  test('what cannot be read, cannot be done, or fails in the model is refused for good', () => {
    const fold = listOf(1);
    const failing = new Fold({ ...list, admit: () => thrown(() => 0)!.length as never }, initialSnapshot(list, 'e1'));
    expect([
      admitted(fold, { operations: ['junk'] }),
      admitted(fold, { operations: [{ id: 'x', insert: 7 }] }),
      admitted(fold, { operations: [] }),
      admitted(failing, { operations: [{ id: 'x', insert: 0 }] }),
    ]).toEqual(['REFUSED', 'REFUSED', 'REFUSED', 'REFUSED']);
    expect((failing.admit({ operations: [{ id: 'x', insert: 0 }] }, ALICE) as HoldfastError).cause).toBeInstanceOf(TypeError);
  });

  test('a refusal is for good, whatever code the model gives it: a retryable one would stop its producer', () => {
    const fold = new Fold({ ...journal, admit: () => new HoldfastError('RATE_LIMITED', 'too many') }, initialSnapshot(journal, 'e1'));
    expect(fold.admit({ operations: [{ id: 'x', add: 1 }] }, ALICE)).toMatchObject({
      code: 'REFUSED',
      message: 'too many',
      retryable: false,
    });
  });

  test('an operation made on an older state is rebased over each entry since', () => {
    const fold = listOf(4);
    expect(
      admitted(fold, {
        operations: [
          { id: 'x', remove: 1 },
          { id: 'y', insert: 1 },
        ],
        base: { epoch: 'e1', offset: 2 },
      }),
    ).toEqual([
      { id: 'x', remove: 3 },
      { id: 'y', insert: 3 },
    ]);
  });

  test('of what others have removed already nothing is left: it is left out, or refused if it was all', () => {
    const fold = listOf(2);
    fold.take(entry(3, { id: 'c', remove: 0 }));
    const base = { epoch: 'e1', offset: 2 };
    expect(admitted(fold, { operations: [{ id: 'x', remove: 0 }], base })).toBe('REFUSED');
    expect(
      admitted(fold, {
        operations: [
          { id: 'x', remove: 0 },
          { id: 'y', insert: 1 },
        ],
        base,
      }),
    ).toEqual([{ id: 'y', insert: 1 }]);
  });

  test('HEAD_MISMATCH for a base that is too old, ahead, of another log, or before an entry of the same producer', () => {
    const fold = listOf(9, { recentCountMax: 3 });
    const operations = [{ id: 'x', insert: 0 }];
    expect(admitted(fold, { operations, base: { epoch: 'e1', offset: 6 } })).toEqual([{ id: 'x', insert: 3 }]);
    for (const base of [
      { epoch: 'e1', offset: 0 },
      { epoch: 'e1', offset: 10 },
      { epoch: 'e1', offset: Number.NaN },
      { epoch: 'e2', offset: 9 },
    ])
      expect(admitted(fold, { operations, base })).toBe('HEAD_MISMATCH');
    fold.take(entry(10, { id: 'own', insert: 0 }, { from: 'alice', producer: 'tab' }));
    const base = { epoch: 'e1', offset: 9 };
    expect(admitted(fold, { operations, base, producer: 'tab' })).toBe('HEAD_MISMATCH');
    expect(admitted(fold, { operations, base, producer: 'other tab' })).toEqual([{ id: 'x', insert: 1 }]);
  });

  test('a model without rebase takes operations as they are, whatever their base', () => {
    const fold = new Fold(journal, initialSnapshot(journal, 'e1'));
    expect(admitted(fold, { operations: [{ id: 'x', add: 1 }], base: { epoch: 'e0', offset: 7 } })).toEqual([{ id: 'x', add: 1 }]);
  });
});

test('a view is what the model shows somebody; all of it by default', () => {
  const open = new Fold(journal, initialSnapshot(journal, 'e1'));
  expect(open.view(ALICE)).toBe(open.state);
  const closed = new Fold(
    { ...journal, view: ({ sum }: Journal, { subject }) => `${subject} sees ${sum}` },
    initialSnapshot(journal, 'e1'),
  );
  expect(closed.view(ALICE)).toBe('alice sees 0');
});
