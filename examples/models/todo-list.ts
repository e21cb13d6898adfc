/**
 * A to-do list that several people edit and put in order. Items are named, not counted, so that nothing needs a rebase: of two
 * edits the later one in the log counts, an item moves before another one wherever that is by now, and what was removed is gone.
 */

import { HoldfastError, type Model } from '@holdfast/model';

export interface Todo {
  readonly id: string;
  readonly text: string;
}

export type Edit =
  | { readonly do: 'add'; readonly id: string; readonly text: string }
  | { readonly do: 'edit'; readonly id: string; readonly text: string }
  | { readonly do: 'move'; readonly id: string; readonly before: string }
  | { readonly do: 'remove'; readonly id: string };

const FIELDS = { add: ['id', 'text'], edit: ['id', 'text'], move: ['id', 'before'], remove: ['id'] };

export const todoList: Model<readonly Todo[], Edit> = {
  name: 'todo-list',
  version: 1,
  initial: () => [],
  parse(data) {
    const record = Object(data) as Record<string, unknown>;
    const fields = Object.entries(FIELDS).find(([name]) => name === record['do'])?.[1];
    if (fields?.every((field) => typeof record[field] === 'string') !== true) throw new HoldfastError('REFUSED', 'no edit of a to-do list');
    return record as unknown as Edit;
  },
  apply(todos, edit) {
    const { id } = edit;
    const index = todos.findIndex((todo) => todo.id === id);
    if ((edit.do === 'add') !== (index === -1)) throw new HoldfastError('REFUSED', edit.do === 'add' ? `${id} is there` : `${id} is gone`);
    if (edit.do === 'add') return [...todos, { id, text: edit.text }];
    if (edit.do === 'edit') return todos.map((todo) => (todo.id === id ? { id, text: edit.text } : todo));
    const others = todos.filter((todo) => todo.id !== id);
    if (edit.do === 'remove') return others;
    const to = others.findIndex((todo) => todo.id === edit.before);
    // Before what is gone is at the end.
    return to === -1 ? [...others, todos[index]!] : [...others.slice(0, to), todos[index]!, ...others.slice(to)];
  },
};
