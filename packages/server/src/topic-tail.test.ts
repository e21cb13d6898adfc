import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CursorStage } from './cursor.testing.ts';
import { FramedEntry } from './framed-entry.ts';
import { TopicTail, type TailBudget } from './topic-tail.ts';

function entry(offset: number, payload = 'x'): FramedEntry {
  return new FramedEntry('t', 1, { offset, producer: 'p', seq: offset, from: 'a', at: 0, payload });
}

function offsets(entries: readonly FramedEntry[] | undefined): number[] | undefined {
  return entries?.map((one) => one.entry.offset);
}

test('what was added last is there, up to the bound; nothing else is', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 30 }), (countMax, batches) => {
      const tail = new TopicTail({ held: 0, heldMax: 1_000_000 }, countMax);
      let last = 0;
      for (const count of batches) {
        tail.add(Array.from({ length: count }, (_, at) => entry(last + at + 1)));
        last += count;
      }
      for (let offset = 0; offset <= last + 1; offset++) {
        const isThere = offset > Math.max(0, last - countMax) && offset <= last;
        expect(offsets(tail.from(offset))).toEqual(isThere ? Array.from({ length: last - offset + 1 }, (_, at) => offset + at) : undefined);
      }
    }),
  );
});

describe('what it may hold', () => {
  test('all tails of a node share a budget, and give back what they let go', () => {
    const budget: TailBudget = { held: 0, heldMax: 2_000 };
    const [one, other] = [new TopicTail(budget), new TopicTail(budget)];
    one.add([entry(1, 'four'), entry(2, 'four')]);
    other.add([entry(1, 'four')]);
    expect([budget.held, offsets(one.from(1)), other.from(1)]).toEqual([1_424, [1, 2], undefined]);
    one.clear();
    other.add([entry(2, 'four')]);
    expect([budget.held, one.from(1), offsets(other.from(2))]).toEqual([712, undefined, [2]]);
  });

  test('about 4 MiB for one topic, and no entry that would push out all others', () => {
    const budget: TailBudget = { held: 0, heldMax: 1e9 };
    const tail = new TopicTail(budget);
    for (let offset = 1; offset <= 40; offset++) tail.add([entry(offset, 'x'.repeat(50_000))]);
    expect([offsets(tail.from(14, 2)), tail.from(13), budget.held]).toEqual([[14, 15], undefined, 27 * 150_700]);
    tail.add([entry(41, 'x'.repeat(100_000))]);
    expect([tail.from(40), tail.from(41), budget.held]).toEqual([undefined, undefined, 0]);
  });

  test('small entries count for what they take, and not for what they say', () => {
    const budget: TailBudget = { held: 0, heldMax: 1_000_000 };
    const tails = Array.from({ length: 100 }, () => new TopicTail(budget));
    for (const tail of tails) tail.add(Array.from({ length: 100 }, (_, at) => entry(at + 1, '1')));
    const first = (tail: TopicTail): number =>
      Array.from({ length: 100 }, (_, at) => at + 1).find((offset) => tail.from(offset) !== undefined) ?? 101;
    const count = tails.reduce((sum, tail) => sum + 101 - first(tail), 0);
    expect(budget.held).toBe(count * 703);
    expect(count).toBeGreaterThan(1_000);
    expect(count).toBeLessThanOrEqual(1_422);
  });

  test('a topic that rests lets go at the second sweep', () => {
    const budget: TailBudget = { held: 0, heldMax: 10_000 };
    const tail = new TopicTail(budget);
    tail.add([entry(1)]);
    tail.sweep();
    expect(offsets(tail.from(1))).toEqual([1]);
    tail.add([entry(2)]);
    tail.sweep();
    expect(offsets(tail.from(1))).toEqual([1, 2]);
    tail.sweep();
    expect([tail.from(1), budget.held]).toEqual([undefined, 0]);
  });
});

test('a cursor that is a little behind reads nothing from the store, and gets the very frames of the others', async () => {
  const stage = new CursorStage({ tailCount: 100 });
  const slow = await stage.consume({}, { credit: 2 });
  await stage.fill(6);
  expect(await slow.got()).toEqual(['1', '2']);
  const read = stage.store.hold('read', 'before');
  slow.cursor.credit(5);
  expect(await slow.got()).toEqual(['3', '4', '5']);
  slow.cursor.credit(100);
  expect([await slow.got(), slow.cursor.isLive]).toEqual([['6'], true]);
  read.pass();
});
