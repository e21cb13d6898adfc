import { expect, test } from 'vitest';
import { thrown } from './entry.testing.ts';
import type { Model } from './model.ts';
import { decodeSnapshot, encodeSnapshot, initialSnapshot } from './snapshot.ts';

const bag: Model<ReadonlyMap<string, number>, string> = {
  name: 'shop@home/bag',
  version: 3,
  initial: () => new Map(),
  parse: String,
  apply: (state, operation) => new Map([...state, [operation, 1]]),
  encode: (state) => [...state],
  decode: (json) => new Map(json as [string, number][]),
};
const at = { epoch: 'e1', offset: 4 };

test('a state goes through its codec and names its model and version', () => {
  const state = new Map([['apple', 2]]);
  const snapshot = encodeSnapshot(bag, state, at);
  expect(snapshot).toEqual({ epoch: 'e1', offset: 4, model: 'shop@home/bag@3', state: [['apple', 2]] });
  expect(decodeSnapshot(bag, JSON.parse(JSON.stringify(snapshot)))).toEqual(state);
  expect(initialSnapshot(bag, 'e9')).toEqual({ epoch: 'e9', offset: 0, model: 'shop@home/bag@3', state: [] });
});

test.each(['bag@3', 'shop@home/bag@4', 'shop@home/bag@2', 'shop@home/bag@x', 'shop@home/bag@', 'shop@home/bag', ''])(
  'USAGE for a snapshot of %j, which is another model or version',
  (model) => {
    expect(thrown(() => decodeSnapshot(bag, { ...at, model, state: [] }))).toBe('USAGE');
  },
);

test.each([-1, 1.5, Number.NaN, undefined as never])('USAGE for the offset %s', (offset) => {
  expect(thrown(() => decodeSnapshot(bag, { epoch: 'e1', offset, model: 'shop@home/bag@3', state: [] }))).toBe('USAGE');
});

test('a snapshot of an older version is upgraded where the model can', () => {
  const upgrading = { ...bag, upgrade: (json: unknown, version: number) => (json as string[]).map((key) => [key, version] as const) };
  expect(decodeSnapshot(upgrading, { ...at, model: 'shop@home/bag@2', state: ['apple'] })).toEqual(new Map([['apple', 2]]));
  expect(thrown(() => decodeSnapshot(upgrading, { ...at, model: 'shop@home/bag@4', state: [] }))).toBe('USAGE');
});
