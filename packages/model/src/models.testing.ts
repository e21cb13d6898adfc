/**
 * Two models for tests. Each keeps the ids of all operations that were applied, so that a lost or doubled one is seen.
 * Text and journal refuse what is marked as bad, on the server only; both throw for what cannot be done.
 */

import { HoldfastError, type Data } from '@holdfast/wire';
import type { Model } from './model.ts';

/** A sum that may not fall below zero. No `rebase`: an operation is the same wherever it comes to stand. */
export interface Journal {
  readonly sum: number;
  readonly applied: readonly string[];
}

export type JournalOperation = { readonly id: string; readonly add: number; readonly bad?: boolean };

function record<T extends { readonly id: string }>(data: Data): T {
  if (typeof data !== 'object' || data === null || !('id' in data)) throw new HoldfastError('REFUSED', 'no operation');
  return data as unknown as T;
}

function admit(_state: unknown, { bad }: { readonly bad?: boolean }): HoldfastError | undefined {
  return bad === true ? new HoldfastError('FORBIDDEN', 'marked as bad') : undefined;
}

export const journal: Model<Journal, JournalOperation> = {
  name: 'journal',
  version: 1,
  initial: () => ({ sum: 0, applied: [] }),
  parse: record<JournalOperation>,
  apply({ sum, applied }, { id, add }) {
    if (sum + add < 0) throw new HoldfastError('REFUSED', `only ${sum} left`);
    return { sum: sum + add, applied: [...applied, id] };
  },
  admit,
};

/** A list into which items are put, and from which they are taken, by their place: the places of pending ones move. */
export interface List {
  readonly items: readonly string[];
  readonly applied: readonly string[];
}

export type ListOperation =
  | { readonly id: string; readonly insert: number; readonly bad?: boolean }
  | { readonly id: string; readonly remove: number; readonly bad?: boolean };

export const list: Model<List, ListOperation> = {
  name: 'list',
  version: 1,
  initial: () => ({ items: [], applied: [] }),
  parse: record<ListOperation>,
  apply({ items, applied }, operation) {
    const at = 'insert' in operation ? operation.insert : operation.remove;
    const last = 'insert' in operation ? items.length : items.length - 1;
    if (!(at >= 0 && at <= last)) throw new HoldfastError('REFUSED', `no place ${at}`);
    const next = 'insert' in operation ? items.toSpliced(at, 0, operation.id) : items.toSpliced(at, 1);
    return { items: next, applied: [...applied, operation.id] };
  },
  rebase(operation, over, order) {
    const place = 'insert' in over ? over.insert : over.remove;
    if ('insert' in operation) {
      const { insert } = operation;
      if ('remove' in over) return place < insert ? { ...operation, insert: insert - 1 } : operation;
      return place < insert || (place === insert && order === 'after') ? { ...operation, insert: insert + 1 } : operation;
    }
    const { remove } = operation;
    if ('insert' in over) return place <= remove ? { ...operation, remove: remove + 1 } : operation;
    if (place === remove) return null;
    return place < remove ? { ...operation, remove: remove - 1 } : operation;
  },
  admit,
};
