import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { journal, list, type List, type ListOperation } from './models.testing.ts';
import { rebaseOver } from './rebase.ts';

const META = { from: 'alice' };
const start: List = { items: ['a', 'b', 'c', 'd'], applied: [] };

function items(state: List, operations: readonly (ListOperation | null)[]): readonly string[] {
  return operations.reduce((now, operation) => (operation === null ? now : list.apply(now, operation, META)), state).items;
}

/** Operations that can be done one after the other. */
function valid(chances: readonly number[], name: string): ListOperation[] {
  let state = start;
  return chances.map((chance, index) => {
    const { length } = state.items;
    const id = `${name}${index}`;
    const operation: ListOperation =
      chance % 2 === 0 && length > 0 ? { id, remove: chance % length } : { id, insert: chance % (length + 1) };
    state = list.apply(state, operation, META);
    return operation;
  });
}

test('the list of the tests closes every square: both ways around lead to the same', () => {
  fc.assert(
    fc.property(fc.nat(99), fc.nat(99), (one, other) => {
      const [a, b] = [valid([one], 'a')[0]!, valid([other], 'b')[0]!];
      expect(items(start, [a, list.rebase!(b, a, 'after')])).toEqual(items(start, [b, list.rebase!(a, b, 'before')]));
    }),
  );
});

test('several pending operations over several entries come to what the entries over the pending ones do', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(99), { maxLength: 5 }), fc.array(fc.nat(99), { maxLength: 5 }), (some, others) => {
      const [pending, entries] = [valid(some, 'p'), valid(others, 'e')];
      const rebased = entries.reduce<readonly (ListOperation | null)[]>((now, over) => rebaseOver(list, now, over), pending);
      // The other way around: the entries go down, over each pending operation, and stand on the left at a tie.
      const mirrored = {
        ...list,
        rebase: (a: ListOperation, b: ListOperation, order: 'after' | 'before') =>
          list.rebase!(a, b, order === 'after' ? 'before' : 'after'),
      };
      const down = pending.reduce<readonly (ListOperation | null)[]>((now, over) => rebaseOver(mirrored, now, over), entries);
      expect(items(start, [...entries, ...rebased])).toEqual(items(start, [...pending, ...down]));
    }),
  );
});

test('an entry goes on to the next pending operation as it is behind the one before', () => {
  const pending: ListOperation[] = [
    { id: 'x', remove: 0 },
    { id: 'y', insert: 2 },
  ];
  expect(rebaseOver(list, pending, { id: 'z', insert: 3 })).toEqual([
    { id: 'x', remove: 0 },
    { id: 'y', insert: 3 },
  ]);
});

test('what is nothing stays nothing, and an entry that a pending operation made void moves nothing behind it', () => {
  const pending: (ListOperation | null)[] = [null, { id: 'x', remove: 1 }, { id: 'y', insert: 3 }];
  expect(rebaseOver(list, pending, { id: 'z', remove: 1 })).toEqual([null, null, { id: 'y', insert: 3 }]);
});

test('without rebase operations are as they are', () => {
  const pending = [{ id: 'x', add: 1 }];
  expect(rebaseOver(journal, pending, { id: 'z', add: 2 })).toBe(pending);
});
