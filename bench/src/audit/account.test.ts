/** The checker sees what is lost, doubled or out of order, and tells what a client was told from what it was not. */

import { describe, expect, test } from 'vitest';
import { Account, judge, TOLD } from './account.ts';
import { returnsOf } from './returns.ts';

const flawless = { lost: [], toldCount: 0, duplicatedCount: 0, reorderedCount: 0 };

describe('What one client got', () => {
  test('is flawless if every number came once and in order', () => {
    expect(judge([1, 2, 3, 4], 4)).toEqual(flawless);
  });

  test.each([
    ['in the middle', [1, 2, 4], [3]],
    ['at the beginning', [3, 4], [1, 2]],
    ['at the end', [1, 2], [3, 4]],
    ['altogether', [], [1, 2, 3, 4]],
  ])('has lost what never came: %s', (_where, items, lost) => {
    expect(judge(items, 4)).toEqual({ ...flawless, lost });
  });

  test('is duplicated as often as a number came again, at once or later', () => {
    expect(judge([1, 2, 2, 2, 3, 1, 4], 4)).toEqual({ ...flawless, duplicatedCount: 3 });
  });

  test('is reordered where a number came first after a later one, and not lost', () => {
    expect(judge([1, 3, 2, 4], 4)).toEqual({ ...flawless, reorderedCount: 1 });
    expect(judge([4, 1, 2, 3], 4)).toEqual({ ...flawless, reorderedCount: 3 });
  });

  test('is counted separately where the client was told that something is missing there', () => {
    expect(judge([1, TOLD, 4], 4)).toEqual({ ...flawless, lost: [2, 3], toldCount: 2 });
    expect(judge([1, 3, TOLD, TOLD], 5)).toEqual({ ...flawless, lost: [2, 4, 5], toldCount: 2 });
    expect(judge([TOLD, 2, 4], 4)).toEqual({ ...flawless, lost: [1, 3], toldCount: 1 });
  });

  test.each([[0.5], [5], [-1], [Number.NaN]])('cannot be what was never sent: %s', (number) => {
    expect(() => judge([number], 4)).toThrow('never sent');
  });
});

describe('An account', () => {
  test('notes each opening and each loss once, in turn, and every item with its time', () => {
    let nowMs = 0;
    const account = new Account(() => (nowMs += 1));
    account.lost();
    account.opened();
    account.opened();
    account.received(1);
    account.received(1);
    account.told();
    account.lost();
    account.lost();
    expect(account.record()).toEqual({ items: [1, 1, TOLD], itemsAtMs: [2, 3, 4], openedAtMs: [1], lostAtMs: [5] });
    expect(account.isOpen).toBe(false);
  });

  test('knows of what came, and of what it was told to be missing, once something comes after it', () => {
    const account = new Account(() => 0);
    for (const number of [1, 2, 2]) account.received(number);
    account.told();
    expect(account.accountedCount).toBe(2);
    account.received(5);
    expect(account.accountedCount).toBe(5);
    account.received(8);
    expect(account.accountedCount).toBe(6);
  });
});

describe('A return', () => {
  const publishedAtMs = new Map([
    [1, 10],
    [2, 30],
    [3, 40],
    [4, 70],
  ]);

  test('took as long as the last of what was missed', () => {
    const record = { items: [1, 2, 3, 4], itemsAtMs: [11, 53, 57, 71], openedAtMs: [0, 50], lostAtMs: [20] };
    expect(returnsOf(record, publishedAtMs)).toEqual({ count: 1, awayMs: [30], behindCount: 1, replayMs: [7], interruptedCount: 0 });
  });

  test('counts what was lost in the dying connection, and what comes before the library says that it is connected', () => {
    const record = { items: [1, 2, 3, 4], itemsAtMs: [45, 46, 47, 71], openedAtMs: [0, 50], lostAtMs: [20] };
    expect(returnsOf(record, publishedAtMs)).toMatchObject({ behindCount: 1, replayMs: [0] });
  });

  test('was no replay where nothing was missed', () => {
    const record = { items: [1, 2, 3, 4], itemsAtMs: [11, 31, 41, 71], openedAtMs: [0, 50], lostAtMs: [45] };
    expect(returnsOf(record, publishedAtMs)).toMatchObject({ count: 1, behindCount: 0, replayMs: [] });
  });

  test('that was cut again before it had all is interrupted, and the next one brings the rest', () => {
    const record = { items: [1, 2, 3, 4], itemsAtMs: [11, 51, 62, 71], openedAtMs: [0, 50, 60], lostAtMs: [20, 55] };
    expect(returnsOf(record, publishedAtMs)).toEqual({
      count: 2,
      awayMs: [30, 5],
      behindCount: 2,
      replayMs: [2],
      interruptedCount: 1,
    });
  });

  test('that never brought all is behind, and does not burden the next one', () => {
    const record = { items: [1, 3, 4], itemsAtMs: [11, 51, 71], openedAtMs: [0, 50, 60], lostAtMs: [20, 55] };
    expect(returnsOf(record, publishedAtMs)).toMatchObject({ count: 2, behindCount: 1, replayMs: [], interruptedCount: 0 });
  });
});
