import { expect, test } from 'vitest';
import { RightsBook } from './rights-book.ts';

test('a right that was taken is refused by the hook, and forbidden on the wire once the server knows', () => {
  const rights = new RightsBook();
  const forbids = (offset = 1, nowMs = 0): string | undefined => rights.forbids('subscribe', 'alice', 't', offset, nowMs);
  expect(rights.answer('subscribe', 'alice', 't')).toBe(true);
  rights.take('subscribe', 'alice', 't', undefined);
  expect([rights.answer('subscribe', 'alice', 't'), forbids()]).toEqual([false, undefined]);
  rights.told('alice');
  expect(forbids()).toBe('the right is taken');
  expect(rights.forbids('subscribe', 'bob', 't', 1, 0)).toBeUndefined();
  rights.give('subscribe', 'alice', 't', 5);
  expect([rights.answer('subscribe', 'alice', 't'), forbids()]).toEqual([{ floor: 5 }, undefined]);
  rights.toldAll();
  expect([forbids(4), forbids(5)]).toEqual(['the right begins at 5', undefined]);
  expect([rights.wasTaken('subscribe', 'alice', 't'), rights.wasTaken('publish', 'alice', 't')]).toEqual([true, false]);
  expect(rights.highestFloor('alice', 't')).toBe(5);
});

test('one that ends at a time is forbidden from then on', () => {
  const rights = new RightsBook();
  rights.take('members', 'alice', 't', 100);
  rights.told('alice');
  expect(rights.answer('members', 'alice', 't')).toEqual({ untilMs: 100 });
  expect(rights.forbids('members', 'alice', 't', 1, 99)).toBeUndefined();
  expect(rights.forbids('members', 'alice', 't', 1, 100)).toBe('the right has ended');
});
