/**
 * Rebasing what is pending over what was ordered before it. Stepwise, one operation over one other: transforms are never
 * composed, so that client and server, which call this with the same operations in the same order, get equal results.
 *
 *             over                    `pending` were made one after the other on the state that `over` was done on.
 *        o----------o                 Each square is closed by two calls of the model's `rebase`: the pending operation
 *        |          |  pending[0]'    goes down on the right, and `over` goes on to the next one, as it is there.
 *        o----------o
 *        |          |  pending[1]'
 *        o----------o
 */

import type { Model } from './model.ts';

/** `pending` as they are once `over` was done; `null` is nothing, and stays it. Throws what the model's `rebase` throws. */
export function rebaseOver<State, Operation>(
  model: Model<State, Operation>,
  pending: readonly (Operation | null)[],
  over: Operation,
): readonly (Operation | null)[] {
  if (model.rebase === undefined) return pending;
  let ahead: Operation | null = over;
  const rebased: (Operation | null)[] = [];
  for (const operation of pending) {
    if (operation === null || ahead === null) {
      rebased.push(operation);
      continue;
    }
    rebased.push(model.rebase(operation, ahead, 'after'));
    ahead = model.rebase(ahead, operation, 'before');
  }
  return rebased;
}
