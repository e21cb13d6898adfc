import assert from 'node:assert/strict';
import { test } from 'vitest';
import { counter } from './counter.ts';
import { cursorBoard } from './cursor-board.ts';
import { meet, type Meeting } from './meeting.testing.ts';
import { todoList } from './todo-list.ts';

/** Both hold what the log says, and show it. */
function assertEqual<State, Operation>({ one, other, fold }: Meeting<State, Operation>): void {
  for (const replica of [one, other]) {
    assert.deepEqual(replica.confirmed.getSnapshot(), fold.state);
    assert.equal(replica.predicted.getSnapshot(), replica.confirmed.getSnapshot());
  }
}

test('counter: two take the last one, and the second take is undone', () => {
  const meeting = meet(counter, ['keeper', 'bob']);
  const { one, other, exchange } = meeting;
  one.predict({ add: 1 });
  assert.deepEqual(exchange(), []);
  one.predict({ add: -1 });
  other.predict({ add: -1 });
  assert.deepEqual([one.predicted.getSnapshot(), other.predicted.getSnapshot()], [0, 0]);
  assert.deepEqual(exchange(), ['only 0 left']);
  other.predict({ add: 5 });
  assert.equal(other.predicted.getSnapshot(), 5);
  assert.deepEqual(exchange(), ['only the keeper brings more']);
  assertEqual(meeting);
  assert.equal(meeting.fold.state, 0);
});

test('to-do list: both reorder and edit; what is gone is gone for everybody', () => {
  const meeting = meet(todoList, ['alice', 'bob']);
  const { one, other, exchange } = meeting;
  for (const id of ['bread', 'milk', 'tea']) one.predict({ do: 'add', id, text: id });
  assert.deepEqual(exchange(), []);
  one.predict({ do: 'move', id: 'tea', before: 'bread' });
  one.predict({ do: 'remove', id: 'milk' });
  one.predict({ do: 'edit', id: 'bread', text: 'rye bread' });
  other.predict({ do: 'move', id: 'tea', before: 'milk' });
  other.predict({ do: 'edit', id: 'milk', text: 'oat milk' });
  other.predict({ do: 'edit', id: 'bread', text: 'white bread' });
  const texts = (): readonly string[] => other.predicted.getSnapshot().map(({ text }) => text);
  assert.deepEqual(texts(), ['white bread', 'tea', 'oat milk']);
  assert.deepEqual(exchange(), ['milk is gone']);
  assert.deepEqual(texts(), ['white bread', 'tea']);
  assertEqual(meeting);
});

test('cursor board: everybody moves their own cursor only, and guests none', () => {
  const meeting = meet(cursorBoard, ['alice', 'guest-7']);
  const { one, other, exchange, fold } = meeting;
  one.predict({ to: { x: 0.5, y: 0.25 } });
  other.predict({ to: { x: 1, y: 1 } });
  assert.deepEqual(Object.keys(other.predicted.getSnapshot()), ['guest-7']);
  assert.deepEqual(exchange(), ['guests look and do not point']);
  assert.deepEqual(other.predicted.getSnapshot(), { alice: { x: 0.5, y: 0.25 } });
  assert.deepEqual([fold.view({ subject: 'alice' }), fold.view({ subject: 'bob' })], [{}, { alice: { x: 0.5, y: 0.25 } }]);
  one.predict({ to: null });
  assert.deepEqual(exchange(), []);
  assertEqual(meeting);
});

test('what no version of them ever wrote is refused', () => {
  for (const model of [counter, todoList, cursorBoard])
    for (const data of [null, 7, 'x', [], {}, { add: 0.5 }, { do: 'toString', id: 'x' }, { to: { x: 2, y: 0 } }])
      assert.throws(() => model.parse(data), { code: 'REFUSED' });
});
