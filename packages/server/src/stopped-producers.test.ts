import { expect, test } from 'vitest';
import { StoppedProducers } from './stopped-producers.ts';

test('made-up names cost no more memory than there is room for: the oldest goes', () => {
  const stopped = new StoppedProducers(2);
  stopped.add('a', 'p alice', 1);
  stopped.add('b', 'p alice', 2);
  stopped.add('a', 'p alice', 3);
  stopped.add('c', 'p alice', 4);
  expect(stopped.count).toBe(2);
  expect(['a', 'b', 'c'].map((topic) => stopped.has(topic, 'p alice'))).toEqual([true, false, true]);
});

test('by default there is room for 100,000 on a node', () => {
  const stopped = new StoppedProducers();
  for (let at = 0; at < 100_001; at++) stopped.add('t', `p${at} alice`, at);
  expect(stopped.count).toBe(100_000);
});

test('forgets by time, one by one, and by topic', () => {
  const stopped = new StoppedProducers();
  for (const [at, topic] of ['a', 'a/b', 'c', 'a'].entries()) stopped.add(topic, `p${at} alice`, at);
  stopped.deleteBefore('c', 'p2 alice', 2);
  expect(stopped.has('c', 'p2 alice')).toBe(true);
  stopped.deleteBefore('c', 'p2 alice', 3);
  expect(stopped.has('c', 'p2 alice')).toBe(false);
  stopped.delete('a', 'p0 alice');
  stopped.deleteTopic('a');
  expect(stopped.count).toBe(1);
  stopped.delete('a/b', 'p1 alice');
  expect(stopped.count).toBe(0);
});

test('forgets all by steps, whatever the clock says', () => {
  const stopped = new StoppedProducers();
  stopped.add('t', 'early alice', 9e15);
  for (let step = 0; step < 30; step++) stopped.sweep();
  stopped.add('t', 'late alice', 0);
  for (let step = 0; step < 29; step++) stopped.sweep();
  expect([stopped.has('t', 'early alice'), stopped.has('t', 'late alice')]).toEqual([true, true]);
  stopped.sweep();
  expect([stopped.has('t', 'early alice'), stopped.has('t', 'late alice')]).toEqual([false, true]);
  for (let step = 0; step < 30; step++) stopped.sweep();
  expect(stopped.count).toBe(0);
});
